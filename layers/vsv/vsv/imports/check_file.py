"""What is on EFS under a file's name, asked by functions that cannot see EFS themselves.

``CheckFile`` and ``SetAside`` run in the VPC with the file system mounted; ``ImportSlide`` runs
outside it and invokes them through ``RemoteFiles``.
"""

from dataclasses import asdict
from typing import Any

from vsv.errors import FileChanged, UnreadableSlide
from vsv.identifiers import FileVersion
from vsv.imports.file_state import FileState, quiet_s
from vsv.imports.naming import image_id_for
from vsv.slides.slide import Slide
from vsv.storage.layout import Storage

__all__ = ["check_file"]


def check_file(
    storage: Storage, filename: str, version: FileVersion | None = None
) -> dict[str, Any] | None:
    """CheckFile: the state of the file, or None where there is none. Never fails on its content.

    With a version: of that version of the file, wherever it was set aside.
    """
    try:
        path = storage.locate(filename, version) if version else storage.slide(filename)
        status = path.stat()
    except (FileChanged, FileNotFoundError, NotADirectoryError):
        return None
    try:
        with Slide(path) as slide:
            tag = slide.metadata().image_id
    except (UnreadableSlide, FileNotFoundError):
        tag = None
    image_id = image_id_for(tag, filename)
    return asdict(FileState(status.st_size, status.st_mtime_ns, quiet_s(status), image_id))
