"""``vsv-admin verify``: which slides are sound, and how findings are told."""

import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.unit.admin.helpers import ID, FakeLambda, add, set_fields
from vsv.admin import cli
from vsv.admin.deployment import Deployment
from vsv.admin.verification import verified
from vsv.errors import Unavailable
from vsv.imports.verify import RecordedSlide
from vsv.progress import Bars


def test_a_sound_slide_and_one_that_is_not(admin, world, function, imported):
    assert admin("verify", imported) == (0, [f"{ID}: sound"], [])
    (world.storage.root / f"{ID}_files/12/3_2.jpeg").unlink()
    (world.storage.root / f"{ID}.dzi").unlink()
    code, out, err = admin("verify", imported)
    assert (code, err) == (1, [])
    assert out == [f"{ID}: the descriptor is missing", f"{ID}: tile 12/3_2 is missing"]
    code, (line,), _ = admin("verify", imported, "--json")
    assert code == 1
    assert json.loads(line) == {
        "ImageID": ID,
        "archived": False,
        "sound": False,
        "findings": ["the descriptor is missing", "tile 12/3_2 is missing"],
        "recoded": 0,
    }


def test_the_same_finding_of_many_pieces_is_told_once(admin, world, function, imported):
    index = world.storage.read_index(ID)
    world.storage.write_index(ID, replace(index, sha256="0" * 64))
    code, out, _ = admin("verify", imported)
    assert (code, out) == (1, [f"{ID}: the slide index is wrong about sha256"])


def test_a_folder_is_verified_without_the_function(admin, world, imported):
    assert admin("verify", imported, "--images-path", world.storage.root)[1] == [f"{ID}: sound"]
    code, _, err = admin("verify", imported, "--images-path", "/nowhere")
    assert (code, err) == (1, ["vsv-admin: /nowhere is not a folder"])


def test_what_failed_to_be_imported_is_not_sound(admin, world, function, failed):
    code, out, _ = admin("verify", failed)
    assert (code, out) == (1, [f"{ID}: the import failed: S3 is too busy"])


def test_an_archived_slide_is_said_to_be(admin, world, function, imported):
    version = RecordedSlide.of(world.catalogue.get(imported)).version
    world.storage.archive_images(imported, version)
    world.storage.remove_slide("x.svs", version)
    set_fields(world, imported, Status="TRANSFERRED")
    assert admin("verify", imported) == (0, [f"{ID}: archived, sound"], [])
    (world.storage.root / f"{ID}_files/label.jpeg").unlink()
    assert admin("verify", imported)[:2] == (1, [f"{ID}: archived, the label image is missing"])


def test_all_are_verified_but_those_that_are_in_flux(admin, world, function, imported):
    add(world, "1", Status="DELETED")
    add(world, "2", ImportStatus="IMPORTING")
    add(world, "3")
    code, out, err = admin("verify", "--all")
    assert code == 1
    assert sorted(out) == [
        f"{ID}: sound",
        "3: the descriptor is missing",
        "3: the slide file was replaced or removed since it was imported",
    ]
    assert err == ["vsv-admin: 2: skipped: the slide is being imported"]


def test_unknown_slides_and_failures_of_the_function_are_no_findings(
    admin, world, imported, monkeypatch
):
    def unavailable(request):
        raise Unavailable("VerifySlide failed: Sandbox.Timedout: Task timed out")

    monkeypatch.setattr(Deployment, "function", lambda *_: unavailable)
    code, out, err = admin("verify", imported, "nobody")
    assert (code, out) == (1, [])
    assert sorted(err) == [
        f"vsv-admin: {ID}: VerifySlide failed: Sandbox.Timedout: Task timed out",
        "vsv-admin: nobody: there is no slide with this ImageID",
    ]
    code, out, err = admin("verify", imported, "--json")
    assert json.loads(out[0]) == {
        "ImageID": ID,
        "error": "VerifySlide failed: Sandbox.Timedout: Task timed out",
    }


def test_a_function_that_fails_is_told_by_its_error(admin, world, function, imported, monkeypatch):
    def fail(self, *, FunctionName, Payload):
        failure = {"errorType": "OSError", "errorMessage": "the log has where it was raised"}
        return {"Payload": io.BytesIO(json.dumps(failure).encode()), "FunctionError": "Unhandled"}

    monkeypatch.setattr(FakeLambda, "invoke", fail)
    code, _, err = admin("verify", imported)
    assert code == 1
    assert err == [f"vsv-admin: {ID}: VerifySlide failed: OSError: the log has where it was raised"]


def test_interrupted_it_asks_for_no_more_pieces(monkeypatch):
    """And ends as soon as those are done that are under way."""
    asked = []
    begun, stopped = threading.Event(), threading.Event()
    pools = []

    class Pool(ThreadPoolExecutor):
        """Tells when both pools, the slides' and the pieces', take no more work."""

        def shutdown(self, **options):
            super().shutdown(**{**options, "wait": False})
            pools.append(self)
            if len(pools) == 2:
                stopped.set()
            super().shutdown(**options)

    monkeypatch.setattr("vsv.admin.verification.ThreadPoolExecutor", Pool)

    def slow(request):
        if "piece" in request:
            begun.set()
            asked.append(request)
            assert stopped.wait(120)
        elif request["slide"]["image_id"] == "1":
            begun.wait()
        pieces = [{"part": "file"}] * 500 if request["slide"]["image_id"] == "2" else []
        return {"findings": [], "recoded": 0, "pieces": pieces}

    fields = {"Filename": "x.svs", "FileVersion": "1-1", "ImportStatus": "IMPORTED"}
    records = [{"ImageID": image_id, **fields} for image_id in ("1", "2")]
    results = verified(records, slow, 2, Bars())
    assert next(results)[0] == "1"
    results.close()
    assert len(asked) <= 2


@pytest.mark.slow
def test_interrupted_it_says_so(admin, world, function, imported, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_print_verification", interrupt)
    code, _, err = admin("verify", imported)
    assert (code, err) == (130, ["vsv-admin: interrupted"])
