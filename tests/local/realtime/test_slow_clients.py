"""Clients that read slowly, are silent or have left."""

import asyncio
import json
from typing import Any

from starlette.websockets import WebSocket

from local.standins import realtime
from tests.local.realtime.helpers import ALL, identify


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
