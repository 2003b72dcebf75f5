"""What is archived of a slide file, and how it is proved to be that file."""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote

from vsv.errors import ChecksumMismatch, Conflict
from vsv.identifiers import FileVersion
from vsv.slides.file import SlideFile

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

__all__ = ["PART_BYTES", "Archived", "Checksum", "Copy", "key_of", "no_longer_imported"]

# A part takes S3 some 0.3 s.
PART_BYTES: Final = 16 * 2**20
# S3 takes objects of 5 TiB, in 10,000 parts at most.
_MAX_BYTES: Final = 5 * 2**40
_MAX_PARTS: Final = 9000

# User metadata is 2 KB in all; what else is in there leaves so much for the file's name.
_MAX_NAME_BYTES: Final = 1200


@dataclass(frozen=True)
class Archived:
    """An object that was found to be its slide file, as the slide's record keeps it.

    ``size`` is in bytes. ``checksum`` is S3's for an object in parts: the SHA-256 of its parts'
    SHA-256, in base64, and after a hyphen how many parts. ``version_id`` is None where the bucket
    keeps no versions.
    """

    key: str
    version_id: str | None
    size: int
    checksum: str
    storage_class: str

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Return the copy of ``to_dict``'s fields, which may stand among others.

        DynamoDB's numbers will do.
        """
        return cls(
            str(fields["key"]),
            fields.get("version_id"),
            int(fields["size"]),
            str(fields["checksum"]),
            str(fields["storage_class"]),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by their names."""
        return asdict(self)

    @property
    def version(self) -> FileVersion:
        """The version of the slide file."""
        return FileVersion.parse(Path(self.key).stem)


@dataclass(frozen=True)
class Copy:
    """What an object must be to be this file's copy."""

    file: SlideFile
    key: str
    sha256: str
    metadata: Mapping[str, str]

    @classmethod
    def of(cls, file: SlideFile, image_id: str, filename: str, sha256: str) -> Self:
        """Return the plan of a copy. Raises Conflict if S3 takes no file of that size."""
        if file.version.size > _MAX_BYTES:
            raise Conflict(
                f"the file has {file.version.size} bytes; the archive takes {_MAX_BYTES} at most"
            )
        metadata = {
            "sha256": sha256,
            "mtime-ns": str(file.version.mtime_ns),
            "image-id": quote(image_id, safe=""),
            "file-name": _short(filename),
        }
        return cls(file, key_of(image_id, file.version), sha256, metadata)

    def is_described_by(self, head: "HeadObjectOutputTypeDef") -> bool:
        """Whether the object has the file's size, and says of itself that it is it."""
        return (
            head["ContentLength"] == self.file.version.size
            and self.metadata.items() <= head["Metadata"].items()
        )

    def parts(self) -> Iterator[bytes]:
        """Yield the file part by part: at least one, which may be empty."""
        size = self.file.version.size
        part_bytes = PART_BYTES * max(1, -(-size // (PART_BYTES * _MAX_PARTS)))
        for offset in range(0, max(size, 1), part_bytes):
            yield self.file.read(offset, part_bytes)

    def checksum(self) -> str:
        """Return the checksum that the object must have. Raises ChecksumMismatch."""
        checksum = Checksum()
        for part in self.parts():
            checksum.add(part)
        if not checksum.is_of(self.sha256):
            raise no_longer_imported()
        return checksum.composite


class Checksum:
    """The checksum of parts, and of what they are together."""

    def __init__(self) -> None:
        self._whole = hashlib.sha256()
        self._digests: list[bytes] = []

    def add(self, part: bytes) -> str:
        """Add the next part; return its own checksum."""
        self._whole.update(part)
        self._digests.append(hashlib.sha256(part).digest())
        return base64.b64encode(self._digests[-1]).decode()

    def is_of(self, sha256: str) -> bool:
        """Whether the parts together are what has this SHA-256."""
        return self._whole.hexdigest() == sha256

    @property
    def composite(self) -> str:
        """The checksum of an object in these parts."""
        digest = hashlib.sha256(b"".join(self._digests)).digest()
        return f"{base64.b64encode(digest).decode()}-{len(self._digests)}"


def key_of(image_id: str, version: FileVersion) -> str:
    """Return the key of the object that holds this version of the slide's file."""
    return f"slides/{quote(image_id, safe='')}/{version}.svs"


def _short(filename: str) -> str:
    """Return the name in ASCII, without its folders if it would not fit the metadata."""
    name = quote(filename)
    return name if len(name) <= _MAX_NAME_BYTES else quote(filename.rpartition("/")[2])


def no_longer_imported() -> ChecksumMismatch:
    """Return the error for a file that has changed."""
    return ChecksumMismatch("the slide file is no longer what was imported")
