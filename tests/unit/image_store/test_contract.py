"""What each store of images promises, be it a folder or a bucket."""

import threading

import pytest

from tests.unit.image_store.helpers import BUCKET
from vsv.settings import StorageSettings
from vsv.storage.image_bucket import ImageBucket
from vsv.storage.image_folder import ImageFolder

# The contract


def test_what_was_kept_is_found_by_its_name(store):
    assert store.find("3/1_2") is None
    assert store.missing(["3/1_2", "label"]) == {"3/1_2", "label"}
    store.write("3/1_2", b"a tile")
    store.write("label", b"a label")
    assert store.find("3/1_2").read() == b"a tile"
    assert store.find("label").read() == b"a label"
    assert store.missing(["3/1_2", "3/1_3", "label"]) == {"3/1_3"}
    assert store.missing([]) == set()


def test_equal_bytes_have_equal_tags_and_others_do_not(store):
    store.write("3/1_2", b"a tile")
    tag = store.find("3/1_2").tag
    assert store.find("3/1_2").tag == tag
    assert '"' not in tag
    store.write("3/1_2", b"another tile")
    assert store.find("3/1_2").tag != tag


def test_tiles_are_counted_by_level(store):
    for address in ("1/0_0", "11/0_0", "11/1_0"):
        store.write(address, b"x")
    store.write("label", b"x")
    assert [store.count_tiles(level) for level in (0, 1, 11)] == [0, 1, 2]


def test_levels_are_rendered_once_all_of_them_are(store):
    assert store.rendered_levels() == ()
    for address in ("0/0_0", "11/0_0", "11/1_0", "2/0_0", "label"):
        store.write(address, b"x")
    assert store.rendered_levels() == ()
    store.write_descriptor(b"<Image/>")
    assert store.rendered_levels() == (11, 2, 0)


def test_a_pyramid_without_tiles_has_no_levels(store):
    store.write_descriptor(b"<Image/>")
    assert store.rendered_levels() == ()


def test_clearing_leaves_nothing_of_this_slide_and_all_of_others(store, tmp_path):
    other = ImageFolder(tmp_path, "s1_") if isinstance(store, ImageFolder) else None
    other = other or ImageBucket(BUCKET, "s1_")
    for each in (store, other):
        for col in range(3):
            each.write(f"2/{col}_0", b"x")
        each.write_descriptor(b"<Image/>")
        assert each.has_descriptor()
    store.clear()
    store.clear()
    assert not store.has_descriptor()
    assert store.count_tiles(2) == 0
    assert other.has_descriptor()
    assert other.count_tiles(2) == 3


def test_without_its_tiles_a_slide_keeps_its_label(store):
    for each in ("2/0_0", "2/1_0", "11/0_0", "label", "macro"):
        store.write(each, b"x")
    store.write_descriptor(b"<Image/>")
    for _ in range(2):
        store.clear_tiles()
        assert not store.has_descriptor()
        assert store.missing(["2/0_0", "2/1_0", "11/0_0"]) == {"2/0_0", "2/1_0", "11/0_0"}
        assert store.missing(["label", "macro"]) == set()
    store.clear()
    store.clear_tiles()


@pytest.mark.slow
def test_many_images_are_there_once_they_are_reported(store):
    written, reported = [f"5/{col}_0" for col in range(100)], []
    caller = threading.get_ident()

    def on_written():
        assert threading.get_ident() == caller
        reported.append(store.count_tiles(5))

    with store.writing(on_written) as write:
        for each in written:
            write(each, each.encode())
    assert len(reported) == 100
    # The least number that was there when the n-th was reported.
    assert all(there >= number for number, there in enumerate(reported, start=1))
    assert store.find("5/99_0").read() == b"5/99_0"


def test_an_error_of_the_callers_own_passes_through(store):
    def write_and_fail():
        with store.writing(lambda: None) as write:
            write("1/0_0", b"x")
            raise ValueError("of the caller")

    with pytest.raises(ValueError, match="of the caller"):
        write_and_fail()


# Settings


def test_the_store_is_chosen_by_the_environment():
    def bucket(**more):
        return StorageSettings.read({"IMAGES_PATH": "/mnt/images", **more}).pyramid_bucket

    assert bucket() is None
    assert bucket(PYRAMID_STORE="efs", PYRAMID_BUCKET="b") is None
    assert bucket(PYRAMID_STORE="s3", PYRAMID_BUCKET="b") == "b"
    with pytest.raises(ValueError, match="PYRAMID_STORE is 'S3'"):
        bucket(PYRAMID_STORE="S3")
    with pytest.raises(ValueError, match="PYRAMID_BUCKET is not set"):
        bucket(PYRAMID_STORE="s3")
