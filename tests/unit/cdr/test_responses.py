"""Responses of the CDR that are odd or hostile, and what counts as a receipt."""

import json
from datetime import timedelta

import pytest

from tests.unit.cdr.helpers import CASE_ID, GIVE_UP_S, HIDDEN, IMAGE_ID, SLIDE_ID
from vsv.cdr import client as cdr_client


@pytest.mark.parametrize(
    ("body", "receipt"),
    [
        ('{"receipt": 17}', "17"),
        ('{"receipt": "' + "R" * 5000 + '"}', "R" * 200),
        (json.dumps({"receipt": f"R{HIDDEN}1"}), "R[31m1"),
        ('{"receipt": "R"}' + " " * (16 * 1024 - 16), "R"),
    ],
)
@pytest.mark.parametrize("status", [200, 201, 202, 409])
def test_a_receipt_is_a_short_text(sending, cdr, body, receipt, status):
    cdr.play("answer", status=status, body=body)
    sending.send()
    assert sending.record["Status"] == "SENT"
    assert sending.record["Sent"]["Receipt"] == receipt


NO_RECEIPTS = [
    "",
    "null",
    "[]",
    '["receipt"]',
    '"receipt"',
    "OK",
    "{}",
    '{"Receipt": "R"}',
    '{"receipt": null}',
    '{"receipt": ""}',
    '{"receipt": true}',
    '{"receipt": {"a": 1}}',
    '{"receipt": "   "}',
    '{"receipt": "R"',
    '{"receipt": "R"}' + " " * (16 * 1024 - 15),
    "[" * 10_000,
    '{"receipt": ' + "9" * 10_000 + "}",
    '{"receipt": 1e999}',
]


@pytest.mark.parametrize("body", NO_RECEIPTS, ids=range(len(NO_RECEIPTS)))
def test_what_has_no_receipt_is_no_delivery(sending, cdr, body):
    cdr.play("answer", status=200, body=body)
    sending.send_in_vain()
    assert sending.record["Status"] == "SEND"
    assert cdr.requests == 3
    cdr.play("up")
    sending.send()
    assert sending.record["Sent"]["Receipt"] == "CDR-000001"


@pytest.mark.parametrize("mode", ["garbage", "page", "empty", "huge", "redirect"])
@pytest.mark.slow
def test_who_answers_like_this_is_not_the_cdr(sending, cdr, mode):
    """A proxy, a sign-in page: the slide waits, and is given up as for any other trouble."""
    cdr.play(mode)
    sending.send_in_vain()
    assert (sending.record["Status"], cdr.requests) == ("SEND", 3)
    sending.time += timedelta(seconds=GIVE_UP_S)
    sending.send()
    assert sending.record["Status"] == "SEND_FAILED"
    reason = "status 302" if mode == "redirect" else "without a receipt"
    assert reason in sending.record["SendError"]
    assert len(sending.dead_letters) == 1


@pytest.mark.parametrize(("status", "body"), [(204, ""), (201, ""), (200, "{}"), (409, "")])
def test_a_receipt_may_be_in_a_header(sending, cdr, status, body):
    cdr.play("answer", status=status, body=body, headers={"Receipt": "R-17"})
    sending.send()
    assert sending.record["Sent"]["Receipt"] == "R-17"


@pytest.mark.parametrize("status", [302, 200])
def test_a_header_makes_no_receipt_of_another_answer(sending, cdr, status):
    body = "" if status == 302 else "<html>"
    cdr.play("answer", status=status, body=body, headers={"Receipt": "R-17"})
    sending.send_in_vain()


def test_a_body_that_trickles_is_left(sending, cdr, monkeypatch):
    monkeypatch.setattr(cdr_client, "_ANSWER_S", 0.2)
    cdr.play("trickle")
    sending.send_in_vain()
    assert cdr.requests == 1


def test_headers_that_trickle_are_left(sending, cdr, monkeypatch):
    """Each wait is short, and there is no end of them."""
    monkeypatch.setattr(cdr_client, "_TRY_S", 0.2)
    cdr.play("drip")
    sending.send_in_vain()
    assert cdr.requests == 1
    assert sending.record["Status"] == "SEND"


def test_a_failure_without_an_end_is_left_as_well(sending, cdr):
    """urllib3's own retries would read it to its end."""
    cdr.play("huge", status=503)
    sending.send_in_vain()
    assert cdr.requests == 3


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        (f"Not{HIDDEN} by the schema", ": Not[31m by the schema"),
        ("T" * 5000, ": " + "T" * 200),
        (f"Slide {SLIDE_ID.lower()} is unknown", ""),
        (f"Image {IMAGE_ID} is unknown", ""),
        (17, ": 17"),
        (["list"], ""),
    ],
)
def test_why_it_was_refused_is_short_and_names_nobody(sending, cdr, title, shown):
    cdr.play("answer", status=422, body=json.dumps({"title": title, "detail": CASE_ID}))
    sending.send()
    assert sending.record["SendError"] == f"the CDR refused the slide with status 422{shown}"
