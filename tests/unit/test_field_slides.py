"""Slides as other scanners, converters and de-identification tools write them."""

import io
import struct

import imagecodecs
import numpy as np
import openslide
import pytest
from PIL import Image

from tests import svs
from tests.pixels import psnr
from tests.svs import APERIO, Page
from vsv.errors import NotRendered, UnreadableSlide
from vsv.geometry import Box
from vsv.pyramid import plan as pyramid
from vsv.pyramid.deepzoom import TileAddress
from vsv.pyramid.native import default_pyramid, slide_levels
from vsv.pyramid.tile import render_tile, source_pixels
from vsv.slides import regions
from vsv.slides.damage import DamagedTile
from vsv.slides.decoding import decode
from vsv.slides.jpeg import standalone
from vsv.slides.regions import RegionReader
from vsv.slides.slide import Slide
from vsv.slides.tile_index import TiledImage
from vsv.storage.layout import Storage
from vsv.viewing.images import Images, TileOptions

JFIF = b"\xff\xe0\x00\x10JFIF\0\1\1\0\0\1\0\1\0\0"


def adobe(transform: int) -> bytes:
    return b"\xff\xee\x00\x0eAdobe\0d\0\0\0\0" + bytes([transform])


def inserted(data: bytes, marker: bytes) -> bytes:
    return data[:2] + marker + data[2:]


def renamed(data: bytes, ids: bytes) -> bytes:
    """Return the stream with other component identifiers, in its frame and in its scan."""
    changed = bytearray(data)
    frame, scan = data.index(b"\xff\xc0"), data.index(b"\xff\xda")
    for number, name in enumerate(ids):
        changed[frame + 10 + 3 * number] = name
        changed[scan + 5 + 2 * number] = name
    return bytes(changed)


@pytest.fixture(scope="session")
def tissue(real):
    return svs.tissue(real, (1024, 768))


def oracle(path):
    with openslide.OpenSlide(path) as slide:
        return np.asarray(slide.read_region((0, 0), 0, slide.dimensions).convert("RGB"), int)


def level_pixels(slide, index):
    level = slide.levels[index]
    return np.asarray(RegionReader(slide).read(level, Box(0, 0, *level.image.size)), int)


# ── Colours ──────────────────────────────────────────────────────────────────────────────────────

CONTRADICTIONS = {
    "RGB, but JFIF": (True, lambda tile: inserted(renamed(tile, b"\1\2\3"), JFIF)),
    "RGB, but Adobe's YCbCr": (True, lambda tile: inserted(renamed(tile, b"\1\2\3"), adobe(1))),
    "YCbCr, but Adobe's RGB": (False, lambda tile: inserted(tile, adobe(0))),
    "YCbCr, but named R, G, B": (False, lambda tile: renamed(tile, b"RGB")),
    "YCbCr, Adobe's RGB after JFIF's end": (
        False,
        lambda tile: inserted(renamed(tile, b"RGB"), adobe(0) + adobe(0)),
    ),
}


@pytest.mark.parametrize("kind", CONTRADICTIONS)
def test_colours_are_what_the_tiff_says_whatever_the_tiles_say(kind, tissue, tmp_path):
    is_rgb, change = CONTRADICTIONS[kind]
    page = svs.level(tissue, photometric=2 if is_rgb else 6)
    page.chunks = [change(tile) for tile in page.chunks]
    path = svs.write(tmp_path / "slide.svs", [page])
    expected = oracle(path)
    with Slide(path) as slide:
        assert np.array_equal(level_pixels(slide, 0), expected)
        zoom = default_pyramid(slide)
        for address in zoom.tiles():
            box = zoom.tile_at(address).box
            tile = Image.open(io.BytesIO(render_tile(slide, zoom, address))).convert("RGB")
            if zoom.downsample(address.level) == 1:
                # Passed through, and still right for any decoder.
                assert np.array_equal(tile, expected[box.top : box.bottom, box.left : box.right])
            elif zoom.downsample(address.level) == 2:
                part = expected[2 * box.top : 2 * box.bottom, 2 * box.left : 2 * box.right]
                assert psnr(np.asarray(tile), svs.shrunk(part.astype(np.uint8), 2)) > 30


def test_markers_that_agree_are_left_as_they_are(tissue):
    tile = svs.jpeg(tissue[:256, :256])
    for data in (tile, inserted(tile, JFIF), inserted(tile, adobe(1))):
        assert standalone(b"", data, (256, 256), "YCbCr")[0] == data


# ── Frames that lie ──────────────────────────────────────────────────────────────────────────────


def frame_patched(data: bytes, offset: int, code: str, value: int) -> bytes:
    changed = bytearray(data)
    struct.pack_into(code, changed, data.index(b"\xff\xc0") + offset, value)
    return bytes(changed)


LIES = {
    "wider": lambda tile: frame_patched(tile, 7, ">H", 272),
    "narrower": lambda tile: frame_patched(tile, 7, ">H", 240),
    "higher": lambda tile: frame_patched(tile, 5, ">H", 65_535),
    "of no height": lambda tile: frame_patched(tile, 5, ">H", 0),
    "of 12 bits": lambda tile: frame_patched(tile, 4, ">B", 12),
    "of four components": lambda tile: frame_patched(tile, 9, ">B", 4),
    "lossless": lambda tile: frame_patched(tile, 1, ">B", 0xC3),
    "two frames": lambda tile: (
        tile[: tile.index(b"\xff\xc0")] + tile[tile.index(b"\xff\xc0") :][:19] + tile[2:]
    ),
    "another tile's start": lambda tile: tile[:2] + tile,
    "no frame": lambda tile: tile.replace(b"\xff\xc0", b"\xff\xe1", 1),
    "cut off": lambda tile: tile[: tile.index(b"\xff\xda")],
    "a segment of no length": lambda tile: tile[:2] + b"\xff\xe1\0\0" + tile[2:],
    "no marker": lambda tile: tile[:2] + b"\0\0\0\0" + tile[2:],
    "only fill bytes": lambda tile: tile[:2] + b"\xff" * 10_000 + tile[2:],
    "a thousand scans": lambda tile: (
        tile.replace(b"\xff\xc0", b"\xff\xc2", 1) + tile[tile.index(b"\xff\xda") :][:14] * 1000
    ),
}


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


# ── Planes and channels ──────────────────────────────────────────────────────────────────────────


def stack(real, mark, *, interleaved=False):
    pages = [
        [
            svs.level(svs.shrunk(plane, factor), description=f"{APERIO}|{mark(number)}")
            for factor in (1, 2, 4)
        ]
        for number, plane in enumerate(svs.tissue(real, (512, 384), 40 * z) for z in range(3))
    ]
    ordered = zip(*pages, strict=True) if interleaved else pages
    return [page for group in ordered for page in group]


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize(
    ("mark", "kind"),
    [(lambda z: f"OffsetZ = {z}", "focal planes"), (lambda c: f"Dye = D{c}", "channels")],
)
def test_of_a_stack_the_first_plane_is_shown_and_said(mark, kind, interleaved, real, tmp_path):
    pages = stack(real, mark, interleaved=interleaved)
    # The first plane has no coarse level: that of another plane is not taken for it.
    pages.remove(next(page for page in pages if page.size == (128, 96)))
    path = svs.write(tmp_path / "slide.svs", pages)
    with Slide(path) as slide:
        assert [level.downsample for level in slide.levels] == [1, 2]
        assert np.abs(level_pixels(slide, 0) - svs.tissue(real, (512, 384))).mean() < 4
        assert slide.notices == (f"the slide has 3 {kind}; only the first is shown",)


@pytest.mark.parametrize(("finest", "coarser"), [("0.0", "0"), ("1", "1.00"), ("-0.5", "-.50")])
def test_a_planes_focus_is_a_number_however_it_is_written(finest, coarser, tissue, tmp_path):
    pages = [
        svs.level(tissue, description=f"{APERIO}|OffsetZ = {finest}"),
        svs.level(svs.shrunk(tissue, 4), description=f"{APERIO}|OffsetZ = {coarser}"),
    ]
    with Slide(svs.write(tmp_path / "slide.svs", pages)) as slide:
        assert [level.downsample for level in slide.levels] == [1, 4]


def test_planes_within_an_image_are_told_too(tissue, tmp_path):
    page = svs.level(tissue)
    page.chunks *= 5
    page.tags[32997] = (4, 5)
    with Slide(svs.write(tmp_path / "slide.svs", [page])) as slide:
        assert np.abs(level_pixels(slide, 0) - tissue).mean() < 4
        assert slide.notices == ("the slide has 5 focal planes; only the first is shown",)


def test_a_stack_of_two_hundred_planes_is_no_reason_to_refuse_it(real, tmp_path):
    plane = svs.level(svs.tissue(real, (300, 200)))
    with Slide(svs.write(tmp_path / "slide.svs", [plane] * 200)) as slide:
        assert slide.notices == ("the slide has 200 focal planes; only the first is shown",)


def test_a_grey_slide_is_shown(tissue, tmp_path):
    path = svs.write(tmp_path / "slide.svs", [svs.level(tissue[..., 0].copy(), photometric=1)])
    with Slide(path) as slide:
        pixels = level_pixels(slide, 0)
        assert np.abs(pixels - tissue[..., :1]).mean() < 4
        tile = Image.open(io.BytesIO(slide.jpeg_tile(0, 0, 0)))
        assert np.abs(np.asarray(tile, int) - tissue[:256, :256, 0]).mean() < 4


# ── Empty tiles ──────────────────────────────────────────────────────────────────────────────────


def spoilt(real, break_tile):
    """Return a slide whose 4x level lacks a tile; the 16x level shows black where it was."""
    full = svs.tissue(real, (2048, 2048))
    quarter, sixteenth = svs.shrunk(full, 4), svs.shrunk(full, 16).copy()
    sixteenth[:64, 64:128] = 0
    pages = [svs.level(full), svs.level(quarter), svs.level(sixteenth)]
    pages[1].chunks[1] = break_tile(pages[1].chunks[1])
    return full, pages


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1)])
def test_coarser_levels_are_not_trusted_above_an_empty_tile(order, real, tmp_path):
    full, pages = spoilt(real, lambda _: b"")
    pages = [pages[number] for number in order]
    with Slide(svs.write(tmp_path / "slide.svs", pages), lambda _: None) as slide:
        for downsample in (4, 8, 16, 32):
            shown = np.asarray(
                RegionReader(slide).region(
                    downsample, Box(0, 0, 2048 // downsample, 2048 // downsample)
                )
            )
            assert psnr(shown, svs.shrunk(full, downsample)) > 28, downsample
        assert slide.notices == (
            "the scanner left 1 tile empty at 1/4 of the resolution; finer levels are shown there",
        )
        assert slide.jpeg_tile(order.index(2), 0, 0) is None


def test_an_empty_tile_of_the_finest_level_is_told_truly(real, tmp_path):
    pages = spoilt(real, lambda tile: tile)[1]
    pages[0].chunks[9] = b""
    with Slide(svs.write(tmp_path / "slide.svs", pages)) as slide:
        assert slide.notices == (
            "the scanner left 1 tile empty at 1/1 of the resolution; nothing is shown there",
        )


def test_a_scan_of_the_tissue_only_keeps_its_coarser_levels(real, tmp_path):
    """A finest level that is empty over large parts is a way of scanning, not a fault."""
    full = svs.tissue(real, (2048, 2048))
    pages = [svs.level(full), svs.level(svs.shrunk(full, 4))]
    pages[0].chunks[16:] = [b""] * 48
    with Slide(svs.write(tmp_path / "slide.svs", pages)) as slide:
        assert slide.notices == ()
        assert slide.jpeg_tile(1, 1, 1) == pages[1].chunks[3]


@pytest.mark.parametrize(
    "break_tile",
    [lambda _: b"", lambda tile: bytes(len(tile)), LIES["wider"], lambda tile: tile[:40]],
)
@pytest.mark.slow
def test_an_import_says_so_and_shows_finer_levels(break_tile, real, world):
    full, pages = spoilt(real, break_tile)
    svs.write(world.scanner / "spoilt.svs", pages)
    request = world.scan(world.scanner / "spoilt.svs", "slide.svs")
    (world.scanner / "spoilt.svs").unlink()
    answer = world.bring_in(request)
    assert answer.detail == "imported", answer
    record = world.catalogue.get(answer.image_id)
    assert any("finer levels are shown" in text for text in record["ImportWarnings"])
    images = Images(world.storage, 90)
    for level, downsample in ((7, 16), (8, 8), (9, 4)):
        tile = images.tile(answer.image_id, TileAddress(level, 0, 0), TileOptions()).load()
        shown = np.asarray(Image.open(io.BytesIO(tile)).convert("RGB"))
        expected = svs.shrunk(full, downsample)[: shown.shape[0], : shown.shape[1]]
        assert psnr(shown, expected) > 28, level


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


def test_a_baseline_tile_of_thousands_of_scans_is_not_decoded(tissue):
    """Each of them takes a decoder over the whole tile."""
    tile = svs.jpeg(tissue[:256, :256])
    bomb = tile[:-2] + tile[tile.index(b"\xff\xda") :][:14] * 1000 + tile[-2:]
    image = TiledImage(256, 256, 256, 256, 7, 6, b"")
    with pytest.raises(DamagedTile, match="more than 64 scans"):
        decode(image, bomb, (256, 256))
    assert decode(image, tile, (256, 256)).size == (256, 256)


def test_packed_bits_that_unpack_to_nothing_are_damaged():
    image = TiledImage(256, 256, 256, 256, 32773, 2, b"")
    with pytest.raises(DamagedTile, match="cannot be decompressed"):
        decode(image, b"\x80" * 2**24, (256, 256))


@pytest.mark.parametrize("padding", [b"\0", b"\xff", b"\0" * 7])
def test_tables_may_be_padded(padding, tissue):
    """A byte after the end makes a field's length even."""
    tile = svs.jpeg(tissue[:256, :256])
    start, end = tile.index(b"\xff\xc4"), tile.index(b"\xff\xda")
    tables = b"\xff\xd8" + tile[start:end] + b"\xff\xd9" + padding
    stream, _ = standalone(tables, tile[:start] + tile[end:], (256, 256), "YCbCr")
    padded, whole = (np.asarray(Image.open(io.BytesIO(each))) for each in (stream, tile))
    assert (padded == whole).all()


# ── What takes too long ──────────────────────────────────────────────────────────────────────────


def test_a_tile_of_a_huge_level_is_left_to_the_import(real, tmp_path, monkeypatch):
    """The topmost tile of a slide without coarse levels needs all of its pixels."""
    monkeypatch.setattr(pyramid, "MAX_PIXELS_ON_REQUEST", 2**19)
    svs.write(tmp_path / "slide.svs", [svs.level(svs.tissue(real, (1024, 768)))])
    shown = Images(Storage(tmp_path), 90, max_pixels=2**19)
    for level in (8, 7, 0):
        with pytest.raises(NotRendered, match="pixels, too many to be read on request"):
            shown.tile("slide", TileAddress(level, 0, 0), TileOptions())
    assert shown.tile("slide", TileAddress(9, 0, 0), TileOptions()).load()
    with Slide(tmp_path / "slide.svs") as slide:
        assert pyramid.levels_to_render(slide, "none") == tuple(range(8, -1, -1))


def emptied(page: Page, *numbers: int) -> Page:
    for number in numbers or range(len(page.chunks)):
        page.chunks[number] = b""
    return page


def test_what_stands_in_for_lost_tiles_counts_as_well(real, tmp_path):
    """All of a slide stands in for a coarse level that is empty: its tiles are not small."""
    pixels = svs.tissue(real, (2048, 2048))
    pages = [svs.level(pixels), emptied(svs.level(svs.shrunk(pixels, 8)))]
    svs.write(tmp_path / "slide.svs", pages)
    shown = Images(Storage(tmp_path), 90, max_pixels=2**20)
    with pytest.raises(NotRendered, match="too many"):
        shown.tile("slide", TileAddress(8, 0, 0), TileOptions()).load()
    with pytest.raises(NotRendered, match="too many"):
        shown.associated("slide", "thumbnail", "jpeg").load()
    shown = Images(Storage(tmp_path), 90)
    tile = shown.tile("slide", TileAddress(8, 0, 0), TileOptions()).load()
    assert psnr(np.asarray(Image.open(io.BytesIO(tile))), svs.shrunk(pixels, 8)) > 30


def test_what_stands_in_is_read_in_pieces(real, tmp_path, monkeypatch):
    """A tile of a level that is 64 times coarser shows more than there is memory for."""
    pixels = svs.tissue(real, (2048, 2048))
    tiles = [part.tobytes() for part in svs.tiles(pixels)]
    full = Page((2048, 2048), tiles, compression=1, photometric=2)
    path = svs.write(tmp_path / "slide.svs", [full, emptied(svs.level(svs.shrunk(pixels, 64)))])
    monkeypatch.setattr(regions, "_MAX_SOURCE_PIXELS", 2**16)
    sizes = []
    new = Image.new
    monkeypatch.setattr(Image, "new", lambda *given: sizes.append(given[1]) or new(*given))
    with Slide(path) as slide:
        region = np.asarray(RegionReader(slide).read(slide.levels[1], Box(0, 0, 32, 32)), int)
    assert max(width * height for width, height in sizes) <= 2**16
    assert np.abs(region - svs.shrunk(pixels, 64)).max() <= 2


def test_a_small_tile_costs_more_than_its_pixels(real, tmp_path):
    """A million tiles of 16 pixels take as long as large ones do."""
    tiles = [svs.jpeg(part) for part in svs.tiles(svs.tissue(real, (512, 512)), 16)]
    path = svs.write(tmp_path / "slide.svs", [Page((512, 512), tiles, (16, 16))])
    with Slide(path) as slide:
        pixels = source_pixels(slide, default_pyramid(slide), 0)
    assert pixels == 32 * 32 * 64 * 64


def test_levels_that_lost_tiles_are_pre_rendered_where_finer_ones_are_too_large(
    real, tmp_path, monkeypatch
):
    monkeypatch.setattr(pyramid, "MAX_PIXELS_ON_REQUEST", 2**20)
    pixels = svs.tissue(real, (2048, 2048))
    pages = [svs.level(pixels), svs.level(svs.shrunk(pixels, 4))]
    with Slide(svs.write(tmp_path / "whole.svs", pages)) as slide:
        assert pyramid.levels_to_render(slide, "none") == ()
    emptied(pages[1], 3)
    with Slide(svs.write(tmp_path / "empty.svs", pages)) as slide:
        assert pyramid.levels_to_render(slide, "none") == tuple(range(8, -1, -1))
