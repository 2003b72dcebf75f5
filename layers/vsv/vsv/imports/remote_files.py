"""Files on EFS, for functions that do not mount it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from vsv import aws
from vsv.errors import Unavailable
from vsv.identifiers import FileVersion
from vsv.imports.file_state import FileState

if TYPE_CHECKING:
    from mypy_boto3_lambda.client import LambdaClient

__all__ = ["Files", "RemoteFiles"]


class Files(Protocol):
    """Files on EFS: their state, and freeing their names."""

    def check(self, filename: str) -> FileState | None:
        """Return the file's state; None if there is none of this name."""

    def holds(self, filename: str, version: FileVersion) -> bool:
        """Return whether that version of the file exists, under its name or set aside."""

    def set_aside(self, filename: str, version: FileVersion) -> None:
        """Rename the file, so that another one may have its name."""


class RemoteFiles:
    """Files through the Lambda functions that mount EFS.

    ``set_aside_function`` is None for those who look at files only.
    """

    def __init__(
        self, client: "LambdaClient", check_function: str, set_aside_function: str | None = None
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
        if self._set_aside_function is None:
            raise ValueError("these files can only be looked at")
        self._invoke(self._set_aside_function, {"filename": filename, "version": str(version)})

    def _invoke(self, function: str, payload: Mapping[str, Any]) -> Any:
        try:
            return aws.invoke(self._client, function, payload)
        except aws.FunctionFailed as error:
            raise Unavailable("the slide store does not answer; try again later") from error
