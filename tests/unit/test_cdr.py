"""Slides that are marked to be sent: what the CDR gets, and what is then on their records."""

import copy
import json
import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import boto3
import jsonschema
import pytest
from aws_lambda_powertools.utilities.parameters import SecretsProvider

from local.standins.cdr import BASIC, SCHEMA, VALIDATOR, CdrServer
from tests.conftest import ROOT, load_template
from tests.handlers import load_handler
from tests.serving import wait_for
from vsv.cdr import client as cdr_client
from vsv.cdr import delivery
from vsv.cdr.client import CdrClient, Credentials
from vsv.cdr.content import edited_after_sending, idempotency_key, payload
from vsv.cdr.delivery import Sender
from vsv.errors import Unavailable
from vsv.logs import logger
from vsv.settings import CdrSettings

# Patient data that must be found nowhere.
IMAGE_ID, SLIDE_ID, CASE_ID = "canary-4711", "CANARY-24-00042-A1", "CANARY-24-00042"
CANARY = "canary"
GIVE_UP_S = 3600
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HIDDEN = "\x1b[31m\n\u202e\ud800"
SECRET = {"username": "vsv", "password": "secret"}


class FakeCatalogue:
    """Records in memory. ``interrupt`` is called once, before the next change reads the record."""

    def __init__(self):
        self.records = {}
        self.history = []
        self.interrupt = None

    def get(self, image_id):
        return copy.deepcopy(self.records.get(image_id))

    def put(self, **fields):
        old = self.records.get(fields.get("ImageID", IMAGE_ID), {})
        record = {**old, **fields, "Version": Decimal(int(old.get("Version", 0)) + 1)}
        self.records[record["ImageID"]] = record

    def change(self, image_id, by, action, decide):
        if self.interrupt:
            interrupt, self.interrupt = self.interrupt, None
            interrupt()
        old = self.get(image_id)
        new = decide(old)
        if new is None or new == old:
            return old
        json.dumps(new, default=float).encode()  # DynamoDB takes UTF-8 only
        self.put(**new)
        for name in [name for name, value in new.items() if value is None]:
            del self.records[image_id][name]
        self.history.append((by, action, self.records[image_id]["Status"]))
        return self.get(image_id)


class FakeSecrets:
    """Secrets Manager: counts how often it is asked, past Powertools' cache."""

    def __init__(self, value=SECRET):
        self.value = json.dumps(value)
        self.reads = 0

    def get_secret_value(self, SecretId):
        self.reads += 1
        if self.value is None:
            raise RuntimeError("no such secret")
        return {"SecretString": self.value}


class Sending:
    """A catalogue with a slide that is due, and what sends it."""

    def __init__(self, cdr):
        self.cdr = cdr
        self.catalogue = FakeCatalogue()
        self.secrets = FakeSecrets()
        self.dead_letters = []
        self.pauses = []
        self.time = NOON
        self.add(IMAGE_ID)
        credentials = Credentials(SecretsProvider(boto3_client=self.secrets), "arn")
        self.sender = Sender(
            self.catalogue,
            CdrClient(cdr.url, credentials, self.pauses.append),
            self.dead_letters.append,
            GIVE_UP_S,
            lambda: self.time,
        )

    def add(self, image_id, **fields):
        known = {
            "ImageID": image_id,
            "Filename": "canary.svs",
            "SlideID": SLIDE_ID,
            "CaseID": CASE_ID,
            "Status": "SEND",
            "ImportStatus": "IMPORTED",
            "ScanDate": "2026-02-27T08:30:00+01:00",
            "Scanner": "SS1234",
            "MPP": Decimal("0.2520"),
            "AppMag": Decimal(40),
            "width": Decimal(46000),
            "height": Decimal(32914),
            "FileSize": Decimal(177552579),
            "Sha256": "0f" * 32,
            "Barcode": {"text": SLIDE_ID},
            "IdSource": "BARCODE",
            "SendRequestedAt": NOON.isoformat(),
        }
        self.catalogue.put(**{**known, **fields})

    @property
    def record(self):
        return self.catalogue.records[IMAGE_ID]

    def send(self, *image_ids):
        self.sender.send(words(*(image_ids or (IMAGE_ID,))))

    def send_in_vain(self, *image_ids):
        with pytest.raises(Unavailable) as raised:
            self.send(*image_ids)
        return str(raised.value)


def words(*image_ids, at=NOON):
    """Return the stream's records about these slides."""
    return [
        {
            "eventName": "MODIFY",
            "dynamodb": {
                "Keys": {"ImageID": {"S": image_id}},
                "ApproximateCreationDateTime": int(at.timestamp()),
            },
        }
        for image_id in image_ids
    ]


@pytest.fixture
def cdr():
    with CdrServer() as server:
        yield server


@pytest.fixture
def sending(cdr):
    return Sending(cdr)


# What the CDR gets


def test_the_payload_is_as_the_schema_has_it():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    record = Sending(FakeCdr).record
    full = payload(record, NOON.isoformat())
    VALIDATOR.validate(full)
    assert set(full) == set(SCHEMA["properties"]) == set(SCHEMA["required"])
    assert full["MPP"] == 0.252
    unknown = {
        name: value
        for name, value in record.items()
        if name in ("ImageID", "SlideID", "CaseID", "IdSource", "width", "height")
    }
    VALIDATOR.validate(payload(unknown, NOON.isoformat()))


class FakeCdr:
    url = "http://127.0.0.1:1/"


def test_the_payload_has_no_more_than_the_cdr_needs():
    """The file's name may hold what the technicians corrected."""
    assert "canary.svs" not in json.dumps(payload(Sending(FakeCdr).record, NOON.isoformat()))


def test_a_key_tells_slides_and_versions_apart_and_is_the_same_for_each_try():
    keys = [idempotency_key(*each) for each in (("1", 11), ("11", 1), ("1", 12), ("1", 11))]
    assert len(set(keys)) == 3
    assert keys[0] == keys[3]
    assert "4711" not in idempotency_key("4711", 1)


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


# Credentials


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


# Hostile answers


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


# Privacy


@pytest.fixture
def log(capsys):
    """All that is logged, by this library and by urllib3, down to DEBUG."""
    records = []

    class Keep(logging.Handler):
        def emit(self, record):
            records.append(f"{record.getMessage()} {vars(record)}")

    keep, root = Keep(level=logging.DEBUG), logging.getLogger()
    level = root.level
    root.setLevel(logging.DEBUG)
    for each in (root, logger):
        each.addHandler(keep)
    yield lambda: "\n".join(records) + "".join(capsys.readouterr())
    for each in (root, logger):
        each.removeHandler(keep)
    root.setLevel(level)


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


# Settings and the handler

ENVIRONMENT = {
    "CDR_URL": "https://cdr.example.org/slides",
    "CDR_SECRET_ARN": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:cdr",
    "DEAD_LETTER_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/dead",
    "SLIDE_TABLE": "slides",
    "HISTORY_TABLE": "history",
}


@pytest.mark.parametrize(
    "url",
    ["https://cdr.example.org", "http://127.0.0.1:9100/slides", "http://localhost/slides"],
)
def test_the_cdr_is_reached_by_https_or_on_this_machine(url):
    assert CdrSettings.read({**ENVIRONMENT, "CDR_URL": url}).cdr_url == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "cdr.example.org",
        "https://",
        "http://cdr.example.org",
        "http://127.0.0.1.example.org",
        "http://localhost@example.org",
        "ftp://localhost",
        "https://name:password@cdr.example.org",
    ],
)
def test_no_other_address_will_do(url):
    with pytest.raises(ValueError, match="CDR_URL"):
        CdrSettings.read({**ENVIRONMENT, "CDR_URL": url})


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_every_setting_is_needed(name):
    with pytest.raises(ValueError, match=name):
        CdrSettings.read({key: value for key, value in ENVIRONMENT.items() if key != name})


def test_how_long_to_try_is_within_bounds():
    assert CdrSettings.read(ENVIRONMENT).cdr_give_up_s == 3600
    for seconds in ("9", "86401", "an hour"):
        with pytest.raises(ValueError, match="CDR_GIVE_UP_S"):
            CdrSettings.read({**ENVIRONMENT, "CDR_GIVE_UP_S": seconds})


@pytest.fixture
def function(cdr, tables, monkeypatch):
    """SendToCdr with AWS's services, and the queue of what it gives up."""
    queue = boto3.client("sqs").create_queue(QueueName="dead")["QueueUrl"]
    secret = boto3.client("secretsmanager").create_secret(
        Name="cdr", SecretString=json.dumps(SECRET)
    )
    settings = {
        "CDR_URL": cdr.url,
        "CDR_SECRET_ARN": secret["ARN"],
        "CDR_GIVE_UP_S": "10",
        "DEAD_LETTER_QUEUE_URL": queue,
        "SLIDE_TABLE": tables["SlideTable"],
        "HISTORY_TABLE": tables["HistoryTable"],
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return load_handler("SendToCdr"), queue


def test_the_function_sends_from_the_table_and_leaves_a_line_of_history(function, catalogue, cdr):
    handler, _ = function
    fields = {**Sending(FakeCdr).record, "Version": None}
    catalogue.change(IMAGE_ID, "technician", "EDIT", lambda _: fields)
    handler({"Records": words(IMAGE_ID)}, None)
    handler({"Records": words(IMAGE_ID)}, None)
    assert len(cdr.received) == 1
    record = catalogue.get(IMAGE_ID)
    assert record["Status"] == "SENT"
    assert edited_after_sending(record) is False
    lines, _ = catalogue.history(IMAGE_ID, 10)
    assert [(line["By"], line["Action"]) for line in lines] == [
        ("cdr", "SEND"),
        ("technician", "EDIT"),
    ]


def test_the_function_leaves_what_it_gives_up_in_the_queue(function, catalogue, cdr, monkeypatch):
    handler, queue = function
    monkeypatch.setattr(cdr_client, "_TRIES", 1)
    cdr.play("down")
    fields = {**Sending(FakeCdr).record, "Version": None}
    catalogue.change(IMAGE_ID, "technician", "EDIT", lambda _: fields)
    handler({"Records": words(IMAGE_ID)}, None)
    (message,) = boto3.client("sqs").receive_message(QueueUrl=queue)["Messages"]
    assert json.loads(message["Body"])["ImageID"] == IMAGE_ID
    assert catalogue.get(IMAGE_ID)["Status"] == "SEND_FAILED"


# The stand-in, as other tests use it


def test_the_stand_in_obeys_over_http():
    import httpx

    with CdrServer() as cdr:
        body = payload(Sending(FakeCdr).record, NOON.isoformat())
        headers = {"Authorization": BASIC, "Idempotency-Key": "k"}
        assert httpx.post(cdr.url, json=body, headers=headers).status_code == 201
        assert httpx.post(cdr.url, json=body, headers=headers).status_code == 200
        assert httpx.post(cdr.url, json={**body, "width": 1}, headers=headers).status_code == 422
        assert httpx.post(cdr.url, json={}, headers=headers).status_code == 422
        assert httpx.post(cdr.url, json=body).status_code == 401
        received = httpx.get(f"{cdr.control_url}/received").json()
        assert [each["duplicate"] for each in received] == [False, True]
        mode = f"{cdr.control_url}/mode"
        assert httpx.post(mode, json={"mode": "down"}).status_code == 204
        with pytest.raises(httpx.ConnectError):
            httpx.post(cdr.url, json=body, headers=headers)
        assert httpx.post(mode, json={"mode": "up"}).status_code == 204
        assert httpx.post(cdr.url, json=body, headers=headers).status_code == 200
        assert httpx.post(mode, json={"mode": "asleep"}).status_code == 400
