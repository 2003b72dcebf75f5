"""What an import makes of records, in values: whose they are, what stays on them, what they say."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from vsv.errors import Conflict, DuplicateSlide, FileChanged, ImageIdConflict, UnreadableSlide
from vsv.identifiers import FileVersion
from vsv.imports import records, steps
from vsv.imports.failure import Failure
from vsv.imports.file_state import FileState
from vsv.imports.jobs import ImportJobs
from vsv.imports.naming import unique_image_id
from vsv.imports.others import OtherSlides
from vsv.imports.workflow import ImportJob
from vsv.slides.damage import Damage, TileNumber

VERSION = FileVersion(7, 1000)
LATER, EARLIER = FileVersion(7, 1001), FileVersion(9, 999)
NOW_S = datetime(2026, 3, 14, 12, tzinfo=UTC).timestamp()
BEFORE, AFTER = "2026-03-14T11:59:59+00:00", "2026-03-14T12:00:01+00:00"


def record(image_id="1", *, filename="x.svs", version=VERSION, status="IMPORTED", **fields):
    """Return the record of a slide: of a failure, without ``width``."""
    return {
        "ImageID": image_id,
        "Filename": filename,
        "FileVersion": str(version),
        "ImportStatus": status,
        "Status": "NEW",
        "width": 300,
    } | fields


def failure(image_id="1", **fields):
    failed = record(image_id, **{"status": "FAILED", **fields})
    del failed["width"]
    return failed


class Records:
    """The catalogue: its records by ImageID, and the history of each."""

    def __init__(self, *known, history=()) -> None:
        self.by_id = {each["ImageID"]: each for each in known}
        self.lines = list(history)

    def get(self, image_id):
        return self.by_id.get(image_id)

    def get_many(self, image_ids):
        return [self.by_id.get(each) for each in image_ids]

    def by_filename(self, filename):
        return [each for each in self.by_id.values() if each["Filename"] == filename]

    def by_sha256(self, sha256):
        return [each for each in self.by_id.values() if each.get("Sha256") == sha256]

    def history(self, image_id, limit):
        return self.lines[:limit], None

    def change(self, image_id, by, action, decide):
        assert (by, action) == ("import", "IMPORT")
        new = decide(self.by_id.get(image_id))
        if new is not None:
            kept = {name: value for name, value in new.items() if value is not None}
            self.by_id[image_id] = {**kept, "ImageID": image_id}


# ─── Files that arrive ───────────────────────────────────────────────────────────────────────────

FILE = FileState(VERSION.size, VERSION.mtime_ns, 60.0, "1")
OWN_ID = unique_image_id("1", "x.svs", VERSION)


def job_of(*known, **options):
    job = ImportJobs(Records(*known), None, now=lambda: NOW_S).job("x.svs", FILE, "ab", **options)
    assert (job.filename, job.version, job.sha256) == ("x.svs", VERSION, "ab")
    return job.image_id, job.generation


@pytest.mark.parametrize(
    ("known", "image_id", "generation"),
    [
        ([], "1", 0),
        ([record(Version=9)], "1", 0),
        ([record(Version=9, Generation=3)], "1", 3),
        ([record(OWN_ID, Version=9, Generation=3)], OWN_ID, 3),
        ([failure(Version=9, Generation=3)], "1", 3),
        ([failure(Version=9, Generation=3, RetryAt=AFTER)], "1", 3),
        ([failure(Version=9, Generation=3, RetryAt=BEFORE)], "1", 9),
        # Version 0.1 noted failures under the file's name.
        ([failure("x.svs", Version=9, Generation=3)], "1", 9),
        # A deleted slide is followed by a new one, another slide is left alone.
        ([record(Version=9, Generation=3, Status="DELETED")], "1", 9),
        ([record(filename="y.svs", Version=9)], OWN_ID, 0),
        ([record(version=LATER, Version=9)], OWN_ID, 0),
        ([record(filename="y.svs"), record(OWN_ID, filename="z.svs")], OWN_ID, 0),
    ],
)
def test_an_import_is_another_one_once_there_is_reason_for_it(known, image_id, generation):
    assert job_of(*known) == (image_id, generation)


def test_an_import_is_another_one_once_more_is_known_of_the_file():
    for known in (failure(Version=9), record(Version=9, Generation=3)):
        assert job_of(known, has_news=True) == ("1", 9)


def test_of_a_slide_and_a_failure_of_the_same_bytes_the_slide_counts():
    slide = record(OWN_ID)
    for known in ([failure(), slide], [slide, failure()], [slide, record("0", Status="DELETED")]):
        assert ImportJobs(Records(*known), None).record_of("x.svs", FILE) is slide
    old = record("Größe 7")
    assert ImportJobs(Records(old), None).record_of("x.svs", FILE) is old
    for other in (record(filename="y.svs"), record(version=LATER), record(Status="DELETED")):
        assert ImportJobs(Records(other), None).record_of("x.svs", FILE) is None


def test_an_import_is_finished_by_its_own_end_only():
    job = ImportJob("1", "x.svs", 7, 1000, generation=3)
    first = ImportJob("1", "x.svs", 7, 1000)

    def finished(job, *known):
        return ImportJobs(Records(*known), None).finished("x.svs", job)

    for status in ("IMPORTED", "FAILED"):
        end = record(status=status, Generation=3)
        assert finished(job, end) is end
        assert finished(first, end) is None
    assert finished(first, record()) == record()
    assert finished(job, record()) is None
    assert finished(job, record(status="IMPORTING", Generation=3)) is None
    assert finished(job) is None


# ─── Records ─────────────────────────────────────────────────────────────────────────────────────

READ = record(SlideID="S-1", CaseID="S", IdSource="BARCODE", Sha256="ab")
del READ["ImportStatus"]


def begun(*known):
    catalogue = Records(*known)
    records.begin(catalogue, READ)
    return catalogue.get("1")


def test_a_new_slide_is_being_imported_and_has_what_was_read():
    new = {**READ, "ImportStatus": "IMPORTING"}
    assert begun() == new
    assert begun(failure(Status="BAD", Retries=2, RetryAt=AFTER, ImportError="no room")) == {
        **new,
        "Retries": 2,
    }
    assert begun(record(Status="DELETED", Note="gone")) == new
    assert begun(failure(version=LATER, Note="gone", Retries=2)) == new


def test_the_same_bytes_again_leave_what_people_decided():
    edited = record(SlideID="S-7", CaseID="S", IdSource="TYPED", Status="GOOD", Note="x")
    again = begun(edited)
    assert {name: again[name] for name in ("SlideID", "IdSource", "Status", "Note")} == {
        "SlideID": "S-7",
        "IdSource": "TYPED",
        "Status": "GOOD",
        "Note": "x",
    }
    nobodys = record(SlideID="1", CaseID="1", IdSource="NONE", Status="GOOD")
    again = begun(nobodys)
    assert (again["SlideID"], again["IdSource"], again["Status"]) == ("S-1", "BARCODE", "GOOD")
    for half in ({"SlideID": "1", "CaseID": "S"}, {"SlideID": "S", "CaseID": "1"}):
        again = begun(record(**half, IdSource="NONE"))
        assert {name: again[name] for name in half} == half
    taken_away = begun(record(Status="GOOD"))
    assert "SlideID" not in taken_away


@pytest.mark.parametrize(
    ("known", "error"),
    [
        (record(filename="y.svs"), ImageIdConflict),
        (record(version=LATER), ImageIdConflict),
        (failure(filename="y.svs"), ImageIdConflict),
        (failure(version=LATER, Removal={"Operation": "DELETE"}), ImageIdConflict),
        (record(Removal={"Operation": "DELETE"}), Conflict),
    ],
)
def test_no_import_takes_over_another_slides_record(known, error):
    catalogue = Records(known)
    with pytest.raises(error):
        records.begin(catalogue, READ)
    assert catalogue.get("1") is known


def test_an_imported_slide_has_no_trace_of_failures():
    catalogue = Records(record(status="IMPORTING", Retries=2, RetryAt=AFTER, CopyAgain=BEFORE))
    records.finish(catalogue, "1", str(VERSION), 12)
    assert catalogue.get("1") == record(TilesRendered=12)


def test_a_slide_that_comes_back_has_the_status_that_it_had():
    archived = {"Status": "TRANSFERRED", "Removal": {"Operation": "RESTORE"}}
    for before, status in (({"StatusBefore": "GOOD"}, "GOOD"), ({}, "NEW")):
        catalogue = Records(record(**archived, **before))
        records.finish(catalogue, "1", str(VERSION), 12)
        assert catalogue.get("1") == record(TilesRendered=12, Status=status)


@pytest.mark.parametrize("known", [[], [record(version=LATER)], [record(Status="DELETED")]])
def test_an_import_whose_record_is_anothers_by_now_does_not_end_it(known):
    with pytest.raises(FileChanged):
        records.finish(Records(*known), "1", str(VERSION), 12)


NO_ROOM, UNREADABLE = Failure("StorageFull", "no room"), Failure("UnreadableSlide", "no TIFF")
FIELDS = {"ImageID": "1", "Filename": "x.svs", "FileVersion": str(VERSION), "FileSize": 7}


def test_a_failure_is_noted_with_its_next_attempt():
    catalogue = Records()
    for retries in (1, 2, 3):
        assert records.fail(catalogue, {**FIELDS, "Sha256": None}, NO_ROOM) == "1"
        noted = catalogue.get("1")
        assert (noted["Retries"], noted["ImportError"]) == (retries, "no room")
        assert noted["RetryAt"]
    ids = {"SlideID": "1", "CaseID": "1", "IdSource": "NONE", "Status": "NEW"}
    assert noted.items() >= {**FIELDS, **ids, "ImportStatus": "FAILED"}.items()
    records.fail(catalogue, {**FIELDS, "Sha256": "ab"}, UNREADABLE)
    records.fail(catalogue, {**FIELDS, "Sha256": None}, UNREADABLE)
    assert catalogue.get("1")["Sha256"] == "ab", "what is known of the file stays"
    assert "RetryAt" not in catalogue.get("1")
    assert "CopyAgain" not in catalogue.get("1")
    records.fail(catalogue, FIELDS, Failure("ChecksumMismatch", "another SHA-256"))
    assert catalogue.get("1")["CopyAgain"]


def test_a_failure_leaves_other_slides_alone():
    taken = record(filename="y.svs")
    catalogue = Records(taken)
    assert records.fail(catalogue, FIELDS, NO_ROOM) == OWN_ID
    assert catalogue.get("1") is taken
    # The slide that has the ImageID may have lost its record.
    catalogue = Records()
    conflict = Failure("ImageIdConflict", "belongs to another slide")
    assert records.fail(catalogue, FIELDS, conflict) == OWN_ID
    both = Records(taken, record(OWN_ID, filename="z.svs"))
    with pytest.raises(ImageIdConflict):
        records.fail(both, FIELDS, NO_ROOM)


@pytest.mark.parametrize(
    ("status", "after"), [("IMPORTED", "IMPORTED"), ("FAILED", "FAILED"), ("IMPORTING", "FAILED")]
)
def test_a_restore_that_fails_leaves_the_slide_archived(status, after):
    asked = {"Operation": "RESTORE", "State": "REQUESTED", "By": "ann"}
    catalogue = Records(record(status=status, Removal=asked, ImportError="before"))
    records.fail(catalogue, FIELDS, UNREADABLE)
    noted = catalogue.get("1")
    assert noted["Removal"] == {**asked, "State": "FAILED", "Error": "no TIFF"}
    assert noted["ImportStatus"] == after
    assert noted["ImportError"] == ("no TIFF" if status == "IMPORTING" else "before")


def test_a_failure_is_off_the_worklist_once_its_file_is_a_slide():
    catalogue = Records(failure(RetryAt=AFTER, CopyAgain=BEFORE, ImportWarnings=["old"]))
    records.supersede(catalogue, "1", "2")
    warnings = ["old", "the file was imported as 2"]
    assert catalogue.get("1") == failure(Status="DELETED", ImportWarnings=warnings)
    for other in (record(), failure(Status="DELETED"), failure(Removal={"Operation": "DELETE"})):
        catalogue = Records(other)
        records.supersede(catalogue, "1", "2")
        assert catalogue.get("1") == other
    records.supersede(Records(), "1", "2")


def test_a_note_is_for_slides_that_are_there():
    catalogue = Records(record(), record("2", Status="DELETED"))
    for image_id in ("1", "1", "2", "3"):
        records.note(catalogue, image_id, "see slide 7")
    assert catalogue.get("1")["ImportWarnings"] == ["see slide 7"]
    assert catalogue.get("2") == record("2", Status="DELETED")
    assert catalogue.get("3") is None


# ─── Other slides ────────────────────────────────────────────────────────────────────────────────


class Files:
    """The slide files on EFS, by name and version; each is a file of its own in a folder."""

    def __init__(self, folder, *there) -> None:
        self.folder, self.there, self.removed = folder, set(there), []

    def locate(self, filename, version):
        if (filename, version) not in self.there:
            raise FileChanged("gone")
        path = self.folder / f"{version}-{filename}"
        path.touch()
        return path

    def remove_slide(self, filename, version):
        self.removed.append((filename, version))


JOB = ImportJob("1", "x.svs", 7, 1000)
ORIGINAL = record("2", filename="y.svs", version=LATER, Sha256="ab")


@pytest.mark.parametrize("archived", [False, True])
@pytest.mark.parametrize("sha256", [None, "ab"])
def test_a_copy_of_a_slide_is_refused_and_goes_if_the_workstation_knows(tmp_path, archived, sha256):
    original = {**ORIGINAL, "Archive": {}} if archived else ORIGINAL
    files = Files(tmp_path, ("x.svs", VERSION), *([] if archived else [("y.svs", LATER)]))
    catalogue = Records(original, failure())
    job = ImportJob("1", "x.svs", 7, 1000, sha256)
    with pytest.raises(DuplicateSlide, match=r"same bytes as 'y.svs', which is slide 2; delete"):
        OtherSlides(files, catalogue).check_original(job, "ab")
    assert files.removed == ([("x.svs", VERSION)] if sha256 else [])
    assert catalogue.get("1")["Status"] == ("DELETED" if sha256 else "NEW")


@pytest.mark.parametrize(
    ("known", "there"),
    [
        ([ORIGINAL], []),  # its file is gone, and this one takes its place
        ([{**ORIGINAL, "ImportStatus": "FAILED"}], [("y.svs", LATER)]),
        ([{**ORIGINAL, "Status": "DELETED"}], [("y.svs", LATER)]),
        ([{**ORIGINAL, "Removal": {"Operation": "DELETE"}}], [("y.svs", LATER)]),
        ([{**ORIGINAL, "Filename": "x.svs", "FileVersion": str(VERSION)}], []),
        ([ORIGINAL, record(Sha256="ab")], [("y.svs", LATER)]),  # it was imported before
        ([], []),
    ],
)
def test_what_is_no_copy_of_a_slide_that_stays_is_imported(tmp_path, known, there):
    files = Files(tmp_path, ("x.svs", VERSION), *there)
    job = ImportJob("1", "x.svs", 7, 1000, "ab")
    OtherSlides(files, Records(*known)).check_original(job, "ab")
    assert files.removed == []


def test_a_copy_that_is_the_slides_own_file_stays(tmp_path):
    files = Files(tmp_path, ("x.svs", VERSION))
    files.locate = lambda *_: tmp_path
    job = ImportJob("1", "x.svs", 7, 1000, "ab")
    with pytest.raises(DuplicateSlide):
        OtherSlides(files, Records(ORIGINAL)).check_original(job, "ab")
    assert files.removed == []


def test_records_tell_where_an_image_id_comes_from_and_which_scans_share_a_name():
    def notes(*known, tag="1"):
        return OtherSlides(None, Records(*known)).notes(JOB, tag)

    assert notes() == notes(tag=None) == notes(tag="") == []
    assert notes(tag="S/1") == [
        "the ImageID 'S/1' cannot be used in addresses: the file's name stands for the ImageID"
    ]
    assert notes(tag="7") == ["the ImageID 7 is another slide's, too: this one has its own"]
    later = "scanned again under the same file name: see slide 2"
    earlier = "an earlier scan has the same file name: see slide 2"
    assert notes(record("2", version=LATER)) == [later]
    assert notes(record("2", version=EARLIER)) == [earlier]
    assert notes(record("2", version=FileVersion(9, 1000))) == [earlier]
    for other in (
        record("2"),
        record("1", version=LATER),
        failure("2", version=LATER),
        record("2", version=LATER, Status="DELETED"),
        record("2", version=LATER, filename="y.svs"),
    ):
        assert notes(other) == []


def test_an_imported_slide_is_named_by_other_scans_and_ends_its_files_failures(tmp_path):
    catalogue = Records(
        record("1"),
        record("2", version=EARLIER),
        failure("3"),
        record("4", status="FAILED"),
        failure("5", version=LATER),
        record("6", version=LATER, status="FAILED"),
    )
    OtherSlides(Files(tmp_path), catalogue).note_import(JOB)
    told = {number: catalogue.get(number).get("ImportWarnings") for number in "123456"}
    assert told == {
        "1": None,
        "2": ["scanned again under the same file name: see slide 1"],
        "3": ["the file was imported as 1"],
        "4": ["the file was imported as 1"],
        "5": ["the file was imported as 1"],
        "6": ["an earlier scan has the same file name: see slide 1"],
    }
    deleted = {each for each in "123456" if catalogue.get(each)["Status"] == "DELETED"}
    assert deleted == {"3", "4", "5"}


@pytest.mark.parametrize(
    ("content", "size", "goes"), [("a part", 6, True), ("a p@rt", 6, False), ("another", 7, False)]
)
def test_a_part_of_the_imported_file_goes_if_it_is_one(tmp_path, content, size, goes):
    part = FileVersion(size, 900)
    change = {"Field": "FileVersion", "From": str(part), "To": str(VERSION)}
    lines = [{"Changes": [{"Field": "Status", "From": "NEW"}, change]}]
    files = Files(tmp_path, ("x.svs", VERSION), ("x.svs", part))
    files.locate("x.svs", VERSION).write_text("a part.")
    files.locate("x.svs", part).write_text(content)
    OtherSlides(files, Records(record(), history=lines)).note_import(JOB)
    assert files.removed == ([("x.svs", part)] if goes else [])
    # It is not gone where it is a slide's.
    files.removed.clear()
    slide = record("2", version=part)
    OtherSlides(files, Records(record(), slide, history=lines)).note_import(JOB)
    assert files.removed == []


# ─── Progress ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("new", "before", "told"),
    [(250, 30, [100, 100, 50]), (200, 0, [100, 100]), (1, 1, [1]), (0, 300, [])],
)
def test_progress_is_told_once_for_a_hundred_tiles(monkeypatch, new, before, told):
    """Of tiles that are new: what a killed worker has rendered was counted by it."""
    counted = []

    def add_rendered(*progress):
        counted.append(progress)

    class OpenSlide(SimpleNamespace):
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    class Rendering(SimpleNamespace):
        def render(self, start, stop):
            for is_new in [True] * new + [False] * before:
                self.on_tile(is_new)

    whole = SimpleNamespace(check_unchanged=lambda: None)
    slide = OpenSlide(levels=(), file=whole, lose=lambda tiles: None)
    monkeypatch.setattr(steps, "_open", lambda *_: slide)
    monkeypatch.setattr(steps, "slide_levels", lambda _: {})
    monkeypatch.setattr(steps, "Renderer", lambda *given: Rendering(on_tile=given[-1]))
    own = SimpleNamespace(version=VERSION, lost=())
    storage = SimpleNamespace(read_index=lambda _: own, images=lambda _: None)
    importer = steps.Importer(storage, SimpleNamespace(add_rendered=add_rendered), None, 90)
    assert importer.render_tiles(JOB, 0, 1) == {"rendered": new}
    assert counted == [("1", str(VERSION), tiles) for tiles in told]


# ─── Damage ──────────────────────────────────────────────────────────────────────────────────────


def test_lost_tissue_fails_the_import_and_coarser_levels_are_a_warning():
    finest, coarser = Damage(0, 3, 4, "is damaged"), Damage(2, 0, 0, "is damaged")
    steps._check_finest([])
    steps._check_finest([coarser])
    for damages, told in (
        ([finest], "tile 3_4 of level 0 is damaged"),
        ([coarser, finest, coarser], "tile 3_4 of level 0 is damaged"),
        ([finest, finest, coarser], "tile 3_4 of level 0 is damaged, and 1 more are"),
        ([finest] * 3, "tile 3_4 of level 0 is damaged, and 2 more are"),
    ):
        with pytest.raises(UnreadableSlide) as raised:
            steps._check_finest(damages)
        assert str(raised.value) == told
    one = "a tile of coarser levels cannot be read; finer levels are shown"
    assert steps._damage_warnings([]) == steps._damage_warnings([TileNumber(0, 1, 1)]) == []
    assert steps._damage_warnings([TileNumber(0, 1, 1), TileNumber(1, 0, 0)]) == [one]
    two = [TileNumber(1, 0, 0), TileNumber(2, 0, 0)]
    assert steps._damage_warnings(two) == [one.replace("a tile", "2 tiles")]
    assert steps._damage_warnings(two, more=True) == [one.replace("a tile", "2 more tiles")]
    assert steps._damage_warnings(two[:1], more=True) == [one.replace("a tile", "one more tile")]
    assert steps._damage_warnings([], more=True) == []


def index(version=VERSION, *, filename="x.svs", imported=True, archived=False):
    return SimpleNamespace(filename=filename, version=version, imported=imported, archived=archived)


@pytest.mark.parametrize(
    ("found", "there", "complete", "refused"),
    [
        (None, False, False, False),
        (index(), True, True, False),
        (index(LATER), True, True, True),
        (index(filename="y.svs"), True, True, True),
        (index(LATER, imported=False), True, True, False),
        (index(LATER), False, True, False),
        (index(LATER), True, False, False),
        (index(LATER, archived=True), False, False, True),
    ],
)
def test_a_pyramid_of_another_slide_is_not_taken_over(found, there, complete, refused):
    def locate(filename, version):
        assert (filename, version) == (found.filename, found.version)
        if not there:
            raise FileChanged("gone")

    images = SimpleNamespace(has_descriptor=lambda: complete)
    storage = SimpleNamespace(
        read_index=lambda _: found, locate=locate, images=lambda image_id: images
    )
    if refused:
        with pytest.raises(ImageIdConflict, match="ImageID 1 belongs to another slide"):
            steps._check_owner(JOB, storage)
    else:
        steps._check_owner(JOB, storage)


def test_an_index_of_other_bytes_is_no_index_of_the_import():
    def read(found):
        return steps._index(JOB, SimpleNamespace(read_index=lambda image_id: found))

    own = index()
    assert read(own) is own
    for other in (None, index(LATER)):
        with pytest.raises(FileChanged, match="of another file"):
            read(other)
