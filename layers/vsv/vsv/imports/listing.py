"""All slide files on EFS, asked page by page by those who cannot see EFS themselves."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple, dataclass
from typing import Any, Final

from vsv.identifiers import FileVersion
from vsv.imports.file_state import unchanged_for_s
from vsv.storage.layout import Storage

__all__ = ["ListSlides", "ListedFile", "all_slides", "list_slides"]

# Given a folder, and the name to go on after, the next page: what ``list_slides`` does, wherever
# it is done.
ListSlides = Callable[[Mapping[str, Any]], Mapping[str, Any]]

# A function's answer has 6 MB at the most. EFS tells a file's state in a millisecond or two: a
# page of the most files takes well below a minute, and the folder's own listing.
_PAGE_BYTES: Final = 4_000_000
_PAGE_FILES: Final = 10_000


@dataclass(frozen=True)
class ListedFile:
    """A slide file: ``size`` in bytes, ``mtime_ns`` since 1970.

    ``unchanged_for_s``: seconds since it changed.
    """

    filename: str
    size: int
    mtime_ns: int
    unchanged_for_s: float

    @property
    def version(self) -> FileVersion:
        """Which bytes the file holds."""
        return FileVersion(self.size, self.mtime_ns)


def list_slides(storage: Storage, request: Mapping[str, Any]) -> dict[str, Any]:
    """ListSlides: a page of the slide files in ``folder``, those after the one named ``after``.

    Returns ``files``, a row for each as ListedFile has it, and ``after`` for the next page; None
    where there is none. Raises InvalidRequest or NotFound for a folder that is none.
    """
    rows: list[tuple[Any, ...]] = []
    size = 0
    for filename, status in storage.slides(request.get("folder", ""), request.get("after", "")):
        file = ListedFile(filename, status.st_size, status.st_mtime_ns, unchanged_for_s(status))
        rows.append(astuple(file))
        size += len(json.dumps(rows[-1])) + 2
        if len(rows) == _PAGE_FILES or size > _PAGE_BYTES:
            return {"files": rows, "after": filename}
    return {"files": rows, "after": None}


def all_slides(ask: ListSlides, folder: str = "") -> Iterator[ListedFile]:
    """All slide files in the folder and below it, sorted by name."""
    after = ""
    while True:
        page = ask({"folder": folder, "after": after})
        yield from (ListedFile(*row) for row in page["files"])
        if page["after"] is None:
            return
        after = page["after"]
