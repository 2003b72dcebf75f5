"""The state of a file on EFS."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from vsv.identifiers import FileVersion

__all__ = ["FileState", "unchanged_for_s"]


@dataclass(frozen=True)
class FileState:
    """A file on EFS: ``size`` in bytes, ``mtime_ns`` since 1970.

    ``unchanged_for_s``: seconds since it changed. ``image_id``: see ``image_id_for``.
    """

    size: int
    mtime_ns: int
    unchanged_for_s: float
    image_id: str

    @property
    def version(self) -> FileVersion:
        """Return the version of the file."""
        return FileVersion(self.size, self.mtime_ns)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any] | None) -> Self | None:
        """Parse CheckFile's answer."""
        return cls(**fields) if fields else None


def unchanged_for_s(status: os.stat_result) -> float:
    """Return for how long, in seconds, a file has not changed.

    Its modification time does not tell: DataSync sets it to the original's. A difference between
    the clocks of client and file system must not make a file look older than it is.
    """
    return max(time.time() - status.st_ctime, 0.0)
