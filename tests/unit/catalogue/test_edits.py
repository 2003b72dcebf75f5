"""Edits: their history, who may make them, and those that are refused."""

import io
import json
from types import SimpleNamespace

import pytest

from tests.unit.catalogue.helpers import Refused, pages
from vsv import aws


@pytest.mark.usefixtures("slides")
def test_every_change_leaves_one_line_and_no_change_leaves_none(ask):
    first = ask("updateSlide", input={"ImageID": "i00000", "SlideID": " S-1 ", "Status": "GOOD"})
    again = ask("updateSlide", input={"ImageID": "i00000", "SlideID": "S-1", "Status": "GOOD"})
    assert (first["SlideID"], first["Version"]) == ("S-1", 2)
    assert again == first
    ask("updateSlide", input={"ImageID": "i00000", "CaseID": None, "Version": 2})
    newest, edit = pages(ask, "slideHistory", 1, ImageID="i00000")
    assert newest["Changes"] == [
        {"Field": "CaseID", "From": "S-99999", "To": None},
        {"Field": "IdSource", "From": None, "To": "NONE"},
    ]
    assert (edit["By"], edit["Action"], edit["Version"]) == ("ann", "EDIT", 2)
    assert edit["At"] == first["lastModified"]
    assert edit["Changes"] == [
        {"Field": "SlideID", "From": "S-99999-A", "To": "S-1"},
        {"Field": "Status", "From": "NEW", "To": "GOOD"},
    ]


@pytest.mark.usefixtures("slides")
def test_a_stale_edit_is_refused_with_the_current_record(ask):
    ask("updateSlide", input={"ImageID": "i00000", "SlideID": "S-1", "Version": 1})
    with pytest.raises(Refused, match="Conflict: .* 2 now, not 1") as refused:
        ask("updateSlide", input={"ImageID": "i00000", "SlideID": "S-2", "Version": 1})
    current = ask("getSlide", ImageID="i00000")
    assert refused.value.error["data"] == refused.value.error["info"] == current
    assert current["SlideID"] == "S-1"


@pytest.mark.usefixtures("slides")
def test_who_may_edit_and_who_may_see(ask):
    change = {"ImageID": "i00000", "SlideID": "S-1"}
    for groups in ((), ("Pathologists",), ("technicians", "xTechnicians")):
        with pytest.raises(Refused, match="Unauthorized: .*Technicians"):
            ask("updateSlide", groups=groups, input=change)
        assert ask("getSlide", groups=groups, ImageID="i00000")["SlideID"] == "S-99999-A"
    machine = {"cognito:username": None, "scope": "vsv/import", "client_id": "scanner"}
    for field, arguments in (("updateSlide", {"input": change}), ("listSlides", {})):
        with pytest.raises(Refused, match="Unauthorized: .*machine"):
            ask(field, claims=machine, **arguments)
    assert len(pages(ask, "slideHistory", ImageID="i00000")) == 0


def test_edits_of_what_is_not_there_or_makes_no_sense(ask):
    with pytest.raises(Refused, match="NotFound"):
        ask("updateSlide", input={"ImageID": "nobody", "SlideID": "S-1"})
    with pytest.raises(Refused, match=r"BadRequest: SlideID .* pattern"):
        ask("updateSlide", input={"ImageID": "i00000", "SlideID": "x" * 31})


@pytest.mark.usefixtures("slides")
def test_why_a_slide_is_bad_is_in_the_record_its_history_and_the_filter(ask):
    why = {"ReviewReason": "LABEL", "ReviewNote": "half of it\nis missing"}
    bad = ask("updateSlide", input={"ImageID": "i00000", "Status": "BAD", **why})
    assert {name: bad[name] for name in why} == why
    found = pages(ask, "listSlides", filter={"ReviewReason": {"eq": "LABEL"}})
    assert [slide["ImageID"] for slide in found] == ["i00000"]
    back = ask("updateSlide", input={"ImageID": "i00000", "Status": "NEW"})
    assert back.keys().isdisjoint(why)
    undone, done = pages(ask, "slideHistory", ImageID="i00000")
    assert {each["Field"]: (each["From"], each["To"]) for each in done["Changes"]} == {
        "Status": ("NEW", "BAD"),
        **{name: (None, text) for name, text in why.items()},
    }
    assert {each["Field"]: (each["From"], each["To"]) for each in undone["Changes"]} == {
        "Status": ("BAD", "NEW"),
        **{name: (text, None) for name, text in why.items()},
    }


@pytest.mark.usefixtures("slides")
def test_an_undo_does_not_undo_what_somebody_else_did(ask):
    """Ann takes back her BAD, which Bob has made GOOD."""
    bad = ask("updateSlide", input={"ImageID": "i00000", "Status": "BAD"})
    ask("updateSlide", input={"ImageID": "i00000", "Status": "GOOD"})
    with pytest.raises(Refused, match="Conflict"):
        ask(
            "updateSlide",
            input={"ImageID": "i00000", "Status": "NEW", "Version": bad["Version"]},
        )
    assert ask("getSlide", ImageID="i00000")["Status"] == "GOOD"


def test_a_failed_import_is_tried_again_by_a_technician(ask, slides, catalogue, monkeypatch):
    """The function asks CheckFile for the file, and starts the workflow."""
    asked, started = [], []

    class Lambda:
        def invoke(self, *, FunctionName, Payload):
            asked.append((FunctionName, json.loads(Payload)))
            state = {"size": 1, "mtime_ns": 2, "unchanged_for_s": 60.0, "image_id": "i00007"}
            return {"Payload": io.BytesIO(json.dumps(state).encode())}

    def start_execution(*, stateMachineArn, name, input):
        started.append((stateMachineArn, json.loads(input)["image_id"]))

    stepfunctions = SimpleNamespace(
        start_execution=start_execution,
        exceptions=SimpleNamespace(ExecutionAlreadyExists=LookupError),
    )
    clients = {"lambda": Lambda(), "stepfunctions": stepfunctions}
    monkeypatch.setattr(aws, "client", clients.__getitem__)
    monkeypatch.setenv("STATE_MACHINE_ARN", "machine")
    monkeypatch.setenv("CHECK_FILE_FUNCTION", "CheckFile")
    catalogue.change("i00007", "x", "IMPORT", lambda old: {**old, "FileVersion": "1-2"})
    with pytest.raises(Refused, match="Unauthorized: .*Technicians"):
        ask("retryImport", groups=("Pathologists",), ImageID="i00007")
    assert (asked, started) == ([], [])
    assert ask("retryImport", ImageID="i00007")["ImportStatus"] == "IMPORTING"
    assert asked == [("CheckFile", {"filename": "00007.svs", "version": "1-2"})]
    assert started == [("machine", "i00007")]
    with pytest.raises(Refused, match="Conflict: .* is being imported"):
        ask("retryImport", ImageID="i00007")
    with pytest.raises(Refused, match="Conflict: .* it is complete"):
        ask("retryImport", ImageID="i00000")
    with pytest.raises(Refused, match="NotFound"):
        ask("retryImport", ImageID="nobody")
    assert len(started) == 1
