"""Functions run on what their layers hold and Lambda brings, and on nothing else."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, load_template

pytestmark = pytest.mark.stack

# What Lambda's Python runtimes bring along.
RUNTIME = ("boto3", "botocore", "s3transfer", "dateutil", "jmespath", "six", "urllib3")
FUNCTIONS = {
    name: [layer["Ref"] for layer in resource["Properties"]["Layers"]]
    for name, resource in load_template(ROOT / "func.template.yaml")["Resources"].items()
    if resource["Type"] == "AWS::Serverless::Function"
}

IMPORT = """
import sys
sys.path[:0] = sys.argv[1:]
import app
import vsv.logs
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
        [sys.executable, "-I", "-S", "-c", IMPORT, *folders, runtime],
        capture_output=True,
        text=True,
        env={"AWS_DEFAULT_REGION": "us-east-1"},
    )
    assert done.stdout.strip() == "lambda_handler", done.stderr


@pytest.mark.usefixtures("stack")
def test_layers_stay_far_below_lambdas_limit():
    """250 MB unzipped, all layers and the function together."""
    build = ROOT / ".local" / "sam" / "build"
    size = sum(path.stat().st_size for path in build.glob("*Layer/**/*") if path.is_file())
    assert size < 100 * 2**20
