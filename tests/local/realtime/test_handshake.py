"""Who gets a connection, and how it is opened."""

import base64
import json

import httpx
import pytest

from tests.local.realtime.helpers import UNAUTHORIZED
from tests.realtime_client import Closed, RealtimeClient, encoded


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
