"""What holds for a bucket alone: names and types of objects, pages, failures of S3."""

import threading
import time

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from tests.unit.image_store.helpers import BUCKET, Refusing
from vsv import aws as clients
from vsv.errors import IncompletePyramid, Unavailable
from vsv.pyramid.deepzoom import TileAddress
from vsv.pyramid.image_store import name
from vsv.pyramid.native import default_pyramid
from vsv.pyramid.plan import check_complete
from vsv.pyramid.render import Renderer
from vsv.pyramid.slide_index import SlideIndex
from vsv.slides.slide import Slide
from vsv.storage.image_bucket import ImageBucket
from vsv.storage.image_folder import ImageFolder


def keys(s3) -> list[str]:
    return [found["Key"] for found in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


# What is S3's alone


def test_objects_have_the_names_and_types_of_a_deepzoom_folder(s3):
    store = ImageBucket(BUCKET, "Größe 1")
    store.write("3/1_2", b"x")
    store.write("label", b"x")
    store.write_descriptor(b"<Image/>")
    types = {key: s3.head_object(Bucket=BUCKET, Key=key)["ContentType"] for key in keys(s3)}
    assert types == {
        "Größe 1.dzi": "application/xml",
        "Größe 1_files/3/1_2.jpeg": "image/jpeg",
        "Größe 1_files/label.jpeg": "image/jpeg",
    }


@pytest.mark.slow
def test_more_objects_than_a_page_holds_are_counted_and_cleared(s3):
    store = ImageBucket(BUCKET, "s1")
    with store.writing(lambda: None) as write:
        for number in range(1203):
            write(f"9/{number}_0", b"x")
    assert store.count_tiles(9) == 1203
    store.clear()
    assert keys(s3) == []


@pytest.mark.parametrize("failing", [1, 50, 100])
@pytest.mark.slow
def test_no_failed_write_is_lost_or_reported(s3, monkeypatch, failing):
    store = ImageBucket(BUCKET, "s1")
    put, reported = store.write, []

    def write_or_fail(name, data):
        if name == f"5/{failing}_0":
            raise Unavailable("just this one")
        put(name, data)

    monkeypatch.setattr(store, "write", write_or_fail)

    def write_all():
        with store.writing(lambda: reported.append(1)) as write:
            for col in range(1, 101):
                write(f"5/{col}_0", b"x")

    with pytest.raises(Unavailable, match="just this one"):
        write_all()
    assert len(reported) <= store.count_tiles(5) < 100


def test_writes_do_not_pile_up_in_memory(s3, monkeypatch):
    store, waiting, most = ImageBucket(BUCKET, "s1"), [0], [0]
    lock = threading.Lock()

    def slow(*_):
        time.sleep(0.002)
        with lock:
            waiting[0] -= 1

    monkeypatch.setattr(store, "write", slow)
    with store.writing(lambda: None) as write:
        for number in range(300):
            with lock:
                waiting[0] += 1
                most[0] = max(most[0], waiting[0])
            write(f"1/{number}_0", b"x")
    assert most[0] <= 34


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (("SlowDown", 503), Unavailable),
        (("InternalError", 500), Unavailable),
        (("AccessDenied", 403), ClientError),
        (("NoSuchBucket", 404), ClientError),
        (ReadTimeoutError(endpoint_url="https://s3"), Unavailable),
    ],
    ids=str,
)
def test_what_may_pass_is_unavailable_and_what_may_not_is_not(s3, monkeypatch, error, expected):
    if isinstance(error, tuple):
        code, status = error
        answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
        error = ClientError(answer, "GetObject")
    monkeypatch.setattr(clients, "s3", lambda: Refusing(s3, error))
    store = ImageBucket(BUCKET, "s1")
    for call in (
        lambda: store.find("1/0_0"),
        lambda: store.missing(["1/0_0"]),
        lambda: store.write("1/0_0", b"x"),
        store.has_descriptor,
        store.rendered_levels,
        store.clear,
        store.clear_tiles,
    ):
        with pytest.raises(expected):
            call()


def test_images_that_s3_has_not_removed_are_told(s3, monkeypatch):
    store = ImageBucket(BUCKET, "s1")
    store.write("2/0_0", b"x")
    kept = {"Errors": [{"Code": "InternalError"}, {"Code": "SlowDown"}]}
    monkeypatch.setattr(store._s3, "delete_objects", lambda **_: kept)
    for clear in (store.clear, store.clear_tiles):
        with pytest.raises(Unavailable, match="2 images were not removed: InternalError"):
            clear()


def test_a_bucket_that_is_not_there_is_no_missing_tile(s3):
    with pytest.raises(ClientError, match="NoSuchBucket"):
        ImageBucket("nowhere", "s1").find("1/0_0")


# Rendering and viewing


@pytest.mark.slow
def test_a_renderer_resumes_and_writes_the_same_bytes_as_into_a_folder(s3, generated, tmp_path):
    with Slide(generated) as slide:
        pyramid = default_pyramid(slide)
        index = SlideIndex.of(slide, "x.svs", pyramid, quality=90, levels=pyramid.levels)
        folder, bucket = ImageFolder(tmp_path, "s1"), ImageBucket(BUCKET, "s1")
        for store in (folder, bucket):
            Renderer(slide, index, store).render()
            check_complete(index, store)
        lost = [TileAddress(12, 3, 2), TileAddress(9, 0, 0), TileAddress(0, 0, 0)]
        for tile in lost:
            s3.delete_object(Bucket=BUCKET, Key=f"s1_files/{name(tile)}.jpeg")
        with pytest.raises(IncompletePyramid, match="level 12 has"):
            check_complete(index, bucket)
        new = []
        Renderer(slide, index, bucket, new.append).render()
        assert (new.count(True), len(new)) == (3, pyramid.tile_count)
    for tile in pyramid.tiles():
        assert bucket.find(name(tile)).read() == folder.find(name(tile)).read()
