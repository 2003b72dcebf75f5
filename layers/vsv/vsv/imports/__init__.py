"""The import protocol: what ``/ImportSlide`` decides, the transfer to EFS, the workflow's steps."""
