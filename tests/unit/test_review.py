"""The technicians' edits: what they may say, what follows what, and what is refused how."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsv.catalogue.identity import IdSource, id_source
from vsv.catalogue.record import ReviewReason, ReviewStatus
from vsv.catalogue.review import Edit, IdPatterns
from vsv.errors import Conflict, InvalidRequest, NotFound, StaleVersion

AT = "2026-11-25T12:00:00.000+00:00"
LEGAL = {
    ("NEW", "GOOD"),
    ("NEW", "BAD"),
    ("GOOD", "BAD"),
    ("BAD", "GOOD"),
    ("GOOD", "NEW"),
    ("BAD", "NEW"),
    ("GOOD", "SEND"),
    ("SENT", "SEND"),
    ("SEND_FAILED", "SEND"),
}


def record(**fields):
    return {
        "ImageID": "1",
        "SlideID": "S24-1-A",
        "CaseID": "S24-1",
        "Status": "NEW",
        "ImportStatus": "IMPORTED",
        "Version": 3,
    } | fields


ANY = IdPatterns()


def edit(old, patterns=ANY, **given):
    return Edit.parse({"ImageID": "1", **given}, patterns).apply(old, AT)


@pytest.mark.parametrize("old", ReviewStatus)
@pytest.mark.parametrize("new", ReviewStatus)
def test_what_follows_what_and_the_legal_ones_are_named(old, new):
    if (old, new) in LEGAL:
        assert edit(record(Status=old), Status=new)["Status"] == new
    elif old == new:
        assert edit(record(Status=old), Status=new) == record(Status=old)
    else:
        with pytest.raises(Conflict, match=f"Status {old} cannot become {new}") as refused:
            edit(record(Status=old), Status=new)
        for legal in (to for start, to in LEGAL if start == old):
            assert legal in str(refused.value).partition(";")[2]


# Letters, marks and symbols by their categories, which show nothing.
BLANKS = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0\ufe00\ufe0f"


@pytest.mark.parametrize("blank", BLANKS)
def test_an_id_of_which_nothing_is_seen_is_refused(blank):
    for text in (blank, f"S26-1{blank}"):
        with pytest.raises(InvalidRequest, match="cannot be seen"):
            edit(record(), SlideID=text)


@given(st.text())
def test_ids_are_trimmed_and_hold_nothing_unseen(text):
    stripped = unicodedata.normalize("NFC", text).strip()
    unseen = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
    seen = unseen.isdisjoint(unicodedata.category(char) for char in stripped)
    seen &= not any(char in BLANKS for char in stripped)
    if seen and 1 <= len(stripped) <= 64:
        assert edit(record(), SlideID=text)["SlideID"] == stripped
    else:
        with pytest.raises(InvalidRequest, match="SlideID"):
            edit(record(), SlideID=text)


NOBODYS = {"SlideID": "1", "CaseID": "1", "IdSource": "NONE", "Status": "GOOD"}


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        ({"SlideID": "S24-1-A", "CaseID": "S24-9"}, ("S24-1-A", "S24-9", "TYPED")),
        # The case follows the slide, as at the import, until somebody gives it.
        ({"SlideID": "S24-1-A"}, ("S24-1-A", "S24-1", "TYPED")),
        ({"SlideID": "S24"}, ("S24", "S24", "TYPED")),
        # Confirmed.
        ({"SlideID": "1", "CaseID": "1"}, ("1", "1", "TYPED")),
        ({"SlideID": " 1 "}, ("1", "1", "TYPED")),
        # The case alone does not say which slide it is.
        ({"CaseID": "S24-9"}, ("1", "S24-9", "NONE")),
        ({"SlideID": "S24-1-A", "CaseID": None}, ("S24-1-A", None, "NONE")),
        ({"SlideID": None, "CaseID": "S24-9"}, (None, "S24-9", "NONE")),
        ({"Status": "BAD"}, ("1", "1", "NONE")),
    ],
)
def test_ids_that_nobody_has_read_are_typed_or_confirmed(given, ids):
    new = edit(record(**NOBODYS), **given)
    assert (new.get("SlideID"), new.get("CaseID"), new["IdSource"]) == ids


@pytest.mark.parametrize("source", ["BARCODE", "SCANNER", "TYPED"])
def test_ids_that_were_read_are_so_until_the_slide_id_is_another(source):
    old = record(IdSource=source)
    assert edit(old, SlideID="S24-1-A", CaseID="S24-1") == old
    assert edit(old, CaseID="S24-9")["IdSource"] == source
    assert edit(old, SlideID="S24-1-B")["IdSource"] == "TYPED"
    assert edit(old, SlideID="S24-1-B")["CaseID"] == "S24-1"


@pytest.mark.parametrize("name", ["SlideID", "CaseID"])
def test_without_one_of_its_ids_nobody_knows_which_slide_it_is(name):
    removed = edit(record(IdSource="BARCODE"), **{name: None})
    assert removed["IdSource"] == "NONE"
    assert edit(removed, **{name: "S24-9"})["IdSource"] == "TYPED"


@pytest.mark.parametrize("status", ["GOOD", "SENT", "SEND_FAILED"])
def test_a_slide_is_not_sent_before_its_ids_are_typed_or_confirmed(status):
    old = record(**NOBODYS) | {"Status": status}
    with pytest.raises(Conflict, match="type or confirm the slide ID first"):
        edit(old, Status="SEND")
    with pytest.raises(Conflict, match="type or confirm the slide ID first"):
        edit(old, Status="SEND", CaseID="S24-9")
    sent = edit(old, Status="SEND", SlideID="S24-1-A")
    assert (sent["Status"], sent["IdSource"], sent["CaseID"]) == ("SEND", "TYPED", "S24-1")
    assert edit(edit(old, SlideID="1"), Status="SEND")["Status"] == "SEND"


@pytest.mark.parametrize(
    ("ids", "source"),
    [
        ({"SlideID": "1", "CaseID": "1"}, "NONE"),
        ({"SlideID": "S24-1-A", "CaseID": "1"}, "NONE"),
        ({"SlideID": "1", "CaseID": "S24-1"}, "NONE"),
        ({"SlideID": "1", "CaseID": "1", "Barcode": {"text": "1"}}, "BARCODE"),
        ({"Barcode": {"text": "S24-1-A"}}, "BARCODE"),
        ({"Barcode": {"text": "S24-1-B"}}, "TYPED"),
        ({"Barcode": None}, "TYPED"),
        ({"SlideID": None}, "NONE"),
        ({"SlideID": "1", "IdSource": "TYPED"}, "TYPED"),
    ],
)
def test_records_of_the_first_version_tell_by_their_ids_where_these_come_from(ids, source):
    assert id_source(record(**ids)) is IdSource(source)


def test_an_id_matches_the_laboratorys_pattern_as_a_whole():
    patterns = IdPatterns(slide_id=r"S\d\d-\d+-[A-Z]\d", case_id=r"S\d\d-\d+")
    assert edit(record(), patterns, SlideID=" S24-7-A1\t")["SlideID"] == "S24-7-A1"
    for name, text in (("SlideID", "S24-7-A1x"), ("CaseID", "S24-7-A1")):
        with pytest.raises(InvalidRequest, match=f"{name} .* pattern"):
            edit(record(), patterns, **{name: text})


def test_null_removes_an_id_and_what_is_left_out_stays():
    assert "CaseID" not in edit(record(), CaseID=None)
    assert edit(record(), CaseID=None)["SlideID"] == "S24-1-A"
    with pytest.raises(InvalidRequest, match="Status is null"):
        edit(record(), Status=None)
    with pytest.raises(InvalidRequest, match="not one of NEW, GOOD"):
        edit(record(), Status="good")


def test_a_stale_edit_is_refused_with_the_record_as_it_is():
    assert edit(record(), SlideID="x", Version=3)["SlideID"] == "x"
    with pytest.raises(StaleVersion, match="version is 3 now, not 2") as refused:
        edit(record(), SlideID="x", Version=2)
    assert refused.value.record == record()


def test_an_unknown_slide_is_an_error_and_a_deleted_one_is_left_alone():
    with pytest.raises(NotFound):
        edit(None, SlideID="x")
    with pytest.raises(Conflict, match="deleted"):
        edit(record(Status="DELETED"), SlideID="x")
    asked = record(Removal={"Operation": "DELETE", "State": "REQUESTED"})
    with pytest.raises(Conflict, match="DELETE of the slide is under way"):
        edit(asked, SlideID="x")


@pytest.mark.parametrize("reason", ReviewReason)
def test_a_slide_is_bad_for_a_reason_until_it_is_not(reason):
    bad = edit(record(), Status="BAD", ReviewReason=reason, ReviewNote=" at the edge\t\r\nof it ")
    assert (bad["ReviewReason"], bad["ReviewNote"]) == (reason, "at the edge\nof it")
    assert edit(bad, SlideID="S24-2-A") == bad | {"SlideID": "S24-2-A", "CaseID": "S24-1"}
    for status in ("GOOD", "NEW"):
        assert edit(bad, Status=status) == record(Status=status)
        assert edit(bad, Status=status, ReviewReason=None, ReviewNote="") == record(Status=status)


def test_the_reason_can_be_given_later_changed_and_removed():
    bad = edit(record(), Status="BAD")
    assert bad == record(Status="BAD")
    assert edit(bad, ReviewReason="LABEL") == bad | {"ReviewReason": "LABEL"}
    noted = edit(bad, ReviewReason="OTHER", ReviewNote="a note")
    assert edit(noted, ReviewReason="LABEL")["ReviewNote"] == "a note"
    assert edit(noted, ReviewReason=None, ReviewNote=None) == bad
    assert edit(noted, ReviewNote=" \n ") == bad | {"ReviewReason": "OTHER"}


@pytest.mark.parametrize("given", [{"ReviewReason": "LABEL"}, {"ReviewNote": "a note"}])
@pytest.mark.parametrize("status", [status for status in ReviewStatus if status != "BAD"])
def test_only_a_bad_slide_has_a_reason(status, given):
    name = next(iter(given))
    with pytest.raises(Conflict, match=f"{name} is for slides that are BAD; .* is {status}"):
        edit(record(Status=status), **given)
    with pytest.raises(Conflict, match=f"{name} is for slides that are BAD; .* is GOOD"):
        edit(record(Status="BAD"), Status="GOOD", **given)


def test_an_archived_slide_keeps_the_reason():
    archived = record(Status="TRANSFERRED", StatusBefore="BAD", ReviewReason="LABEL")
    assert edit(archived, SlideID="S24-2-A")["ReviewReason"] == "LABEL"


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"ReviewReason": "blurred"}, "ReviewReason is 'blurred', not one of OUT_OF_FOCUS, "),
        ({"ReviewReason": ""}, "ReviewReason is ''"),
        ({"ReviewReason": 1}, "ReviewReason is '1'"),
        ({"ReviewNote": 1}, "ReviewNote must be a string"),
        ({"ReviewNote": "x" * 501}, "ReviewNote has 501 characters, not up to 500"),
        ({"ReviewNote": "x\0"}, "ReviewNote holds a character that cannot be seen"),
        ({"ReviewNote": "x\u202e"}, "ReviewNote holds a character that cannot be seen"),
    ],
)
def test_a_reason_or_note_that_makes_no_sense_is_refused(given, wrong):
    with pytest.raises(InvalidRequest, match=wrong):
        edit(record(Status="BAD"), **given)


@pytest.mark.parametrize("note", ["x" * 500, "⚠️ 👩\u200d🔬", "=1+1", "a\n\nb"])
def test_a_note_is_prose(note):
    assert edit(record(Status="BAD"), ReviewNote=note)["ReviewNote"] == note


def test_only_what_the_cdr_can_use_is_sent():
    sent = edit(record(Status="SEND_FAILED", SendError="it was down"), Status="SEND")
    assert sent["SendRequestedAt"] == AT
    assert "SendError" not in sent
    for old, reason in (
        (record(Status="GOOD", SlideID=None), "no SlideID"),
        (record(Status="GOOD", ImportStatus="FAILED"), "import is not complete"),
    ):
        with pytest.raises(Conflict, match=reason):
            edit({key: value for key, value in old.items() if value}, Status="SEND")
