"""The demonstration imports its slides once, and leaves what people have made of them alone."""

import pytest

from local import demo
from local.sample_slides import demo_slides
from local.settings import StackError
from vsv.catalogue.record import ImportStatus, ReviewStatus, SlideRecord

STACK = {
    "viewer_url": "http://localhost:1/",
    "technician_username": "technician",
    "technician_password": "t",
    "pathologist_username": "pathologist",
    "pathologist_password": "p",
}
IMPORTED = SlideRecord(ImportStatus=ImportStatus.IMPORTED)
FAILED = SlideRecord(ImportStatus=ImportStatus.FAILED)
NAMES = ["cmu_small_region.svs", *(slide.filename for slide in demo_slides.SLIDES)]


@pytest.fixture
def catalogue(monkeypatch, tmp_path):
    """Return the records by file; the scanner's folder and the script are not needed."""
    records: dict[str, list[SlideRecord]] = {}
    scanned: list[str] = []

    def scan(names):
        scanned.extend(names)

    monkeypatch.setattr(demo, "_records", lambda _, name: records.get(name, []))
    monkeypatch.setattr(demo, "_scan", scan)
    monkeypatch.setattr(demo, "_import", lambda _: tmp_path / "import.log")
    monkeypatch.setattr(demo, "_serve", lambda: None)
    return records, scanned


def as_expected() -> dict[str, list[SlideRecord]]:
    fails = {slide.filename for slide in demo_slides.SLIDES if slide.fails}
    return {name: [FAILED if name in fails else IMPORTED] for name in NAMES}


def test_a_returning_visitor_finds_the_slides_as_they_were(catalogue, capsys):
    records, scanned = catalogue
    records |= as_expected()
    records["skin_1.svs"] = [SlideRecord(**IMPORTED, Status=ReviewStatus.DELETED)]
    demo.run(STACK)
    assert scanned == []
    said = capsys.readouterr().out
    assert "as you left them" in said
    assert "Scanning" not in said


def test_only_slides_that_are_missing_are_scanned(catalogue, monkeypatch, capsys):
    records, scanned = catalogue
    records |= as_expected()
    records["skin_1.svs"] = [FAILED]
    monkeypatch.setattr(demo, "_import", lambda _: records.update(as_expected()))
    demo.run(STACK)
    assert scanned == ["skin_1.svs"]
    assert "Ready" in capsys.readouterr().out


def test_the_first_time_all_slides_are_scanned_and_one_fails(catalogue, monkeypatch, capsys):
    records, scanned = catalogue
    monkeypatch.setattr(demo, "_import", lambda _: records.update(as_expected()))
    demo.run(STACK)
    assert scanned == NAMES
    assert "Three cases are imported" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["microarray.svs", "shave_cut_off.svs"])
def test_a_slide_that_does_not_arrive_is_an_error_that_names_it(catalogue, name):
    records, _ = catalogue
    records |= as_expected() | {name: []}
    with pytest.raises(StackError, match=name):
        demo.run(STACK)


def test_a_file_that_should_fail_may_not_be_waited_for_if_it_succeeds(catalogue):
    """Its bytes may be mended by then: a person may have put another file in its place."""
    records, scanned = catalogue
    records |= as_expected() | {"shave_cut_off.svs": [IMPORTED]}
    demo.run(STACK)
    assert scanned == []


def test_slides_are_generated_once(monkeypatch, real, tmp_path):
    made = []

    def make(slide, _, path):
        made.append(slide.filename)
        path.touch()

    monkeypatch.setattr(demo_slides, "make", make)
    names = ["skin_1.svs", "microarray.svs"]
    first = demo.scanned(names, real, tmp_path)
    assert demo.scanned(names, real, tmp_path) == first
    assert made == names
    assert [path.name for path in first.values()] == names
