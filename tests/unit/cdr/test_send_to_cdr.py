"""The function SendToCdr: its settings, and what it does with the table and the queue."""

import json

import boto3
import pytest

from tests.handlers import load_handler
from tests.unit.cdr.helpers import IMAGE_ID, SECRET, FakeCdr, Sending, words
from vsv.cdr import client as cdr_client
from vsv.cdr.content import edited_after_sending
from vsv.settings import CdrSettings

ENVIRONMENT = {
    "CDR_URL": "https://cdr.example.org/slides",
    "CDR_SECRET_ARN": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:cdr",
    "DEAD_LETTER_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/dead",
    "SLIDE_TABLE": "slides",
    "HISTORY_TABLE": "history",
    "TERM_TABLE": "terms",
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
        "TERM_TABLE": tables["TermTable"],
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
