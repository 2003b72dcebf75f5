"""Delivery to the CDR, the clinical data repository: docs/cdr.md describes its side of it.

``content`` is what the CDR gets, ``client`` sends it, ``delivery`` notes the outcome. Importing
``content`` alone loads no HTTP client.
"""
