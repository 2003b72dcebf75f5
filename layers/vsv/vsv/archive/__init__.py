"""The archive: slide files as objects on S3, each proved to be its file before that may go."""

from vsv.archive.bucket import Archive
from vsv.archive.copy import Archived

__all__ = ["Archive", "Archived"]
