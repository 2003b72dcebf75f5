"""An archive in S3 with small parts, a slide's file, and what tests do with them."""

import hashlib
import os

import pytest

from tests.s3 import BUCKET, Killed
from vsv import aws as clients
from vsv.identifiers import FileVersion
from vsv.slides.file import SlideFile
from vsv.storage import archive as archiving
from vsv.storage import archive_copy as copying
from vsv.storage.archive import Archive
from vsv.storage.archive_copy import Archived

PART = 100

DATA = bytes(range(256)) * 2  # five parts and a bit

MTIME_NS = 1_700_000_000_123_456_789


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def s3(s3, monkeypatch):
    """S3, and small parts."""
    for module in (copying, archiving):
        monkeypatch.setattr(module, "PART_BYTES", PART)
    return s3


@pytest.fixture
def archive(s3) -> Archive:
    return Archive(BUCKET, "STANDARD_IA")


@pytest.fixture
def slide(tmp_path):
    path = tmp_path / "scan.svs"
    path.write_bytes(DATA)
    os.utime(path, ns=(MTIME_NS, MTIME_NS))
    return path


def store(archive, path, image_id="204711", digest=None, name="day 1/scan.svs") -> Archived:
    file = SlideFile(path)
    try:
        return archive.store(file, image_id, name, digest or sha256(path.read_bytes()))
    finally:
        file.close()


def version_of(archived: Archived) -> FileVersion:
    return FileVersion(archived.size, MTIME_NS)


def fetch(archive, archived, target, data=DATA):
    archive.fetch(archived, target, sha256(data), version_of(archived))
    assert target.read_bytes() == data
    assert FileVersion.of(target) == version_of(archived)
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def names(storage) -> set[str]:
    """All files beneath the images path."""
    return {
        str(path.relative_to(storage.root))
        for path in storage.root.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def dying_at(monkeypatch, number):
    """Have the process die at a call that changes something, the first being 0; calls left."""
    left = [number]

    def countdown(*_, **__):
        left[0] -= 1
        if left[0] < 0:
            raise Killed

    def deadly(call):
        return lambda *arguments, **options: countdown() or call(*arguments, **options)

    for name in ("unlink", "replace", "rename", "link", "rmdir"):
        monkeypatch.setattr(os, name, deadly(getattr(os, name)))
    clients.s3().meta.events.register("provide-client-params.s3", countdown, unique_id="dying")
    return left


def spare(monkeypatch):
    monkeypatch.undo()
    clients.s3().meta.events.unregister("provide-client-params.s3", unique_id="dying")
