"""A subscriber to a GraphQL API, over a real socket, as AppSync's clients are."""

import base64
import contextlib
import json
import socket
import time
import uuid
from collections import deque
from urllib.parse import urlsplit

from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.utilities import LocalProtocolError

TIMEOUT_S = 120


class Refused(Exception):
    """The server's errors, as it sent them."""

    def __init__(self, errors):
        super().__init__(errors)
        self.errors = errors


class Closed(Exception):
    """There is no connection, or none any more."""


def encoded(headers):
    """Headers as a subprotocol has them."""
    return base64.urlsafe_b64encode(json.dumps(headers).encode()).decode().rstrip("=")


@contextlib.contextmanager
def connect(graphql_url, token, **handshake):
    """Connect, and wait until the server has acknowledged it; raise `Refused` if it does not."""
    host = urlsplit(graphql_url).netloc
    protocols = ["graphql-ws", f"header-{encoded({'Authorization': token, 'host': host})}"]
    with RealtimeClient(graphql_url, token, **{"protocols": protocols, **handshake}) as client:
        # A server that refuses says so, and closes, without waiting for a word.
        with contextlib.suppress(LocalProtocolError):
            client.send(type="connection_init")
        client.expect("connection_ack")
        yield client


class RealtimeClient:
    """One WebSocket.

    ``waiting`` holds the messages that nobody has asked for yet; ``closed`` is the server's code.
    """

    def __init__(self, graphql_url, token, protocols, path="/realtime", headers=()):
        url = urlsplit(graphql_url)
        self._token, self._host = token, url.netloc
        self._socket = socket.create_connection((url.hostname, url.port or 80), TIMEOUT_S)
        self._connection = WSConnection(ConnectionType.CLIENT)
        self._text = ""
        self.waiting = deque()
        self.protocol = self.closed = None
        self._send(
            Request(
                host=url.netloc,
                target=url.path + path,
                subprotocols=protocols,
                extra_headers=[(name.encode(), value.encode()) for name, value in headers],
            )
        )
        while self._connection.state is ConnectionState.CONNECTING:
            self._receive(time.monotonic() + TIMEOUT_S)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def send(self, **message):
        self._send(TextMessage(json.dumps(message)))

    def subscribe(self, query, variables=None, token=None, name=None):
        """Register a subscription; return its ID."""
        name = name or str(uuid.uuid4())
        authorization = {"Authorization": token or self._token, "host": self._host}
        data = json.dumps({"query": query, "variables": variables or {}})
        payload = {"data": data, "extensions": {"authorization": authorization}}
        self.send(id=name, type="start", payload=payload)
        self.expect("start_ack", name=name)
        return name

    def next(self, timeout=TIMEOUT_S, name=None):
        """Return the payload of the next result, of any subscription or of one."""
        return self.expect("data", timeout, name)["payload"]

    def stop(self, name):
        self.send(id=name, type="stop")
        self.expect("complete", name=name)

    def expect(self, kind, timeout=TIMEOUT_S, name=None):
        """Return the next message of a kind; an error in its place is raised."""

        def is_it(message):
            return message["type"] == kind and name in (None, message.get("id"))

        deadline = time.monotonic() + timeout
        looked_at = 0
        while True:
            for message in list(self.waiting)[looked_at:]:
                if is_it(message):
                    self.waiting.remove(message)
                    return message
                if message["type"] in ("connection_error", "error") and kind != "data":
                    self.waiting.remove(message)
                    raise Refused(message["payload"]["errors"])
                looked_at += 1
            self._receive(deadline)

    def _send(self, event):
        self._socket.sendall(self._connection.send(event))

    def _receive(self, deadline):
        if self.closed is not None:
            raise Closed(self.closed)
        self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
        data = self._socket.recv(1 << 16)
        self._connection.receive_data(data or None)
        for event in self._connection.events():
            self._handle(event)

    def _handle(self, event):
        if isinstance(event, TextMessage):
            self._text += event.data
            if event.message_finished:
                self.waiting.append(json.loads(self._text))
                self._text = ""
        elif isinstance(event, AcceptConnection):
            self.protocol = event.subprotocol
        elif isinstance(event, Ping):
            self._send(event.response())
        elif isinstance(event, CloseConnection):
            self.closed = int(event.code)
        elif isinstance(event, RejectConnection):
            self.closed = event.status_code
