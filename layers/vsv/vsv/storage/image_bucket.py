"""The images that were made of one slide, as objects in an S3 bucket.

An object appears whole or not at all, and is seen by all as soon as it was written (S3 is strongly
consistent), so that it is as good as a file that was renamed into place.
"""

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from vsv import aws
from vsv.errors import Unavailable
from vsv.pyramid.image_store import SUFFIX, StoredImage, Write
from vsv.storage.image_folder import as_levels

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef, ObjectIdentifierTypeDef

__all__ = ["ImageBucket"]

# A PUT takes 10 to 30 ms, two of them CPU time, the rest waiting: this many keep a core busy. Twice
# as many images are held in memory, at some 20 KB each.
_THREADS: Final = 16
_MAX_PENDING: Final = 2 * _THREADS
# How people call it.
_SERVICE: Final = "the store of images"


class ImageBucket:
    """A slide's images as objects: ``<ImageID>.dzi`` and ``<ImageID>_files/…`` in the bucket.

    All methods raise Unavailable where S3 does not answer, or is too busy. What is not allowed is
    a ClientError; so is an image that is not there, unless ``s3:ListBucket`` is granted.
    """

    def __init__(self, bucket: str, image_id: str) -> None:
        self._s3 = aws.s3()
        self._bucket = bucket
        self._descriptor = f"{image_id}.dzi"
        self._files = f"{image_id}_files"

    def find(self, name: str) -> StoredImage | None:
        """Return the image, read. Costs one request.

        To ask for the tag alone would cost as much time as to ask for all of it.
        """
        with aws.answering(_SERVICE):
            try:
                answer = self._s3.get_object(Bucket=self._bucket, Key=self._key(name))
            except self._s3.exceptions.NoSuchKey:
                return None
            data = answer["Body"].read()
        return StoredImage(answer["ETag"].strip('"'), lambda: data)

    def missing(self, names: Collection[str]) -> set[str]:
        """Return the names that have no object. Costs a request each, many at a time."""
        with ThreadPoolExecutor(_THREADS) as pool:
            found = pool.map(lambda name: self._has(self._key(name)), names)
            return {name for name, there in zip(names, found, strict=True) if not there}

    def write(self, name: str, data: bytes) -> None:
        """Write the image's object."""
        self._put(self._key(name), data, "image/jpeg")

    @contextmanager
    def writing(self, on_written: Callable[[], None]) -> Iterator[Write]:
        """Write many objects at a time."""
        pending: set[Future[None]] = set()

        def settle(most: int) -> None:
            """Wait until at most ``most`` are pending."""
            while len(pending) > most:
                for future in wait(pending, return_when=FIRST_COMPLETED).done:
                    pending.remove(future)
                    future.result()
                    on_written()

        with ThreadPoolExecutor(_THREADS) as pool:

            def write(name: str, data: bytes) -> None:
                settle(_MAX_PENDING - 1)
                pending.add(pool.submit(self.write, name, data))

            try:
                yield write
                settle(0)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def count_tiles(self, level: int) -> int:
        """Count the level's objects: a request for each thousand."""
        return sum(page["KeyCount"] for page in self._pages(f"{self._files}/{level}/"))

    def write_descriptor(self, document: bytes) -> None:
        """Write the ``.dzi`` object."""
        self._put(self._descriptor, document, "application/xml")

    def has_descriptor(self) -> bool:
        """Whether the ``.dzi`` object is there."""
        return self._has(self._descriptor)

    def rendered_levels(self) -> tuple[int, ...]:
        """Return the levels that have objects, if there is a ``.dzi``. Costs two requests.

        Both are listings, since who may read images may not read the ``.dzi`` object.
        """
        with aws.answering(_SERVICE):
            descriptor = self._s3.list_objects_v2(
                Bucket=self._bucket, Prefix=self._descriptor, MaxKeys=1
            )
            if all(each["Key"] != self._descriptor for each in descriptor.get("Contents", [])):
                return ()
            folders = self._s3.list_objects_v2(
                Bucket=self._bucket, Prefix=f"{self._files}/", Delimiter="/"
            )
        return as_levels(
            each["Prefix"].split("/")[-2] for each in folders.get("CommonPrefixes", [])
        )

    def clear(self) -> None:
        """Remove the ``.dzi`` object, then all others: two requests for each thousand."""
        self._remove(lambda name: True)

    def clear_tiles(self) -> None:
        """Remove the ``.dzi`` object, then the tiles, as ``clear`` does."""
        self._remove(lambda name: "/" in name)

    def _remove(self, chosen: Callable[[str], bool]) -> None:
        """Remove the ``.dzi`` object, then the images that are chosen by name."""
        folder = f"{self._files}/"
        with aws.answering(_SERVICE):
            self._s3.delete_object(Bucket=self._bucket, Key=self._descriptor)
            for page in self._pages(folder):
                keys: list[ObjectIdentifierTypeDef] = [
                    {"Key": found["Key"]}
                    for found in page.get("Contents", [])
                    if chosen(found["Key"].removeprefix(folder))
                ]
                if keys:
                    answer = self._s3.delete_objects(
                        Bucket=self._bucket, Delete={"Objects": keys, "Quiet": True}
                    )
                    if kept := answer.get("Errors"):
                        raise Unavailable(f"{len(kept)} images were not removed: {kept[0]['Code']}")

    def _key(self, name: str) -> str:
        return f"{self._files}/{name}{SUFFIX}"

    def _put(self, key: str, data: bytes, media_type: str) -> None:
        with aws.answering(_SERVICE):
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=data, ContentType=media_type)

    def _has(self, key: str) -> bool:
        with aws.answering(_SERVICE):
            try:
                self._s3.head_object(Bucket=self._bucket, Key=key)
            except ClientError as error:
                # An answer to HEAD has no body that could say more.
                if error.response["Error"]["Code"] == "404":
                    return False
                raise
        return True

    def _pages(self, prefix: str) -> "Iterator[ListObjectsV2OutputTypeDef]":
        with aws.answering(_SERVICE):
            pages = self._s3.get_paginator("list_objects_v2")
            yield from pages.paginate(Bucket=self._bucket, Prefix=prefix)
