"""Makes a wheel of what a layer compiles, for the layer and for the tests' environment.

Usage:
  wheel.py key FOLDER                    print the name of the folder of wheels made from FOLDER
  wheel.py pack TREE TARGET NAME LABEL   make TARGET, a folder with the wheel of the files in TREE

A key is a digest of everything that decides about the bytes: the layer's folder, what the layers
share, the interpreter, the compiler, the C library.

TREE is an unpacked wheel with the libraries and licences that it is to bring along. Its
distribution is called NAME, and LABEL becomes the local part of its version. So pip and scanners
take Pillow-SIMD for what it replaces: pillow 12.1.1.post0+simd.
"""

import base64
import hashlib
import os
import platform
import re
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).resolve().parent
_SHARED: Final = ("layer.mk", "wheel.py")

# The first day that a ZIP file knows.
_DATE: Final = (1980, 1, 1, 0, 0, 0)


def key(folder: Path) -> str:
    """Return the layer's name with a digest of all that its wheel is made of."""
    compiler = subprocess.run(  # noqa: S603
        [os.environ.get("CC", "cc"), "--version"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    digest = hashlib.sha256("\0".join([sys.version, compiler, *platform.libc_ver()]).encode())
    for path in [*_files(folder), *(_HERE / name for name in _SHARED)]:
        if not {"build", "__pycache__"}.intersection(path.relative_to(_HERE.parent).parts):
            digest.update(f"\0{path.name}\0".encode() + path.read_bytes())
    return f"{folder.name}-{digest.hexdigest()[:16]}"


def pack(tree: Path, target: Path, name: str, label: str) -> None:
    """Make ``target`` with the wheel of the tree; an interrupted run leaves no ``target``."""
    (info,) = tree.glob("*.dist-info")
    libraries = [path for path in _files(tree) if re.search(r"\.so(\.|$)", path.name)]
    subprocess.run(["strip", "--strip-unneeded", "--", *libraries], check=True)  # noqa: S603, S607

    metadata = (info / "METADATA").read_text()
    version = f"{_field(metadata, 'Version')}+{label}"
    metadata = re.sub(r"^Name: .*$", f"Name: {name}", metadata, count=1, flags=re.MULTILINE)
    metadata = re.sub(r"^Version: .*$", f"Version: {version}", metadata, count=1, flags=re.M)
    (info / "METADATA").write_text(metadata)
    wheel = (info / "WHEEL").read_text()
    if _field(wheel, "Root-Is-Purelib") == "true":  # until a library came along
        wheel = re.sub(r"^Tag: .*\n", "", wheel, flags=re.MULTILINE).rstrip("\n")
        wheel = wheel.replace("Root-Is-Purelib: true", "Root-Is-Purelib: false")
        wheel += f"\nTag: py3-none-{re.sub('[-.]', '_', sysconfig.get_platform())}\n"
        (info / "WHEEL").write_text(wheel)
    (info / "RECORD").unlink()
    info = info.rename(tree / f"{name}-{version}.dist-info")

    unfinished = target.with_name(f"{target.name}.{os.getpid()}")
    unfinished.mkdir(parents=True)
    _zip(tree, info.name, unfinished / f"{name}-{version}-{_field(wheel, 'Tag')}.whl")
    try:
        unfinished.rename(target)
    except OSError:
        if not target.is_dir():  # that is, unless another run was faster
            raise


def _zip(tree: Path, info: str, wheel: Path) -> None:
    record = f"{info}/RECORD"
    lines = []
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in _files(tree):
            name = path.relative_to(tree).as_posix()
            data = path.read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            lines.append(f"{name},sha256={digest},{len(data)}\n")
            archive.writestr(_entry(name), data)
        archive.writestr(_entry(record), "".join([*lines, f"{record},,\n"]))


def _entry(name: str) -> zipfile.ZipInfo:
    """Return an entry without the day and the rights of its file."""
    entry = zipfile.ZipInfo(name, _DATE)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _field(text: str, name: str) -> str:
    found = re.search(rf"^{name}: (.*)$", text, re.MULTILINE)
    if not found:
        raise ValueError(f"the wheel's metadata has no {name}")
    return found[1]


if __name__ == "__main__":
    if sys.argv[1] == "key":
        print(key(Path(sys.argv[2]).resolve()))
    else:
        pack(Path(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:])
