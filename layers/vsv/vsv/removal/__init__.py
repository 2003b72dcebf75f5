"""Removing slides: delete them, archive them on S3, restore them.

``/RemoveImages`` requests an operation; functions that mount the file system do the work. The
record names the operation until it is complete, so that it is true whenever a function is killed.
"""
