"""The archive's limits: memory, sizes, names of objects, failures of S3, how long objects stay."""

import os
import threading
from itertools import pairwise
from types import SimpleNamespace
from urllib.parse import unquote

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from tests import archives
from tests.archives import (
    DATA,
    MTIME_NS,
    PART,
    fetch,
    sha256,
    store,
    version_of,
)
from tests.conftest import ROOT, load_template
from tests.s3 import BUCKET
from vsv.errors import (
    Conflict,
    Unavailable,
)
from vsv.identifiers import FileVersion
from vsv.slides.file import SlideFile
from vsv.storage import archive as archiving
from vsv.storage import archive_copy as copying
from vsv.storage.archive_copy import Copy

s3 = archives.s3
archive = archives.archive
slide = archives.slide


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
