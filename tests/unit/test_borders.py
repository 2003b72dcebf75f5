"""The library's borders: imports point one way, and cold starts carry what they need only."""

import ast
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from tests.conftest import ROOT, load_template

LIBRARY = ROOT / "layers" / "vsv" / "vsv"

# Each may import those before it. What stands in one set does not know the others in it.
ROOMS = [
    {"errors", "geometry", "progress", "workers", "_halving", "_tiffcodec"},
    {"failures", "identifiers", "settings"},
    {"aws", "logs"},
    {"slides", "catalogue"},
    {"pyramid", "cdr", "live"},
    {"storage"},
    {"viewing", "imports"},
    {"removal", "api"},
    {"wiring"},
    {"standalone", "admin"},
]


def imported(path) -> set[str]:
    """Return the modules of the library that a file imports, by their first name."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "vsv":
            names |= {alias.name for alias in node.names} - {"__version__"}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("vsv."):
            names.add(node.module.split(".")[1])
    return names


def test_imports_point_one_way():
    rank = {name: number for number, room in enumerate(ROOMS) for name in room}
    for path in LIBRARY.rglob("*.py"):
        module = path.relative_to(LIBRARY).parts[0].removesuffix(".py")
        if module == "__init__":
            continue
        for other in imported(path) - {module}:
            assert rank[other] < rank[module], f"{module} imports {other}"


# What each function must start without. A layer that does not load stops those only that need it:
# FailImport has to report just that.
PIXELS = ("PIL", "openslide", "zxingcpp", "vsv._halving", "vsv._tiffcodec")
NO_AWS = ("boto3", "botocore.session", "aws_xray_sdk", "numpy", "tifffile")
STARTS_WITHOUT = {
    "AssignGroups": (*PIXELS, "boto3"),
    "CheckFile": PIXELS,
    "DeleteImage": PIXELS,
    "ExtractMetadata": ("openslide", "numpy", "tifffile"),
    "FailImport": PIXELS,
    "FinishImport": ("openslide", "zxingcpp", "numpy", "tifffile"),
    "ImageRequest": ("openslide", "zxingcpp", *NO_AWS),
    "ImportSlide": PIXELS,
    "ListSlides": PIXELS,
    "PublishChange": PIXELS,
    "TemplateLookup": PIXELS,
    "RemoveImages": PIXELS,
    "RenderTiles": ("openslide", "zxingcpp", "numpy", "tifffile"),
    "RestoreImage": PIXELS,
    "SendToCdr": PIXELS,
    "Session": PIXELS,
    "SetAside": PIXELS,
    "SlideCatalogue": PIXELS,
    "TransferImage": PIXELS,
    "VerifySlide": ("openslide", "zxingcpp", "numpy", "tifffile"),
}
START = """
import os, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name in sys.argv[2].split():
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocked())
sys.path.insert(0, sys.argv[1])
import app

for make in sys.argv[3].split():
    from vsv import wiring

    getattr(wiring, make)()
"""
# What a function makes when it is first called.
MAKES = {
    "CheckFile": "storage",
    "DeleteImage": "remover",
    "ExtractMetadata": "importer",
    "FailImport": "catalogue",
    "FinishImport": "importer",
    "ImportSlide": "import_service",
    "ListSlides": "storage",
    "RemoveImages": "removal_service",
    "RenderTiles": "importer",
    "RestoreImage": "remover",
    "Session": "image_cookies",
    "SetAside": "storage",
    "SlideCatalogue": "catalogue import_retries",
    "TransferImage": "remover",
    "VerifySlide": "storage",
}


def environment_of(function: str) -> dict[str, str]:
    """Return the function's settings, with the parameters' defaults."""
    template = load_template(ROOT / "func.template.yaml")
    # Those of nested templates (TemplateLookup, AssignGroups) have no settings.
    resource = template["Resources"].get(f"{function}Function", {"Properties": {}})
    found = resource["Properties"].get("Environment", {})
    settings = {
        **template["Globals"]["Function"]["Environment"]["Variables"],
        **found.get("Variables", {}),
    }

    def value(given: object) -> str:
        if isinstance(given, dict) and "Ref" in given:
            given = template["Parameters"].get(given["Ref"], {}).get("Default") or "unset"
        return "unset" if isinstance(given, dict) else str(given)

    made = {name: value(given) for name, given in settings.items()}
    return {**os.environ, **made, "AWS_DEFAULT_REGION": "us-east-1", "IMAGES_PATH": os.devnull}


def test_every_function_is_in_the_table():
    functions = {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}
    assert functions == set(STARTS_WITHOUT)


@pytest.mark.slow
@pytest.mark.parametrize("function", STARTS_WITHOUT)
def test_a_function_starts_without_what_it_does_not_use(function):
    folder = ROOT / "functions" / function
    blocked = " ".join(STARTS_WITHOUT[function])
    command = [sys.executable, "-c", START, folder, blocked, MAKES.get(function, "")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment_of(function))
    assert done.returncode == 0, done.stderr[-800:]


def test_the_tile_path_brings_in_nothing_heavy():
    """Neither AWS clients nor the tracing SDK, neither OpenSlide nor numpy."""
    heavy = {"boto3", "botocore.session", "numpy", "tifffile", "aws_xray_sdk", "openslide"}
    code = "import sys; sys.path.insert(0, sys.argv[1]); import app; print(*sys.modules)"
    folder = ROOT / "functions" / "ImageRequest"
    done = subprocess.run(
        [sys.executable, "-c", code, folder], capture_output=True, text=True, check=True
    )
    assert not heavy & set(done.stdout.split())


def test_a_handler_is_traced_where_x_ray_samples_it_and_not_slowed_elsewhere(monkeypatch):
    from vsv import logs

    seen = []

    class FakeTracer:
        def capture_lambda_handler(self, handler, **options):
            assert options == {"capture_response": False, "capture_error": False}
            seen.append("traced")
            return handler

    monkeypatch.setattr(logs, "_tracer", FakeTracer)
    monkeypatch.delenv("POWERTOOLS_TRACE_DISABLED", raising=False)
    handler = logs.observed(lambda event, context: event)
    context = SimpleNamespace(
        function_name="f",
        memory_limit_in_mb=128,
        invoked_function_arn="arn",
        aws_request_id="r",
    )
    for sampled, expected in (("0", []), ("1", ["traced"])):
        monkeypatch.setenv(
            "_X_AMZN_TRACE_ID",
            f"Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled={sampled}",
        )
        assert handler({"x": 1}, context) == {"x": 1}
        assert seen == expected
