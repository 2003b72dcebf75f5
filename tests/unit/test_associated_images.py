"""Label, thumbnail and macro of slides as they are found in the field."""

import numpy as np
import pytest
from PIL import Image

from tests import svs
from tests.pixels import psnr
from tests.svs import APERIO, Page
from vsv.errors import NotFound, UnreadableSlide
from vsv.slides.associated import associated_image
from vsv.slides.slide import Slide

LABEL = np.full((120, 100, 3), 240, np.uint8)

MACRO = np.full((80, 300, 3), 90, np.uint8)


@pytest.fixture(scope="session")
def tissue(real):
    return svs.tissue(real, (1024, 768))


# ── Label, thumbnail, macro ──────────────────────────────────────────────────────────────────────


def associated(tissue, *pages, **options):
    return [svs.level(tissue, **options), *pages]


def sizes(path):
    with Slide(path) as slide:
        return {name: associated_image(slide, name).size for name in slide.associated_images}


THUMBNAIL = {"label": (100, 120), "thumbnail": (256, 192), "macro": (300, 80)}


@pytest.mark.parametrize("description", [None, "", "   ", "X" * 40])
def test_images_are_found_without_descriptions(description, tissue, tmp_path):
    pages = associated(
        tissue,
        svs.strip(svs.shrunk(tissue, 4), description=description),
        svs.strip(MACRO, description=description, tags={254: (4, 9)}),
        svs.strip(LABEL, description=description, tags={254: (4, 1)}),
        description=description,
    )
    assert sizes(svs.write(tmp_path / "slide.svs", pages)) == THUMBNAIL


def test_images_are_found_by_their_descriptions_alone(tissue, tmp_path):
    pages = associated(
        tissue,
        svs.strip(MACRO, description=APERIO + "macro 300x80"),
        svs.strip(svs.shrunk(tissue, 4)),
        svs.strip(LABEL, description=APERIO + "label 100x120"),
    )
    assert sizes(svs.write(tmp_path / "slide.svs", pages)) == THUMBNAIL


def test_images_are_found_by_their_order_alone(tissue, tmp_path):
    pages = associated(tissue, svs.strip(svs.shrunk(tissue, 4)), svs.strip(LABEL), svs.strip(MACRO))
    assert sizes(svs.write(tmp_path / "slide.svs", pages)) == THUMBNAIL


def test_a_smaller_image_marked_like_the_label_is_the_thumbnail(tissue, tmp_path):
    """TIFF's NewSubfileType 1 is any smaller image."""
    for label in (
        svs.strip(LABEL, description=None, tags={254: (4, 1)}),
        svs.strip(LABEL, description=APERIO + "label 100x120"),
    ):
        pages = associated(
            tissue,
            svs.strip(svs.shrunk(tissue, 4), description=None, tags={254: (4, 1)}),
            label,
            svs.strip(MACRO, description=None, tags={254: (4, 9)}),
        )
        assert sizes(svs.write(tmp_path / "slide.svs", pages)) == THUMBNAIL


def test_images_in_tiles_are_found_without_descriptions(tissue, tmp_path):
    def tiled(pixels, number):
        tile = tuple(16 * -(-length // 16) for length in pixels.shape[1::-1])
        padding = [(0, tile[1] - pixels.shape[0]), (0, tile[0] - pixels.shape[1]), (0, 0)]
        data = svs.jpeg(np.pad(pixels, padding, mode="edge"))
        return Page(pixels.shape[1::-1], [data], tile, None, tags={254: (4, number)})

    third = np.asarray(Image.fromarray(tissue).resize((300, 225)))
    pages = associated(
        tissue,
        svs.strip(svs.shrunk(tissue, 4), description=None),
        tiled(third, 1),  # a level of no whole downsample
        tiled(MACRO, 9),
        tiled(LABEL, 1),
        description=None,
    )
    assert sizes(svs.write(tmp_path / "slide.svs", pages)) == THUMBNAIL


def test_a_label_is_never_shown_as_the_thumbnail(tissue, tmp_path):
    """It names a patient, and everybody sees thumbnails."""
    for mark in ({"tags": {254: (4, 1)}}, {"description": APERIO + "label 100x120"}, {}):
        path = svs.write(tmp_path / "slide.svs", associated(tissue, svs.strip(LABEL, **mark)))
        with Slide(path) as slide:
            assert "thumbnail" not in slide.associated_images
            thumbnail = np.asarray(associated_image(slide, "thumbnail"))
            assert psnr(thumbnail, np.asarray(Image.fromarray(tissue))) > 28
            with pytest.raises(NotFound):
                associated_image(slide, "macro")


def test_a_label_of_the_slides_proportions_is_not_the_thumbnail(tissue, tmp_path):
    label = LABEL[:, :90]
    pages = associated(
        tissue[:, :576],
        svs.strip(label, description=None, tags={254: (4, 1)}),
        svs.strip(MACRO, description=None, tags={254: (4, 1)}),
    )
    with Slide(svs.write(tmp_path / "slide.svs", pages)) as slide:
        assert "thumbnail" not in slide.associated_images
        assert associated_image(slide, "label").size == (90, 120)


def test_images_of_many_strips_and_of_each_compression(tissue, tmp_path):
    rows = 50
    strips = [tissue[top : top + rows] for top in range(0, 768, rows)]
    for kind, (compression, tags, encode) in svs.ENCODINGS.items():
        page = Page(
            (1024, 768),
            [encode(part) for part in strips],
            None,
            APERIO + "macro",
            compression,
            2,
            tags={278: (4, rows), **tags},
        )
        with Slide(svs.write(tmp_path / "slide.svs", associated(tissue, page))) as slide:
            assert np.array_equal(associated_image(slide, "macro"), tissue), kind


def test_the_last_jpeg_strip_may_be_as_high_as_the_others(tissue, tmp_path):
    """Aperio's are; libtiff cuts them."""
    strips = [tissue[top : top + 128] for top in range(0, 768, 128)]
    page = Page(
        (1024, 700),
        [svs.jpeg(part) for part in strips],
        None,
        APERIO + "macro",
        tags={278: (4, 128)},
    )
    with Slide(svs.write(tmp_path / "slide.svs", associated(tissue, page))) as slide:
        macro = np.asarray(associated_image(slide, "macro"), int)
    assert macro.shape == (700, 1024, 3)
    assert np.abs(macro - tissue[:700]).mean() < 4


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bytes(5000), "the label image is damaged"),
        (b"", "the label image is empty"),
        (svs.jpeg(np.zeros((240, 100, 3), np.uint8)), "100 × 240 pixels instead of 100 × 120"),
        (svs.jpeg(LABEL)[:300], "the label image is damaged"),
    ],
)
def test_a_broken_label_leaves_the_others_alone(data, reason, tissue, tmp_path):
    pages = associated(
        tissue,
        svs.strip(svs.shrunk(tissue, 4)),
        Page((100, 120), [data], None, APERIO + "label 100x120"),
        svs.strip(MACRO, description=APERIO + "macro 300x80"),
    )
    with Slide(svs.write(tmp_path / "slide.svs", pages)) as slide:
        with pytest.raises(UnreadableSlide, match=reason):
            associated_image(slide, "label")
        assert associated_image(slide, "thumbnail").size == (256, 192)
        assert associated_image(slide, "macro").size == (300, 80)


@pytest.mark.parametrize("size", [(65_501, 3), (9000, 9000), (2**31, 2**31)])
def test_an_image_that_is_too_large_is_told_by_its_size(size, tissue, tmp_path, monkeypatch):
    """A label of 116 kB would take 4.3 GB when decoded: nothing is decoded."""
    pages = associated(tissue, Page(size, [svs.jpeg(LABEL)], None, APERIO + "thumbnail"))
    with Slide(svs.write(tmp_path / "slide.svs", pages)) as slide:
        monkeypatch.setattr(Image, "frombytes", None)
        with pytest.raises(UnreadableSlide, match=f"has {size[0]} × {size[1]} pixels: too many"):
            associated_image(slide, "thumbnail")


@pytest.mark.parametrize(
    ("size", "tile", "reason"),
    [
        ((400, 400), (16_384, 16_384), "tiles of 16384 × 16384 pixels: too many"),
        ((1000, 1000), (1, 1), "1000000 tiles or strips are too many"),
    ],
)
def test_an_image_in_senseless_tiles_is_told_by_them(size, tile, reason, tissue, tmp_path):
    """One of a megabyte would take 2.9 GB when decoded, or a minute."""
    count = -(-size[0] // tile[0]) * -(-size[1] // tile[1])
    page = Page(size, [b"\xff"] * count, tile, APERIO + "label", tags={254: (4, 1)})
    path = svs.write(tmp_path / "slide.svs", associated(tissue, page))
    with Slide(path) as slide, pytest.raises(UnreadableSlide, match=reason):
        associated_image(slide, "label")


def test_images_that_openslide_would_refuse_the_file_for_are_read(tissue, tmp_path):
    """OpenSlide's opinion of a file decides nothing."""
    pages = associated(
        tissue,
        Page((64, 48), [bytes(64 * 48 * 6)], None, APERIO + "macro", 1, 2, tags={258: (3, [16])}),
        svs.strip(LABEL, description=APERIO + "label"),
        description=None,
    )
    path = svs.write(tmp_path / "slide.svs", pages)
    with Slide(path) as slide:
        assert associated_image(slide, "label").size == (100, 120)
        assert associated_image(slide, "thumbnail").size == (1024, 768)
        with pytest.raises(UnreadableSlide, match="macro image cannot be read: 16 bits"):
            associated_image(slide, "macro")
