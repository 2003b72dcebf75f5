"""Removing slides: delete them, archive them on S3, bring them back from there.

``/RemoveImages`` asks; the work is done by functions that see the file system. The record says what
was asked for until that is done, so that it is true at every moment, whatever is killed.
"""
