"""Delivery to the CDR, the clinical data repository: docs/cdr.md describes its side of it.

``content`` is what the CDR gets, ``client`` how, ``delivery`` what comes of it. Who only wants to
know of the content pays for nothing else.
"""
