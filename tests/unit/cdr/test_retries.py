"""When the CDR fails: how long a slide waits, and when it is given up."""

import json
from datetime import timedelta

import pytest

from tests.conftest import ROOT, load_template
from tests.serving import wait_for
from tests.unit.cdr.helpers import GIVE_UP_S, IMAGE_ID, NOON, Sending, words
from vsv.cdr import client as cdr_client
from vsv.cdr import delivery
from vsv.cdr.content import idempotency_key
from vsv.errors import Unavailable

# Trouble that passes


@pytest.mark.parametrize("status", [301, 302, 304, 308, 408, 425, 429, 500, 501, 503, 504])
def test_a_passing_trouble_is_waited_for(sending, cdr, status):
    cdr.play("error", status=status, times=2)
    sending.send()
    assert cdr.requests == 3
    assert sending.record["Status"] == "SENT"
    first, second = sending.pauses
    assert 0.5 <= first <= 1 <= second <= 2


@pytest.mark.parametrize(
    ("retry_after", "pause"), [("7", 7), ("7000", 10), ("Fri, 31 Dec 2100 23:59:59 GMT", 10)]
)
def test_the_cdr_says_how_long_to_wait_within_bounds(sending, cdr, retry_after, pause):
    cdr.play("error", status=429, headers={"Retry-After": retry_after}, times=1)
    sending.send()
    assert sending.pauses == [pause]


@pytest.mark.parametrize("retry_after", ["soon", "-1", "1e9", "9" * 5000, "\xff", "0"])
def test_a_senseless_time_to_wait_is_ignored(sending, cdr, retry_after):
    cdr.play("error", status=503, headers={"Retry-After": retry_after}, times=1)
    sending.send()
    assert sending.record["Status"] == "SENT"
    assert all(0.5 <= pause <= 1 for pause in sending.pauses)


def test_while_the_cdr_is_down_the_slide_waits_and_is_sent_when_it_is_up(sending, cdr):
    cdr.play("down")
    assert sending.send_in_vain() == "1 of 1 slides wait for the CDR"
    assert len(sending.pauses) == 2
    assert sending.record["Status"] == "SEND"
    assert not sending.catalogue.history
    cdr.play("up")
    sending.send()
    assert sending.record["Status"] == "SENT"


def test_a_slow_cdr_is_not_waited_for_for_ever(cdr, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(cdr_client, "_TIMEOUT", cdr_client.urllib3.Timeout(connect=60, read=0.1))
        impatient = Sending(cdr)
    cdr.play("slow", seconds=2)
    impatient.send_in_vain()
    wait_for(lambda: cdr.requests == 3)
    assert impatient.record["Status"] == "SEND"
    cdr.play("up")
    sending = Sending(cdr)
    sending.send()
    assert sending.record["Status"] == "SENT"


def test_the_tries_of_one_invocation_are_bounded_in_time(sending, cdr, monkeypatch):
    monkeypatch.setattr(cdr_client, "_DEADLINE_S", 5)
    cdr.play("error", status=503, headers={"Retry-After": "9"})
    sending.send_in_vain()
    assert cdr.requests == 1
    assert not sending.pauses


def test_ten_slides_at_their_slowest_fit_into_one_invocation():
    resources = load_template(ROOT / "func.template.yaml")["Resources"]
    slides = resources["SendToCdrMapping"]["Properties"]["BatchSize"]
    timeout_s = resources["SendToCdrFunction"]["Properties"]["Timeout"]
    timeout = cdr_client._TIMEOUT
    try_s = cdr_client._TRY_S
    assert try_s == timeout.connect_timeout + timeout._read + cdr_client._ANSWER_S
    assert slides * (cdr_client._DEADLINE_S + 2 * try_s) < 0.75 * timeout_s


def test_one_slides_trouble_does_not_hold_up_the_others(sending, cdr):
    sending.add("second")
    sending.add("third")
    cdr.play("error", status=500, times=3)
    assert sending.send_in_vain(IMAGE_ID, "second", "third") == "1 of 3 slides wait for the CDR"
    statuses = {key: record["Status"] for key, record in sending.catalogue.records.items()}
    assert statuses == {IMAGE_ID: "SEND", "second": "SENT", "third": "SENT"}
    sending.send(IMAGE_ID, "second", "third")
    assert cdr.requests == 6
    assert sending.record["Status"] == "SENT"


def test_what_nobody_foresaw_does_not_hold_up_the_others_either(sending, cdr):
    sending.add("second")
    sending.catalogue.records[IMAGE_ID]["Version"] = "no number"
    assert sending.send_in_vain(IMAGE_ID, "second") == "1 of 2 slides wait for the CDR"
    assert sending.catalogue.records["second"]["Status"] == "SENT"


# Giving up


def test_after_an_hour_a_slide_is_given_up_and_ops_are_told(sending, cdr):
    cdr.play("down")
    sending.time = NOON + timedelta(seconds=GIVE_UP_S - 1)
    sending.send_in_vain()
    assert not sending.dead_letters
    sending.time = NOON + timedelta(seconds=GIVE_UP_S)
    sending.send()
    assert sending.record["Status"] == "SEND_FAILED"
    assert sending.record["SendError"].startswith(
        "given up after 3600 s: the CDR cannot be reached"
    )
    (letter,) = sending.dead_letters
    assert letter == {
        "ImageID": IMAGE_ID,
        "Version": 1,
        "IdempotencyKey": idempotency_key(IMAGE_ID, 1),
        "Reason": letter["Reason"],
        "At": "2026-03-01T13:00:00.000+00:00",
    }
    assert json.dumps(letter)


def test_a_word_that_comes_an_hour_late_is_still_worth_a_try(sending, cdr):
    sending.time = NOON + timedelta(days=1)
    sending.send()
    assert sending.record["Status"] == "SENT"
    assert not sending.dead_letters


@pytest.mark.parametrize("requested", [None, "yesterday"])
def test_without_its_own_time_the_streams_counts(sending, cdr, requested):
    sending.record["SendRequestedAt"] = requested
    sending.time = NOON + timedelta(seconds=GIVE_UP_S)
    cdr.play("down")
    with pytest.raises(Unavailable):
        sending.sender.send(words(IMAGE_ID, at=NOON + timedelta(minutes=1)))
    sending.sender.send(words(IMAGE_ID, at=NOON))
    assert sending.record["Status"] == "SEND_FAILED"


def test_what_was_sent_and_what_was_not_is_counted(sending, cdr, monkeypatch):
    counted = []
    monkeypatch.setattr(delivery, "count", counted.append)
    sending.add("second")
    cdr.play("error", status=422, times=1)
    sending.send(IMAGE_ID, "second")
    assert counted == ["SlideSendFailed", "SlideSent"]
