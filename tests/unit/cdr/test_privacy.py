"""IDs of slides and cases are not logged."""

import json
from datetime import timedelta

import pytest

from tests.unit.cdr.helpers import CANARY, CASE_ID, IMAGE_ID, SLIDE_ID
from vsv.cdr.content import idempotency_key
from vsv.errors import Unavailable


@pytest.mark.parametrize(
    "mode",
    [
        {"mode": "up"},
        {"mode": "down"},
        {"mode": "duplicate"},
        {"mode": "lost"},
        {"mode": "error", "status": 503, "title": SLIDE_ID},
        {"mode": "error", "status": 422, "title": SLIDE_ID},
        {"mode": "error", "status": 422, "title": "the patient's name: canary"},
        {"mode": "answer", "status": 200, "body": json.dumps({"receipt": CASE_ID})},
    ],
    ids=str,
)
@pytest.mark.parametrize("late", [False, True])
def test_no_id_is_logged_or_raised(sending, cdr, log, mode, late):
    cdr.play(**mode)
    sending.time += timedelta(hours=late)
    raised = None
    try:
        sending.send()
    except Unavailable as error:
        raised = str(error)
    logged = f"{log()}{raised}"
    assert idempotency_key(IMAGE_ID, 1) in logged or sending.record["Status"] == "SEND"
    assert "sent to the CDR" in logged or sending.record["Status"] != "SENT"
    assert CANARY not in logged.lower()
    assert "Basic " not in logged


def test_what_nobody_foresaw_is_logged_without_its_message(sending, log):
    sending.record["Version"] = f"{SLIDE_ID} is not a number"
    sending.send_in_vain()
    logged = log()
    assert "unexpected ValueError" in logged
    assert "version_of" in logged, "it says where"
    assert CANARY not in logged.lower()
