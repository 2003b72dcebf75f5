"""Subscribers are told of mutations as AppSync would tell them."""

import asyncio
import base64
import contextlib
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from hypercorn.asyncio import serve
from hypercorn.config import Config
from starlette.applications import Starlette
from starlette.websockets import WebSocket

from local.standins import appsync, realtime
from local.standins.server import SecurityHeaders, graphql_routes
from local.standins.tokens import Unauthorized
from tests.realtime_client import Closed, RealtimeClient, Refused, connect, encoded

SCHEMA = """
type Query { getSlide(ImageID: ID!): Slide }
type Mutation {
  updateSlide(input: SlideInput!): Slide @aws_auth(cognito_groups: ["Technicians"])
  touchSlide(ImageID: ID!): Slide
}
type Subscription {
  onUpdateSlide(CaseID: String, SlideID: String, ScanDate: AWSDateTime): Slide
    @aws_subscribe(mutations: ["updateSlide"])
  onAnyChange: Slide @aws_subscribe(mutations: ["updateSlide", "touchSlide"])
  onSecret: Slide
    @aws_subscribe(mutations: ["updateSlide"]) @aws_auth(cognito_groups: ["Technicians"])
}
type Slide {
  ImageID: ID!
  Filename: String!
  CaseID: String
  SlideID: String
  ScanDate: AWSDateTime
  Notes: String @aws_auth(cognito_groups: ["Technicians"])
  Barcode: Barcode
}
type Barcode { text: String reason: String }
input SlideInput { ImageID: ID! CaseID: String SlideID: String }
"""
RECORD = {
    "Filename": "a.svs",
    "CaseID": "C1",
    "SlideID": "C1-1",
    "ScanDate": "2026-01-02T03:04:05Z",
    "Notes": "n",
    "Barcode": {"text": "C1-1", "reason": None},
}
UNAUTHORIZED = {
    "errorType": "UnauthorizedException",
    "message": "You are not authorized to make this call.",
}
GROUPS = {"technician": ["Technicians"], "pathologist": ["Pathologists"]}

ALL = "subscription { onUpdateSlide { ImageID SlideID } }"
OF_A_CASE = "subscription ($case: String) { onUpdateSlide(CaseID: $case) { ImageID } }"
UPDATE = """mutation ($input: SlideInput!) {
  updateSlide(input: $input) { ImageID Filename CaseID SlideID ScanDate }
}"""


async def identify(authorization, asked):
    """Take the token as the name: a token is a person's name here."""
    name = (authorization or "").removeprefix("Bearer ")
    if name not in GROUPS:
        raise Unauthorized(name)
    claims = {"sub": name, "cognito:groups": GROUPS[name]}
    return appsync.Caller(claims, "https://issuer", dict(asked.headers), "127.0.0.1")


async def function(event):
    """Change a slide; refuse one ID."""
    given = event["arguments"].get("input") or event["arguments"]
    if given["ImageID"] == "unknown":
        return {"__error": {"type": "NotFound", "message": "There is no such slide."}}
    if given["ImageID"] == "nothing":
        return None
    return {**RECORD, **given}


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    path = tmp_path_factory.mktemp("graphql") / "schema.graphql"
    path.write_text(SCHEMA)
    return appsync.load_schema(path)


@pytest.fixture(scope="module")
def url(schema):
    """Yield the address of the API on the server of the local stack."""
    app = SecurityHeaders(Starlette(routes=graphql_routes(schema, identify, function)))
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = Config()
        config.bind = [f"fd://{listener.fileno()}"]
        config.graceful_timeout = 1
        server = serve(app, config, shutdown_trigger=stop.wait)
        thread = threading.Thread(target=loop.run_until_complete, args=(server,))
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/graphql"
        # The server imports as it first answers. No other thread may walk through modules then.
        with connect(address, "pathologist"):
            pass
        yield address
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        listener.detach()  # the server has closed it
    loop.close()


@pytest.fixture
def mutate(url):
    def mutate(query=UPDATE, who="technician", **fields: Any) -> dict[str, Any]:
        body = {"query": query, "variables": {"input": {"ImageID": "1", **fields}}}
        return httpx.post(url, json=body, headers={"Authorization": who}).json()

    return mutate


@pytest.fixture
def client(url):
    with connect(url, "pathologist") as client:
        yield client


def nothing_more(client, *names) -> bool:
    """Whether subscriptions were told of nothing: a message that was sent comes before this one."""
    for name in names:
        client.stop(name)
    return not client.waiting


# ─── Handshake ───────────────────────────────────────────────────────────────────────────────────


def query_header(token="technician", host="api", encode=base64.b64encode):
    return encode(json.dumps({"Authorization": token, "host": host}).encode()).decode()


def protocol_header(token="technician", host="api"):
    return f"header-{encoded({'authorization': token, 'host': host})}"


@pytest.mark.parametrize("path", ["", "/realtime"])
@pytest.mark.parametrize(
    "handshake",
    [
        {"query": f"?header={query_header()}&payload=e30="},
        {"query": f"?header={query_header(encode=base64.urlsafe_b64encode).rstrip('=')}"},
        {"query": f"?header={query_header('Bearer technician')}"},
        # The header has a "+", as it is and as a browser would write it.
        {"query": f"?header={query_header(host='~~~~')}"},
        {"query": f"?header={query_header(host='~~~~').replace('+', '%2B')}"},
        {"protocols": ["graphql-ws", protocol_header()]},
        {"headers": [("Authorization", "technician")]},
    ],
    ids=["query", "url-safe", "bearer", "plus", "plus-escaped", "protocol", "headers"],
)
def test_a_token_opens_a_connection(url, path, handshake):
    protocols = handshake.get("protocols", ["graphql-ws"])
    path += handshake.get("query", "")
    with RealtimeClient(url, "", protocols, path, handshake.get("headers", ())) as client:
        client.send(type="connection_init")
        acknowledged = client.expect("connection_ack")
        assert acknowledged["payload"] == {"connectionTimeoutMs": 300_000}
        assert client.protocol == "graphql-ws"


@pytest.mark.parametrize(
    "handshake",
    [
        {},
        {"query": f"?header={query_header('nobody')}"},
        {"query": f"?header={query_header(host='')}"},
        {"query": "?header=e30="},
        {"query": "?header=bm8ganNvbg=="},
        {"query": "?header=W10="},
        {"query": "?header=%ff"},
        {"protocols": ["graphql-ws", protocol_header("nobody")]},
        {"headers": [("Authorization", "nobody")]},
    ],
)
def test_nobody_else_gets_one(url, handshake):
    protocols = handshake.get("protocols", ["graphql-ws"])
    path = handshake.get("query", "")
    with RealtimeClient(url, "", protocols, path, handshake.get("headers", ())) as client:
        (error,) = client.expect("connection_error")["payload"]["errors"]
        assert error == {**UNAUTHORIZED, "errorCode": 401}
        with pytest.raises(Closed):
            client.expect("connection_ack")


def test_another_protocol_is_refused(url):
    with RealtimeClient(url, "", ["graphql-transport-ws"], f"?header={query_header()}") as client:
        (error,) = client.expect("connection_error")["payload"]["errors"]
        assert error == {"message": "NoProtocolError", "errorCode": 400}
        with pytest.raises(Closed):
            client.expect("connection_ack")


def test_http_still_works_beside_it(url, mutate):
    assert mutate()["data"]["updateSlide"]["ImageID"] == "1"
    answer = httpx.post(url, json={"query": "{ a }"}, headers={"Authorization": "nobody"})
    assert answer.status_code == 401
    assert answer.headers["X-Frame-Options"] == "DENY"


# ─── Registration ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("query", "variables", "kind"),
    [
        ("subscription {", {}, "MalformedQuery"),
        ("subscription { nope { ImageID } }", {}, "ValidationError"),
        (
            "subscription { onUpdateSlide { ImageID } onAnyChange { ImageID } }",
            {},
            "ValidationError",
        ),
        ("subscription { onAnyChange @skip(if: true) { ImageID } }", {}, "ValidationError"),
        (OF_A_CASE, {"case": ["C1"]}, "ValidationError"),
        (OF_A_CASE, ["C1"], "BadRequestException"),
        ('{ getSlide(ImageID: "1") { ImageID } }', {}, "UnsupportedOperation"),
        ("subscription { onSecret { ImageID } }", {}, "Unauthorized"),
    ],
)
def test_what_is_no_subscription_is_refused_and_the_others_stay(
    client, mutate, query, variables, kind
):
    client.subscribe(ALL)
    with pytest.raises(Refused) as refusal:
        client.subscribe(query, variables)
    assert {each["errorType"] for each in refusal.value.errors} == {kind}
    mutate()
    assert client.next()["data"]["onUpdateSlide"]["ImageID"] == "1"


def test_a_field_s_groups_may_subscribe_to_it(client, mutate):
    name = client.subscribe("subscription { onSecret { ImageID } }", token="technician")
    mutate()
    assert client.next(name=name) == {"data": {"onSecret": {"ImageID": "1"}}}
    with pytest.raises(Refused) as refusal:
        client.subscribe("subscription { onSecret { ImageID } }")
    message = "Not Authorized to access onSecret on type Subscription"
    assert refusal.value.errors == [{"errorType": "Unauthorized", "message": message}]


def test_every_registration_needs_a_token_of_its_own(client):
    with pytest.raises(Refused) as refusal:
        client.subscribe(ALL, token="nobody")
    assert refusal.value.errors == [UNAUTHORIZED]
    client.send(id="a", type="start", payload={"data": json.dumps({"query": ALL})})
    error = client.expect("error")
    assert (error["id"], error["payload"]) == ("a", {"errors": [UNAUTHORIZED]})


@pytest.mark.parametrize(
    "message",
    [
        {"type": "subscribe", "id": "a", "payload": {"query": ALL}},
        {"type": "start", "id": "a", "payload": {"query": ALL}},
        {"type": "start", "id": "a", "payload": {"data": "{"}},
        {"type": "start", "id": "a", "payload": {"data": "[]"}},
        {"type": "start", "id": "a"},
        {"type": "stop", "id": ["a"]},
        {"id": "a"},
    ],
)
def test_messages_that_appsync_does_not_know(client, message):
    client.send(**message)
    error = client.expect("error")
    assert error["id"] == message["id"]
    assert error["payload"]["errors"] == [
        {
            "errorType": "UnsupportedOperation",
            "message": "unknown not supported through the realtime channel",
        }
    ]


def test_an_id_is_for_one_subscription_at_a_time(client):
    client.subscribe(ALL, name="a")
    with pytest.raises(Refused) as refusal:
        client.subscribe(ALL, name="a")
    assert refusal.value.errors[0]["errorType"] == "DuplicatedOperationError"
    client.stop("a")
    with pytest.raises(Refused) as refusal:
        client.stop("a")
    assert refusal.value.errors[0]["errorType"] == "UnknownOperationError"
    client.subscribe(ALL, name="a")


def test_a_connection_has_a_hundred_subscriptions_and_no_more(client, mutate):
    names = [client.subscribe(ALL) for _ in range(100)]
    with pytest.raises(Refused) as refusal:
        client.subscribe(ALL)
    assert refusal.value.errors[0]["errorType"] == "MaxSubscriptionsReachedError"
    mutate()
    assert {client.expect("data")["id"] for _ in names} == set(names)


# ─── Delivery ────────────────────────────────────────────────────────────────────────────────────


def test_each_subscriber_is_told_of_what_it_asked_for(url, mutate):
    with connect(url, "pathologist") as of_c1, connect(url, "technician") as of_c2:
        c1 = of_c1.subscribe(OF_A_CASE, {"case": "C1"})
        c2 = of_c2.subscribe(OF_A_CASE, {"case": "C2"})
        mutate(ImageID="1", CaseID="C1")
        mutate(ImageID="2", CaseID="C2")
        assert of_c1.next() == {"data": {"onUpdateSlide": {"ImageID": "1"}}}
        assert of_c2.next() == {"data": {"onUpdateSlide": {"ImageID": "2"}}}
        assert nothing_more(of_c1, c1)
        assert nothing_more(of_c2, c2)


def test_all_arguments_must_match(client, mutate):
    query = 'subscription { onUpdateSlide(CaseID: "C1", SlideID: "C1-2") { SlideID } }'
    name = client.subscribe(query)
    mutate(SlideID="C1-1")
    mutate(SlideID="C1-2", CaseID="C2")
    mutate(SlideID="C1-2")
    assert client.next() == {"data": {"onUpdateSlide": {"SlideID": "C1-2"}}}
    assert nothing_more(client, name)


def test_null_matches_null_only_and_an_argument_left_out_matches_all(client, mutate):
    null = client.subscribe(OF_A_CASE, {"case": None})
    absent = client.subscribe(OF_A_CASE)
    mutate(ImageID="1", CaseID="C1")
    mutate(ImageID="2", CaseID=None)
    assert client.next(name=absent)["data"]["onUpdateSlide"]["ImageID"] == "1"
    assert client.next(name=absent)["data"]["onUpdateSlide"]["ImageID"] == "2"
    assert client.next(name=null)["data"]["onUpdateSlide"]["ImageID"] == "2"
    assert nothing_more(client, null, absent)


def test_only_what_the_mutation_selects_is_known(client, mutate):
    every = client.subscribe("subscription { onUpdateSlide { ImageID CaseID Barcode { text } } }")
    of_c1 = client.subscribe(OF_A_CASE, {"case": "C1"})
    of_null = client.subscribe(OF_A_CASE, {"case": None})
    required = client.subscribe("subscription { onUpdateSlide { Filename } }")
    mutate("mutation ($input: SlideInput!) { updateSlide(input: $input) { ImageID } }")

    slide = {"ImageID": "1", "CaseID": None, "Barcode": None}
    assert client.next(name=every) == {"data": {"onUpdateSlide": slide}}
    # The schema says that a slide has a file name: as AppSync, an error stands in its place.
    payload = client.next(name=required)
    assert payload["data"] == {"onUpdateSlide": None}
    assert payload["errors"][0]["path"] == ["onUpdateSlide", "Filename"]
    assert nothing_more(client, of_c1, of_null, every, required)


def test_aliases_fragments_and_type_names_work_on_both_sides(client, mutate):
    client.subscribe(
        "subscription Changes { change: onUpdateSlide { __typename key: ImageID ...more } }"
        " fragment more on Slide { code: Barcode { __typename text reason } CaseID }"
    )
    mutate(
        "mutation ($input: SlideInput!, $no: Boolean = false) { done: updateSlide(input: $input) {"
        " __typename id: ImageID a: Barcode { text } b: Barcode { why: reason } ...case"
        " CaseID @include(if: $no) } } fragment case on Slide { case: CaseID }"
    )
    barcode = {"__typename": "Barcode", "text": "C1-1", "reason": None}
    change = {"__typename": "Slide", "key": "1", "code": barcode, "CaseID": "C1"}
    assert client.next() == {"data": {"change": change}}


def test_a_nested_field_is_for_its_groups_only(client, mutate):
    query = "subscription { onAnyChange { ImageID Notes } }"
    pathologist = client.subscribe(query)
    technician = client.subscribe(query, token="technician")
    mutate("mutation ($input: SlideInput!) { updateSlide(input: $input) { ImageID Notes } }")
    assert client.next(name=technician)["data"]["onAnyChange"]["Notes"] == "n"
    payload = client.next(name=pathologist)
    assert payload["data"]["onAnyChange"] == {"ImageID": "1", "Notes": None}
    assert payload["errors"][0]["errorType"] == "Unauthorized"
    # Who may not see a field of a mutation's result tells nobody of it.
    mutate('mutation { touchSlide(ImageID: "2") { ImageID Notes } }', who="pathologist")
    assert client.next(name=technician)["data"]["onAnyChange"] == {"ImageID": "2", "Notes": None}


def test_a_subscription_is_to_its_own_mutations(client, mutate):
    of_updates = client.subscribe(ALL)
    of_all = client.subscribe("subscription { onAnyChange { ImageID } }")
    mutate('mutation { touchSlide(ImageID: "3") { ImageID } }')
    assert client.next(name=of_all) == {"data": {"onAnyChange": {"ImageID": "3"}}}
    assert nothing_more(client, of_updates, of_all)


def test_mutations_that_fail_are_told_to_nobody(client, mutate):
    name = client.subscribe(ALL)
    assert mutate(ImageID="unknown")["errors"][0]["errorType"] == "NotFound"
    assert mutate(who="pathologist")["errors"][0]["errorType"] == "Unauthorized"
    assert mutate(ImageID="nothing") == {"data": {"updateSlide": None}}
    # Of two in one request the one that succeeded counts.
    mutate(
        'mutation { a: updateSlide(input: {ImageID: "unknown"}) { ImageID }'
        ' b: updateSlide(input: {ImageID: "2"}) { ImageID } }'
    )
    assert client.next()["data"]["onUpdateSlide"]["ImageID"] == "2"
    assert nothing_more(client, name)


def test_stop_ends_one_subscription(client, mutate):
    stopped, kept = client.subscribe(ALL), client.subscribe(ALL)
    client.stop(stopped)
    mutate()
    assert client.next(name=kept)["data"]["onUpdateSlide"]["ImageID"] == "1"
    assert nothing_more(client, kept)


@pytest.mark.slow
def test_many_subscribers_and_many_mutations_at_once(url, mutate):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(url, "technician")) for _ in range(40)]
        for client in clients:
            client.subscribe(ALL)
        gone = clients.pop()
        gone.__exit__()
        wanted = {str(number) for number in range(50)}
        with ThreadPoolExecutor(10) as pool:
            answers = pool.map(lambda each: mutate(ImageID=each, SlideID=each), wanted)
            assert {each["data"]["updateSlide"]["ImageID"] for each in answers} == wanted
        for client in clients:
            told = [client.next()["data"]["onUpdateSlide"] for _ in wanted]
            assert {each["ImageID"] for each in told} == wanted
            assert all(each["ImageID"] == each["SlideID"] for each in told)


# ─── Slow and silent clients ─────────────────────────────────────────────────────────────────────


class FakeSocket:
    """A server's end of a WebSocket, whose client reads only while it is told to."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self._received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._received.put_nowait({"type": "websocket.connect"})

    def says(self, **message: Any) -> None:
        self._received.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})

    def leaves(self) -> None:
        self._received.put_nowait({"type": "websocket.disconnect", "code": 1005})

    def websocket(self) -> WebSocket:
        scope = {
            "type": "websocket",
            "subprotocols": ["graphql-ws"],
            "query_string": b"",
            "headers": [(b"authorization", b"technician"), (b"host", b"api")],
        }
        return WebSocket(scope, self._received.get, self._send)

    async def _send(self, message: dict[str, Any]) -> None:
        await self.reads.wait()
        if "text" in message:
            self.sent.append(json.loads(message["text"]))

    async def heard(self, kind: str, times: int = 1) -> None:
        while [each["type"] for each in self.sent].count(kind) < times:
            await asyncio.sleep(0.001)

    def starts(self, name: str) -> None:
        authorization = {"Authorization": "technician", "host": "api"}
        self.says(
            id=name,
            type="start",
            payload={
                "data": json.dumps({"query": ALL}),
                "extensions": {"authorization": authorization},
            },
        )


def serving(hub: realtime.Realtime, client: FakeSocket) -> asyncio.Task[None]:
    (route, _) = hub.routes()
    websocket = client.websocket()
    return asyncio.create_task(route.app(websocket.scope, websocket._receive, websocket._send))


def test_a_connection_is_kept_alive(schema):
    async def scenario():
        client = FakeSocket()
        connection = serving(realtime.Realtime(schema, identify, keep_alive_s=0.001), client)
        await client.heard("ka", times=3)
        client.leaves()
        await connection

    asyncio.run(scenario())


def test_a_slow_client_keeps_nobody_waiting_and_is_dropped(schema):
    async def scenario():
        hub = realtime.Realtime(schema, identify)
        slow, quick = FakeSocket(), FakeSocket()
        connections = [serving(hub, slow), serving(hub, quick)]
        for client in (slow, quick):
            client.starts("a")
            await client.heard("start_ack")
        slow.reads.clear()
        for number in range(1000):
            hub.publish("updateSlide", {"ImageID": str(number)})
            await quick.heard("data", number + 1)
        await connections[0]
        assert [each["type"] for each in slow.sent] == ["start_ack"]
        quick.leaves()
        await connections[1]
        hub.publish("updateSlide", {"ImageID": "to nobody"})

    asyncio.run(scenario())


def test_a_client_that_left_is_forgotten(schema):
    async def scenario():
        hub = realtime.Realtime(schema, identify)
        client = FakeSocket()
        connection = serving(hub, client)
        client.starts("a")
        await client.heard("start_ack")
        client.leaves()
        await connection
        hub.publish("updateSlide", {"ImageID": "1"})
        assert [each["type"] for each in client.sent] == ["start_ack"]

    asyncio.run(scenario())
