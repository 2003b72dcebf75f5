"""The library's borders: imports point one way, and the tile path stays light."""

import ast
import subprocess
import sys

from tests.conftest import ROOT

LIBRARY = ROOT / "layers" / "vsv" / "vsv"

# Each may import those before it. What stands in one set does not know the others in it.
LAYERS = [
    {"errors"},
    {"deepzoom", "slides", "aws", "label", "logs"},
    {"storage", "settings", "catalogue"},
    {"tiles"},
    {"pyramid", "images"},
    {"http", "imports"},
]


def imported(path) -> set[str]:
    """The modules of the library that a file imports, by their first name."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "vsv":
            names |= {alias.name for alias in node.names} - {"__version__"}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("vsv."):
            names.add(node.module.split(".")[1])
    return names


def test_imports_point_one_way():
    rank = {name: number for number, layer in enumerate(LAYERS) for name in layer}
    for path in LIBRARY.rglob("*.py"):
        module = path.relative_to(LIBRARY).parts[0].removesuffix(".py")
        if module == "__init__":
            continue
        for other in imported(path) - {module}:
            assert rank[other] < rank[module], f"{module} imports {other}"


def test_the_tile_path_brings_in_neither_boto3_nor_numpy_nor_tifffile():
    """They cost a second of a cold start."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import app; "
        "print(*sorted({'boto3', 'numpy', 'tifffile'} & set(sys.modules)))"
    )
    folder = ROOT / "functions" / "ImageRequest"
    done = subprocess.run(
        [sys.executable, "-c", code, folder], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
