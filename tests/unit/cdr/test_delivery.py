"""What is on the record once a slide was sent or refused, also if it was edited in between."""

import pytest

from tests.unit.cdr.helpers import IMAGE_ID, SLIDE_ID
from vsv.cdr.content import edited_after_sending, idempotency_key

# Outcomes


def test_a_slide_that_is_due_is_sent_once(sending, cdr):
    sending.send()
    sending.send()  # the stream says it again
    (received,) = cdr.received
    assert received["payload"]["SlideID"] == SLIDE_ID
    assert received["payload"]["Version"] == 1
    assert received["payload"]["RequestedAt"] == "2026-03-01T12:00:00.000+00:00"
    assert received["key"] == idempotency_key(IMAGE_ID, 1)
    assert sending.record["Status"] == "SENT"
    sent = sending.record["Sent"]
    assert (sent["Receipt"], sent["Version"]) == ("CDR-000001", 1)
    assert sent["At"] == "2026-03-01T12:00:00.000+00:00"
    assert sending.catalogue.history == [("cdr", "SEND", "SENT")]


def test_many_words_about_one_slide_are_one_delivery(sending, cdr):
    sending.send(IMAGE_ID, IMAGE_ID, IMAGE_ID)
    assert cdr.requests == 1


@pytest.mark.parametrize("status", ["NEW", "GOOD", "BAD", "SENT", "SEND_FAILED", "DELETED"])
def test_a_slide_that_is_not_due_is_left_alone(sending, cdr, status):
    sending.catalogue.put(ImageID=IMAGE_ID, Status=status)
    sending.send(IMAGE_ID, "unknown")
    assert cdr.requests == 0
    assert not sending.catalogue.history


def test_what_the_cdr_had_already_counts_as_sent(sending, cdr):
    cdr.play("duplicate", receipt="CDR-OLD")
    sending.send()
    assert sending.record["Status"] == "SENT"
    assert sending.record["Sent"]["Receipt"] == "CDR-OLD"


def test_an_answer_that_is_lost_leads_to_no_second_slide(sending, cdr):
    cdr.play("lost", times=1)
    sending.send()
    assert [each["duplicate"] for each in cdr.received] == [False, True]
    assert len({each["key"] for each in cdr.received}) == 1
    assert sending.record["Sent"]["Receipt"] == "CDR-000001"


@pytest.mark.parametrize("status", [400, 403, 404, 409, 410, 422])
def test_a_refusal_is_on_the_record_at_once(sending, cdr, status):
    cdr.play("error", status=status, title="Unknown scanner", headers={"Location": "/elsewhere"})
    sending.send()
    assert cdr.requests == 1
    assert sending.record["Status"] == "SEND_FAILED"
    assert sending.record["SendError"] == (
        f"the CDR refused the slide with status {status}: Unknown scanner"
    )
    assert not sending.dead_letters


def test_a_slide_that_was_refused_can_be_sent_again(sending, cdr):
    cdr.play("error", status=422, times=1)
    sending.send()
    sending.catalogue.put(ImageID=IMAGE_ID, Status="SEND")
    sending.send()
    assert sending.record["Status"] == "SENT"
    assert "SendError" not in sending.record


def test_a_slide_that_nobody_identified_is_not_sent(sending, cdr):
    """Version 0.1 let slides be marked whose IDs were the ImageID."""
    sending.catalogue.put(ImageID=IMAGE_ID, IdSource="NONE")
    sending.add("old", SlideID="old", CaseID="old", Barcode={"reason": "no label image"})
    del sending.catalogue.records["old"]["IdSource"]
    sending.send(IMAGE_ID, "old")
    assert cdr.requests == 0
    for record in sending.catalogue.records.values():
        assert record["Status"] == "SEND_FAILED"
        assert "type or confirm the slide ID first" in record["SendError"]


@pytest.mark.parametrize("missing", ["SlideID", "CaseID", "width"])
def test_a_slide_that_nobody_could_make_use_of_is_not_sent(sending, cdr, missing):
    """An ID can be taken away after the slide was marked."""
    del sending.record[missing]
    sending.send()
    assert cdr.requests == 0
    assert sending.record["Status"] == "SEND_FAILED"
    assert missing in sending.record["SendError"]


# Races


def test_an_edit_while_it_is_sent_is_sent_too(sending, cdr):
    def edit():
        sending.catalogue.put(ImageID=IMAGE_ID, SlideID="CANARY-24-00042-A2")

    sending.catalogue.interrupt = edit
    sending.send()
    assert sending.record["Status"] == "SEND"
    assert "Sent" not in sending.record
    sending.send()
    assert [each["payload"]["SlideID"][-2:] for each in cdr.received] == ["A1", "A2"]
    assert len({each["key"] for each in cdr.received}) == 2
    assert sending.record["Status"] == "SENT"
    assert sending.record["Sent"]["Version"] == 2
    assert edited_after_sending(sending.record) is False


def test_an_edit_while_it_is_refused_is_sent(sending, cdr):
    cdr.play("error", status=422, times=1)
    sending.catalogue.interrupt = lambda: sending.catalogue.put(
        ImageID=IMAGE_ID, CaseID="CANARY-24-43"
    )
    sending.send()
    assert sending.record["Status"] == "SEND"
    sending.send()
    assert sending.record["Status"] == "SENT"


@pytest.mark.parametrize("status", ["TRANSFERRED", "DELETED"])
def test_of_a_slide_that_went_in_between_the_record_says_that_it_was_sent(sending, status):
    sending.catalogue.interrupt = lambda: sending.catalogue.put(ImageID=IMAGE_ID, Status=status)
    sending.send()
    assert sending.record["Status"] == status
    assert sending.record["Sent"]["Receipt"] == "CDR-000001"


def test_a_new_slide_under_the_old_ones_id_was_not_sent(sending):
    sending.catalogue.interrupt = lambda: sending.catalogue.put(ImageID=IMAGE_ID, Status="NEW")
    sending.send()
    assert sending.record["Status"] == "NEW"
    assert "Sent" not in sending.record


def test_a_record_that_is_gone_stays_gone(sending):
    sending.catalogue.interrupt = sending.catalogue.records.clear
    sending.send()
    assert not sending.catalogue.records


# An edit after sending


def test_an_edit_after_sending_is_visible_and_is_gone_once_it_is_sent_again(sending, cdr):
    assert edited_after_sending(sending.record) is None
    sending.send()
    assert edited_after_sending(sending.record) is False
    sending.catalogue.put(ImageID=IMAGE_ID, Filename="other.svs")
    assert edited_after_sending(sending.record) is False, "the CDR does not get the file's name"
    sending.catalogue.put(ImageID=IMAGE_ID, IdSource="TYPED")
    assert edited_after_sending(sending.record) is False, "to confirm an ID does not edit it"
    sending.catalogue.put(ImageID=IMAGE_ID, SlideID="CANARY-24-00042-A2")
    assert edited_after_sending(sending.record) is True
    sending.catalogue.put(ImageID=IMAGE_ID, Status="SEND")
    sending.send()
    assert edited_after_sending(sending.record) is False
    first, second = cdr.received
    assert second["payload"]["Version"] > first["payload"]["Version"]
