"""The ``vsv`` command as a person uses it."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from local.samples import generated_slide
from tests import svs

# Each of them starts processes.
pytestmark = pytest.mark.slow

VSV = [sys.executable, "-m", "vsv.standalone.cli"]
# The command, its pieces small. Once there are 20 tiles, it gets what a terminal sends on Ctrl-C.
INTERRUPTED_VSV = """
import os, signal, sys
from itertools import count
from vsv.standalone import cli

tiles = count(1)

class Renderer(cli.Renderer):
    def __init__(self, slide, index, store, on_tile):
        def tell(is_new):
            on_tile(is_new)
            if next(tiles) == 20:
                os.killpg(0, signal.SIGINT)

        super().__init__(slide, index, store, tell)

cli.Renderer, cli._TILES_PER_PIECE = Renderer, 40
sys.exit(cli.main())
"""


def vsv(*arguments):
    return subprocess.run([*VSV, *map(str, arguments)], capture_output=True, text=True)


def pyramid(outdir):
    """Descriptor and tiles by name."""
    files = [*outdir.glob("*.dzi"), *outdir.rglob("*.jpeg")]
    return {path.relative_to(outdir).as_posix(): path.read_bytes() for path in files}


def test_info_describes_a_slide_for_people_and_for_programs(generated):
    shown = vsv("info", generated)
    assert shown.returncode == 0
    for text in ("2309 × 1543", "0.2520", "40", "204711", "label, thumbnail, macro", "JPEG"):
        assert text in shown.stdout
    facts = json.loads(vsv("info", generated, "--json").stdout)
    assert [level["downsample"] for level in facts["levels"]] == [1, 4, 16]


@pytest.mark.parametrize(
    "options",
    [(), pytest.param(("--tile-size", "254", "--overlap", "1"), marks=pytest.mark.slow)],
)
def test_any_number_of_workers_writes_the_same_bytes(generated, tmp_path, options):
    outputs = []
    for workers in (1, 3):
        outdir = tmp_path / str(workers)
        done = vsv("prerender", generated, outdir, "--workers", workers, *options)
        assert done.returncode == 0, done.stderr
        outputs.append(pyramid(outdir))
    assert outputs[0] == outputs[1]
    assert "generated.dzi" in outputs[0]
    with Image.open(tmp_path / "1" / "generated_files" / "0" / "0_0.jpeg") as tile:
        assert tile.size == (1, 1)


def test_ctrl_c_leaves_no_descriptor_and_the_same_command_goes_on(real, tmp_path):
    slide = generated_slide(tmp_path / "generated.svs", real, size=(4100, 3000))
    undisturbed, outdir = tmp_path / "undisturbed", tmp_path / "out"
    assert vsv("prerender", slide, undisturbed).returncode == 0
    interrupted = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_VSV, "prerender", slide, outdir, "--workers", "1"],
        capture_output=True,
        text=True,
        process_group=0,
    )

    assert interrupted.returncode == 130
    assert "the same command goes on from here" in interrupted.stderr
    assert "Traceback" not in interrupted.stderr
    assert not (outdir / "generated.dzi").exists()
    kept = {path: path.stat().st_mtime_ns for path in outdir.rglob("*.jpeg")}
    assert 20 <= len(kept) < len(pyramid(undisturbed)) - 1, "some are left to be rendered"
    assert vsv("prerender", slide, outdir).returncode == 0
    assert pyramid(outdir) == pyramid(undisturbed)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_other_options_begin_anew(generated, tmp_path):
    assert vsv("prerender", generated, tmp_path, "--quality", "60").returncode == 0
    before = pyramid(tmp_path)
    assert vsv("prerender", generated, tmp_path, "--tile-size", "512").returncode == 0
    after = pyramid(tmp_path)
    assert before.keys() != after.keys()
    assert b'TileSize="512"' in after["generated.dzi"]


def test_tiles_above_a_damaged_one_are_made_of_finer_levels(real, tmp_path):
    """Only decoding finds it, and the coarsest tiles are rendered first."""
    full = svs.cut_off(real, tmp_path / "slide.svs")
    done = vsv("prerender", tmp_path / "slide.svs", tmp_path)
    assert done.returncode == 0
    assert "tile 1_0 of level 1 is damaged" in done.stderr
    for level, downsample in ((9, 4), (7, 16), (6, 32)):
        with Image.open(tmp_path / f"slide_files/{level}/0_0.jpeg") as tile:
            shown = np.asarray(tile.convert("RGB"), int)
        expected = svs.shrunk(full, downsample)[:256, :256]
        assert np.abs(shown - expected).mean() < 6, downsample
    assert not (tmp_path / "slide_index").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("info", "/nowhere.svs"), 1, "No such file"),
        (("info", __file__), 1, "not a TIFF file"),
        (("prerender", __file__, "/tmp/x"), 1, "not a TIFF file"),
        (("prerender", "x.svs", "out", "--quality", "99"), 2, "not a number in 1..95"),
        (("prerender", "x.svs"), 2, "OUTDIR"),
        ((), 2, "COMMAND"),
    ],
)
def test_mistakes_get_one_clear_line_and_an_exit_code(arguments, code, message):
    done = vsv(*arguments)
    assert done.returncode == code
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
