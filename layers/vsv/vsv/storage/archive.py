"""The archive: slide files as objects on S3, each proved to be its file before that may go.

An object's key tells ImageID and version, nothing of a label or a file's name: keys turn up in
access logs. Nothing is known here of the catalogue. All calls may be killed at any point, repeated,
and made by two at once.
"""

import fcntl
import hashlib
import io
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from botocore.exceptions import ClientError

from vsv import aws
from vsv.errors import ArchiveNotReady, ChecksumMismatch, FileChanged, NotFound, Unavailable
from vsv.identifiers import FileVersion
from vsv.slides.file import SlideFile
from vsv.storage.archive_copy import (
    PART_BYTES,
    Archived,
    Checksum,
    Copy,
    key_of,
    no_longer_imported,
)
from vsv.storage.atomic_files import PARTIAL, give_name

if TYPE_CHECKING:
    from mypy_boto3_s3.literals import StorageClassType, TierType
    from mypy_boto3_s3.type_defs import (
        CompletedPartTypeDef,
        GetObjectOutputTypeDef,
        HeadObjectOutputTypeDef,
        RestoreRequestTypeDef,
    )

__all__ = ["Archive"]

# How people call it.
_SERVICE: Final = "the archive"

# How many parts are sent at a time. One more is in memory.
_THREADS: Final = 3

# How S3 tells that another call did something with the same object, or upload, at the same time.
_OVERTAKEN: Final = frozenset(
    {
        "ConditionalRequestConflict",
        "InvalidPart",
        "NoSuchKey",
        "NoSuchUpload",
        "PreconditionFailed",
    }
)
_ATTEMPTS: Final = 4


class Archive:
    """The slide files in one bucket.

    ``storage_class`` is S3's name for how objects are stored. What was brought out of deep storage
    stays readable for ``restore_days``; ``restore_tier`` is S3's name for how soon it has to be.

    All methods raise Unavailable where S3 does not answer, or is too busy. What is not allowed is a
    ClientError; so is an object that is not there, unless ``s3:ListBucket`` is granted.
    """

    def __init__(
        self,
        bucket: str,
        storage_class: str,
        *,
        restore_days: int = 7,
        restore_tier: str = "Standard",
    ) -> None:
        self._s3 = aws.s3_archive()
        self._bucket = bucket
        self._storage_class = cast("StorageClassType", storage_class)
        self._restore_days = restore_days
        self._restore_tier = cast("TierType", restore_tier)

    def store(self, file: SlideFile, image_id: str, filename: str, sha256: str) -> Archived:
        """Have the open file in the archive; ``sha256``, in hex, is that of what was imported.

        It is read once, a few parts of it being in memory at a time. An upload that was killed is
        continued; an object that is there already is compared with the file.

        Raises ChecksumMismatch where the file is not what was imported, and nothing is archived
        then, or where what was archived is not the file; Conflict where S3 takes none so large.
        """
        copy = Copy.of(file, image_id, filename, sha256)
        for _ in range(_ATTEMPTS):
            with aws.answering(_SERVICE), _unless_overtaken():
                there = self._head(copy.key)
                if there and copy.is_described_by(there) and _has(there, copy.checksum()):
                    self._abort(copy.key, self._uploads(copy.key))
                    return _archived(copy.key, there)
                checksum = self._upload(copy, there)
                there = self._head(copy.key)
                # An upload that is continued may have been begun under another file name.
                if there and copy.is_described_by(there):
                    if _has(there, checksum):
                        return _archived(copy.key, there)
                    raise ChecksumMismatch("what was archived is not the slide file")
        raise Unavailable("other calls archive the same slide file")

    def fetch(self, archived: Archived, target: Path, sha256: str, version: FileVersion) -> None:
        """Bring the file back, to ``target``, as the version that was imported.

        A call that was killed is continued. Raises ArchiveNotReady where the object has to be
        brought out of deep storage first, which is begun; ChecksumMismatch where it is not what was
        imported; NotFound where it is not there; FileChanged where it is of another version, or
        another file has the target's name; Unavailable where another call is bringing it.
        """
        if archived.version != version:
            raise FileChanged("the archive holds another version of the slide file")
        digest = hashlib.sha256(archived.key.encode()).hexdigest()[:32]
        partial = target.with_name(f".{digest}{PARTIAL}")
        if _holds(target, sha256, version):
            partial.unlink(missing_ok=True)  # its second name, if a call was killed just then
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        with _held(partial) as file:
            self._download(archived, file)
            if _sha256(file) != sha256:
                # What a killed call left may be wrong.
                file.truncate(0)
                self._download(archived, file)
                if _sha256(file) != sha256:
                    partial.unlink()
                    raise ChecksumMismatch("what the archive holds is not what was imported")
            os.utime(file.fileno(), ns=(version.mtime_ns, version.mtime_ns))
            try:
                give_name(partial, target)
            except FileExistsError as error:
                raise FileChanged("another file has the slide file's name now") from error

    def remove(self, archived: Archived) -> None:
        """Remove the object. A bucket with versions keeps it for a while, to be fetched by its own.

        What the same file was archived as since then stays.
        """
        with aws.answering(_SERVICE):
            there = self._head(archived.key)
            if there and there.get("VersionId") == archived.version_id:
                self._s3.delete_object(Bucket=self._bucket, Key=archived.key)

    def discard(self, image_id: str, version: FileVersion) -> None:
        """Remove all that is there of the slide file, as ``remove`` does; unfinished uploads, too.

        Of a call that was killed nobody may know what it archived.
        """
        key = key_of(image_id, version)
        with aws.answering(_SERVICE):
            self._abort(key, self._uploads(key))
            if self._head(key):
                self._s3.delete_object(Bucket=self._bucket, Key=key)

    def _head(self, key: str) -> "HeadObjectOutputTypeDef | None":
        try:
            return self._s3.head_object(Bucket=self._bucket, Key=key, ChecksumMode="ENABLED")
        except ClientError as error:
            # An answer to HEAD has no body that could say more.
            if error.response["Error"]["Code"] == "404":
                return None
            raise

    def _upload(self, copy: Copy, there: "HeadObjectOutputTypeDef | None") -> str:
        """Upload what S3 has not got yet; return the checksum that the object must have.

        It takes the place of what is ``there``, of nothing else.
        """
        upload = self._begin(copy)
        known = self._parts(copy.key, upload)
        checksum = Checksum()
        done: list[CompletedPartTypeDef] = []
        sending: deque[Future[CompletedPartTypeDef]] = deque()
        with ThreadPoolExecutor(_THREADS) as pool:
            for number, data in enumerate(copy.parts(), start=1):
                digest = checksum.add(data)
                if known.get(number, {}).get("ChecksumSHA256") == digest:
                    done.append(known[number])
                    continue
                if len(sending) == _THREADS:
                    done.append(sending.popleft().result())
                sending.append(pool.submit(self._send, copy.key, upload, number, data, digest))
            done += [each.result() for each in sending]
        if not checksum.is_of(copy.sha256):
            self._abort(copy.key, [upload])
            raise no_longer_imported()
        self._s3.complete_multipart_upload(
            Bucket=self._bucket,
            Key=copy.key,
            UploadId=upload,
            MultipartUpload={"Parts": sorted(done, key=itemgetter("PartNumber"))},
            **_in_place_of(there),
        )
        return checksum.composite

    def _begin(self, copy: Copy) -> str:
        """Return the upload that all calls for this object continue, the oldest; abort others."""
        uploads = self._uploads(copy.key)
        if not uploads:
            created = self._s3.create_multipart_upload(
                Bucket=self._bucket,
                Key=copy.key,
                StorageClass=self._storage_class,
                ContentType="image/tiff",
                Metadata=copy.metadata,
                ChecksumAlgorithm="SHA256",
            )
            # Two calls may have begun one each; or another has ended this one already.
            uploads = self._uploads(copy.key) or [created["UploadId"]]
        self._abort(copy.key, uploads[1:])
        return uploads[0]

    def _uploads(self, key: str) -> list[str]:
        """Return the object's unfinished uploads, the oldest first."""
        pages = self._s3.get_paginator("list_multipart_uploads")
        found = [
            (upload["Initiated"], upload["UploadId"])
            for page in pages.paginate(Bucket=self._bucket, Prefix=key)
            for upload in page.get("Uploads", [])
            if upload["Key"] == key
        ]
        return [upload for _, upload in sorted(found)]

    def _abort(self, key: str, uploads: Iterable[str]) -> None:
        for upload in uploads:
            with suppress(self._s3.exceptions.NoSuchUpload):
                self._s3.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload)

    def _parts(self, key: str, upload: str) -> "dict[int, CompletedPartTypeDef]":
        """Return the parts that S3 has, by number."""
        pages = self._s3.get_paginator("list_parts")
        return {
            part["PartNumber"]: {
                "PartNumber": part["PartNumber"],
                "ETag": part["ETag"],
                "ChecksumSHA256": part.get("ChecksumSHA256", ""),
            }
            for page in pages.paginate(Bucket=self._bucket, Key=key, UploadId=upload)
            for part in page.get("Parts", [])
        }

    def _send(
        self, key: str, upload: str, number: int, data: bytes, digest: str
    ) -> "CompletedPartTypeDef":
        """Send a part; S3 refuses it where it is not what the digest says."""
        answer = self._s3.upload_part(
            Bucket=self._bucket,
            Key=key,
            UploadId=upload,
            PartNumber=number,
            Body=data,
            ChecksumSHA256=digest,
        )
        return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": digest}

    def _download(self, archived: Archived, file: io.BufferedRandom) -> None:
        """Append what the file lacks of the object."""
        for start in range(file.seek(0, os.SEEK_END), archived.size, PART_BYTES):
            file.write(self._read(archived, start, min(start + PART_BYTES, archived.size)))
            file.flush()
        os.fsync(file.fileno())

    def _read(self, archived: Archived, start: int, stop: int) -> bytes:
        """Return the object's bytes from ``start`` up to ``stop``."""
        with aws.answering(_SERVICE):
            answer = self._get(archived, f"bytes={start}-{stop - 1}")
            with answer["Body"] as body:
                if "ContentRange" not in answer:
                    # All of it: a server may ignore the range (RFC 9110, 14.2).
                    for skipped in range(0, start, PART_BYTES):
                        body.read(min(PART_BYTES, start - skipped))
                data = body.read(stop - start)
        if len(data) != stop - start:
            raise Unavailable("the archive's answer was cut short")
        return data

    def _get(self, archived: Archived, byte_range: str) -> "GetObjectOutputTypeDef":
        try:
            return self._s3.get_object(
                Bucket=self._bucket, Key=archived.key, Range=byte_range, **_version_of(archived)
            )
        except self._s3.exceptions.InvalidObjectState as error:
            self._bring_out(archived)
            raise ArchiveNotReady from error
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "NoSuchVersion"):
                raise NotFound("the slide file is not in the archive") from error
            raise

    def _bring_out(self, archived: Archived) -> None:
        """Have S3 bring the object out of deep storage, if it is not at it already."""
        request: RestoreRequestTypeDef = {"GlacierJobParameters": {"Tier": self._restore_tier}}
        if archived.storage_class != "INTELLIGENT_TIERING":  # there it stays, once it is out
            request["Days"] = self._restore_days
        try:
            self._s3.restore_object(
                Bucket=self._bucket,
                Key=archived.key,
                RestoreRequest=request,
                **_version_of(archived),
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "RestoreAlreadyInProgress":
                raise


def _archived(key: str, head: "HeadObjectOutputTypeDef") -> Archived:
    return Archived(
        key,
        head.get("VersionId"),
        head["ContentLength"],
        head["ChecksumSHA256"],
        head.get("StorageClass", "STANDARD"),
    )


def _has(head: "HeadObjectOutputTypeDef", checksum: str) -> bool:
    return head.get("ChecksumSHA256") == checksum


def _in_place_of(there: "HeadObjectOutputTypeDef | None") -> dict[str, Any]:
    """Return the condition that nobody has written the object since."""
    return {"IfMatch": there["ETag"]} if there else {"IfNoneMatch": "*"}


def _version_of(archived: Archived) -> dict[str, Any]:
    return {"VersionId": archived.version_id} if archived.version_id else {}


@contextmanager
def _unless_overtaken() -> Iterator[None]:
    """Leave the block if another call that archives the same file was faster."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in _OVERTAKEN:
            raise


@contextmanager
def _held(path: Path) -> Iterator[io.BufferedRandom]:
    """Open a partial file that nobody else writes. Raises Unavailable where somebody does."""
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The call that held it until now may have given it its name.
            is_ours = os.path.samestat(os.fstat(file.fileno()), path.stat())
        except (BlockingIOError, FileNotFoundError):
            is_ours = False
        if not is_ours:
            raise Unavailable("another call is bringing the slide file back")
        yield file


def _holds(path: Path, sha256: str, version: FileVersion) -> bool:
    """Whether the file is there, byte for byte."""
    try:
        with path.open("rb") as file:
            return FileVersion.of(file.fileno()) == version and _sha256(file) == sha256
    except FileNotFoundError:
        return False


def _sha256(file: io.BufferedIOBase) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()
