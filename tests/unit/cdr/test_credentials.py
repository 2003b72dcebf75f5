"""The CDR's credentials: when they are read, and what happens if they are wrong."""

import json
from datetime import timedelta

import pytest

from tests.unit.cdr.helpers import GIVE_UP_S, IMAGE_ID


def test_the_secret_is_read_once_for_many_slides(sending):
    sending.add("second")
    sending.send(IMAGE_ID, "second")
    assert sending.secrets.reads == 1


def test_replaced_credentials_are_taken_up_after_a_401(sending, cdr):
    sending.send()
    cdr.authorization = "Bearer new-token"
    sending.secrets.value = json.dumps({"token": "new-token"})
    sending.add("second")
    sending.send("second")
    assert sending.catalogue.records["second"]["Status"] == "SENT"
    assert (sending.secrets.reads, cdr.requests) == (2, 3)
    assert not sending.pauses


def test_credentials_that_stay_wrong_are_tried_until_the_slide_is_given_up(sending, cdr):
    cdr.play("locked")
    sending.send_in_vain()
    assert sending.record["Status"] == "SEND"
    # Each try has credentials that were read again; the first has those that were kept, besides.
    assert (sending.secrets.reads, cdr.requests, len(sending.pauses)) == (4, 4, 2)
    sending.time += timedelta(seconds=GIVE_UP_S)
    sending.send()
    assert sending.record["Status"] == "SEND_FAILED"
    assert sending.record["SendError"].endswith("the CDR answers with status 401")
    assert len(sending.dead_letters) == 1


def test_credentials_that_are_replaced_late_are_taken_up(sending, cdr):
    cdr.play("locked", times=3)
    sending.send()
    assert sending.record["Status"] == "SENT"


@pytest.mark.parametrize(
    "secret", [None, "", "null", "[]", "{}", '{"token": 1}', '{"token": "a\\nb"}', "hunter2"]
)
def test_an_unusable_secret_is_waited_for_and_told_to_nobody(sending, cdr, secret, log):
    sending.secrets.value = secret
    sending.send_in_vain()
    assert cdr.requests == 0
    assert "hunter2" not in log()
