"""The archive of slide files: nothing is lost, whatever is killed; and what viewers are told."""

import base64
import fcntl
import hashlib
import io
import os
import shutil
import threading
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from itertools import count, pairwise
from types import SimpleNamespace
from urllib.parse import unquote

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.conftest import ROOT, load_template
from tests.handlers import load_handler
from tests.s3 import BUCKET, PYRAMIDS, Killed, b64
from vsv import aws as clients
from vsv import errors
from vsv.errors import (
    ArchiveNotReady,
    ChecksumMismatch,
    Conflict,
    FileChanged,
    NotFound,
    Unavailable,
)
from vsv.identifiers import FileVersion
from vsv.imports.workflow import ImportJob
from vsv.pyramid.deepzoom import TileAddress
from vsv.pyramid.slide_index import SlideIndex
from vsv.slides.file import SlideFile
from vsv.storage import archive as archiving
from vsv.storage import archive_copy as copying
from vsv.storage.archive import Archive
from vsv.storage.archive_copy import Archived, Copy
from vsv.storage.atomic_files import give_name
from vsv.storage.layout import Storage
from vsv.viewing.images import Images, TileOptions
from vsv.viewing.slide_cache import SlideCache

PART = 100
DATA = bytes(range(256)) * 2  # five parts and a bit
NUMBERS = count()
MTIME_NS = 1_700_000_000_123_456_789


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def s3(s3, monkeypatch):
    """S3, and small parts."""
    for module in (copying, archiving):
        monkeypatch.setattr(module, "PART_BYTES", PART)
    return s3


@pytest.fixture
def archive(s3) -> Archive:
    return Archive(BUCKET, "STANDARD_IA")


@pytest.fixture
def slide(tmp_path):
    path = tmp_path / "scan.svs"
    path.write_bytes(DATA)
    os.utime(path, ns=(MTIME_NS, MTIME_NS))
    return path


def store(archive, path, image_id="204711", digest=None, name="day 1/scan.svs") -> Archived:
    file = SlideFile(path)
    try:
        return archive.store(file, image_id, name, digest or sha256(path.read_bytes()))
    finally:
        file.close()


def version_of(archived: Archived) -> FileVersion:
    return FileVersion(archived.size, MTIME_NS)


def fetch(archive, archived, target, data=DATA):
    archive.fetch(archived, target, sha256(data), version_of(archived))
    assert target.read_bytes() == data
    assert FileVersion.of(target) == version_of(archived)
    assert [path.name for path in target.parent.iterdir()] == [target.name]


# Storing


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

        def meanwhile(*_, left=left, lock=lock, image_id=image_id, found=found):
            with lock:
                left[0] -= 1
                if left[0] != -1:
                    return
            other._s3 = Dying(s3.client, dies_at)
            with suppress(Killed):
                found.append(store(other, slide, image_id))

        s3.before = meanwhile
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


def test_a_few_parts_are_in_memory_and_never_the_file(s3, archive, tmp_path, monkeypatch):
    path = tmp_path / "large.svs"
    path.write_bytes(os.urandom(60 * PART))
    held, most, lock = [0], [0], threading.Lock()
    read = SlideFile.read

    def counted(self, offset, length):
        data = read(self, offset, length)
        assert len(data) <= PART
        with lock:
            held[0] += len(data)
            most[0] = max(most[0], held[0])
        return data

    def sent(name, params):
        if name == "UploadPart":
            with lock:
                held[0] -= PART

    monkeypatch.setattr(SlideFile, "read", counted)
    s3.after = sent
    store(archive, path)
    assert held == [0]
    assert most[0] <= (archiving._THREADS + 1) * PART


def test_of_a_large_file_the_parts_are_larger(s3, archive, slide, monkeypatch):
    monkeypatch.setattr(copying, "PART_BYTES", 10)
    monkeypatch.setattr(copying, "_MAX_PARTS", 3)
    archived = store(archive, slide)
    assert archived.checksum.endswith("-3")
    assert s3.bytes_of(archived) == DATA


def test_what_s3_does_not_take_is_refused_before_it_is_read(s3, archive, tmp_path):
    path = tmp_path / "huge.svs"
    path.touch()
    os.truncate(path, 5 * 2**40 + 1)  # sparse
    with pytest.raises(Conflict, match="5497558138881 bytes; the archive takes 5497558138880"):
        store(archive, path, digest="00")
    assert s3.calls == []


@pytest.mark.parametrize(("size", "parts"), [(3 * 2**30, 192), (5 * 2**40, 8857)])
def test_a_slide_has_no_more_parts_than_s3_takes(size, parts):
    file = SimpleNamespace(version=FileVersion(size, 0), read=lambda offset, length: offset)
    offsets = list(Copy.of(file, "204711", "x.svs", "").parts())
    assert len(offsets) == parts
    assert all(b - a == offsets[1] for a, b in pairwise(offsets))
    assert offsets[-1] < size <= offsets[-1] + offsets[1]


NAMES = [
    "Größe 1",
    "a b+c&d=e#f",
    "../up",
    "%2e%2e",
    "💉" * 50,
    "é" * 100,
    "x/y",
    "'\"<>",
    "\u202egnp",
]


@pytest.mark.parametrize("image_id", NAMES)
@pytest.mark.slow
def test_any_image_id_has_a_place_of_its_own(s3, archive, slide, tmp_path, image_id):
    archived = store(archive, slide, image_id)
    version = FileVersion.of(slide)
    folder, name, file = archived.key.split("/")
    assert (folder, unquote(name), file) == ("slides", image_id, f"{version}.svs")
    assert archived.key.isascii()
    fetch(archive, archived, tmp_path / "back" / "scan.svs")


@pytest.mark.parametrize(
    "filename", ["day 1/Größe.svs", "a\nb.svs", "é/" * 300 + "x.svs", "💉" * 60 + ".svs"]
)
def test_what_the_object_says_of_itself_fits_s3_and_no_key_names_the_file(
    s3, archive, slide, filename
):
    archived = store(archive, slide, "é" * 100, name=filename)
    said = s3.client.head_object(Bucket=BUCKET, Key=archived.key)["Metadata"]
    assert said["sha256"] == sha256(DATA)
    assert said["mtime-ns"] == str(MTIME_NS)
    assert unquote(said["image-id"]) == "é" * 100
    name = unquote(said["file-name"])
    assert name in (filename, filename.rpartition("/")[2])
    assert all(value.isascii() and value.isprintable() for value in said.values())
    assert sum(len(key) + len(value) for key, value in said.items()) <= 2048
    assert "x.svs" not in archived.key


# Fetching


def test_fetching_goes_on_where_it_was_killed(s3, archive, slide, tmp_path):
    archived = store(archive, slide)
    for number in range(6):
        target = tmp_path / f"back{number}" / "scan.svs"
        s3.calls.clear()
        s3.kill_at(number, done=False)
        with pytest.raises(Killed):
            archive.fetch(archived, target, sha256(DATA), version_of(archived))
        assert not target.exists()
        s3.live()
        fetch(archive, archived, target)
        ranges = [params["Range"] for params in s3.asked("GetObject")]
        assert len(ranges) == 7  # the one it was killed in, twice
        assert len(set(ranges)) == 6


@pytest.mark.parametrize("left", [b"x" * 130, b"x" * len(DATA), b"x" * 900, DATA, DATA[:77]])
def test_whatever_a_killed_call_left_the_file_is_right(s3, archive, slide, tmp_path, left):
    archived = store(archive, slide)
    target = tmp_path / "back" / "scan.svs"
    s3.kill_at(0, done=False)
    with pytest.raises(Killed):
        archive.fetch(archived, target, sha256(DATA), version_of(archived))
    s3.live()
    (partial,) = target.parent.iterdir()
    assert partial.name.startswith(".")
    partial.write_bytes(left)
    fetch(archive, archived, target)


def test_an_object_that_is_not_what_was_imported_does_not_become_a_file(
    s3, archive, slide, tmp_path
):
    archived = store(archive, slide)
    target = tmp_path / "back" / "scan.svs"
    with pytest.raises(ChecksumMismatch, match="not what was imported"):
        archive.fetch(archived, target, sha256(b"other"), version_of(archived))
    assert list(target.parent.iterdir()) == []
    with pytest.raises(FileChanged, match="another version"):
        archive.fetch(archived, target, sha256(DATA), FileVersion(archived.size, 1))


def test_what_is_there_is_not_fetched_again(s3, archive, slide, tmp_path):
    archived = store(archive, slide)
    target = tmp_path / "back" / "scan.svs"
    fetch(archive, archived, target)
    s3.calls.clear()
    fetch(archive, archived, target)
    assert s3.calls == []


def test_killed_between_two_names_the_next_call_tidies_up(
    s3, archive, slide, tmp_path, monkeypatch
):
    archived = store(archive, slide)
    target = tmp_path / "back" / "scan.svs"
    link = os.link

    def killed(*names):
        link(*names)
        raise Killed

    monkeypatch.setattr(os, "link", killed)
    with pytest.raises(Killed):
        archive.fetch(archived, target, sha256(DATA), version_of(archived))
    assert len(list(target.parent.iterdir())) == 2
    monkeypatch.undo()
    fetch(archive, archived, target)


def test_another_slide_that_has_the_name_by_now_stays(s3, archive, slide, tmp_path):
    archived = store(archive, slide)
    target = tmp_path / "back" / "scan.svs"
    target.parent.mkdir()
    target.write_bytes(b"another slide")
    with pytest.raises(FileChanged, match="another file"):
        archive.fetch(archived, target, sha256(DATA), version_of(archived))
    assert target.read_bytes() == b"another slide"
    # Nothing is fetched a second time once there is a place for it.
    s3.calls.clear()
    target.unlink()
    fetch(archive, archived, target)
    assert s3.calls == []


def test_two_do_not_write_one_file(s3, archive, slide, tmp_path):
    archived = store(archive, slide)
    target = tmp_path / "back" / "scan.svs"
    refused = []

    def meanwhile(*_):
        s3.live()
        try:
            archive.fetch(archived, target, sha256(DATA), version_of(archived))
        except Unavailable as error:
            refused.append(error)

    s3.before = meanwhile
    fetch(archive, archived, target)
    assert len(refused) == 1

    # One that opened the partial file just before it got its name.
    target.unlink()
    lock = fcntl.flock

    def slow(*arguments):
        fcntl.flock = lock
        archive.fetch(archived, target, sha256(DATA), version_of(archived))
        lock(*arguments)

    fcntl.flock = slow
    try:
        with pytest.raises(Unavailable):
            archive.fetch(archived, target, sha256(DATA), version_of(archived))
    finally:
        fcntl.flock = lock
    fetch(archive, archived, target)


def test_a_server_that_ignores_ranges_does_no_harm(s3, archive, slide, tmp_path):
    archived = store(archive, slide)
    s3.before = lambda name, params: params.pop("Range", None)
    fetch(archive, archived, tmp_path / "back" / "scan.svs")


def test_a_slide_that_is_not_in_the_archive_is_not_found(s3, archive, slide, tmp_path):
    archived = store(archive, slide)
    for wrong in (
        {**archived.to_dict(), "version_id": None, "key": archived.key.replace("204711", "x")},
        {**archived.to_dict(), "version_id": "00000000-0000-0000-0000-000000000000"},
    ):
        with pytest.raises(NotFound, match="not in the archive"):
            fetch(archive, Archived.from_dict(wrong), tmp_path / "back" / "scan.svs")


# Deep storage


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
def test_deep_storage_is_asked_once_and_has_the_file_later(s3, slide, tmp_path, storage_class):
    archive = Archive(BUCKET, storage_class, restore_days=3, restore_tier="Bulk")
    archived = store(archive, slide)
    assert archived.storage_class == storage_class
    target = tmp_path / "back" / "scan.svs"

    def under_way(name, params):
        if name == "GetObject":
            s3.refuse(name, "InvalidObjectState", 403)
        if name == "RestoreObject" and len(s3.asked("RestoreObject")) > 1:
            s3.refuse(name, "RestoreAlreadyInProgress", 409)

    s3.before = under_way
    for _ in range(3):
        with pytest.raises(ArchiveNotReady, match="hours"):
            archive.fetch(archived, target, sha256(DATA), version_of(archived))
    for request in s3.asked("RestoreObject"):
        assert request["VersionId"] == archived.version_id
        assert request["RestoreRequest"] == {"Days": 3, "GlacierJobParameters": {"Tier": "Bulk"}}
    s3.live()
    fetch(archive, archived, target)
    assert store(archive, target) == archived


def test_moto_knows_deep_storage_too(s3, slide, tmp_path):
    archive = Archive(BUCKET, "GLACIER")
    archived = store(archive, slide)
    target = tmp_path / "back" / "scan.svs"
    with pytest.raises(ArchiveNotReady):
        fetch(archive, archived, target)
    fetch(archive, archived, target)


def test_what_intelligent_tiering_brings_out_stays_out(s3, slide, tmp_path):
    """S3 takes no number of days for it."""
    archive = Archive(BUCKET, "INTELLIGENT_TIERING")
    archived = store(archive, slide)
    asked = []

    def under_way(name, params):
        if name == "GetObject":
            s3.refuse(name, "InvalidObjectState", 403)
        if name == "RestoreObject":
            asked.append(params["RestoreRequest"])
            s3.refuse(name, "RestoreAlreadyInProgress", 409)

    s3.before = under_way
    with pytest.raises(ArchiveNotReady):
        fetch(archive, archived, tmp_path / "back" / "scan.svs")
    assert asked == [{"GlacierJobParameters": {"Tier": "Standard"}}]


# Removing


def test_what_was_removed_can_be_fetched_while_the_bucket_keeps_it(s3, archive, slide, tmp_path):
    archived = store(archive, slide)
    for _ in range(2):
        archive.remove(archived)
    assert "Contents" not in s3.client.list_objects_v2(Bucket=BUCKET)
    markers = s3.client.list_object_versions(Bucket=BUCKET)["DeleteMarkers"]
    assert len(markers) == 1
    fetch(archive, archived, tmp_path / "back" / "scan.svs")
    # Archived again since: a late call for the old one leaves that alone.
    again = store(archive, slide)
    archive.remove(archived)
    assert s3.client.head_object(Bucket=BUCKET, Key=again.key)["VersionId"] == again.version_id


def test_a_bucket_without_versions_will_do(s3, slide, tmp_path):
    archive = Archive(PYRAMIDS, "STANDARD")
    archived = store(archive, slide)
    assert archived.version_id is None
    fetch(archive, archived, tmp_path / "back" / "scan.svs")
    for _ in range(2):
        archive.remove(archived)
    with pytest.raises(NotFound):
        fetch(archive, archived, tmp_path / "again" / "scan.svs")


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


# What S3 may answer


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [("SlowDown", 503, Unavailable), ("AccessDenied", 403, ClientError), (None, 0, Unavailable)],
)
@pytest.mark.slow
def test_what_may_pass_is_unavailable_and_what_may_not_is_not(
    s3, archive, slide, tmp_path, code, status, expected
):
    archived = store(archive, slide)

    def refuse(name, params):
        if code is None:
            raise ReadTimeoutError(endpoint_url="https://s3")
        s3.refuse(name, code, status)

    s3.before = refuse
    version = version_of(archived)
    for call in (
        lambda: store(archive, slide),
        lambda: archive.fetch(archived, tmp_path / "x" / "scan.svs", sha256(DATA), version),
        lambda: archive.remove(archived),
        lambda: archive.discard("204711", version),
    ):
        with pytest.raises(expected):
            call()


@pytest.mark.parametrize("code", ["NoSuchUpload", "InvalidPart", "ConditionalRequestConflict"])
def test_others_that_are_always_faster_are_no_reason_to_go_on_forever(s3, archive, slide, code):
    def overtake(name, params):
        if name == "CompleteMultipartUpload":
            s3.refuse(name, code, 409)

    s3.before = overtake
    with pytest.raises(Unavailable, match="other calls"):
        store(archive, slide)
    assert len(s3.asked("CompleteMultipartUpload")) == 4
    assert len(s3.asked("UploadPart")) == 6


def test_a_body_that_is_cut_short_is_asked_for_again(s3, archive, slide, tmp_path, monkeypatch):
    archived = store(archive, slide)
    target = tmp_path / "back" / "scan.svs"
    get = s3.client.get_object

    def cut(**params):
        answer = get(**params)
        return {**answer, "Body": io.BytesIO(answer["Body"].read()[:-1])}

    with monkeypatch.context() as patch:
        patch.setattr(s3.client, "get_object", cut)
        with pytest.raises(Unavailable, match="cut short"):
            archive.fetch(archived, target, sha256(DATA), version_of(archived))
    fetch(archive, archived, target)


# Freeing the file system


@pytest.fixture(params=["efs", "s3"])
def images_in(request, s3):
    """Where pyramids lie."""
    return request.param


@pytest.fixture
def storage(images_in, tmp_path) -> Storage:
    root = tmp_path / "efs"
    root.mkdir()
    return Storage(root, PYRAMIDS if images_in == "s3" else None)


@pytest.fixture
def imported(world, generated):
    """Return an imported slide's file name and version."""
    world.has_imported(generated, "day 1/scan.svs")
    path = world.storage.root / "day 1" / "scan.svs"
    return "day 1/scan.svs", FileVersion.of(path)


def names(storage) -> set[str]:
    """All files beneath the images path."""
    return {
        str(path.relative_to(storage.root))
        for path in storage.root.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def in_bucket(s3) -> set[str]:
    pages = s3.client.get_paginator("list_objects_v2").paginate(Bucket=PYRAMIDS)
    return {found["Key"] for page in pages for found in page.get("Contents", [])}


ASSOCIATED = {f"204711_files/{name}.jpeg" for name in ("label", "thumbnail", "macro")}
VIEWED = [TileAddress(12, 3, 2), TileAddress(11, 1, 1), TileAddress(0, 0, 0)]


def archive_all(storage, imported):
    filename, version = imported
    storage.archive_images("204711", version)
    storage.remove_slide(filename, version)


def test_of_an_archived_slide_the_associated_images_and_the_index_stay(
    s3, storage, images_in, imported
):
    before = in_bucket(s3)
    for _ in range(2):
        archive_all(storage, imported)
    if images_in == "efs":
        assert names(storage) == {"204711.index", *ASSOCIATED}
    else:
        # The pyramid is complete, and takes no room on EFS.
        assert names(storage) == {"204711.index"}
        assert in_bucket(s3) == before
    assert storage.read_index("204711").archived


@pytest.mark.parametrize("lacking", ["a level", "the descriptor"])
@pytest.mark.slow
def test_an_incomplete_pyramid_leaves_the_bucket(s3, storage, imported, lacking):
    index = storage.read_index("204711")
    if lacking == "a level":
        storage.write_index("204711", replace(index, levels=index.levels[:-1]))
    elif storage._bucket:
        s3.client.delete_object(Bucket=PYRAMIDS, Key="204711.dzi")
    archive_all(storage, imported)
    assert storage.read_index("204711").levels == ()
    assert names(storage) | in_bucket(s3) == {"204711.index", *ASSOCIATED}


def test_viewers_are_told_that_the_slide_is_archived(storage, images_in, imported, generated):
    images = Images(storage, 90)
    now = [0.0]
    images._slides = SlideCache(storage, now=lambda: now[0])
    kept = {each: images.associated("204711", each, "jpeg").load() for each in ("label", "macro")}
    tiles = [images.tile("204711", each, TileOptions()).load() for each in VIEWED]
    descriptor = images.descriptor("204711", TileOptions()).load()
    archive_all(storage, imported)
    now[0] += 1.1
    odd, png = TileOptions(tile_size=200), TileOptions(image_format="png")
    for one in (images, Images(storage, 90)):
        for name, data in kept.items():
            assert one.associated("204711", name, "jpeg").load() == data
        with Image.open(io.BytesIO(one.associated("204711", "label", "png").load())) as image:
            assert image.format == "PNG"
        refused = [odd, png]
        if images_in == "efs":
            refused.append(TileOptions())
        else:
            assert one.descriptor("204711", TileOptions()).load() == descriptor
            assert [one.tile("204711", each, TileOptions()).load() for each in VIEWED] == tiles
            assert one.descriptor("204711", TileOptions(tile_size=256)).load() == descriptor
        for options in refused:
            with pytest.raises(errors.Archived, match="a technician can restore it"):
                one.descriptor("204711", options)
            for each in VIEWED:
                with pytest.raises(errors.Archived):
                    one.tile("204711", each, options)


@pytest.mark.parametrize("images_in", ["efs"], indirect=True)
@pytest.mark.parametrize("image_format", ["jpeg", "png"])
def test_an_archived_slide_without_a_macro_has_none(storage, imported, image_format):
    (storage.root / "204711_files" / "macro.jpeg").unlink()
    archive_all(storage, imported)
    with pytest.raises(NotFound, match="no macro"):
        Images(storage, 90).associated("204711", "macro", image_format)


def test_the_handler_says_409_for_tiles_and_200_for_the_label(
    storage, images_in, imported, monkeypatch
):
    archive_all(storage, imported)
    monkeypatch.setenv("IMAGES_PATH", str(storage.root))
    monkeypatch.setenv("PYRAMID_STORE", images_in)
    monkeypatch.setenv("PYRAMID_BUCKET", PYRAMIDS)
    handler = load_handler("ImageRequest")
    query = {"tilesize": "200"}
    for path, expected in (
        (".dzi", 409),
        ("_files/12/3_2.jpeg", 409),
        ("_files/label.jpeg", 200),
        ("_files/label.png", 200),
    ):
        event = {"path": f"/DeepZoom/204711{path}", "queryStringParameters": query}
        answer = handler(event, None)
        assert answer["statusCode"] == expected
        assert expected == 200 or "archived" in answer["body"]


def test_a_tile_that_is_wanted_while_the_slide_leaves_is_archived_too(
    storage, images_in, imported, monkeypatch
):
    """The slide is open here, and its file is removed by another machine: NFS calls it stale."""
    images = Images(storage, 90)
    known = images.tile("204711", VIEWED[0], TileOptions())
    expected = known.load()
    archive_all(storage, imported)

    def stale(*_):
        raise OSError(116, os.strerror(116))

    monkeypatch.setattr("vsv.slides.file.SlideFile.read", stale)
    if images_in == "s3":
        assert known.load() == expected
    else:
        with pytest.raises(errors.Archived):
            known.load()


def dying_at(monkeypatch, number):
    """Have the process die at a call that changes something, the first being 0; calls left."""
    left = [number]

    def countdown(*_, **__):
        left[0] -= 1
        if left[0] < 0:
            raise Killed

    def deadly(call):
        return lambda *arguments, **options: countdown() or call(*arguments, **options)

    for name in ("unlink", "replace", "rename", "link", "rmdir"):
        monkeypatch.setattr(os, name, deadly(getattr(os, name)))
    clients.s3().meta.events.register("provide-client-params.s3", countdown, unique_id="dying")
    return left


def spare(monkeypatch):
    monkeypatch.undo()
    clients.s3().meta.events.unregister("provide-client-params.s3", unique_id="dying")


def test_nothing_is_promised_that_is_gone_wherever_it_is_killed(
    storage, images_in, imported, monkeypatch
):
    _, version = imported
    index = storage.read_index("204711")
    few = replace(index, levels=index.levels[:-1])
    store = storage.images("204711")
    tiles = {f"{level}/0_0" for level in few.levels[:3]}
    for number in range(100):
        storage.remove_pyramid("204711")
        storage.write_index("204711", few)
        for name in (*tiles, "label"):
            store.write(name, b"x")
        store.write_descriptor(b"<Image/>")
        left = dying_at(monkeypatch, number)
        with suppress(Killed):
            storage.archive_images("204711", version)
        spare(monkeypatch)
        assert not (store.has_descriptor() and store.missing(tiles))
        # Viewers have been told before anything is missing.
        assert storage.read_index("204711").archived or not store.missing(tiles)
        storage.archive_images("204711", version)
        assert store.missing(tiles) == tiles
        assert not store.missing(["label"])
        assert not store.has_descriptor()
        if left[0] >= 0:
            break
    assert number > 3


@pytest.mark.slow
def test_images_of_other_bytes_stay(storage, imported):
    _, version = imported
    for wrong in (FileVersion(version.size + 1, version.mtime_ns), FileVersion(1, 1)):
        with pytest.raises(FileChanged, match="another file"):
            storage.archive_images("204711", wrong)
    assert storage.images("204711").has_descriptor()
    storage.remove_pyramid("204711")
    with pytest.raises(FileChanged, match="missing"):
        storage.archive_images("204711", version)


@pytest.mark.slow
def test_an_archived_slide_is_imported_anew_once_it_is_back(world, storage, imported, generated):
    index = storage.read_index("204711")
    expected = shown(storage)
    filename, version = imported
    archive_all(storage, imported)
    path = storage.place(filename, version)
    shutil.copy(generated, path)
    os.utime(path, ns=(version.mtime_ns, version.mtime_ns))
    world.workflow.run(ImportJob("204711", filename, version.size, version.mtime_ns))
    assert storage.read_index("204711") == index
    assert storage.images("204711").has_descriptor()
    assert shown(storage) == expected


def shown(storage) -> list[bytes]:
    images = Images(storage, 90)
    return [
        images.descriptor("204711", TileOptions()).load(),
        *(images.tile("204711", each, TileOptions()).load() for each in VIEWED),
        *(images.associated("204711", each, "jpeg").load() for each in ("label", "macro")),
    ]


def test_an_index_says_whether_the_slide_is_archived(storage, imported):
    index = storage.read_index("204711")
    assert not index.archived
    assert SlideIndex.from_bytes(index.to_bytes()) == index
    archived = replace(index, archived=True)
    assert SlideIndex.from_bytes(archived.to_bytes()) == archived != index


# Removing the slide file


@pytest.fixture
def plain(tmp_path) -> Storage:
    root = tmp_path / "plain"
    (root / "day 1").mkdir(parents=True)
    return Storage(root)


def put(path, data=DATA, mtime_ns=MTIME_NS) -> FileVersion:
    path.write_bytes(data)
    os.utime(path, ns=(mtime_ns, mtime_ns))
    return FileVersion.of(path)


@pytest.mark.parametrize("aside", [False, True])
def test_a_slide_file_goes_wherever_it_lies(plain, aside):
    name = "day 1/scan.svs"
    version = put(plain.root / name)
    if aside:
        plain.set_aside(name, version)
        put(plain.root / name, b"a rescan")
    put(plain.root / "day 1" / "other.svs")
    for _ in range(2):
        plain.remove_slide(name, version)
    assert names(plain) == {"day 1/other.svs", *([name] if aside else [])}
    with pytest.raises(FileChanged):
        plain.locate(name, version)
    plain.remove_slide("no such folder/scan.svs", version)


@pytest.mark.parametrize("name_taken", [False, True])
def test_a_file_that_gets_the_name_at_that_moment_stays(plain, monkeypatch, name_taken):
    name = "day 1/scan.svs"
    path = plain.root / name
    version = put(path)
    rename = os.rename

    def just_before(source, target):
        monkeypatch.undo()
        rescan = path.with_name("new")
        newer = put(rescan, b"a rescan", MTIME_NS + 1)
        rename(rescan, path)
        rename(source, target)
        if name_taken:
            put(path, b"another rescan", MTIME_NS + 2)
        found.append(newer)

    found = []
    monkeypatch.setattr(os, "rename", just_before)
    plain.remove_slide(name, version)
    if name_taken:
        assert path.read_bytes() == b"another rescan"
    assert plain.locate(name, found[0]).read_bytes() == b"a rescan"
    assert len(names(plain)) == 1 + name_taken


def test_killed_while_it_removes_the_next_call_ends_it(plain, monkeypatch):
    name = "day 1/" + "x" * 200 + ".svs"
    for number in range(10):
        version = put(plain.root / name)
        left = dying_at(monkeypatch, number)
        with suppress(Killed):
            plain.remove_slide(name, version)
        spare(monkeypatch)
        plain.remove_slide(name, version)
        assert names(plain) == set()
        if left[0] >= 0:
            break
    assert number == 2


def test_two_that_remove_one_slide_get_along(plain, monkeypatch):
    name = "day 1/scan.svs"
    for called in ("rename", "unlink"):
        version = put(plain.root / name)
        call = getattr(os, called)

        def meanwhile(*arguments, _call=call, _version=version):
            monkeypatch.undo()
            plain.remove_slide(name, _version)
            return _call(*arguments)

        monkeypatch.setattr(os, called, meanwhile)
        plain.remove_slide(name, version)
        assert names(plain) == set()


@pytest.mark.parametrize("links", [True, False])
def test_a_name_is_given_once(tmp_path, monkeypatch, links):
    first, second, name = (tmp_path / each for each in ("first", "second", "name"))
    first.write_bytes(b"1")
    second.write_bytes(b"2")
    if not links:

        def no_links(*_):
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", no_links)
    give_name(first, name)
    with pytest.raises(FileExistsError):
        give_name(second, name)
    with pytest.raises(FileNotFoundError):
        give_name(first, tmp_path / "other")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "second": b"2",
        "name": b"1",
    }


@pytest.mark.parametrize("name", ["day 1/scan.svs", "day 1/" + "é" * 125 + ".svs"])
def test_a_slide_that_comes_back_takes_nobodys_place(plain, name):
    version = put(plain.root / name)
    assert plain.place(name, version) == plain.root / name
    plain.remove_slide(name, version)
    assert plain.place(name, version) == plain.root / name
    put(plain.root / name, b"a rescan")
    put(plain.place(name, version))
    assert plain.locate(name, version).read_bytes() == DATA
    assert (plain.root / name).read_bytes() == b"a rescan"
    plain.remove_slide(name, version)
    assert names(plain) == {name}


# The template


def test_the_bucket_keeps_what_was_removed_for_a_while_and_no_longer():
    template = load_template(ROOT / "templates" / "archive.template.yaml")
    bucket = template["Resources"]["ArchiveBucket"]
    # A first deployment that fails takes its empty bucket with it.
    assert bucket["DeletionPolicy"] == "RetainExceptOnCreate"
    assert bucket["UpdateReplacePolicy"] == "Retain"
    wanted = bucket["Properties"]
    assert wanted["VersioningConfiguration"] == {"Status": "Enabled"}
    assert all(wanted["PublicAccessBlockConfiguration"].values())
    rules = {rule["Id"]: rule for rule in wanted["LifecycleConfiguration"]["Rules"]}
    days = rules["ForgetWhatWasRemoved"]["NoncurrentVersionExpiration"]["NoncurrentDays"]
    assert days == {"Ref": "RemovedDays"}
    assert template["Parameters"]["RemovedDays"]["Default"] == 30
    assert not any("ExpirationInDays" in rule or "Transitions" in rule for rule in rules.values())
    assert template["Outputs"]["ArchiveBucketName"]["Value"] == {"Ref": "ArchiveBucket"}
