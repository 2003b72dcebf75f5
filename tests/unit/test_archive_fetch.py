"""Restoring a slide's file from the archive: whole, or not at all."""

import fcntl
import io
import os

import pytest

from tests import archives
from tests.archives import DATA, fetch, sha256, store, version_of
from tests.s3 import BUCKET, PYRAMIDS, Killed
from vsv.errors import (
    ArchiveNotReady,
    ChecksumMismatch,
    FileChanged,
    NotFound,
    Unavailable,
)
from vsv.identifiers import FileVersion
from vsv.storage.archive import Archive
from vsv.storage.archive_copy import Archived

s3 = archives.s3
archive = archives.archive
slide = archives.slide


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

    def in_between(*_):
        s3.live()
        try:
            archive.fetch(archived, target, sha256(DATA), version_of(archived))
        except Unavailable as error:
            refused.append(error)

    s3.before = in_between
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
