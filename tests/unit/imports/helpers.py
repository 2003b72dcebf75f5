"""Slides are brought in as by the scanner; what they are then is read from their records."""

import hashlib
from dataclasses import replace

from vsv.identifiers import FileVersion
from vsv.imports.request import ImportState
from vsv.imports.workflow import ImportJob
from vsv.slides.slide import Slide


def may_go(answer, request):
    return "filename" in answer.body(request)


def with_sha256(request, path):
    return replace(request, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def bring_in(world, source, name, **scan):
    request = world.scan(source, name, **scan)
    answer = world.bring_in(request)
    assert (answer.state, may_go(answer, request)) == (ImportState.IMPORTED, True), answer
    return world.catalogue.get(answer.image_id)


def has_imported(world, source, name):
    """Have an empty lab be as it is after ``bring_in``."""
    request, answer = world.scan(source, name), world.has_imported(source, name)
    assert (answer.state, may_go(answer, request)) == (ImportState.IMPORTED, True), answer
    return world.catalogue.get(answer.image_id)


def can_be_seen(world, record):
    """Its file is there, under whatever name, and its pyramid is announced."""
    world.storage.locate(record["Filename"], FileVersion.parse(record["FileVersion"]))
    return world.storage.images(record["ImageID"]).has_descriptor()


def warnings_of(world, record):
    return " ".join(world.catalogue.get(record["ImageID"]).get("ImportWarnings", ()))


def spoil(path, level, col, row):
    """Damage a tile so that it still looks like a JPEG from outside."""
    with Slide(path) as slide:
        offset, length, _ = slide.locate(level, col, row)
    with path.open("r+b") as file:
        file.seek(offset + 2)
        file.write(bytes(length - 2))


def states(world, request, calls):
    return [world.call(request).state.value for _ in range(calls)]


def job_for(world, request):
    file = world.files.check(request.filename)
    return ImportJob(file.image_id, request.filename, file.size, file.mtime_ns)


def edit(world, image_id, **fields):
    world.catalogue.change(image_id, "ann", "EDIT", lambda old: {**old, **fields})
