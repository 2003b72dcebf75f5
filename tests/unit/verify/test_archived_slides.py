"""Archived slides, and pyramids in a bucket: what stays of them is verified."""

import os
import shutil
from dataclasses import replace

import pytest

from local.samples import generated_slide
from tests.unit.verify.helpers import ID
from vsv import aws as clients
from vsv.imports import verify as module
from vsv.imports.verify import RecordedSlide, verify
from vsv.storage.layout import Storage

# Archived slides


@pytest.fixture
def archived(subject):
    """As TransferImage leaves it."""
    version = RecordedSlide.of(subject.record).version
    subject.storage.archive_images(ID, version)
    subject.storage.remove_slide(subject.record["Filename"], version)
    subject.world.catalogue.change(
        ID, "ann", "TRANSFER", lambda old: {**old, "Status": "TRANSFERRED"}
    )
    return subject


def test_of_an_archived_slide_what_stays_is_verified(archived):
    assert archived.verify() == ([], 0)
    archived.tile("label").unlink()
    archived.tile("thumbnail").write_bytes(b"text")
    archived.change_index(archived=False)
    archived.descriptor.write_text("")
    archived.svs.touch()
    assert archived.findings == [
        "the slide index does not say that the slide is archived",
        "the label image is missing",
        "the thumbnail image cannot be decoded",
        "there is a descriptor, although the slide is archived",
    ]


def test_an_archived_slide_whose_file_is_still_there_is_found(archived, generated):
    shutil.copy(generated, archived.svs)
    os.utime(archived.svs, (1_700_000_000, 1_700_000_000))
    assert archived.findings == ["the slide file is still on the file system"]


def test_an_archived_slide_needs_no_image_that_it_never_had(world, real, tmp_path):
    path = generated_slide(tmp_path / "x.svs", real, size=(300, 200), label_text=None)
    world.bring_in(world.scan(path, "x.svs"))
    recorded = RecordedSlide.of(world.catalogue.get(ID))
    assert recorded.images == ("thumbnail", "macro")
    world.storage.archive_images(ID, recorded.version)
    world.storage.remove_slide("x.svs", recorded.version)
    request = {"slide": replace(recorded, archived=True).to_dict()}
    assert verify(world.storage, request)["findings"] == []


# Pyramids in a bucket


@pytest.fixture
def in_bucket(subject):
    """Return the same slide, its images as objects."""
    s3 = clients.s3()
    s3.create_bucket(
        Bucket="pyramids", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    for path in (subject.descriptor, *subject.files.rglob("*.jpeg")):
        key = path.relative_to(subject.storage.root).as_posix()
        s3.put_object(Bucket="pyramids", Key=key, Body=path.read_bytes())
        path.unlink()
    subject.storage = Storage(subject.storage.root, "pyramids")
    subject.lose = lambda name: s3.delete_object(Bucket="pyramids", Key=name)
    return subject


@pytest.mark.slow
def test_a_pyramid_in_a_bucket_is_verified_as_well(in_bucket):
    assert in_bucket.verify() == ([], 0)
    in_bucket.lose(f"{ID}_files/12/3_2.jpeg")
    in_bucket.lose(f"{ID}_files/label.jpeg")
    assert in_bucket.findings == ["the label image is missing", "tile 12/3_2 is missing"]


@pytest.mark.slow
def test_the_pyramid_that_an_archived_slide_keeps_in_a_bucket_is_verified(in_bucket, monkeypatch):
    monkeypatch.setattr(module, "_TILES_PER_PIECE", 50)
    version = RecordedSlide.of(in_bucket.record).version
    in_bucket.storage.archive_images(ID, version)
    in_bucket.storage.remove_slide(in_bucket.record["Filename"], version)
    in_bucket.world.catalogue.change(
        ID, "ann", "TRANSFER", lambda old: {**old, "Status": "TRANSFERRED"}
    )
    assert in_bucket.verify() == ([], 0)
    in_bucket.lose(f"{ID}_files/0/0_0.jpeg")
    in_bucket.storage.images(ID).write("12/3_2", b"text")
    assert in_bucket.findings == ["tile 12/3_2 cannot be decoded", "tile 0/0_0 is missing"]
    in_bucket.lose(f"{ID}.dzi")
    assert in_bucket.findings[0] == "the descriptor is missing"
