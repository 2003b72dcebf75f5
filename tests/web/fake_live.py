"""AppSync's WebSocket for the pages' tests: who subscribed, and what they are told."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import struct
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from threading import Condition, Lock
from typing import TYPE_CHECKING, Any

from graphql import GraphQLSchema, parse, validate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
_TEXT, _CLOSE, _PING, _PONG = 0x1, 0x8, 0x9, 0xA
# A page has left, and perhaps its connection's file is closed already.
_GONE = (OSError, ValueError)
_TOLD = ("ImageID", "Version", "Status", "ImportStatus", "TilesRendered", "TilesTotal")


class Live:
    """The open WebSockets. ``is_forbidden``: a network lets none through."""

    def __init__(self, schema: Callable[[], GraphQLSchema]) -> None:
        self._schema = schema
        self._sockets: list[_Socket] = []
        self._told: dict[str, tuple[Any, ...]] = {}
        self._lock = Lock()
        self._subscribed = Condition()
        self._subscriptions = 0
        self.is_forbidden = False
        self.connections = 0

    def serve(self, handler: BaseHTTPRequestHandler, id_tokens: Mapping[str, str]) -> None:
        """Converse with a page until one of both leaves."""
        handler.close_connection = True
        if self.is_forbidden:
            handler.send_error(HTTPStatus.FORBIDDEN)
            return
        protocols = (handler.headers.get("Sec-WebSocket-Protocol") or "").split(", ")
        key = handler.headers["Sec-WebSocket-Key"].encode()
        accept = base64.b64encode(hashlib.sha1(key + _GUID).digest()).decode()
        handler.send_response(HTTPStatus.SWITCHING_PROTOCOLS)
        handler.send_header("Upgrade", "websocket")
        handler.send_header("Connection", "Upgrade")
        handler.send_header("Sec-WebSocket-Accept", accept)
        handler.send_header("Sec-WebSocket-Protocol", "graphql-ws")
        handler.end_headers()
        handler.wfile.flush()
        socket = _Socket(handler)
        header = next(each for each in protocols if each.startswith("header-"))
        if _token(header.removeprefix("header-")) not in id_tokens:
            socket.refuse()
            return
        self.connections += 1
        with contextlib.suppress(*_GONE, EOFError):
            while True:
                self._answer(socket, socket.receive(), id_tokens)
        with self._lock, contextlib.suppress(ValueError):
            self._sockets.remove(socket)

    def _answer(self, socket: _Socket, message: Any, id_tokens: Mapping[str, str]) -> None:
        match message:
            case {"type": "connection_init"}:
                socket.send(type="connection_ack", payload={"connectionTimeoutMs": 300_000})
            case {"type": "start", "id": name, "payload": payload}:
                request = json.loads(payload["data"])
                token = payload["extensions"]["authorization"]["Authorization"]
                if token not in id_tokens or validate(self._schema(), parse(request["query"])):
                    socket.send(type="error", id=name, payload={"errors": [{"errorType": "No"}]})
                    return
                with self._lock:
                    socket.subscription = name
                    if socket not in self._sockets:
                        self._sockets.append(socket)
                socket.send(type="start_ack", id=name)
                with self._subscribed:
                    self._subscriptions += 1
                    self._subscribed.notify_all()

    def wait_for(self, subscriptions: int) -> None:
        """Return when there have been that number of subscriptions."""
        with self._subscribed:
            assert self._subscribed.wait_for(lambda: self._subscriptions >= subscriptions, 120)

    def tell(self, records: Mapping[str, Mapping[str, Any]]) -> None:
        """Tell subscribers of the records that have changed since the last call."""
        for image_id, record in list(records.items()):
            state = tuple(record.get(name) for name in _TOLD)
            if self._told.get(image_id) == state:
                continue
            self._told[image_id] = state
            change = {"onSlideChange": dict(zip(_TOLD, state, strict=True))}
            with self._lock:
                sockets = list(self._sockets)
            for socket in sockets:
                with contextlib.suppress(*_GONE):
                    socket.send(type="data", id=socket.subscription, payload={"data": change})

    def cut(self) -> None:
        """End all connections, as a network does."""
        with self._lock:
            sockets, self._sockets = self._sockets, []
        for socket in sockets:
            socket.close()


class _Socket:
    """One WebSocket. Its messages are short, and are sent in one frame."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        self._handler = handler
        self._lock = Lock()
        self.subscription = ""

    def send(self, **message: Any) -> None:
        """Send one message."""
        self._frame(_TEXT, json.dumps(message).encode())

    def refuse(self) -> None:
        """Refuse the token, and close."""
        error = {"errorType": "UnauthorizedException", "errorCode": 401}
        self.send(type="connection_error", payload={"errors": [error]})
        self._frame(_CLOSE, struct.pack(">H", 1008))

    def close(self) -> None:
        """Say that the server goes away, and do not wait for an answer."""
        with contextlib.suppress(*_GONE):
            self._frame(_CLOSE, struct.pack(">H", 1001))

    def receive(self) -> Any:
        """Return the next message. Raises EOFError at the end."""
        while True:
            head = self._read(2)
            length = head[1] & 0x7F
            if length == 126:
                (length,) = struct.unpack(">H", self._read(2))
            elif length == 127:
                (length,) = struct.unpack(">Q", self._read(8))
            mask = self._read(4)
            data = bytes(byte ^ mask[i % 4] for i, byte in enumerate(self._read(length)))
            kind = head[0] & 0xF
            if kind == _CLOSE:
                raise EOFError
            if kind == _PING:
                self._frame(_PONG, data)
            elif kind == _TEXT:
                return json.loads(data)

    def _read(self, size: int) -> bytes:
        data = self._handler.rfile.read(size)
        if len(data) < size:
            raise EOFError
        return data

    def _frame(self, kind: int, data: bytes) -> None:
        length = (
            bytes([len(data)]) if len(data) < 126 else bytes([126]) + struct.pack(">H", len(data))
        )
        with self._lock:
            self._handler.wfile.write(bytes([0x80 | kind]) + length + data)
            self._handler.wfile.flush()


def _token(encoded: str) -> str:
    headers = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    assert headers["host"]
    return str(headers["Authorization"])
