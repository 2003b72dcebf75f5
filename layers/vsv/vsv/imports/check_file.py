"""The state of a file on EFS, for functions that do not mount EFS.

``CheckFile`` and ``SetAside`` run in the VPC with the file system mounted; ``ImportSlide`` runs
outside it and invokes them through ``RemoteFiles``.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from vsv.errors import FileChanged, UnreadableSlide
from vsv.identifiers import FileVersion
from vsv.imports.file_state import FileState, unchanged_for_s
from vsv.imports.naming import image_id_for
from vsv.slides.aperio import parse_description
from vsv.slides.file import SlideFile
from vsv.slides.pages import Pages
from vsv.slides.tiff import TiffFile
from vsv.storage.layout import Storage

__all__ = ["check_file"]


def check_file(
    storage: Storage, filename: str, version: FileVersion | None = None
) -> dict[str, Any] | None:
    """Return the state of the file; None if there is none. Its content is never an error.

    With a version: the state of that version of the file, even if it was set aside.
    """
    try:
        path = storage.locate(filename, version) if version else storage.slide(filename)
        status = path.stat()
    except (FileChanged, FileNotFoundError, NotADirectoryError):
        return None
    image_id = image_id_for(_image_id_tag(path), filename)
    return asdict(FileState(status.st_size, status.st_mtime_ns, unchanged_for_s(status), image_id))


def _image_id_tag(path: Path) -> str | None:
    """Return the ImageID that the scanner wrote, as far as the file's directories can be read.

    No pixel is read, so that this function needs no library that decodes any.
    """
    try:
        file = SlideFile(path)
    except (UnreadableSlide, FileNotFoundError):
        return None
    try:
        full = Pages.of(TiffFile(file.descriptor).directories).levels[0]
    except UnreadableSlide:
        return None
    finally:
        file.close()
    return parse_description(full.description).image_id
