"""The archive of slide files: nothing is lost, whatever is killed."""

import base64
import hashlib
import os
import threading
from contextlib import suppress
from decimal import Decimal
from itertools import count

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import archives
from tests.archives import (
    DATA,
    MTIME_NS,
    PART,
    fetch,
    sha256,
    store,
)
from tests.s3 import BUCKET, Killed, b64
from vsv.errors import (
    ChecksumMismatch,
    Unavailable,
)
from vsv.identifiers import FileVersion
from vsv.slides.file import SlideFile
from vsv.storage.archive import Archive
from vsv.storage.archive_copy import Archived

s3 = archives.s3
archive = archives.archive
slide = archives.slide

NUMBERS = count()


def test_a_slide_comes_back_as_it_was(s3, archive, slide, tmp_path):
    archived = store(archive, slide)
    assert s3.bytes_of(archived) == DATA
    assert archived.size == len(DATA)
    assert archived.storage_class == "STANDARD_IA"
    parts = [DATA[start : start + PART] for start in range(0, len(DATA), PART)]
    digest = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()
    assert archived.checksum == f"{base64.b64encode(digest).decode()}-6"
    assert s3.uploads() == []
    slide.unlink()
    fetch(archive, archived, tmp_path / "efs" / "day 1" / "scan.svs")


def test_what_the_record_keeps_leads_to_the_object(archive, slide):
    archived = store(archive, slide)
    kept = archived.to_dict()
    assert all(isinstance(value, str | int) for value in kept.values())
    assert Archived.from_dict({**kept, "size": Decimal(kept["size"]), "At": "today"}) == archived
    del kept["version_id"]
    assert Archived.from_dict(kept).version_id is None


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1])
def test_small_files_are_archived_as_well(s3, archive, tmp_path, size):
    path = tmp_path / "small.svs"
    path.write_bytes(DATA[:size])
    os.utime(path, ns=(MTIME_NS, MTIME_NS))
    archived = store(archive, path)
    assert s3.bytes_of(archived) == DATA[:size]
    fetch(archive, archived, tmp_path / "back" / "small.svs", DATA[:size])


@pytest.mark.parametrize(
    "done",
    [
        pytest.param(False, id="before S3 does it", marks=pytest.mark.slow),
        pytest.param(True, id="after S3 did it"),
    ],
)
@pytest.mark.slow
def test_killed_at_any_call_the_next_run_goes_on(s3, archive, slide, done):
    for number in range(100):
        image_id = f"slide{number}"
        s3.calls.clear()
        s3.kill_at(number, done=done)
        try:
            store(archive, slide, image_id)
        except Killed:
            s3.live()
        else:
            break
        had = {
            part["PartNumber"]
            for upload in s3.uploads()
            for part in s3.client.list_parts(
                Bucket=BUCKET, Key=upload["Key"], UploadId=upload["UploadId"]
            ).get("Parts", [])
        }
        before = len(s3.calls)
        archived = store(archive, slide, image_id)
        assert s3.bytes_of(archived) == DATA
        assert s3.uploads() == []
        sent = [call["PartNumber"] for name, call in s3.calls[before:] if name == "UploadPart"]
        assert not had & set(sent)
        assert len(sent) == len(set(sent))
        assert len([each for each in s3.objects() if each["Key"] == archived.key]) == 1
    assert 12 <= number < 30  # it was killed at all of its calls


@pytest.mark.slow
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kills=st.lists(st.tuples(st.integers(0, 12), st.booleans()), max_size=5))
def test_killed_again_and_again_it_is_archived_at_last(s3, archive, slide, kills):
    image_id = f"slide{next(NUMBERS)}"
    s3.calls.clear()
    for number, done in kills:
        s3.kill_at(number, done=done)
        with suppress(Killed):
            store(archive, slide, image_id)
    s3.live()
    archived = store(archive, slide, image_id)
    sent = [params["PartNumber"] for params in s3.asked("UploadPart")]
    assert set(sent) == set(range(1, 7))
    assert all(sent.count(number) <= 1 + len(kills) for number in sent)
    assert s3.bytes_of(archived) == DATA
    assert s3.uploads() == []


def test_what_is_there_is_not_sent_again(s3, archive, slide):
    first = store(archive, slide)
    s3.calls.clear()
    assert store(archive, slide) == first
    assert not s3.asked("UploadPart")
    assert len(s3.objects()) == 1


def test_bytes_that_are_not_what_was_imported_are_refused(s3, archive, slide):
    with pytest.raises(ChecksumMismatch, match="no longer what was imported"):
        store(archive, slide, digest=sha256(b"what was imported"))
    assert not s3.asked("CompleteMultipartUpload")
    assert s3.objects() == s3.uploads() == []
    # Nor are they taken for what is in the archive already.
    store(archive, slide)
    slide.write_bytes(DATA[::-1])
    os.utime(slide, ns=(MTIME_NS, MTIME_NS))
    with pytest.raises(ChecksumMismatch, match="no longer what was imported"):
        store(archive, slide, digest=sha256(DATA))
    (kept,) = s3.objects()
    assert kept["IsLatest"]


@pytest.mark.parametrize("change", [b"", DATA[:-1], DATA + b"more"], ids=["empty", "cut", "grown"])
def test_a_file_that_changes_while_it_is_read_is_refused(s3, archive, slide, change):
    file = SlideFile(slide)
    assert file.version.size == len(DATA)
    slide.write_bytes(change)
    with pytest.raises(ChecksumMismatch):
        archive.store(file, "204711", "scan.svs", sha256(DATA))
    assert s3.objects() == s3.uploads() == []


def test_a_part_that_was_damaged_on_its_way_is_refused_by_s3(s3, archive, slide):
    def damage(name, params):
        if name == "UploadPart" and params["PartNumber"] == 4:
            params["Body"] = b"damaged"

    s3.before = damage
    with pytest.raises(ClientError, match="BadDigest"):
        store(archive, slide)
    s3.live()
    assert s3.objects() == []
    assert s3.bytes_of(store(archive, slide)) == DATA


def test_an_object_that_is_not_the_file_is_no_copy(s3, archive, slide, tmp_path):
    """One of the same key, size and description: nobody but us writes there, and yet."""
    archived = store(archive, slide)
    described = s3.client.head_object(Bucket=BUCKET, Key=archived.key)["Metadata"]
    for more in ({}, {"sha256": "another"}):
        s3.client.put_object(
            Bucket=BUCKET, Key=archived.key, Body=DATA[::-1], Metadata={**described, **more}
        )
        again = store(archive, slide)
        assert s3.bytes_of(again) == DATA
        assert again.checksum == archived.checksum
        assert again.version_id != archived.version_id


def test_what_s3_made_of_the_parts_is_looked_at(s3, archive, slide, monkeypatch):
    head = s3.client.head_object
    wrong = {"ChecksumSHA256": "another-6"}
    monkeypatch.setattr(s3.client, "head_object", lambda **params: {**head(**params), **wrong})
    with pytest.raises(ChecksumMismatch, match="what was archived is not the slide file"):
        store(archive, slide)


class Dying:
    """A client whose process dies at a call of it, the first being 0."""

    def __init__(self, client, number) -> None:
        self._client, self._left = client, number

    def __getattr__(self, name):
        if name not in ("exceptions", "meta"):
            self._left -= 1
            if self._left < 0:
                raise Killed
        return getattr(self._client, name)


@pytest.mark.parametrize(
    "dies_at", [*(pytest.param(n, marks=pytest.mark.slow) for n in (2, 5, 7, 11)), 100]
)
@pytest.mark.slow
def test_two_at_once_do_no_harm(s3, archive, slide, dies_at):
    """The other call comes in between any two of the first one's, and may die on its way."""
    other = Archive(BUCKET, "STANDARD_IA")
    for number in range(100):
        image_id, found = f"slide{number}", []
        left, lock = [number], threading.Lock()

        def in_between(*_, left=left, lock=lock, image_id=image_id, found=found):
            with lock:
                left[0] -= 1
                if left[0] != -1:
                    return
            other._s3 = Dying(s3.client, dies_at)
            with suppress(Killed):
                found.append(store(other, slide, image_id))

        s3.before = in_between
        archived = store(archive, slide, image_id)
        s3.live()
        if left[0] >= 0:
            break
        assert s3.bytes_of(archived) == DATA
        assert set(found) <= {archived}
        assert found or dies_at < 100
        assert store(archive, slide, image_id) == archived
        assert s3.uploads() == []
        assert len([each for each in s3.objects() if each["Key"] == archived.key]) == 1
    assert number > 10


def test_many_threads_at_once_archive_one_object(s3, slide):
    barrier, found = threading.Barrier(4), []

    def run():
        archive = Archive(BUCKET, "STANDARD")
        barrier.wait()
        with suppress(Unavailable):
            found.append(store(archive, slide))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found.append(store(Archive(BUCKET, "STANDARD"), slide))
    assert {s3.bytes_of(each) for each in found} == {DATA}
    assert s3.uploads() == []


def test_of_duplicate_uploads_one_is_gone_on_with(s3, archive, slide):
    s3.kill_at(8, done=True)
    with pytest.raises(Killed):
        store(archive, slide)
    s3.live()
    begun = s3.asked("CreateMultipartUpload")[0]
    for more in ("", "", "x"):
        s3.client.create_multipart_upload(**{**begun, "Key": begun["Key"] + more})
    assert s3.bytes_of(store(archive, slide)) == DATA
    assert [upload["Key"] for upload in s3.uploads()] == [begun["Key"] + "x"]


@pytest.mark.parametrize("name", ["day 1/scan.svs", "another name.svs"])
def test_an_upload_that_was_begun_otherwise_is_no_hindrance(s3, archive, slide, name):
    """With other bytes in one of its parts, and under another file name."""
    s3.kill_at(9, done=True)
    with pytest.raises(Killed):
        store(archive, slide, name=name)
    s3.live()
    (begun,) = s3.uploads()
    upload = {"Bucket": BUCKET, "Key": begun["Key"], "UploadId": begun["UploadId"]}
    other = b"x" * PART
    s3.client.upload_part(**upload, PartNumber=2, Body=other, ChecksumSHA256=b64(other))
    archived = store(archive, slide)
    assert s3.bytes_of(archived) == DATA
    said = s3.client.head_object(Bucket=BUCKET, Key=archived.key)["Metadata"]
    assert said["file-name"] == "day%201/scan.svs"


def test_a_copy_of_wrong_bytes_does_not_make_them_right(s3, archive, slide):
    """Were they in the archive, described as the right ones, and on EFS as well."""
    archived = store(archive, slide)
    wrong = DATA[::-1]
    described = s3.client.head_object(Bucket=BUCKET, Key=archived.key)["Metadata"]
    upload = {"Bucket": BUCKET, "Key": archived.key}
    upload["UploadId"] = s3.client.create_multipart_upload(
        **upload, Metadata=described, ChecksumAlgorithm="SHA256"
    )["UploadId"]
    parts = []
    for number, start in enumerate(range(0, len(wrong), PART), start=1):
        part = wrong[start : start + PART]
        answer = s3.client.upload_part(
            **upload, PartNumber=number, Body=part, ChecksumSHA256=b64(part)
        )
        parts.append({"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": b64(part)})
    s3.client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    slide.write_bytes(wrong)
    os.utime(slide, ns=(MTIME_NS, MTIME_NS))
    s3.calls.clear()
    with pytest.raises(ChecksumMismatch, match="no longer"):
        store(archive, slide, digest=sha256(DATA))
    assert not s3.asked("UploadPart")


@pytest.mark.slow
def test_of_a_discarded_slide_nothing_is_left(s3, archive, slide):
    other = store(archive, slide, "2047110")
    s3.kill_at(7, done=True)
    with pytest.raises(Killed):
        store(archive, slide)
    s3.live()
    for _ in range(2):
        archive.discard("204711", FileVersion.of(slide))
        assert s3.uploads() == []
    store(archive, slide)
    archive.discard("204711", FileVersion.of(slide))
    left = s3.client.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert [each["Key"] for each in left] == [other.key]
