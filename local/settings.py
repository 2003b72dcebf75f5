"""Where the local stack keeps things, and the names it uses. Everything lies under ``.local/``."""

import contextlib
import json
import os
import socket
import tempfile
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent
STATE: Final = ROOT / ".local"
LOGS: Final = STATE / "log"
EFS: Final = STATE / "efs"
SCANNER: Final = STATE / "scanner"
CACHE: Final = STATE / "cache"
STACK_FILE: Final = STATE / "stack.json"

REGION: Final = "us-east-1"
STAGE: Final = "local"
HOST: Final = "127.0.0.1"
ACCOUNT: Final = "000000000000"
CDR_TOKEN: Final = "local"  # noqa: S105  the stand-in's, which listens to this machine only
COOKIE_KEY_PAIR_ID: Final = "KLOCALCOOKIES"  # CloudFront's name for a key, where there is none
SIGNATURES_PATH: Final = "/_vsv/signatures"  # of the emulator, for stand-ins
GRAPHQL_API_ARN: Final = f"arn:aws:appsync:{REGION}:{ACCOUNT}:apis/local"
TASK_ARN: Final = f"arn:aws:datasync:{REGION}:{ACCOUNT}:task/task-0123456789abcdef0"

CREDENTIALS: Final = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    # A developer's own profiles must not lead a local command to a real account.
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}

_MAX_PORT: Final = 65535
_PORTS_FILE: Final = STATE / "ports.json"


class StackError(Exception):
    """The local stack cannot go on; the message is one line for the person at the terminal."""


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in ``path``, or an empty one where there is none."""
    try:
        value = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return value if isinstance(value, dict) else {}


def write_json(path: Path, value: object, mode: int = 0o644) -> None:
    """Replace ``path`` by ``value`` as JSON: whole or not at all, never readable too early."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(value, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise


class Ports(NamedTuple):
    """Where the servers of the local stack listen."""

    web: int
    aws: int
    cdr: int
    cdr_control: int


def ports() -> Ports:
    """Return the servers' ports.

    They are chosen once per clone, so that addresses survive a restart and clones do not collide;
    ``VSV_PORT`` sets the viewer's, and the others take the next ones.
    """
    if wanted := os.environ.get("VSV_PORT"):
        last = len(Ports._fields) - 1
        if not wanted.isdecimal() or not 0 < int(wanted) <= _MAX_PORT - last:
            raise StackError(f"VSV_PORT={wanted} is not a port number")
        chosen = Ports(*(int(wanted) + number for number in range(last + 1)))
    else:
        known = read_json(_PORTS_FILE)
        if known.keys() >= set(Ports._fields):
            return Ports(*(int(known[name]) for name in Ports._fields))
        chosen = _free_ports()
    write_json(_PORTS_FILE, chosen._asdict())
    return chosen


def forget_ports() -> None:
    """Choose new ports next time."""
    _PORTS_FILE.unlink(missing_ok=True)


def pyramid_store() -> str:
    """Return where pyramids lie: ``efs``, or ``s3`` if ``VSV_PYRAMID_STORE`` says so."""
    store = os.environ.get("VSV_PYRAMID_STORE") or "efs"
    if store not in ("efs", "s3"):
        raise StackError(f"VSV_PYRAMID_STORE={store} is neither efs nor s3")
    return store


def is_free(port: int) -> bool:
    """Tell whether nobody listens on ``port``."""
    with socket.socket() as probe:
        # Connections that are closed do not listen.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _free_ports() -> Ports:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in Ports._fields]
        for probe in probes:
            probe.bind((HOST, 0))
        return Ports(*(probe.getsockname()[1] for probe in probes))
