"""What an import makes of records: what it replaces, what stays, what it notes."""

import pytest

from tests.unit.imports.records import (
    AFTER,
    BEFORE,
    LATER,
    OWN_ID,
    VERSION,
    Records,
    failure,
    record,
)
from vsv.errors import Conflict, FileChanged, ImageIdConflict
from vsv.imports import records
from vsv.imports.failure import Failure

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
