"""``vsv serve`` as a real process, for tests of its addresses and of its page."""

import contextlib
import http.client
import json
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

VSV_SERVE = [sys.executable, "-m", "vsv.standalone.cli", "serve"]


@dataclass
class Server:
    """A running server and the folder that it shows."""

    folder: Path
    process: subprocess.Popen
    address: str

    def ask(self, path, method="GET", **headers):
        """Send the path as it is: no client cleans it up."""
        with contextlib.closing(
            http.client.HTTPConnection(self.address, timeout=120)
        ) as connection:
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, headers=names)
            response = connection.getresponse()
            response.body = response.read()
            return response

    def read(self, path) -> bytes:
        response = self.ask(path)
        assert response.status == 200, response.body
        return response.body

    def read_json(self, path):
        return json.loads(self.read(path))


@contextlib.contextmanager
def served(folder, *options):
    command = [*VSV_SERVE, str(folder), "--port", "0", *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
    ) as process:
        try:
            first_line = process.stdout.readline()
            assert "://" in first_line, process.stderr.read()
            address = first_line.partition("://")[2].partition("/")[0]
            server = Server(folder, process, address)
            yield server
        finally:
            process.terminate()


def accepts(address):
    host, _, port = address.rpartition(":")
    with contextlib.suppress(ConnectionRefusedError):
        socket.create_connection((host, int(port))).close()
        return True
    return False


def wait_for(condition):
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
