"""Messages reach AppSync, signed, and not more of them than people can follow."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from botocore.credentials import Credentials
from graphql import parse, validate

from local.standins.appsync import load_schema
from tests.conftest import ROOT, load_template
from tests.handlers import load_handler
from vsv.errors import Unavailable
from vsv.live import publisher as live
from vsv.live.publisher import AppSync, Publisher, Refused

SLIDE = {"Version": 1, "Status": "NEW", "ImportStatus": "IMPORTING", "TilesRendered": 0}


class Channel:
    """Keeps messages; ``fails`` names slides whose messages raise an error."""

    def __init__(self):
        self.messages, self.fails = [], {}

    def publish(self, message):
        if error := self.fails.get(message["ImageID"]):
            raise error
        self.messages.append(message)


class Clock:
    """Stands still until it is moved."""

    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def channel():
    return Channel()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def publisher(channel, clock):
    return Publisher(channel, clock)


def rendered(count):
    return {**SLIDE, "TilesRendered": count}


def test_progress_is_told_every_five_seconds(publisher, channel, clock, stream_record):
    for number in range(1, 30):
        publisher.publish([stream_record("1", rendered(number - 1), rendered(number))])
        clock.now += 0.625
    assert [each["TilesRendered"] for each in channel.messages] == [1, 9, 17, 25]


def test_all_else_is_told_at_once(publisher, channel, stream_record):
    publisher.publish([stream_record("1", rendered(0), rendered(1))])
    publisher.publish([stream_record("2", rendered(0), rendered(1))])
    publisher.publish([stream_record("1", rendered(1), {**rendered(1), "Version": 2})])
    assert [(each["ImageID"], each["Version"]) for each in channel.messages] == [
        ("1", 1),
        ("2", 1),
        ("1", 2),
    ]


def test_one_that_fails_does_not_hold_up_the_others_and_is_repeated(
    publisher, channel, stream_record
):
    records = [stream_record(key, None, SLIDE) for key in "123"]
    channel.fails["1"] = Unavailable("AppSync is busy")
    with pytest.raises(Unavailable, match="1 changes were not published"):
        publisher.publish(records)
    assert [each["ImageID"] for each in channel.messages] == ["2", "3"]
    channel.fails.clear()
    publisher.publish(records)
    assert [each["ImageID"] for each in channel.messages] == ["2", "3", "1", "2", "3"]


@pytest.mark.parametrize("error", [Refused("no"), KeyError("unforeseen")])
def test_what_would_fail_again_is_not_repeated(publisher, channel, stream_record, error):
    channel.fails["1"] = error
    publisher.publish([stream_record(key, None, SLIDE) for key in "12"])
    assert [each["ImageID"] for each in channel.messages] == ["2"]


def test_a_slow_batch_ends_before_the_function_does(publisher, channel, clock, stream_record):
    class Slow(Channel):
        def publish(self, message):
            super().publish(message)
            clock.now += 15

    slow = Slow()
    with pytest.raises(Unavailable, match="3 changes"):
        Publisher(slow, clock).publish([stream_record(key, None, SLIDE) for key in "12345"])
    assert len(slow.messages) == 2
    template = load_template(ROOT / "templates" / "live.template.yaml")
    timeout_s = template["Resources"]["PublishChangeFunction"]["Properties"]["Timeout"]
    timeout = live._TIMEOUT
    message_s = live._TRIES * (timeout.connect_timeout + timeout._read)
    pauses_s = live._FIRST_PAUSE_S * sum(4**attempt for attempt in range(live._TRIES - 1))
    assert live._DEADLINE_S + message_s + pauses_s < timeout_s


def test_the_mutation_is_valid_and_subscribers_get_all_that_it_is_given():
    schema = load_schema(ROOT / "graphql" / "schema.graphql")
    assert validate(schema, parse(live._MUTATION)) == []
    assert set(live._TYPES) == {"ImageID", *live.LIVE_FIELDS}


@pytest.fixture
def api():
    """Yield a server in AppSync's place: what it got, and what it answers next."""

    class Api(ThreadingHTTPServer):
        answers: list = []  # noqa: RUF012  replaced below
        requests: list = []  # noqa: RUF012

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.requests.append((dict(self.headers), json.loads(body)))
            status, answer = self.server.answers.pop(0)
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    with Api(("127.0.0.1", 0), Handler) as server:
        server.answers, server.requests = [], []
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def appsync(api):
    url = f"http://127.0.0.1:{api.server_address[1]}/graphql"
    return AppSync(
        url, "eu-central-1", lambda: Credentials("KEY", "secret", "token"), lambda _: None
    )


DONE = (200, b'{"data": {"publishSlideChange": {"ImageID": "1"}}}')


def test_a_message_is_signed_for_appsync(api, appsync):
    api.answers = [DONE]
    appsync.publish({"ImageID": "1", "Version": 2})
    ((headers, body),) = api.requests
    assert body["variables"] == {"ImageID": "1", "Version": 2}
    signed = headers["Authorization"]
    assert signed.startswith("AWS4-HMAC-SHA256 Credential=KEY/")
    assert "/eu-central-1/appsync/aws4_request" in signed
    assert "host" in signed
    assert headers["X-Amz-Security-Token"] == "token"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_api_is_asked_again(api, appsync, status):
    api.answers = [(status, b""), (status, b""), DONE]
    appsync.publish({"ImageID": "1"})
    assert len(api.requests) == 3
    api.answers = [(status, b"")] * 3
    with pytest.raises(Unavailable, match=str(status)):
        appsync.publish({"ImageID": "1"})


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((401, b'{"errors": [{"errorType": "UnauthorizedException"}]}'), "UnauthorizedException"),
        ((200, b'{"data": null, "errors": [{"errorType": "Unauthorized"}]}'), "Unauthorized"),
        ((200, b'{"errors": [{"message": "Miller"}]}'), "not GraphQL's"),
        ((200, b"<html>"), "not GraphQL's"),
        ((403, b"{}"), "status 403"),
    ],
)
def test_a_refusal_is_final_and_says_no_more_than_its_kind(api, appsync, answer, kind):
    api.answers = [answer]
    with pytest.raises(Refused, match=kind) as refused:
        appsync.publish({"ImageID": "1"})
    assert "Miller" not in str(refused.value)
    assert len(api.requests) == 1


def test_an_api_that_is_not_there_is_unavailable():
    appsync = AppSync(
        "http://127.0.0.1:1/graphql", "eu-central-1", lambda: Credentials("K", "s"), lambda _: None
    )
    with pytest.raises(Unavailable, match="cannot be reached"):
        appsync.publish({"ImageID": "1"})


def test_the_function_publishes_what_the_stream_brings(api, monkeypatch, stream_record):
    monkeypatch.setenv("GRAPHQL_URL", f"http://127.0.0.1:{api.server_address[1]}/graphql")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "KEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    api.answers = [DONE, DONE]
    handler = load_handler("PublishChange")
    handler({"Records": [stream_record(key, None, SLIDE) for key in "12"]}, None)
    assert [body["variables"]["ImageID"] for _, body in api.requests] == ["1", "2"]
