"""Lists of all slide files on EFS, page by page, for callers that do not mount EFS."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple, dataclass
from typing import Any, Final

from vsv.identifiers import FileVersion
from vsv.imports.file_state import unchanged_for_s
from vsv.storage.layout import Storage

__all__ = ["ListSlides", "ListedFile", "all_slides", "list_slides"]

# Returns a page of a folder after a file name: see ``list_slides``.
ListSlides = Callable[[Mapping[str, Any]], Mapping[str, Any]]

# A function's answer has at most 6 MB. EFS returns a file's state in a millisecond or two: a full
# page takes well below a minute, and the time to list the folder.
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
        """Return the version of the file."""
        return FileVersion(self.size, self.mtime_ns)


def list_slides(storage: Storage, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return a page of the slide files in ``folder``: those after the name ``after``.

    The page has ``files``, the fields of a ListedFile for each, and ``after`` of the next page;
    None on the last one. Raises InvalidRequest or NotFound for an invalid folder.
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
    """Yield all slide files in the folder and below it, sorted by name."""
    after = ""
    while True:
        page = ask({"folder": folder, "after": after})
        yield from (ListedFile(*row) for row in page["files"])
        if page["after"] is None:
            return
        after = page["after"]
