"""JPEG tiles whose frames or scans lie are damaged, and do no harm."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from tests import svs
from tests.unit.field_slides.helpers import LIES, level_pixels
from vsv.errors import UnreadableSlide
from vsv.slides.damage import DamagedTile
from vsv.slides.decoding import decode
from vsv.slides.jpeg import standalone
from vsv.slides.slide import Slide
from vsv.slides.tile_index import TiledImage

# ── Frames that lie ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("lie", LIES)
def test_no_decoder_gets_a_tile_whose_frame_is_not_the_directorys(lie, tissue, monkeypatch):
    """Pillow-SIMD would write past its buffer."""
    tile = LIES[lie](svs.jpeg(tissue[:256, :256]))
    with pytest.raises(DamagedTile, match="is damaged"):
        standalone(b"", tile, (256, 256), "YCbCr")


@pytest.mark.parametrize("lie", LIES)
def test_a_tile_that_lies_is_damaged_and_its_neighbours_are_not(lie, tissue, tmp_path):
    page = svs.level(tissue)
    page.chunks[5] = LIES[lie](page.chunks[5])
    damages = []
    with Slide(svs.write(tmp_path / "slide.svs", [page]), damages.append) as slide:
        pixels = level_pixels(slide, 0)
        assert slide.jpeg_tile(0, 1, 1) is None
        assert slide.jpeg_tile(0, 0, 1) == page.chunks[4]
    assert (pixels[256:512, 256:512] == 255).all()
    assert np.abs(pixels[:256] - tissue[:256]).mean() < 4
    assert [damage[:3] for damage in damages] == [(0, 1, 1)]


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        ("of 12 bits", "12 bits per sample are not supported, only 8"),
        ("lossless", "lossless, hierarchical or arithmetic JPEG is not supported"),
    ],
)
def test_a_slide_of_such_tiles_alone_is_refused_for_their_kind(lie, reason, tissue, tmp_path):
    """It is not damaged. Nor is it refused for the first tile alone, or the last."""
    page = svs.level(tissue)
    odd = [LIES[lie](tile) for tile in page.chunks]
    page.chunks[0], page.chunks[-1] = odd[0], odd[-1]
    Slide(svs.write(tmp_path / "slide.svs", [page])).close()
    page.chunks = [odd[0], b"", *odd[2:]]
    with pytest.raises(UnreadableSlide, match=f"^{reason}$"):
        Slide(svs.write(tmp_path / "slide.svs", [page]))


def test_tables_that_hold_a_frame_do_not_deceive(tissue, tmp_path):
    """A decoder takes the first frame that it finds, and the tables come first."""
    page = svs.level(tissue)
    frame = page.chunks[0][page.chunks[0].index(b"\xff\xc0") :][:19]
    larger = frame[:5] + struct.pack(">HH", 272, 272) + frame[9:]
    page.tags[347] = (7, b"\xff\xd8" + larger + b"\xff\xd9")
    damages = []
    with Slide(svs.write(tmp_path / "slide.svs", [page]), damages.append) as slide:
        assert (level_pixels(slide, 0) == 255).all()
    assert len(damages) == 12


# ── Empty tiles ──────────────────────────────────────────────────────────────────────────────────


def test_a_baseline_tile_of_thousands_of_scans_is_not_decoded(tissue):
    """Each of them takes a decoder over the whole tile."""
    tile = svs.jpeg(tissue[:256, :256])
    bomb = tile[:-2] + tile[tile.index(b"\xff\xda") :][:14] * 1000 + tile[-2:]
    image = TiledImage(256, 256, 256, 256, 7, 6, b"")
    with pytest.raises(DamagedTile, match="more than 64 scans"):
        decode(image, bomb, (256, 256))
    assert decode(image, tile, (256, 256)).size == (256, 256)


@pytest.mark.parametrize("padding", [b"\0", b"\xff", b"\0" * 7])
def test_tables_may_be_padded(padding, tissue):
    """A byte after the end makes a field's length even."""
    tile = svs.jpeg(tissue[:256, :256])
    start, end = tile.index(b"\xff\xc4"), tile.index(b"\xff\xda")
    tables = b"\xff\xd8" + tile[start:end] + b"\xff\xd9" + padding
    stream, _ = standalone(tables, tile[:start] + tile[end:], (256, 256), "YCbCr")
    padded, whole = (np.asarray(Image.open(io.BytesIO(each))) for each in (stream, tile))
    assert (padded == whole).all()
