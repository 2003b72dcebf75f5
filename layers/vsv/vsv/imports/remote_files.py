"""Files on EFS, asked by functions that do not mount it."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from vsv.errors import Unavailable
from vsv.identifiers import FileVersion
from vsv.imports.file_state import FileState

if TYPE_CHECKING:
    from mypy_boto3_lambda.client import LambdaClient

__all__ = ["Files", "RemoteFiles"]


class Files(Protocol):
    """Asks about files on EFS, and frees their names."""

    def check(self, filename: str) -> FileState | None:
        """The file's state; None where there is none of this name."""

    def holds(self, filename: str, version: FileVersion) -> bool:
        """Whether that version of the file is there, under its name or set aside."""

    def set_aside(self, filename: str, version: FileVersion) -> None:
        """Free the name for another file; the one that has it is kept under another."""


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
