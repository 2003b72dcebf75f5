"""Tells which builds of the imaging libraries processes have loaded.

The layers' Makefiles make wheels of Pillow-SIMD (with libjpeg-turbo and OpenJPEG) and of libdmtx,
which `make setup` installs. A test that passes on another build says nothing about what ships.
"""

import hashlib
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from local.processes import _start_time
from local.settings import STATE, read_json

ROOT = Path(__file__).parents[1]
COMPILED = ("pillow-simd", "libdmtx")
# Pillow's own modules, and the libraries that it and the library vsv call.
_WATCHED = re.compile(
    r"(/PIL/[^/]+|/lib(turbojpeg|jpeg|openjp2|dmtx)\b[^/]*|/_(halving|tiffcodec)[^/]*)\.so[.\d]*"
    r"( \(deleted\))?$"
)
# What the tests' oracles and the benchmarks' peers bring along for themselves.
_PEERS = re.compile(r"/site-packages/(imagecodecs|pyvips_binary|large_image)[^/]*/")
_PEERS_LIBRARY = re.compile(r"/lib(vips|tiff)\b[^/]*\.so")


@cache
def wheel(layer: str) -> Path:
    """Return the wheel that the layer installs on this machine."""
    folder = ROOT / "layers" / layer
    key = subprocess.run(
        [sys.executable, "../common/wheel.py", "key", "."],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    (found,) = Path(os.environ.get("VSV_WHEELS", ROOT / ".wheels"), key).glob("*.whl")
    return found


@cache
def ours() -> dict[str, str]:
    """Return the libraries of the wheels and the library's own: names by SHA-256."""
    extensions = (ROOT / "layers" / "vsv" / "vsv").glob("_*.abi3.so")
    found = {hashlib.sha256(path.read_bytes()).hexdigest(): path.name for path in extensions}
    for layer in COMPILED:
        with zipfile.ZipFile(wheel(layer)) as archive:
            for name in archive.namelist():
                if re.search(r"\.so[.\d]*$", name):
                    found[hashlib.sha256(archive.read(name)).hexdigest()] = Path(name).name
    return found


def is_watched(path: Path) -> bool:
    return bool(_WATCHED.search(str(path)))


def loaded(pid: int) -> set[Path]:
    """Return the imaging libraries that the process has loaded; none if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
        program = Path(f"/proc/{pid}/exe").readlink().name
    except OSError:
        return set()
    paths = {fields[5] for line in lines if len(fields := line.split(None, 5)) == 6}
    # Other programs, such as the browser and the servers that are measured, are not ours.
    if not program.startswith("python"):
        return set()
    watched = {path for path in paths if is_watched(Path(path)) and not _PEERS.search(path)}
    if any(_PEERS_LIBRARY.search(path) for path in paths):
        watched = {path for path in watched if not re.search(r"/lib(jpeg|openjp2)\b", path)}
    return {Path(path) for path in watched}


def processes() -> Iterator[int]:
    """Return this process, the local stack's servers, and the children of all of them."""
    pending = [os.getpid()]
    services = [read_json(path) for path in (STATE / "run").glob("*.json")]
    pending += [each["pid"] for each in services if each["started"] == _start_time(each["pid"])]
    while pending:
        pid = pending.pop()
        yield pid
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                pending += map(int, children.read_text().split())
            except OSError:
                continue


@cache
def _digest(path: Path, inode: int, mtime_ns: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def is_ours(path: Path) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    return _digest(path, status.st_ino, status.st_mtime_ns) in ours()


def foreign() -> dict[int, set[Path]]:
    """Return the imaging libraries of other builds that processes of the tests have loaded."""
    found = {pid: {path for path in loaded(pid) if not is_ours(path)} for pid in processes()}
    return {pid: paths for pid, paths in found.items() if paths}
