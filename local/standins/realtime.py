"""Stand-in for AppSync's real-time endpoint: subscriptions over a WebSocket.

Messages, authorization and errors are those of "Building a real-time WebSocket client" in AppSync's
developer guide. A token is checked where it opens a connection or registers a subscription, and
neither ends with it: AppSync serves a connection for up to a day.
"""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from graphql import GraphQLError, GraphQLSchema
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from local.standins import appsync
from local.standins.tokens import Unauthorized

# Beside the endpoint's own path, and the one that a custom domain name has for it.
_PATHS: Final = ("/graphql", "/graphql/realtime")
_PROTOCOL: Final = "graphql-ws"
_HEADER_PROTOCOL: Final = "header-"
_KEEP_ALIVE_S: Final = 60.0
_CONNECTION_TIMEOUT_MS: Final = 300_000
_MAX_SUBSCRIPTIONS: Final = 100  # on one connection: AppSync's quota
_MAX_WAITING: Final = 256  # messages that a client may be behind
_TRY_AGAIN_LATER: Final = 1013
_POLICY_VIOLATION: Final = 1008
_UNAUTHORIZED: Final = {
    "errorType": "UnauthorizedException",
    "message": "You are not authorized to make this call.",
}

Identify = Callable[[str | None, HTTPConnection], Awaitable[appsync.Caller]]


class Realtime:
    """The open connections, and what they are told."""

    def __init__(
        self, schema: GraphQLSchema, identify: Identify, keep_alive_s: float = _KEEP_ALIVE_S
    ) -> None:
        self._schema = schema
        self._identify = identify
        self._keep_alive_s = keep_alive_s
        self._connections: set[_Connection] = set()

    def routes(self) -> list[BaseRoute]:
        """Return the routes of the WebSocket."""
        return [WebSocketRoute(path, self._serve) for path in _PATHS]

    def publish(self, mutation: str, result: Any) -> None:
        """Tell those who subscribed to it of a mutation's result, and wait for none of them."""
        for connection in self._connections:
            connection.publish(mutation, result)

    async def _serve(self, socket: WebSocket) -> None:
        if _PROTOCOL not in socket.scope["subprotocols"]:
            await socket.accept()
            await _refuse(socket, {"message": "NoProtocolError", "errorCode": 400})
            return
        await socket.accept(_PROTOCOL)
        try:
            await self._identify(_token(_handshake_headers(socket)), socket)
        except Unauthorized:
            await _refuse(socket, {**_UNAUTHORIZED, "errorCode": 401})
            return
        connection = _Connection(socket, self._schema, self._identify)
        self._connections.add(connection)
        try:
            await connection.serve(self._keep_alive_s)
        finally:
            self._connections.remove(connection)


class _Connection:
    """One WebSocket and the subscriptions on it."""

    def __init__(self, socket: WebSocket, schema: GraphQLSchema, identify: Identify) -> None:
        self._socket = socket
        self._schema = schema
        self._identify = identify
        self._subscriptions: dict[str, appsync.Subscription] = {}
        self._waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue(_MAX_WAITING)
        self._behind = asyncio.Event()

    async def serve(self, keep_alive_s: float) -> None:
        """Converse with the client until it leaves, or falls too far behind."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read())
                tasks.create_task(self._write())
                tasks.create_task(self._keep_alive(keep_alive_s))
        except* WebSocketDisconnect:
            pass

    def publish(self, mutation: str, result: Any) -> None:
        """Send a mutation's result to the subscriptions that it matches."""
        for name, subscription in self._subscriptions.items():
            if payload := subscription.payload(mutation, result):
                self._send("data", name, payload)

    def _send(self, kind: str, name: str | None = None, payload: Any = None) -> None:
        message = {"type": kind, "id": name, "payload": payload}
        try:
            self._waiting.put_nowait({k: v for k, v in message.items() if v is not None})
        except asyncio.QueueFull:
            self._behind.set()

    async def _write(self) -> None:
        while True:
            await self._socket.send_json(await self._waiting.get())

    async def _keep_alive(self, interval_s: float) -> None:
        while True:
            try:
                await asyncio.wait_for(self._behind.wait(), interval_s)
            except TimeoutError:
                self._send("ka")
            else:
                # The client connects again, rather than missing something without knowing.
                raise WebSocketDisconnect(_TRY_AGAIN_LATER)

    async def _read(self) -> None:
        while True:
            text = await self._socket.receive_text()
            try:
                message = json.loads(text)
            except (TypeError, ValueError):  # None stands for a binary message
                message = None
            await self._handle(message)

    async def _handle(self, message: Any) -> None:
        name = message.get("id") if isinstance(message, Mapping) else None
        try:
            match message:
                case {"type": "connection_init"}:
                    self._send(
                        "connection_ack", payload={"connectionTimeoutMs": _CONNECTION_TIMEOUT_MS}
                    )
                case {"type": "start", "id": str(name), "payload": {"data": str(data), **rest}}:
                    await self._start(name, data, rest.get("extensions"))
                    self._send("start_ack", name)
                case {"type": "stop", "id": str(name)}:
                    if self._subscriptions.pop(name, None) is None:
                        raise _refused("UnknownOperationError", f"Unknown operation id {name}")
                    self._send("complete", name)
                case _:
                    raise _unsupported()
        except Unauthorized:
            self._send("error", name, {"errors": [_UNAUTHORIZED]})
        except appsync.Refused as refusal:
            errors = [
                {key: each[key] for key in ("errorType", "message")} for each in refusal.errors
            ]
            self._send("error", name, {"errors": errors})

    async def _start(self, name: str, data: str, extensions: Any) -> None:
        """Register a subscription, whose token need not be the connection's."""
        if name in self._subscriptions:
            raise _refused("DuplicatedOperationError", f"Operation id {name} is in use")
        if len(self._subscriptions) >= _MAX_SUBSCRIPTIONS:
            raise _refused("MaxSubscriptionsReachedError", "Too many subscriptions")
        try:
            request = json.loads(data)
        except ValueError:
            request = None
        if not isinstance(request, dict):
            raise _unsupported()
        headers = extensions.get("authorization") if isinstance(extensions, Mapping) else None
        caller = await self._identify(_token(headers), self._socket)
        self._subscriptions[name] = appsync.subscribe(self._schema, request, caller)


def _refused(kind: str, message: str) -> appsync.Refused:
    return appsync.Refused(kind, GraphQLError(message))


def _unsupported() -> appsync.Refused:
    return _refused("UnsupportedOperation", "unknown not supported through the realtime channel")


async def _refuse(socket: WebSocket, error: Mapping[str, Any]) -> None:
    """Say why there is no connection, and close it. A browser sees nothing of an HTTP status."""
    await socket.send_json({"type": "connection_error", "payload": {"errors": [error]}})
    await socket.close(_POLICY_VIOLATION)


def _handshake_headers(socket: WebSocket) -> Any:
    """Return the headers of a handshake, which a browser can only encode in query or protocol."""
    encoded = socket.query_params.get("header")
    for protocol in socket.scope["subprotocols"]:
        if encoded is None and protocol.startswith(_HEADER_PROTOCOL):
            encoded = protocol.removeprefix(_HEADER_PROTOCOL)
    if encoded is None:
        return socket.headers
    # Either alphabet of base64, with padding or not; a query's "+" has become a space.
    standard = encoded.translate(str.maketrans("-_ ", "+/+")) + "=="
    try:
        return json.loads(base64.b64decode(standard))
    except ValueError:
        return None


def _token(headers: Any) -> str | None:
    """Return the token in headers that AppSync would take: it wants the API's host beside it."""
    if not isinstance(headers, Mapping):
        return None
    by_name = {str(name).lower(): value for name, value in headers.items()}
    token = by_name.get("authorization")
    return token if isinstance(token, str) and by_name.get("host") else None
