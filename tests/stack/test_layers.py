"""Functions run on what their layers hold and Lambda brings, and on nothing else."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from local.samples import generated_slide
from tests.conftest import ROOT, load_template
from vsv.slides import jpeg2000

pytestmark = pytest.mark.stack

# What Lambda's Python runtimes bring along.
RUNTIME = ("boto3", "botocore", "s3transfer", "dateutil", "jmespath", "six", "urllib3")
FUNCTIONS = {
    name: [layer["Ref"] for layer in resource["Properties"]["Layers"]]
    for name, resource in load_template(ROOT / "func.template.yaml")["Resources"].items()
    if resource["Type"] == "AWS::Serverless::Function"
}
# What a function imports only once it comes to it.
LATER = {
    "ImageRequestFunction": ["openslide", "vsv.bucket"],
    "VerifySlideFunction": ["openslide", "vsv.bucket"],
    "ExtractMetadataFunction": ["vsv.imports.steps"],
    "RenderTilesFunction": ["vsv.imports.steps"],
    "FinishImportFunction": ["vsv.imports.steps"],
    "ImportSlideFunction": ["vsv.imports.decision", "vsv.imports.transfers"],
}
MAX_UNZIPPED_BYTES = 250 * 2**20  # Lambda's limit for a function and its layers together

IMPORT = """
import importlib
import sys
folders, later = sys.argv[1].split(":"), sys.argv[2:]
sys.path[:0] = folders
import app
import vsv.logs
for name in later:
    importlib.import_module(name)
if "PIL" in sys.modules:
    import PIL
    assert "site-packages" not in PIL.__file__, PIL.__file__
    assert PIL.__version__.endswith((".post0", ".post1", ".post2")), "not Pillow-SIMD"
print(app.lambda_handler.__name__)
"""


@pytest.fixture(scope="module")
def runtime(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runtime")
    for name in RUNTIME:
        found = Path(importlib.util.find_spec(name).origin)
        source = found.parent if found.name == "__init__.py" else found
        (folder / source.name).symlink_to(source)
    return folder


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_starts_on_its_layers_alone(function, runtime):
    build = ROOT / ".local" / "sam" / "build"
    folders = [build / function, *(build / layer / "python" for layer in FUNCTIONS[function])]
    done = subprocess.run(
        [
            *(sys.executable, "-I", "-S", "-c", IMPORT),
            ":".join(map(str, [*folders, runtime])),
            *LATER.get(function, []),
        ],
        capture_output=True,
        text=True,
        env={"AWS_DEFAULT_REGION": "us-east-1"},
    )
    assert done.stdout.strip() == "lambda_handler", done.stderr


DECODE = """
import sys
sys.path[:0] = sys.argv[3:]
from vsv.slides.jpeg2000 import decode
with open(sys.argv[1], "rb") as file:
    image = decode(file.read(), (256, 256), sys.argv[2])
sys.stdout.buffer.write(image.tobytes())
"""


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize(
    ("color", "subsampling"), [("RGB", (1, 1)), ("YCbCr", (1, 1)), ("YCbCr", (2, 1))]
)
def test_jpeg_2000_has_the_same_pixels_in_the_layers(real, tmp_path, color, subsampling):
    """Another OpenJPEG, another Pillow, on whose ways with colours the decoder relies."""
    path = tmp_path / "slide.svs"
    generated_slide(
        path, real, size=(256, 256), downsamples=(1,), jpeg2000=color, subsampling=subsampling
    )
    with tifffile.TiffFile(path) as slide:
        (offset,), (count,) = slide.pages[0].dataoffsets, slide.pages[0].databytecounts
    tile = tmp_path / "tile.j2k"
    tile.write_bytes(path.read_bytes()[offset : offset + count])
    build = ROOT / ".local" / "sam" / "build"
    folders = [build / layer / "python" for layer in ("VsvLayer", "PillowSimdLayer")]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", DECODE, tile, color, *folders],
        capture_output=True,
        check=True,
    )
    theirs = np.frombuffer(done.stdout, np.uint8).reshape(256, 256, 3).astype(int)
    ours = np.asarray(jpeg2000.decode(tile.read_bytes(), (256, 256), color), int)
    assert np.abs(ours - theirs).max() <= 1


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_and_its_layers_stay_far_below_lambdas_limit(function):
    build = ROOT / ".local" / "sam" / "build"
    files = (
        path for name in [function, *FUNCTIONS[function]] for path in (build / name).rglob("*")
    )
    size = sum(path.stat().st_size for path in files if path.is_file())
    assert size < MAX_UNZIPPED_BYTES / 2


PIXELS = """
import sys
sys.path[:0] = sys.argv[1:]
from vsv.pixels import _library
print(_library()._name)
"""


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("function", ["ImageRequestFunction", "RenderTilesFunction"])
def test_tiles_are_made_by_the_layers_own_libturbojpeg(function):
    build = ROOT / ".local" / "sam" / "build"
    folders = [build / layer / "python" for layer in FUNCTIONS[function]]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PIXELS, *folders], capture_output=True, text=True
    )
    assert done.stdout.startswith(str(build / "PillowSimdLayer")), done.stderr
