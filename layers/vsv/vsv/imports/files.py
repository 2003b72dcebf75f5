"""What is on EFS under a file's name, asked by functions that cannot see EFS themselves.

``CheckFile`` and ``SetAside`` run in the VPC with the file system mounted; ``ImportSlide`` runs
outside it and invokes them through ``RemoteFiles``.
"""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

from vsv.errors import FileChanged, Unavailable, UnreadableSlide
from vsv.imports.naming import image_id_for
from vsv.slides import FileVersion, Slide
from vsv.storage import Storage

if TYPE_CHECKING:
    from mypy_boto3_lambda.client import LambdaClient

__all__ = ["FileState", "Files", "RemoteFiles", "check_file", "quiet_s"]


@dataclass(frozen=True)
class FileState:
    """A file on EFS: ``size`` in bytes, ``mtime_ns`` since 1970, ``quiet_s`` since it changed.

    ``image_id`` is what the slide should be known by: see ``image_id_for``.
    """

    size: int
    mtime_ns: int
    quiet_s: float
    image_id: str

    @property
    def version(self) -> FileVersion:
        """Which bytes the file holds."""
        return FileVersion(self.size, self.mtime_ns)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any] | None) -> Self | None:
        """The state from CheckFile's answer."""
        return cls(**fields) if fields else None


class Files(Protocol):
    """Asks about files on EFS, and frees their names."""

    def check(self, filename: str) -> FileState | None:
        """The file's state; None where there is none of this name."""

    def holds(self, filename: str, version: FileVersion) -> bool:
        """Whether that version of the file is there, under its name or set aside."""

    def set_aside(self, filename: str, version: FileVersion) -> None:
        """Free the name for another file; the one that has it is kept under another."""


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


def quiet_s(status: os.stat_result) -> float:
    """For how long, in seconds, a file has not changed.

    Not by its modification time: DataSync sets that to the original's. What the clocks of client
    and file system disagree by must not make a file look older than it is.
    """
    return max(time.time() - status.st_ctime, 0.0)


class RemoteFiles:
    """Files through the Lambda functions that have EFS mounted."""

    def __init__(
        self, client: "LambdaClient", check_function: str, set_aside_function: str
    ) -> None:
        self._client = client
        self._check_function = check_function
        self._set_aside_function = set_aside_function

    def check(self, filename: str) -> FileState | None:
        """See Files."""
        return FileState.from_dict(self._invoke(self._check_function, {"filename": filename}))

    def holds(self, filename: str, version: FileVersion) -> bool:
        """See Files."""
        request = {"filename": filename, "version": str(version)}
        return self._invoke(self._check_function, request) is not None

    def set_aside(self, filename: str, version: FileVersion) -> None:
        """See Files."""
        self._invoke(self._set_aside_function, {"filename": filename, "version": str(version)})

    def _invoke(self, function: str, payload: Mapping[str, Any]) -> Any:
        answer = self._client.invoke(FunctionName=function, Payload=json.dumps(payload).encode())
        result = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise Unavailable("the slide store could not be asked; try again later")
        return result
