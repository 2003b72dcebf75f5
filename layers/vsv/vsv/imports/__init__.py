"""Imports: the decisions of ``/ImportSlide``, the transfer to EFS, the steps of the workflow."""
