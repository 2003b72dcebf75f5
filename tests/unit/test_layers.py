"""Layers: what is pinned, what their Makefiles say, and what the check at their end refuses."""

import hashlib
import importlib.util
import re
import shutil
import subprocess
import tomllib
import zipfile
from pathlib import Path

import openslide_bin
import pytest

from tests import binaries
from tests.conftest import ROOT, load_template
from vsv import _halving

LAYERS = ROOT / "layers"
FOLDERS = {
    name: resource["Properties"]["ContentUri"].removeprefix("layers/")
    for name, resource in load_template(ROOT / "func.template.yaml")["Resources"].items()
    if resource["Type"] == "AWS::Serverless::LayerVersion"
}
MAX_UNZIPPED_MB = 250  # Lambda's limit for a function and its layers together
LIBRARY = Path(_halving.__file__)
NEWEST = "Amazon Linux 2023"


@pytest.fixture(scope="module")
def finish():
    spec = importlib.util.spec_from_file_location("finish", LAYERS / "common" / "finish.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pins(path) -> dict[str, tuple[str, set[str]]]:
    """Each package's version and hashes."""
    return {
        name: (version, set(re.findall(r"--hash=sha256:([0-9a-f]{64})", rest)))
        for name, version, rest in re.findall(
            r"^([a-z0-9-]+)==(\S+)((?: \\\n +--\S+)*)", path.read_text(), re.MULTILINE
        )
    }


@pytest.mark.parametrize(
    "path",
    sorted(LAYERS.glob("*/*requirements.txt")),
    ids=lambda path: f"{path.parent.name}-{path.name}",
)
def test_all_that_a_layer_is_built_from_has_a_version_and_a_hash(path):
    wanted = re.findall(r"^[^\s#].*", path.read_text(), re.MULTILINE)
    pinned = pins(path)
    assert len(wanted) == len(pinned) > 0
    assert all(hashes for _, hashes in pinned.values())


def test_what_functions_run_on_has_the_versions_that_tests_run_on():
    tested = pins(ROOT / "requirements" / "dev.txt")
    shared = {
        name: version
        for path in LAYERS.glob("*/requirements.txt")
        for name, (version, _) in pins(path).items()
        if name != "pillow-simd"
    }
    assert {"openslide-python", "zxing-cpp", "aws-lambda-powertools"} < shared.keys()
    assert shared == {name: tested[name][0] for name in shared}


def test_the_sources_of_the_jpeg_libraries_are_of_the_openslide_that_is_shipped():
    ((name, (version, hashes)),) = pins(LAYERS / "pillow-simd" / "source-requirements.txt").items()
    shipped, its_hashes = pins(LAYERS / "openslide" / "requirements.txt")[name]
    assert version == shipped
    assert hashes
    assert hashes <= its_hashes


def test_the_layers_shares_leave_room():
    limits = [
        int(re.search(r"^LIMIT_MB = (\d+)$", (LAYERS / folder / "Makefile").read_text(), re.M)[1])
        for folder in FOLDERS.values()
    ]
    assert sum(limits) < MAX_UNZIPPED_MB / 2


@pytest.mark.parametrize("layer", FOLDERS)
def test_sam_builds_a_layer_beside_what_layers_share(layer):
    """In a container too, which sees only what is under ProjectRootDirectory."""
    folder = f"layers/{FOLDERS[layer]}"
    metadata = load_template(ROOT / "func.template.yaml")["Resources"][layer]["Metadata"]
    assert metadata == {
        "BuildMethod": "makefile",
        "ProjectRootDirectory": "layers",
        "ContextPath": folder,
        "WorkingDirectory": folder,
    }
    assert "\ninclude ../common/layer.mk\n" in (ROOT / folder / "Makefile").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("layer", FOLDERS)
def test_the_recipe_is_sound_shell_and_ends_with_the_check(layer, tmp_path):
    """In a container too, where sam has the Makefile elsewhere than the folder that it runs in."""
    makefile = shutil.copy(LAYERS / FOLDERS[layer] / "Makefile", tmp_path)
    commands = subprocess.run(
        ["make", "-n", "--makefile", makefile, f"build-{layer}", "ARTIFACTS_DIR=/artifacts"],
        cwd=LAYERS / FOLDERS[layer],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    subprocess.run(["sh", "-n"], input=commands, text=True, check=True)
    assert f'finish.py" {layer} "/artifacts/python" ' in commands


@pytest.fixture
def container(tmp_path) -> Path:
    """Return a folder of programs, without apt-get; its curl always gets the same text."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("bash", "mktemp", "realpath", "rm", "sha256sum"):
        (programs / name).symlink_to(shutil.which(name))
    curl = programs / "curl"
    curl.write_text('#!/bin/bash\nwhile [ "$1" != --output ]; do shift; done\necho found >"$2"\n')
    curl.chmod(0o755)
    return programs


@pytest.mark.parametrize("is_pinned", [True, False])
def test_libdmtx_comes_from_upstream_where_there_is_no_apt_and_only_as_pinned(
    is_pinned, container, tmp_path
):
    script = (LAYERS / "libdmtx" / "fetch.sh").read_text()
    (pin,) = re.findall(r"^sha256=([0-9a-f]{64})$", script, re.MULTILINE)
    if is_pinned:
        script = script.replace(pin, hashlib.sha256(b"found\n").hexdigest())
    done = subprocess.run(
        ["bash", "-c", script, "fetch.sh", tmp_path / "source"],
        env={"PATH": str(container)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode == 0) == is_pinned, done.stderr
    assert ("error: " in done.stderr) != is_pinned


@pytest.mark.parametrize(
    ("python", "linux", "glibc"),
    [
        ((3, 11), "Amazon Linux 2", (2, 26)),
        ((3, 12), "Amazon Linux 2023", (2, 34)),
        ((3, 13), "Amazon Linux 2023", (2, 34)),
    ],
)
def test_the_python_decides_about_the_glibc(finish, python, linux, glibc):
    """AWS's list of runtimes: the Linux that each of them runs on."""
    assert finish.linux_of(python) == linux
    assert finish._LINUXES[linux]["GLIBC"] == glibc


def test_a_runtime_of_another_linux_can_not_be_chosen(finish):
    for path in sorted(ROOT.glob("**/*.template.yaml")):
        parameter = load_template(path).get("Parameters", {}).get("PythonRuntime")
        if parameter:
            allowed = parameter["AllowedValues"]
            assert parameter["Default"] == "python3.13"
            assert set(allowed) == {"python3.12", "python3.13"}
            for runtime in allowed:
                python = tuple(map(int, runtime.removeprefix("python").split(".")))
                assert finish.linux_of(python) == "Amazon Linux 2023"


def test_a_wheel_s_library_is_one_that_lambda_can_load(finish):
    """All compiled code in the layers, from its symbols; the wheels from PyPI as pip got them."""
    site = Path(importlib.util.find_spec("PIL").origin).parents[1]
    folders = ("PIL", "pillow_simd.libs", "pylibdmtx.libs", "openslide_bin", "wrapt")
    libraries = [path for name in folders for path in (site / name).rglob("*.so*")]
    libraries += [*site.glob("zxingcpp*.so"), LIBRARY]
    assert len(libraries) > 7
    bundled = {path.name for path in libraries}
    for library in libraries:
        assert not any("GLIBC" in each for each in finish._faults(library, bundled, NEWEST)), (
            library
        )
    assert not [path for path in libraries if "_imagingtk" in path.name]


def test_python_3_11_is_refused_for_its_glibc(finish):
    """The layers' libraries ask for more than Amazon Linux 2 has."""
    library = Path(openslide_bin.libopenslide1._name)
    faults = list(finish._faults(library, set(), "Amazon Linux 2"))
    assert any(
        re.search(r"asks for GLIBC 2\.\d+, .*Amazon Linux 2 has 2\.26$", each) for each in faults
    )


def test_a_library_for_a_newer_linux_than_lambdas_is_refused(finish, monkeypatch):
    assert list(finish._faults(LIBRARY, set(), NEWEST)) == []
    monkeypatch.setitem(finish._LINUXES[NEWEST], "GLIBC", (2, 4))
    (fault,) = finish._faults(LIBRARY, set(), NEWEST)
    assert re.search(r"_halving.*\.so asks for GLIBC 2\.\d+, .* 2\.4$", fault)


def test_a_library_that_needs_what_lambda_lacks_is_refused(finish, monkeypatch):
    monkeypatch.setattr(finish, "_LAMBDAS_OWN", re.compile("nothing"))
    (fault,) = finish._faults(LIBRARY, set(), NEWEST)
    assert "needs libc.so.6" in fault
    assert list(finish._faults(LIBRARY, {"libc.so.6"}, NEWEST)) == []


TEXTS = {
    "libturbojpeg.so.0": "libjpeg-turbo",
    "libopenjp2.so.7": "openjpeg",
    "libdmtx.so.0": "libdmtx",
}


@pytest.mark.parametrize("layer", binaries.COMPILED)
def test_a_wheel_has_the_licences_of_all_that_it_bundles(layer):
    with zipfile.ZipFile(binaries.wheel(layer)) as wheel:
        names = wheel.namelist()
        bundled = [Path(name).name for name in names if ".libs/" in name]
        assert bundled
        for library in bundled:
            texts = [name for name in names if f"/licenses/{TEXTS[library]}/" in name]
            assert texts, library
            assert any("Redistribution" in wheel.read(name).decode() for name in texts)


def test_an_installed_library_has_all_that_the_checkout_has():
    """Tests run on the checkout: what pyproject.toml leaves out, only users would miss."""
    library = LAYERS / "vsv" / "vsv"
    options = tomllib.loads((LAYERS / "vsv" / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {path.parent for path in library.rglob("__init__.py")}
    packages = {".".join(path.relative_to(library.parent).parts): path for path in folders}
    assert set(options["packages"]) == packages.keys()
    data = {
        path
        for package, patterns in options["package-data"].items()
        for pattern in patterns
        for path in packages[package].glob(pattern)
    }
    tracked = subprocess.run(
        ["git", "ls-files", "."], cwd=library, capture_output=True, text=True, check=True
    ).stdout.split()
    assert {library / name for name in tracked if not name.endswith(".py")} <= data
