"""The stand-in for AppSync on a server, with a client that is connected."""

import asyncio
import socket
import threading
from typing import Any

import httpx
import pytest
from hypercorn.asyncio import serve
from hypercorn.config import Config
from starlette.applications import Starlette

from local.standins import appsync
from local.standins.server import SecurityHeaders, graphql_routes
from tests.local.realtime.helpers import SCHEMA, identify
from tests.realtime_client import connect

RECORD = {
    "Filename": "a.svs",
    "CaseID": "C1",
    "SlideID": "C1-1",
    "ScanDate": "2026-01-02T03:04:05Z",
    "Notes": "n",
    "Barcode": {"text": "C1-1", "reason": None},
}


UPDATE = """mutation ($input: SlideInput!) {
  updateSlide(input: $input) { ImageID Filename CaseID SlideID ScanDate }
}"""


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
