"""The deployed local stack, started once, and people with tokens."""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from local import services
from local.samples import generated_slide
from tests.conftest import ROOT

pytestmark = pytest.mark.stack


@dataclass(frozen=True)
class Stack:
    """``.local/stack.json``, and what one does with it."""

    config: dict[str, str]

    def __getattr__(self, name: str) -> str:
        return self.config[name]

    def client(self, service: str) -> Any:
        return services.session().client(service, endpoint_url=self.aws_endpoint_url)

    def scanner_token(self) -> str:
        answer = httpx.post(
            self.token_url,
            data={"grant_type": "client_credentials"},
            auth=(self.scanner_client_id, self.scanner_client_secret),
            timeout=600,
        )
        return answer.raise_for_status().json()["access_token"]

    def tokens(self, who: str) -> dict[str, str]:
        answer = self.client("cognito-idp").initiate_auth(
            ClientId=self.user_pool_client_id,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={
                "USERNAME": self.config[f"{who}_username"],
                "PASSWORD": self.config[f"{who}_password"],
            },
        )
        return answer["AuthenticationResult"]

    def record(self, image_id: str) -> dict[str, Any] | None:
        tables = services.session().resource("dynamodb", endpoint_url=self.aws_endpoint_url)
        return (
            tables.Table(self.table_name)
            .get_item(Key={"ImageID": image_id}, ConsistentRead=True)
            .get("Item")
        )

    @property
    def efs(self) -> Path:
        return Path(self.images_path)

    @property
    def scanner(self) -> Path:
        return Path(self.scanner_path)


@pytest.hookimpl(trylast=True)  # after whatever shuffles the tests
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run last: what was used can be told at the end only."""
    items.sort(key=lambda item: item.path.name == "test_permissions.py")


def run_stack(command: str, **environment: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "local.stack", command],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def stack():
    """Yield the stack as ``make up`` leaves it; stopped again if the tests started it."""
    status = subprocess.run(
        [sys.executable, "-m", "local.stack", "status"], cwd=ROOT, capture_output=True, text=True
    )
    was_running = "stopped" not in status.stdout
    run_stack("up")
    yield Stack(json.loads((ROOT / ".local" / "stack.json").read_text()))
    if not was_running:
        run_stack("down")


@pytest.fixture(scope="session")
def api(stack) -> Callable[..., httpx.Client]:
    """Return a client of the API with a token, or with none."""

    def client(token: str | None = None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=stack.api_url, headers=headers, timeout=600)

    return client


@pytest.fixture(scope="session")
def scanner(stack, api) -> httpx.Client:
    return api(stack.scanner_token())


@pytest.fixture(scope="session")
def viewer(stack, api) -> httpx.Client:
    return api(stack.tokens("pathologist")["IdToken"])


@pytest.fixture(scope="session")
def scanned() -> list[Path]:
    """Return what the tests put into the scanner's folder."""
    return []


@pytest.fixture(autouse=True)
def tidy_scanner(scanned):
    """Empty the scanner's folder of other tests' slides."""
    yield
    while scanned:
        scanned.pop().unlink(missing_ok=True)


@pytest.fixture(scope="session")
def new_slide(stack, real, tmp_path_factory, scanned):
    """Put a slide with an ImageID of its own into the scanner's folder; return ID and path."""

    def make(name: str | None = None, **options) -> tuple[str, Path]:
        image_id = f"t{uuid.uuid4().hex[:12]}"
        path = stack.scanner / (name or f"{image_id}.svs")
        path.parent.mkdir(parents=True, exist_ok=True)
        scanned.append(path)
        source = tmp_path_factory.mktemp("new") / "x.svs"
        # Of other bytes than all that the stack has seen, even where it has no ImageID.
        properties = {"ImageID": image_id, "Filename": image_id} | options.pop("properties", {})
        options = {"size": (1025, 769)} | options
        generated_slide(source, real, properties=properties, **options)
        source.replace(path)
        return image_id, path

    return make


@pytest.fixture(scope="session")
def call_import(scanner):
    """Call ``/ImportSlide`` as the workstation does: what a busy service did not answer, again."""

    def call(body: dict[str, Any]) -> httpx.Response:
        end = time.monotonic() + 300
        while True:
            answer = scanner.post("/ImportSlide", json=body)
            # A service is throttled, or a function has not answered in time.
            if answer.status_code not in (502, 503, 504) or time.monotonic() > end:
                return answer
            time.sleep(float(answer.headers.get("Retry-After", 1)))

    return call


@pytest.fixture(scope="session")
def bring_in(stack, call_import):
    """Call ``/ImportSlide`` as the workstation does until there is no more to wait for."""

    def bring_in(path: Path, timeout_s: float = 300, **fields) -> dict[str, Any]:
        name = path.relative_to(stack.scanner).as_posix()
        body = {"filename": name, "size": path.stat().st_size, **fields}
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            answer = call_import(body)
            assert answer.status_code == 200, answer.text
            content = answer.json()
            if content["status"] in ("IMPORTED", "FAILED"):
                return content
            assert "filename" not in content
            assert "size" not in content
            time.sleep(0.3)
        raise AssertionError(f"still {content} after {timeout_s} s")

    return bring_in


class GraphQLError(Exception):
    """What a GraphQL answer says went wrong, first of all."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(f"{errors[0]['errorType']}: {errors[0]['message']}")
        self.errors = errors


@pytest.fixture(scope="session")
def ask(stack) -> Callable[..., Any]:
    """Ask the GraphQL API, as a technician unless somebody else is named."""
    tokens: dict[str, str] = {}

    def ask(query: str, who: str = "technician", **variables: Any) -> dict[str, Any]:
        if who not in tokens:
            tokens[who] = stack.tokens(who)["IdToken"]
        answer = httpx.post(
            stack.graphql_url,
            json={"query": query, "variables": variables},
            headers={"Authorization": tokens[who]},
            timeout=600,
        )
        content = answer.raise_for_status().json()
        if content.get("errors"):
            raise GraphQLError(content["errors"])
        return content["data"]

    return ask


EDIT = """mutation Edit($input: UpdateSlideInput!) { updateSlide(input: $input) {
  ImageID SlideID CaseID ScanDate Status Version } }"""
SLIDE = """query One($id: String!) { getSlide(ImageID: $id) { ImageID Filename SlideID CaseID
  IdSource Status Version ImportStatus ImportError Barcode { text reason } EditedAfterSending
  SendError Sent { At Version Receipt } Removal { Operation State Error By }
  Archive { StorageClass At } } }"""
HISTORY = """query History($id: String!, $limit: Int, $nextToken: String) {
  slideHistory(ImageID: $id, limit: $limit, nextToken: $nextToken) { nextToken
    items { Version At By Action Changes { Field From To } } } }"""


@pytest.fixture(scope="session")
def edit(ask) -> Callable[..., dict[str, Any]]:
    """Edit a slide as a technician."""
    return lambda image_id, **fields: ask(EDIT, input={"ImageID": image_id, **fields})[
        "updateSlide"
    ]


@pytest.fixture(scope="session")
def look(ask) -> Callable[[str], dict[str, Any]]:
    """Return a slide's record, as a technician sees it."""
    return lambda image_id: ask(SLIDE, id=image_id)["getSlide"]


@pytest.fixture(scope="session")
def history(ask) -> Callable[[str], list[dict[str, Any]]]:
    """Return a record's changes, the first one first, read in small pages."""

    def history(image_id: str) -> list[dict[str, Any]]:
        found, token = [], None
        while True:
            page = ask(HISTORY, id=image_id, limit=3, nextToken=token)["slideHistory"]
            found += page["items"]
            token = page["nextToken"]
            if token is None:
                return found[::-1]

    return history


@pytest.fixture(scope="session")
def technician(stack, api) -> httpx.Client:
    return api(stack.tokens("technician")["IdToken"])


@pytest.fixture(scope="session")
def remove(technician) -> Callable[..., dict[str, Any]]:
    """Ask ``/RemoveImages`` for something to be done with a slide; return its result."""

    def remove(operation: str, image_id: str, **fields: Any) -> dict[str, Any]:
        body = {"Operation": operation, "Images": [{"ImageID": image_id, **fields}]}
        answer = technician.request("DELETE", "/RemoveImages", json=body)
        assert answer.status_code == 202, answer.text
        (result,) = answer.json()["Images"]
        return result

    return remove


@pytest.fixture
def cdr(stack) -> Iterator["Cdr"]:
    """Yield the stand-in for the CDR, up again afterwards."""
    cdr = Cdr(stack.cdr_control_url)
    yield cdr
    cdr.play("up")


@dataclass(frozen=True)
class Cdr:
    """Tells the stand-in for the CDR what to play, and asks what it got."""

    url: str

    def play(self, mode: str, **details: Any) -> None:
        httpx.post(
            f"{self.url}/mode", json={"mode": mode, **details}, timeout=600
        ).raise_for_status()

    def received(self, image_id: str) -> list[dict[str, Any]]:
        everything = httpx.get(f"{self.url}/received", timeout=600).raise_for_status().json()
        return [each for each in everything if each["payload"]["ImageID"] == image_id]


def wait_for(reached: Callable[[], Any], timeout_s: float = 300) -> Any:
    """Wait until it is so; return what it is."""
    end = time.monotonic() + timeout_s
    while not (value := reached()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.3)
    return value
