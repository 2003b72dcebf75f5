"""Levels: lossless compressions, images that are not levels, and what OpenSlide does not see."""

import io

import imagecodecs
import numpy as np
import openslide
import pytest
from PIL import Image

from tests import svs
from tests.pixels import psnr
from tests.svs import Page
from tests.unit.field_slides.helpers import level_pixels
from vsv.errors import UnreadableSlide
from vsv.geometry import Box
from vsv.pyramid.deepzoom import TileAddress
from vsv.pyramid.native import slide_levels
from vsv.slides.damage import DamagedTile
from vsv.slides.decoding import decode
from vsv.slides.regions import RegionReader
from vsv.slides.slide import Slide
from vsv.slides.tile_index import TiledImage
from vsv.viewing.images import Images, TileOptions

# ── Levels ───────────────────────────────────────────────────────────────────────────────────────


def lossless(pixels, encode, **options):
    return Page(pixels.shape[1::-1], [encode(part) for part in svs.tiles(pixels)], **options)


@pytest.mark.parametrize("kind", svs.ENCODINGS)
def test_levels_without_loss_are_exact_on_each_level(kind, real, tmp_path):
    compression, tags, encode = svs.ENCODINGS[kind]
    full = svs.tissue(real, (1157, 771))
    levels = [full, svs.shrunk(full, 4)[:192, :289], svs.shrunk(full, 16)[:48, :72]]
    pages = [
        lossless(pixels, encode, compression=compression, photometric=2, tags=dict(tags))
        for pixels in levels
    ]
    with Slide(svs.write(tmp_path / "slide.svs", pages)) as slide:
        assert not slide.has_openslide
        for index, expected in enumerate(levels):
            assert np.array_equal(level_pixels(slide, index), expected)
            box = (13, 7, 71, 45)
            part = np.asarray(RegionReader(slide).read(slide.levels[index], Box(*box)))
            assert np.array_equal(part, expected[7:45, 13:71])
        half = np.asarray(RegionReader(slide).region(2, Box(100, 50, 200, 120)), int)
        expected = svs.shrunk(full, 2)[50:120, 100:200].astype(int)
        assert np.abs(half - expected).max() <= 1


@pytest.mark.parametrize("kind", ["LZW", "deflate", "PackBits", "none"])
def test_lossless_tiles_that_are_cut_off_are_damaged(kind, tissue, tmp_path):
    compression, _, encode = svs.ENCODINGS[kind]
    page = lossless(tissue, encode, compression=compression, photometric=2)
    page.chunks[0] = page.chunks[0][: len(page.chunks[0]) // 3]
    damages = []
    with Slide(svs.write(tmp_path / "slide.svs", [page]), damages.append) as slide:
        pixels = level_pixels(slide, 0)
    assert [damage[:3] for damage in damages] == [(0, 0, 0)]
    assert (pixels[:256, :256] == 255).all()
    assert np.array_equal(pixels[:256, 256:512], tissue[:256, 256:512])


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({258: (3, [16, 16, 16])}, "16 bits per sample are not supported"),
        ({277: (3, 5)}, "5 samples per pixel are not supported"),
        ({284: (3, 2)}, "colours in separate planes are not supported"),
        ({262: (3, 3)}, "photometric interpretation 3 is not supported"),
        ({322: (4, 2**17)}, "tiles of 131072 × 256 pixels are not supported"),
        ({322: (4, 16_384), 323: (4, 16_384)}, "16384 × 16384 pixels are not supported"),
        ({323: (4, 0)}, "tiles of no size"),
        ({256: (4, 2**31)}, "an image of 2147483648 × 768 pixels"),
    ],
)
def test_a_slide_that_cannot_be_shown_says_why(tags, reason, tissue, tmp_path):
    page = svs.level(tissue)
    page.tags |= tags
    with pytest.raises(UnreadableSlide, match=reason):
        Slide(svs.write(tmp_path / "slide.svs", [page]))


def test_an_image_that_is_larger_than_the_first_is_not_a_level(tissue, tmp_path):
    pages = [svs.level(tissue[:384, :512]), svs.level(tissue), svs.level(svs.shrunk(tissue, 8))]
    with Slide(svs.write(tmp_path / "slide.svs", pages)) as slide:
        assert [level.downsample for level in slide.levels] == [1, 4]
        assert slide_levels(slide) == {9: slide.levels[0], 7: slide.levels[1]}


# ── Empty tiles ──────────────────────────────────────────────────────────────────────────────────


def ycbcr(pixels) -> Page:
    """Return a level that only OpenSlide decodes, without the mark of a coarser level."""
    parts = svs.tiles(np.asarray(Image.fromarray(pixels).convert("YCbCr")))
    return Page(
        pixels.shape[1::-1],
        [imagecodecs.lzw_encode(part.tobytes()) for part in parts],
        compression=5,
        description="of another software",
        tags={530: (3, [1, 1])},
    )


@pytest.mark.parametrize("imports", [True, False])
def test_levels_that_openslide_does_not_see_are_made_of_those_that_it_does(
    imports, tissue, storage, world
):
    source = svs.write(world.scanner / "source.svs", [ycbcr(tissue), ycbcr(svs.shrunk(tissue, 4))])
    with openslide.OpenSlide(source) as seen:
        assert seen.level_dimensions == ((1024, 768),)
    damages = []
    with Slide(source, damages.append) as slide:
        assert [level.downsample for level in slide.levels] == [1, 4]
        assert psnr(level_pixels(slide, 1), svs.shrunk(tissue, 4)) > 38
        assert [damage[:3] for damage in damages] == [(1, 0, 0)]
        assert "OpenSlide has no level of 256 × 192 pixels" in damages[0].reason
    image_id = "source"
    if imports:
        answer = world.bring_in(world.scan(source, "slide.svs"))
        assert answer.detail == "imported", answer
        image_id = answer.image_id
    else:
        source.rename(storage.root / "source.svs")
    images = Images(storage, 90)
    for level, downsample in ((10, 1), (8, 4), (7, 8)):
        tile = images.tile(image_id, TileAddress(level, 0, 0), TileOptions()).load()
        shown = np.asarray(Image.open(io.BytesIO(tile)).convert("RGB"))
        expected = svs.shrunk(tissue, downsample) if downsample > 1 else tissue
        assert psnr(shown, expected[: shown.shape[0], : shown.shape[1]]) > 28, level


def test_packed_bits_that_unpack_to_nothing_are_damaged():
    image = TiledImage(256, 256, 256, 256, 32773, 2, b"")
    with pytest.raises(DamagedTile, match="cannot be decompressed"):
        decode(image, b"\x80" * 2**24, (256, 256))
