"""Stand-in for the CDR, over real HTTP: it does what docs/cdr.md asks for, or plays a bad day.

From a test in its process, ``with CdrServer() as cdr``. From anywhere else:

    python -m local.standins.cdr --port 9100

and then, on the port after that, ``POST /mode`` {"mode": "down"} and ``GET /received``.
"""

import argparse
import base64
import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Final, Self

import jsonschema

SCHEMA: Final = json.loads((Path(__file__).parents[2] / "docs" / "cdr.schema.json").read_text())
VALIDATOR: Final = jsonschema.Draft202012Validator(SCHEMA)
HOST: Final = "127.0.0.1"

# What a mode may be; with ``times`` it lasts for that number of requests, and is up from then on.
MODES: Final = {
    "up",
    "down",  # connection refused
    "slow",  # answers after ``seconds``
    "error",  # answers with ``status`` and ``headers``, and problem details with ``title``
    "answer",  # answers with ``status``, ``headers`` and ``body``, whatever they are
    "duplicate",  # 409, with the receipt of a delivery that nobody remembers
    "lost",  # takes the slide, and breaks off before it says so
    "garbage",  # 200, and no JSON
    "page",  # 200, and HTML, as a proxy or a sign-in page answers
    "empty",  # 204, without a receipt
    "redirect",  # 302
    "locked",  # 401, whatever the credentials
    "huge",  # 200, or ``status``, and a body without an end
    "trickle",  # the same, of a byte now and then
    "drip",  # a header without an end, of a byte now and then
}
# Status, body and headers of answers that docs/cdr.md does not promise.
_SENSELESS: Final[Mapping[str, tuple[int, bytes, Mapping[str, str]]]] = {
    "garbage": (200, b"\x00\xff<html>" + bytes(range(256)), {}),
    "page": (200, b"<!doctype html><title>Sign in</title>", {"Content-Type": "text/html"}),
    "empty": (204, b"", {}),
    "redirect": (302, b"", {"Location": "/sign-in"}),
    "locked": (401, b'{"title": "Unauthorized", "status": 401}', {}),
}
Mode = dict[str, Any]
BASIC: Final = "Basic " + base64.b64encode(b"vsv:secret").decode()


class CdrServer:
    """The CDR at ``url``; ``received`` has every request that came with valid credentials."""

    def __init__(self, port: int = 0, control_port: int = 0, authorization: str = BASIC) -> None:
        self.authorization = authorization
        self.requests = 0
        self.received: list[dict[str, Any]] = []
        self.receipts: dict[str, dict[str, str]] = {}
        self._mode: Mode = {"mode": "up"}
        self._lock = threading.Lock()
        self._handler = type("CdrHandler", (_Cdr,), {"cdr": self})
        self._http: ThreadingHTTPServer | None = _listen(port, self._handler)
        self.port = int(self._http.server_address[1])
        self._control = _listen(control_port, type("ControlHandler", (_Control,), {"cdr": self}))
        self.control_port = int(self._control.server_address[1])
        self.url = f"http://{HOST}:{self.port}/slides"
        self.control_url = f"http://{HOST}:{self.control_port}"

    def __enter__(self) -> Self:
        """Listen."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.close()

    def play(self, mode: str, **details: Any) -> None:
        """Be up, or something of MODES."""
        if mode not in MODES:
            raise ValueError(f"mode {mode!r} is none of {', '.join(sorted(MODES))}")
        with self._lock:
            self._mode = {"mode": mode, **details}
            if mode == "down" and self._http:
                _hang_up(self._http)
                self._http = None
            elif mode != "down" and not self._http:
                self._http = _listen(self.port, self._handler)

    def close(self) -> None:
        """Stop listening."""
        for server in filter(None, (self._http, self._control)):
            _hang_up(server)

    def next_mode(self) -> Mode:
        """Return what to play for one request."""
        with self._lock:
            self.requests += 1
            mode = self._mode
            if "times" in mode:
                left = mode["times"] - 1
                self._mode = {**mode, "times": left} if left else {"mode": "up"}
            return mode

    def take(
        self, key: str | None, body: bytes, authorization: str | None
    ) -> tuple[int, dict[str, Any]]:
        """Status and body of the answer that docs/cdr.md asks for."""
        if authorization != self.authorization:
            return 401, {"title": "Unauthorized", "status": 401}
        if not key:
            return 400, {"title": "No Idempotency-Key", "status": 400}
        try:
            payload = json.loads(body)
            VALIDATOR.validate(payload)
        except (ValueError, jsonschema.ValidationError):
            return 422, {"title": "Not by the schema", "status": 422}
        with self._lock:
            digest = hashlib.sha256(body).hexdigest()
            known = self.receipts.get(key)
            if known and known["digest"] != digest:
                return 422, {"title": "Another payload under this key", "status": 422}
            self.received.append({"key": key, "payload": payload, "duplicate": bool(known)})
            if known:
                return 200, {"receipt": known["receipt"]}
            receipt = f"CDR-{len(self.receipts) + 1:06}"
            self.receipts[key] = {"digest": digest, "receipt": receipt}
            return 201, {"receipt": receipt}


class _Handler(BaseHTTPRequestHandler):
    """HTTP/1.0: a connection for each request, so that nothing outlives a change of mode."""

    cdr: ClassVar["CdrServer"]

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def answer(
        self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        """Send an answer."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self) -> bytes:
        """Return the request's body."""
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))


class _Cdr(_Handler):
    def do_POST(self) -> None:
        """Take a slide, or play what is to be played."""
        mode = self.cdr.next_mode()
        # A client that has heard enough hangs up.
        with contextlib.suppress(ConnectionError):
            self.play(mode, self.body())

    def play(self, mode: Mode, body: bytes) -> None:
        """Answer by the mode."""
        kind = mode["mode"]
        if kind == "slow":
            time.sleep(mode.get("seconds", 30))
        if kind == "error":
            status = mode.get("status", 503)
            problem = {"title": mode.get("title", "A bad day"), "status": status}
            self.answer(status, json.dumps(problem).encode(), mode.get("headers"))
        elif kind == "answer":
            text = mode.get("body", "")
            self.answer(mode.get("status", 200), text.encode("latin-1"), mode.get("headers"))
        elif kind == "duplicate":
            self.answer(409, json.dumps({"receipt": mode.get("receipt", "CDR-OLD")}).encode())
        elif kind in _SENSELESS:
            self.answer(*_SENSELESS[kind])
        elif kind in ("huge", "trickle", "drip"):
            self.send_response(mode.get("status", 200))
            if kind == "drip":
                self.flush_headers()
            else:
                self.end_headers()
            while True:
                self.wfile.write(b"[" * (65536 if kind == "huge" else 1))
                if kind != "huge":
                    time.sleep(mode.get("seconds", 0.01))
        else:
            status, answer = self.cdr.take(
                self.headers.get("Idempotency-Key"), body, self.headers.get("Authorization")
            )
            if kind != "lost":
                self.answer(status, json.dumps(answer).encode())


class _Control(_Handler):
    def do_POST(self) -> None:
        """Change the mode."""
        try:
            if self.path != "/mode":
                raise ValueError(f"nothing at {self.path}")
            self.cdr.play(**json.loads(self.body()))
        except (ValueError, TypeError) as error:
            self.answer(400, f"{error}\n".encode())
        else:
            self.answer(204)

    def do_GET(self) -> None:
        """Return what was received."""
        if self.path == "/received":
            headers = {"Content-Type": "application/json"}
            self.answer(200, json.dumps(self.cdr.received).encode(), headers)
        else:
            self.answer(404)


def _listen(port: int, handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer((HOST, port), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server


def _hang_up(server: ThreadingHTTPServer) -> None:
    server.shutdown()
    server.server_close()


def main() -> None:
    """Run until stopped."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--control-port", type=int, help="default: the one after --port")
    parser.add_argument("--authorization", default=BASIC, help="the header that is let in")
    options = parser.parse_args()
    control_port = options.control_port or options.port + 1
    with CdrServer(options.port, control_port, options.authorization) as cdr:
        print(json.dumps({"url": cdr.url, "control_url": cdr.control_url}), flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
