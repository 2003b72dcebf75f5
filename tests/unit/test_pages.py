"""Which images of a file are its levels, label, thumbnail and macro, by what directories say."""

from types import SimpleNamespace

import pytest

from vsv.errors import UnreadableSlide
from vsv.slides import associated
from vsv.slides.pages import Pages, check_size, why_pixels_unsupported
from vsv.slides.tiff import Directory
from vsv.slides.tile_index import TiledImage

SIDE = 2**20


def tiled(width=1024, height=768, text="", tile=(256, 256), **others):
    """Return a directory of an image in tiles."""
    return Directory(
        **{
            **{"width": width, "height": height, "tile_width": tile[0], "tile_height": tile[1]},
            **{"subfile_type": 0, "compression": 7, "photometric": 6, "bits": (8, 8, 8)},
            **{"samples": 3, "planar": 1, "predictor": 1, "depth": 1, "description": text},
            **{"jpeg_tables": b"", "offsets": None, "byte_counts": None, **others},
        }
    )


def strip(width, height, text="", **others):
    return tiled(width, height, text, (0, height), **others)


FULL = tiled()
LABEL, MACRO, THUMBNAIL = strip(100, 120), strip(300, 80), strip(256, 192)


def levels(*others, full=FULL):
    """Which of the images are levels, by their numbers."""
    pages = (full, *others)
    found = Pages.of(pages).levels
    return [number for number, page in enumerate(pages) if any(page is each for each in found)]


def names(*others, full=FULL):
    """Which of the images are associated ones: the numbers by name."""
    pages = (full, *others)
    found = Pages.of(pages).associated
    return {name: [page is each for each in pages].index(True) for name, page in found.items()}


# ─── Levels ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"width": SIDE}, None),
        ({"height": SIDE}, None),
        ({"width": 1, "height": 1}, None),
        ({"width": SIDE + 1}, "an image of 1048577 × 768 pixels"),
        ({"height": SIDE + 1}, "an image of 1024 × 1048577 pixels"),
        ({"width": 0}, "an image of 0 × 768 pixels"),
        ({"height": 0}, "an image of 1024 × 0 pixels"),
        ({"tile": (2048, 2048)}, None),
        ({"tile": (1, 1)}, None),
        ({"tile": (2048, 2049)}, "tiles of 2048 × 2049 pixels"),
        ({"tile": (256, 0)}, "tiles of no size"),
        ({"bits": (8, 16, 8)}, "16 bits per sample"),
        ({"bits": ()}, None),
        ({"samples": 2}, "2 samples per pixel"),
        ({"samples": 4}, None),
        ({"samples": 1, "planar": 2}, None),
        ({"planar": 2}, "colours in separate planes"),
        *[({"photometric": known}, None) for known in (-1, 0, 1, 2, 6)],
        *[({"photometric": odd}, f"interpretation {odd} ") for odd in (3, 5, 8, 32844)],
    ],
)
def test_what_cannot_be_shown_says_why(changes, reason):
    full = tiled(**changes)
    if reason is None:
        assert levels(full=full) == [0]
        return
    with pytest.raises(UnreadableSlide, match=reason):
        Pages.of([full])
    if "tile" not in changes and not {"width", "height"} & changes.keys():
        assert reason in why_pixels_unsupported(full)


def test_a_slide_begins_with_its_finest_level():
    with pytest.raises(UnreadableSlide, match="its first image is not tiled"):
        Pages.of([THUMBNAIL, FULL])


def test_a_level_is_the_first_image_of_its_downsample_and_kind():
    assert levels(THUMBNAIL, tiled(256, 192), tiled(64, 48)) == [0, 2, 3]
    assert levels(tiled(), tiled(256, 192), tiled(256, 192)) == [0, 2]
    for other in (
        strip(256, 192),
        tiled(256, 192, samples=1, bits=(8,)),
        tiled(256, 192, planar=2),
        tiled(256, 192, tile=(0, 0)),
        tiled(256, 192, "Aperio\nthumbnail 256x192"),
        tiled(256, 180),
    ):
        assert levels(other) == [0], other


def test_the_levels_of_a_stack_are_those_of_its_first_plane():
    first, second = "Aperio|OffsetZ = 0", "Aperio|OffsetZ = 1"
    coarse = tiled(256, 192, second), tiled(256, 192, first), tiled(64, 48)
    assert levels(tiled(text=second), *coarse, full=tiled(text=first)) == [0, 3, 4]


@pytest.mark.parametrize(
    ("texts", "notice"),
    [
        ([], None),
        (["|OffsetZ = 1"], "the slide has 2 focal planes; only the first is shown"),
        (["|OffsetZ = 1", "|OffsetZ = 2"], "the slide has 3 focal planes; only the first is shown"),
        (["|Dye = DAPI"], "the slide has 2 channels; only the first is shown"),
        (["", "|DisplayColor = 7"], "the slide has 3 channels; only the first is shown"),
    ],
)
def test_what_is_not_shown_of_a_stack_is_told(texts, notice):
    pages = Pages.of([FULL, *(tiled(text=text) for text in texts), tiled(256, 192), THUMBNAIL])
    assert pages.notices == ((notice,) if notice else ())
    (told,) = Pages.of([tiled(depth=5)]).notices
    assert told == "the slide has 5 focal planes; only the first is shown"


# ─── Label, thumbnail, macro ─────────────────────────────────────────────────────────────────────


def test_images_are_known_by_description_then_by_kind_then_by_order():
    assert names(THUMBNAIL, LABEL, MACRO) == {"thumbnail": 1, "label": 2, "macro": 3}
    marked = strip(300, 80, subfile_type=9), strip(100, 120, subfile_type=1), THUMBNAIL
    assert names(*marked) == {"macro": 1, "label": 2, "thumbnail": 3}
    named = strip(300, 80, "Aperio\nlabel 300x80", subfile_type=9), strip(9, 9, subfile_type=9)
    assert names(*named) == {"label": 1, "macro": 2}
    twice = strip(9, 9, "Aperio\nMacro"), strip(8, 8, "Aperio\nmacro 8x8")
    assert names(*twice) == {"macro": 1}
    assert names(strip(9, 90, "Aperio\nno label")) == {}


def test_nobody_guesses_which_of_two_images_is_missing():
    assert names(LABEL) == names(MACRO) == {}
    assert names(LABEL, MACRO, strip(90, 9)) == {}
    assert names(strip(100, 120, subfile_type=1), MACRO) == {"label": 1, "macro": 2}
    assert names(LABEL, strip(0, 9), strip(9, 0), MACRO) == {"label": 1, "macro": 4}
    assert names(tiled(100, 120), tiled(300, 80)) == {}


@pytest.mark.parametrize(
    ("size", "is_one"),
    [
        ((1024, 768), True),  # as large as the slide
        ((1, 1), True),  # of whatever proportions, rounded
        ((256, 192), True),
        ((256, 187), True),
        ((256, 197), True),
        ((256, 186), False),
        ((256, 198), False),
        ((1028, 768), False),
        ((1024, 771), False),
    ],
)
def test_a_thumbnail_has_the_slides_proportions_and_is_no_larger(size, is_one):
    assert names(strip(*size)) == ({"thumbnail": 1} if is_one else {})
    assert names(strip(*size), strip(*size)).get("thumbnail") == (1 if is_one else None)


def test_an_image_fits_into_memory_and_into_a_jpeg_file():
    for size in ((4096, 8192), (65_500, 512), (512, 65_500)):
        check_size("label", *size)
    for size in ((4096, 8193), (65_501, 1), (1, 65_501)):
        with pytest.raises(UnreadableSlide, match=f"the label image has {size[0]} × {size[1]} pix"):
            check_size("label", *size)


@pytest.mark.parametrize(
    ("cols", "length", "reason"),
    [
        (1, 2**28, "its data are missing"),
        (1, 2**28 + 1, "its data are too long"),
        (2**14, 0, "is empty"),
        (2**14 + 1, 0, "16385 tiles or strips are too many"),
    ],
)
def test_an_image_is_read_unless_it_is_senseless(cols, length, reason):
    file = SimpleNamespace(read=lambda offset, size: b"")
    chunks = SimpleNamespace(offsets=[0] * cols, byte_counts=[length] * cols)
    with pytest.raises(UnreadableSlide, match=reason):
        associated._read(file, TiledImage(cols, 1, 1, 1, 7, 6, b""), chunks, is_tiled=True)
