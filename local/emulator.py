"""MiniStack, made to survive being killed.

On its own MiniStack writes its state on a clean shutdown only. This launcher runs the same server
and adds to it:

- A DynamoDB write is on disk before its caller hears of it, so that a slide whose scanner copy has
  been deleted cannot vanish from the catalogue; writes of a moment are saved together. Accounts and
  executions are saved every few seconds, and on SIGUSR1 what a deployment changes.
- A function's error is named by its exception class, as Lambda does, so that the workflow's
  ``Retry`` and ``Catch`` choose as they would on AWS.
- Binary media types are read as CloudFormation writes them, ``*~1*`` for ``*/*``.
- Each layer is unpacked once, not once for every process of a function, and functions have more
  time than on Lambda, whose machines are not those on which tests run.
- Roles hold (``AUTH``): which function was let do what, and what it was refused, goes to
  ``DECISIONS_FILE``, a line of JSON for each that is new.
- What a table's stream has not delivered when the server ends is delivered by the next one: the
  stream begins anew with all that the table holds.

Run as ``python -m local.emulator``; its settings are MiniStack's environment variables, which
`local.services` sets.
"""

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import re
import shutil
import signal
import threading
import zipfile
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack import app as ministack
from ministack.core import iam_evaluator, lambda_runtime, persistence, responses
from ministack.services import apigateway_v1, dynamodb, lambda_svc

_AUTOSAVE_INTERVAL_S: Final = 5.0
# Saving takes some hundred milliseconds once the tables hold some hundred slides.
_GATHERING_S: Final = 0.02
# What changes while the application runs, and what only a deployment changes.
_RUNNING: Final = ("cognito", "dynamodb", "stepfunctions")
_DEPLOYED: Final = (
    *("apigateway_v1", "cloudformation", "cloudwatch", "iam", "kms", "lambda", "s3"),
    *("secretsmanager", "sqs"),
)
_TABLE_TARGET: Final = b"DynamoDB_20120810."
_TABLE_READS: Final = (b"BatchGetItem", b"Describe", b"GetItem", b"List", b"Query", b"Scan")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_SNAPSHOT_ATTEMPTS: Final = 20
# A function's time limit here is so many times that of its template.
_PATIENCE: Final = 4
# What the emulator says of a function's process that was killed: at work, or as it started.
_WORKER_KILLED: Final = ("Worker process died", "Worker process exited immediately")
_TRACEBACK_HEAD: Final = "Traceback (most recent call last):\n"
_EXCEPTION_LINE: Final = re.compile(r"^(?:[\w.<>]+\.)?(?P<name>\w+)(?::|$)", re.MULTILINE)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one MiniStack connection; table writes are saved before they are answered."""
    if scope["type"] != "http" or not _writes_a_table(scope):
        await ministack.app(scope, receive, send)
        return

    async def send_saved(message: Message) -> None:
        if message["type"] == "http.response.start":
            await _TABLES.saved()
        await send(message)

    await ministack.app(scope, receive, send_saved)


def _writes_a_table(scope: Scope) -> bool:
    target = dict(scope["headers"]).get(b"x-amz-target", b"")
    return target.startswith(_TABLE_TARGET) and not target.removeprefix(_TABLE_TARGET).startswith(
        _TABLE_READS
    )


class _Tables:
    """Saves the tables, once for all that is written within a moment."""

    def __init__(self) -> None:
        self._saving: asyncio.Task[None] | None = None

    async def saved(self) -> None:
        """Return when the tables have been saved as they are now, or later."""
        if self._saving is None:
            self._saving = asyncio.create_task(self._save())
        await asyncio.shield(self._saving)

    async def _save(self) -> None:
        await asyncio.sleep(_GATHERING_S)
        self._saving = None
        _save("dynamodb")


_TABLES: Final = _Tables()


def _save(*services: str) -> None:
    """Write the state of ``services``, each file atomically."""
    states = ministack._build_persistence_save_dict()
    for name in services:
        if name in states:
            persistence.save_state(name, _snapshot(states[name]))


def _snapshot(get_state: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Copy a service's state, again when one of its threads changed it meanwhile."""
    for _ in range(_SNAPSHOT_ATTEMPTS):
        with contextlib.suppress(RuntimeError):  # a dictionary changed size during iteration
            return get_state()
    return get_state()


async def _autosave(stop: asyncio.Event) -> None:
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _AUTOSAVE_INTERVAL_S)
        if not stop.is_set():
            _save(*_RUNNING)


def named_error(result: dict[str, Any]) -> dict[str, Any]:
    """Give a failed invocation Lambda's shape: ``errorType`` is the exception's class name."""
    body = result.get("body")
    if not (result.get("error") and isinstance(body, dict)):
        return result
    if str(body.get("errorMessage")).startswith(_WORKER_KILLED):
        body["errorType"] = "Runtime.ExitError"
        return result
    _, found, trace = result.get("log", "").rpartition(_TRACEBACK_HEAD)
    if body.get("errorType") != "Runtime.HandlerError" or not found:
        return result
    exception = _EXCEPTION_LINE.search(trace)
    if exception:
        frames = trace[: exception.start()].splitlines()
        body |= {"errorType": exception["name"], "stackTrace": frames}
    return result


def _name_errors() -> None:
    """Have every invocation's failure named."""
    execute = lambda_svc._execute_function_warm

    def execute_named(func: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        return named_error(execute(func, event, request_id))

    lambda_svc._execute_function_warm = execute_named


def _read_binary_media_types() -> None:
    """Take ``~1`` in a REST API's binary media types for the slash that it stands for.

    And a client that names no type that it accepts takes any.
    """
    matches = apigateway_v1._media_type_matches

    def matches_unescaped(media_type: str | None, patterns: Sequence[str] | None) -> bool:
        unescaped = [each.replace("~1", "/") for each in patterns or ()]
        return bool(matches(media_type or "*/*", unescaped))

    apigateway_v1._media_type_matches = matches_unescaped


class _SharedZip(zipfile.ZipFile):
    """A layer's archive: where it is to be unpacked comes a link to where it was unpacked once."""

    _unpacking = threading.Lock()

    def extractall(self, path: Any = None, *arguments: Any) -> None:
        target = Path(path)
        if not target.name.startswith("layer_"):
            super().extractall(path, *arguments)
            return
        digest = hashlib.sha256(repr([(i.filename, i.CRC) for i in self.infolist()]).encode())
        shared = Path(os.environ["TMPDIR"], f"ministack-shared-{digest.hexdigest()[:16]}")
        with self._unpacking:
            if not shared.exists():
                partial = shared.with_suffix(".partial")
                super().extractall(partial, *arguments)
                partial.rename(shared)
        target.rmdir()
        target.symlink_to(shared)


def _share_layers() -> None:
    lambda_runtime.zipfile = SimpleNamespace(
        ZipFile=_SharedZip,
        BadZipFile=zipfile.BadZipFile,
        LargeFileError=zipfile.LargeZipFile,
    )


def _write_at_once() -> None:
    """Have states written by the fast half of ``json``: ``dump`` takes ten times as long."""

    def dump(value: Any, file: Any, default: Any) -> None:
        file.write(json.dumps(value, default=default))

    persistence.json = SimpleNamespace(**{**vars(json), "dump": dump})


def _be_patient() -> None:
    """Give functions more time: a process that starts beside fifty others takes long to do so."""
    start = lambda_runtime.Worker.__init__

    def patient(self: Any, name: str, config: dict[str, Any], *arguments: Any) -> None:
        start(self, name, {**config, "Timeout": _PATIENCE * config.get("Timeout", 3)}, *arguments)

    lambda_runtime.Worker.__init__ = patient


def _replay_streams() -> None:
    """Have streams begin anew with the tables' items: the emulator forgets what was in them.

    It keeps how far they were read, though, and would wait for as many new records.
    """
    load_tables, load_functions = dynamodb.load_persisted_state, lambda_svc.load_persisted_state

    def load_and_replay(data: dict[str, Any]) -> None:
        load_tables(data)
        for (account, region, name), table in list(dynamodb._tables.all_items()):
            tokens = (
                responses._request_account_id.set(account),
                responses._request_region.set(region),
            )
            for rows in table["items"].values():
                for item in rows.values():
                    dynamodb._emit_stream_event(name, "INSERT", None, item, replicate=False)
            responses._request_account_id.reset(tokens[0])
            responses._request_region.reset(tokens[1])

    def load_from_the_beginning(data: dict[str, Any]) -> None:
        load_functions({**data, "dynamodb_stream_positions": {}})

    dynamodb.load_persisted_state = load_and_replay
    lambda_svc.load_persisted_state = load_from_the_beginning


def _note_decisions(file: Path) -> None:
    """Write down what functions' roles were asked to allow, each case once.

    The line to the emulator is taken for TLS, which bucket policies insist on: it leads nowhere.
    """
    evaluate = iam_evaluator.evaluate
    noted: set[str] = set()

    def evaluate_and_note(context: Any, *policies: Any) -> Any:
        context.secure_transport = True
        result = evaluate(context, *policies)
        _, found, function = context.principal_arn.partition(":assumed-role/")
        if found:
            decision = {
                "function": function.rpartition("/")[2],
                "action": context.action,
                "resource": context.resource_arn,
                "decision": result.decision,
            }
            line = json.dumps(decision)
            if line not in noted:
                noted.add(line)
                with file.open("a") as lines:
                    lines.write(f"{line}\n")
        return result

    iam_evaluator.evaluate = evaluate_and_note


def _sweep() -> None:
    """Remove the functions' folders that an earlier run left in our temporary folder."""
    for folder in Path(os.environ["TMPDIR"]).glob("ministack-*"):
        shutil.rmtree(folder, ignore_errors=True)


async def _serve() -> None:
    config = Config()
    config.bind = [f"{os.environ['BIND_HOST']}:{os.environ['GATEWAY_PORT']}"]
    config.keep_alive_timeout = 75
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, stop.set)
    loop.add_signal_handler(signal.SIGUSR1, _save, *_DEPLOYED, *_RUNNING)
    saving = asyncio.create_task(_autosave(stop))
    await serve(app, config, shutdown_trigger=stop.wait)  # type: ignore[arg-type]
    await saving


if __name__ == "__main__":
    logging.getLogger("persistence").setLevel(logging.WARNING)  # it reports each file
    _sweep()
    _name_errors()
    _read_binary_media_types()
    _share_layers()
    _write_at_once()
    _be_patient()
    _replay_streams()
    _note_decisions(Path(os.environ["DECISIONS_FILE"]))
    asyncio.run(_serve())
