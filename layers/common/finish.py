"""Finishes a layer: the same tree from the same sources, and one that Lambda can load.

Usage: finish.py NAME SITE LIMIT_MB, with the layer's name, its python folder, and its share of what
Lambda allows a function and its layers together, in MB. Prints the size. Exits with 1 and says why
where the layer is larger, or asks for what Lambda's Linux does not have. Which Linux that is
depends on the Python that runs this, and that the layer is built for.

What is compiled fits the machine that compiles it. Where that machine is newer than Lambda and the
layer is for itself alone, as with the local stack, LAYERS_FOR_THIS_MACHINE=1 turns the refusal into
a warning.
"""

import compileall
import os
import py_compile
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

# Where Lambda mounts layers: what tracebacks are to name.
_MOUNTED: Final = "/opt/python"

# Symbol versions that Lambda's Linux has at most: those of its C library, and of its GCC's C++
# library.
_LINUXES: Final = {
    "Amazon Linux 2": {"GLIBC": (2, 26), "GLIBCXX": (3, 4, 24), "CXXABI": (1, 3, 11)},
    "Amazon Linux 2023": {"GLIBC": (2, 34), "GLIBCXX": (3, 4, 29), "CXXABI": (1, 3, 13)},
}
_FIRST_PYTHON_ON_2023: Final = (3, 12)

_REMEDIES: Final = {
    "Amazon Linux 2": (
        "The layers need Amazon Linux 2023, which Lambda has from Python 3.12 on. Install Python "
        "3.13 (Debian 13 has it) and run: make build PYTHON=python3.13"
    ),
    "Amazon Linux 2023": (
        "Build on Debian 13, Ubuntu 24.04 or an older Linux, or with sam build --use-container."
    ),
}

# What wheels for manylinux presume everywhere, and find in Lambda's Python runtimes. All else must
# be in the layer.
_LAMBDAS_OWN: Final = re.compile(
    r"(ld-linux-x86-64|lib(c|m|dl|rt|pthread|gcc_s|stdc\+\+|z))\.so\.\d+$"
)

# pip's own books: hashes of files that are changed here, and how they came.
_BOOKS: Final = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}

# 1980-01-01, the first day that a ZIP file knows.
_TIMESTAMP_S: Final = 315_532_800


def main(name: str, site: Path, limit_mb: int) -> int:
    """Finish and check the layer; return the exit status."""
    _leave_out(site)
    libraries = [path for path in _files(site) if re.search(r"\.so(\.|$)", path.name)]
    subprocess.run(["strip", "--strip-unneeded", "--", *libraries], check=True)  # noqa: S603, S607
    compiled = compileall.compile_dir(
        site,
        quiet=1,
        stripdir=str(site),
        prependdir=_MOUNTED,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    if not compiled:
        return 1
    _level(site)

    size_mb = sum(path.stat().st_size for path in _files(site)) / 1e6
    print(f"{name}: {size_mb:.1f} MB unzipped, of {limit_mb}", flush=True)
    if size_mb > limit_mb:
        print(f"error: {name} is larger than its share, {limit_mb} MB", file=sys.stderr)
        return 1

    linux = linux_of(sys.version_info[:2])
    bundled = {path.name for path in libraries}
    faults = [fault for library in libraries for fault in _faults(library, bundled, linux)]
    tolerated = os.environ.get("LAYERS_FOR_THIS_MACHINE") == "1"
    for fault in faults:
        print(f"{'warning' if tolerated else 'error'}: {name}: {fault}", file=sys.stderr)
    if faults and not tolerated:
        print(_REMEDIES[linux], file=sys.stderr)
    return 1 if faults and not tolerated else 0


def linux_of(python: tuple[int, int]) -> str:
    """Return the Linux that Lambda's runtime for this Python runs on."""
    return "Amazon Linux 2023" if python >= _FIRST_PYTHON_ON_2023 else "Amazon Linux 2"


def _files(site: Path) -> Iterator[Path]:
    return (path for path in sorted(site.rglob("*")) if path.is_file())


def _leave_out(site: Path) -> None:
    """Remove what no function needs, and what differs from build to build."""
    shutil.rmtree(site / "bin", ignore_errors=True)
    for path in [*site.rglob("__pycache__"), *site.glob("*/tests")]:
        shutil.rmtree(path)
    for path in site.glob("*.dist-info/*"):
        if path.name in _BOOKS:
            path.unlink()


def _level(site: Path) -> None:
    """Give all files the same modification time, and rights that Lambda's user can read with."""
    for path in [site, *site.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (_TIMESTAMP_S, _TIMESTAMP_S))


def _faults(library: Path, bundled: set[str], linux: str) -> Iterator[str]:
    """Say what the library asks for that neither Lambda's Linux nor the layer has."""
    headers = subprocess.run(  # noqa: S603
        ["objdump", "--private-headers", library],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for needed in re.findall(r"^  NEEDED +(\S+)$", headers, re.MULTILINE):
        if needed not in bundled and not _LAMBDAS_OWN.match(needed):
            yield f"{library.name} needs {needed}, which neither the layer nor Lambda has"
    asked = re.findall(r"^    0x\S+ 0x\S+ \d+ ([A-Z]+)_([\d.]+)$", headers, re.MULTILINE)
    for family, highest in _LINUXES[linux].items():
        versions = [tuple(map(int, text.split("."))) for name, text in asked if name == family]
        if versions and max(versions) > highest:
            yield (
                f"{library.name} asks for {family} {_dotted(max(versions))}, "
                f"Lambda's {linux} has {_dotted(highest)}"
            )
    if "GLIBC_ABI_DT_RELR" in headers:  # since glibc 2.36
        yield f"{library.name} asks for packed relocations, which Lambda's {linux} lacks"


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
