"""Imports of slides with damaged tiles."""

import shutil
from contextlib import suppress

import numpy as np
import pytest

from tests import svs
from tests.pixels import decoded, psnr
from tests.unit.imports.helpers import spoil
from vsv.errors import UnreadableSlide
from vsv.imports.request import ImportState
from vsv.imports.verify import RecordedSlide, verify
from vsv.pyramid import plan as pyramid
from vsv.pyramid.deepzoom import TileAddress
from vsv.settings import ExtractMetadataSettings
from vsv.slides.slide import Slide
from vsv.viewing.images import Images, TileOptions


@pytest.mark.parametrize("levels", ["all", "derived"])
def test_a_damaged_tile_of_a_coarser_level_is_shown_from_the_finer_one(
    world, generated, tmp_path, levels
):
    """And the import succeeds: no tissue is lost."""
    world.importer._settings = ExtractMetadataSettings.read(
        {"PRERENDER_LEVELS": levels, "BARCODE_SEARCH_MS": "0"}
    )
    path = tmp_path / "spoilt.svs"
    shutil.copy(generated, path)
    spoil(path, 1, 1, 0)
    assert world.bring_in(world.scan(path, "x.svs")).state is ImportState.IMPORTED
    images = Images(world.storage, 90)
    with Slide(generated) as good:
        for col in (0, 1):
            shown = images.tile("204711", TileAddress(10, col, 0), TileOptions()).load()
            expected = good.jpeg_tile(1, col, 0)
            assert (shown == expected) is (col == 0)
            assert psnr(decoded(shown), decoded(expected)) > 32


def pyramid_of(world, image_id):
    images = Images(world.storage, 90)
    for level in range(12):
        address = TileAddress(level, 0, 0)
        yield 2 ** (11 - level), decoded(images.tile(image_id, address, TileOptions()).load())


@pytest.mark.parametrize("levels", ["all", "derived", "none"])
@pytest.mark.slow
def test_tiles_above_one_that_only_decoding_finds_damaged_are_made_of_finer_levels(
    world, real, tmp_path, levels, monkeypatch
):
    """They are rendered first; and the import is killed once, after it was found."""
    world.importer._settings = ExtractMetadataSettings.read(
        {"PRERENDER_LEVELS": levels, "BARCODE_SEARCH_MS": "0"}
    )
    if levels == "none":
        # Some of the levels are left to be rendered.
        monkeypatch.setattr(pyramid, "MAX_PIXELS_ON_REQUEST", 2**15)
    full = svs.cut_off(real, tmp_path / "source.svs")
    render, calls = world.importer.render_tiles, []

    def killed_once(job, start, stop):
        calls.append(start)
        if len(calls) == 1:
            render(job, start, stop)
        return render(job, start, stop)

    monkeypatch.setattr(world.importer, "render_tiles", killed_once)
    answer = world.bring_in(world.scan(tmp_path / "source.svs", "x.svs"))
    assert answer.detail == "imported", answer
    for downsample, shown in pyramid_of(world, answer.image_id):
        expected = svs.shrunk(full, downsample) if downsample > 1 else full
        expected = expected[: shown.shape[0], : shown.shape[1]]
        assert np.abs(shown.astype(int) - expected).mean() < 6, downsample
    record = world.catalogue.get(answer.image_id)
    assert (
        "a tile of coarser levels cannot be read; finer levels are shown"
        in (record["ImportWarnings"])
    )
    assert not world.storage.damages(answer.image_id)
    assert verify(world.storage, {"slide": RecordedSlide.of(record).to_dict()})["findings"] == []


def test_tissue_that_is_lost_is_not_forgotten_with_a_worker_that_was_killed(
    world, generated, tmp_path
):
    """Its tiles were written, so the next attempt decodes nothing."""
    shutil.copy(generated, tmp_path / "spoilt.svs")
    spoil(tmp_path / "spoilt.svs", 0, 3, 2)
    answer = world.scan(tmp_path / "spoilt.svs", "x.svs")
    render = world.importer.render_tiles

    def killed(job, start, stop):
        with suppress(UnreadableSlide):
            render(job, start, stop)
        return render(job, start, stop)

    world.importer.render_tiles = killed
    answer = world.bring_in(answer)
    assert answer.state is ImportState.FAILED
    assert answer.detail.startswith("tile 3_2 of level 0 is damaged")


def test_a_damaged_tile_of_the_finest_level_fails_the_import_but_can_be_viewed(
    world, generated, tmp_path
):
    path = tmp_path / "spoilt.svs"
    shutil.copy(generated, path)
    spoil(path, 0, 3, 2)
    answer = world.bring_in(world.scan(path, "x.svs"))
    assert answer.state is ImportState.FAILED
    assert answer.detail == "tile 3_2 of level 0 is damaged: the JPEG header is damaged"
    images = Images(world.storage, 90)
    shown = decoded(images.tile("204711", TileAddress(12, 3, 2), TileOptions()).load())
    assert shown.min() > 250
