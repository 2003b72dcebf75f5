"""A scanner's workstation and a cloud to talk to: real folders, processes and HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import urllib.parse
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).parents[2] / "scanscope" / "import_slides.py"
SECRET = "s3cret-%-of;the#scanner"
LONG_AGO = 1_600_000_000  # a modification time that no minimum age minds
LONG_BEFORE = LONG_AGO - 1000


@dataclass
class Reply:
    """What the cloud answers: a JSON object, or raw bytes."""

    body: dict[str, Any] | bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


Step = Reply | Callable[[dict[str, Any]], Reply]


def status(name: str, **fields: object) -> Reply:
    return Reply({"status": name, **fields})


BUSY = status("TRANSFERRING")


def imported(described: dict[str, Any]) -> Reply:
    """Return the answer that allows the deletion: it repeats what was described."""
    return status("IMPORTED", **described)


def problem(code: int, title: str, detail: str = "", **headers: str) -> Reply:
    body = {"title": title, "status": code, "detail": detail, "instance": "req-1"}
    headers = {"Content-Type": "application/problem+json", **headers}
    return Reply(body, code, {name.replace("_", "-"): text for name, text in headers.items()})


class Cloud:
    """Token endpoint and API. Answers follow a script for each file; the last one repeats."""

    def __init__(self) -> None:
        self.scripts: defaultdict[str, list[Step]] = defaultdict(lambda: [imported])
        self.token_script: list[Step] = [self.grant]
        self.calls: list[dict[str, Any]] = []
        self.granted: list[str] = []
        self.strangers: list[str] = []  # paths asked for that are not ours
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def script(self, filename: str, *steps: Step) -> None:
        """Answer the calls about this file like that, in turn."""
        self.scripts[filename] = list(steps)

    def called(self) -> list[str]:
        """Return the file names that were asked about, in order."""
        return [call["filename"] for call in self.calls]

    def grant(self, _form: dict[str, Any]) -> Reply:
        """Return a new token; the ones before it are refused from now on."""
        self.granted.append(f"token-{len(self.granted) + 1}-of-the-cloud")
        return Reply({"access_token": self.granted[-1], "expires_in": 3600})

    def answer(self, path: str, authorization: str, body: bytes) -> Reply:
        """Return the answer to one request."""
        if path == "/oauth2/token":
            form = dict(urllib.parse.parse_qsl(body.decode()))
            assert form["grant_type"] == "client_credentials"
            return self._next(self.token_script, form)
        if path != "/Prod/ImportSlide":
            self.strangers.append(path)
            return Reply({"message": "Missing Authentication Token"}, 403)
        if authorization != f"Bearer {self.granted[-1]}":
            return Reply({"message": "Unauthorized"}, 401)
        described = json.loads(body)
        self.calls.append(described)
        return self._next(self.scripts[described["filename"]], described)

    def close(self) -> None:
        """Stop answering."""
        self.server.shutdown()
        self.server.server_close()

    @staticmethod
    def _next(steps: list[Step], described: dict[str, Any]) -> Reply:
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        return step(described) if callable(step) else step

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        cloud = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                path = urllib.parse.urlsplit(self.path).path  # absolute when we are the proxy
                reply = cloud.answer(path, self.headers.get("Authorization", ""), body)
                raw = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body)
                raw = raw if isinstance(raw, bytes) else raw.encode()
                self.send_response(reply.status)
                for name, text in {"Content-Length": str(len(raw)), **reply.headers}.items():
                    self.send_header(name, text)
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@dataclass
class Finished:
    """A run of the script that ended."""

    code: int
    log: str


class Station:
    """The workstation: a watched folder, a configuration, and the script as a process."""

    def __init__(self, root: Path, cloud: Cloud) -> None:
        self.cloud = cloud
        self.folder = root / "scans"
        self.folder.mkdir()
        self.config = root / "station.ini"
        self.settings = {
            "scanner": {"folder": "scans", "min_age_s": "0", "settle_s": "0"},
            "api": {
                "api_url": f"{cloud.url}/Prod",
                "timeout_s": "60",
                "attempts": "3",
                "backoff_s": "0.001",
            },
            "login": {
                "token_url": f"{cloud.url}/oauth2/token",
                "client_id": "scanner",
                "client_secret": SECRET,
                "scope": "vsv/import",
            },
            "run": {"interval_s": "0.01"},
        }

    def slide(self, name: str, content: bytes = b"pixels", mtime: float = LONG_AGO) -> Path:
        """Return a file in the watched folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (mtime, mtime))
        return path

    def write_config(self) -> None:
        """Write the settings as they are now."""
        text = ""
        for section, values in self.settings.items():
            text += f"[{section}]\n" + "".join(f"{k} = {v}\n" for k, v in values.items())
        self.config.write_text(text, encoding="utf-8")

    def command(self, *options: str, patch: str = "") -> list[str]:
        """Return the script's command line; `patch` is code that runs before the module starts."""
        arguments = ["--config", str(self.config), *options]
        if not patch:
            return [sys.executable, str(SCRIPT), *arguments]
        load = (
            "import importlib.util as u, sys\n"
            f"spec = u.spec_from_file_location('import_slides', {str(SCRIPT)!r})\n"
            "script = sys.modules['import_slides'] = u.module_from_spec(spec)\n"
            f"spec.loader.exec_module(script)\n{patch}\nsys.exit(script.main())"
        )
        return [sys.executable, "-c", load, *arguments]

    def start(self, *options: str, patch: str = "", **env: str) -> subprocess.Popen[str]:
        """Start the script and leave it running."""
        self.write_config()
        return subprocess.Popen(
            self.command(*options, patch=patch),
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env={**os.environ, "PYTHONUTF8": "1", **env},
        )

    def run(self, *options: str, patch: str = "", **env: str) -> Finished:
        """Run to the end. Whatever happens, no secret and no token is ever logged."""
        process = self.start(*(options or ("--once",)), patch=patch, **env)
        _, log = process.communicate(timeout=120)
        log_file = self.config.with_suffix(".log")
        kept = log_file.read_text("utf-8") if log_file.exists() else ""
        for secret in (SECRET, *self.cloud.granted):
            assert secret not in log + kept
        return Finished(process.returncode, log)

    def files(self) -> dict[str, bytes]:
        """Everything in the watched folder, whatever it is called."""
        paths = (path for path in self.folder.rglob("*") if path.is_file())
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in paths}
