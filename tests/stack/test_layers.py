"""Functions run on what their layers hold and Lambda brings, and on nothing else."""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zxingcpp
from PIL import Image

from local.samples import generated_slide
from tests import binaries
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
    "ImageRequestFunction": ["openslide", "vsv.storage.image_bucket"],
    "VerifySlideFunction": ["openslide", "vsv.storage.image_bucket"],
    "ExtractMetadataFunction": ["vsv.imports.steps"],
    "RenderTilesFunction": ["vsv.imports.steps"],
    "FinishImportFunction": ["vsv.imports.steps"],
    "ImportSlideFunction": ["vsv.imports.service", "vsv.imports.transfers"],
}
BUILD = ROOT / ".local" / "sam" / "build"
# Lambda's limit for a function and its layers together. It says 250 MB; the smaller reading.
MAX_UNZIPPED_BYTES = 250_000_000

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
    folders = [BUILD / function, *(BUILD / layer / "python" for layer in FUNCTIONS[function])]
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
    folders = [BUILD / layer / "python" for layer in ("VsvLayer", "PillowSimdLayer")]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", DECODE, tile, color, *folders],
        capture_output=True,
        check=True,
    )
    theirs = np.frombuffer(done.stdout, np.uint8).reshape(256, 256, 3).astype(int)
    ours = np.asarray(jpeg2000.decode(tile.read_bytes(), (256, 256), color), int)
    assert np.abs(ours - theirs).max() <= 1


def unzipped_bytes(name: str) -> int:
    return sum(path.stat().st_size for path in (BUILD / name).rglob("*") if path.is_file())


@pytest.mark.usefixtures("stack")
def test_functions_and_their_layers_stay_far_below_lambdas_limit():
    layers = {layer for layers in FUNCTIONS.values() for layer in layers}
    sizes = {name: unzipped_bytes(name) for name in (*FUNCTIONS, *layers)}
    largest = max(FUNCTIONS, key=lambda name: sum(map(sizes.get, [name, *FUNCTIONS[name]])))
    parts = [largest, *FUNCTIONS[largest]]
    total = sum(sizes[name] for name in parts)
    print("\n".join(f"{sizes[name] / 1e6:6.1f} MB  {name}" for name in parts))
    print(f"{total / 1e6:6.1f} MB  together, of {MAX_UNZIPPED_BYTES / 1e6:.0f}")
    assert total < MAX_UNZIPPED_BYTES / 2


def tree(folder: Path) -> dict[str, tuple[int, str]]:
    """Each file's rights and digest."""
    return {
        str(path.relative_to(folder)): (
            path.stat().st_mode,
            hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize(
    ("layer", "folder"),
    [
        *(("VsvLayer", "vsv"), ("OpenSlideLayer", "openslide"), ("LibdmtxLayer", "libdmtx")),
        ("PillowSimdLayer", "pillow-simd"),
    ],
)
def test_a_layer_built_elsewhere_is_the_same_to_the_byte(layer, folder, tmp_path):
    """Pillow-SIMD of the same wheel, since it takes a minute to compile."""
    copy = shutil.copytree(ROOT / "layers", tmp_path / "layers")
    command = ["make", f"build-{layer}", f"ARTIFACTS_DIR={tmp_path / layer}"]
    environment = {
        **os.environ,
        "VSV_WHEELS": str(tmp_path / "wheels"),
        "LAYERS_FOR_THIS_MACHINE": "1",
    }
    if layer == "PillowSimdLayer":
        environment["VSV_WHEELS"] = str(binaries.wheel(folder).parents[1])
    subprocess.run(
        [*command, f"PYTHON={sys.executable}"], cwd=copy / folder, env=environment, check=True
    )
    assert tree(tmp_path / layer) == tree(BUILD / layer)


# The licence's folder, where it is not called as the package that the library is in.
OWNERS = {
    "PIL": "/pillow-",
    "zxingcpp": "/zxing_cpp-",
    "libturbojpeg.so.0": "/licenses/libjpeg-turbo/",
    "libopenjp2.so.7": "/licenses/openjpeg/",
    "libdmtx.so.0": "/licenses/libdmtx/",
}
LICENCES = re.compile(r"/(LICEN[CS]E|COPYING|NOTICE)[^/]*$")


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize(
    "layer", sorted({each for layers in FUNCTIONS.values() for each in layers})
)
def test_a_layer_s_binaries_are_those_of_the_tests_and_come_with_their_licences(layer):
    site = BUILD / layer / "python"
    libraries = [path for path in site.rglob("*.so*") if re.search(r"\.so[.\d]*$", path.name)]
    assert libraries
    licences = [str(path) for path in site.glob("*.dist-info/**/*") if LICENCES.search(str(path))]
    for library in libraries:
        if binaries.is_watched(library):
            assert binaries.is_ours(library), library
        owner = library.relative_to(site).parts[0].partition(".")[0]
        if owner == "vsv":
            continue
        name = OWNERS.get(library.name, OWNERS.get(owner, owner))
        assert [path for path in licences if name in path], library


def test_functions_run_on_their_layers_and_on_nothing_of_the_environment(
    new_slide, bring_in, viewer
):
    """The emulator's processes, behind whose layers the environment of the tests is in reach."""
    image_id, path = new_slide()
    assert bring_in(path)["status"] == "IMPORTED"
    assert viewer.get(f"/DeepZoom/{image_id}_files/9/0_0.jpeg").status_code == 200
    found = {
        library
        for pid in binaries.processes()
        if "ministack-lambda-" in Path(f"/proc/{pid}/cmdline").read_text()
        for library in binaries.loaded(pid)
    }
    assert {path.name for path in found} >= {"libturbojpeg.so.0", "_halving.abi3.so"}
    assert not [path for path in found if "site-packages" in path.parts]


LABEL = """
import sys
sys.path[:0] = sys.argv[2:]
from PIL import Image
from vsv.slides import barcode_reader
from pylibdmtx import wrapper
assert "LibdmtxLayer" in wrapper.LIBDMTX._name
print(barcode_reader._read_libdmtx(Image.open(sys.argv[1]).convert("L"), 20))
"""


@pytest.mark.usefixtures("stack")
def test_labels_are_read_by_the_layers_own_libdmtx(tmp_path):
    code = zxingcpp.create_barcode("S26-1-A", zxingcpp.BarcodeFormat.DataMatrix).to_image(scale=6)
    Image.fromarray(np.asarray(code)).save(tmp_path / "label.png")
    folders = [
        BUILD / layer / "python" for layer in ("VsvLayer", "PillowSimdLayer", "LibdmtxLayer")
    ]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", LABEL, tmp_path / "label.png", *folders],
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "['S26-1-A']", done.stderr
