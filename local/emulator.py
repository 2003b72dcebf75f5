"""MiniStack with what it lacks for us, above all that its state survives a kill.

Beside each patch stands which behaviour of MiniStack it works around, the version in which that was
last seen, MiniStack's issue or pull request if one is known, and how to notice that the patch can
go.

Run as ``python -m local.emulator``; its settings are MiniStack's environment variables, which
`local.services` sets.
"""

import asyncio
import contextlib
import copy
import hashlib
import json
import logging
import os
import re
import shutil
import signal
import threading
import uuid
import zipfile
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack import app as ministack
from ministack.core import iam_evaluator, lambda_runtime, persistence, responses
from ministack.services import apigateway_v1, dynamodb, lambda_svc

from local import settings, sign_in, signatures

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
# A function's time limit here, as a multiple of its template's.
_TIMEOUT_FACTOR: Final = 4
# MiniStack's messages for a function's process that was killed: at work, or as it started.
_WORKER_KILLED: Final = ("Worker process died", "Worker process exited immediately")
_TRACEBACK_HEAD: Final = "Traceback (most recent call last):\n"
_EXCEPTION_LINE: Final = re.compile(r"^(?:[\w.<>]+\.)?(?P<name>\w+)(?::|$)", re.MULTILINE)


# ─── State that survives a kill ──────────────────────────────────────────────────────────────────


# 1.5.33 saves its state only when it shuts down: SIGKILL loses everything since the start. A slide
# whose scanner copy has been deleted could vanish from the catalogue. So a DynamoDB write is on
# disk before it is answered; accounts and executions are saved every few seconds, a deployment's
# changes on SIGUSR1. Pull request 1032 (closed, not merged) names the loss. Can go when MiniStack
# saves tables before it answers: kill the server right after a write, and read after a restart.
async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one MiniStack connection; save table writes before they are answered."""
    if scope["type"] == "http" and scope["path"] == settings.SIGNATURES_PATH:
        await _answer_for_signature(receive, send)
        return
    if scope["type"] != "http" or not _writes_a_table(scope):
        await ministack.app(scope, receive, send)
        return

    async def send_saved(message: Message) -> None:
        if message["type"] == "http.response.start":
            await _TABLES.saved()
        await send(message)

    await ministack.app(scope, receive, send_saved)


# MiniStack lacks AppSync. The stand-in for it asks here whose signature a request has.
async def _answer_for_signature(receive: Receive, send: Send) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    answer = json.dumps(signatures.decide(json.loads(body))).encode()
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


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
    """Return a copy of a service's state; copy again if one of its threads changed it."""
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


# 1.5.33 copies a dictionary that a thread of its own may change, and writes JSON by ``json.dump``,
# whose iterator takes ten times as long as ``json.dumps``. No issue known. Can go when
# persistence.save_state no longer calls ``json.dump``; imports of some hundred slides slow down
# without it.
def _write_at_once() -> None:
    """Have states written by ``json.dumps``, and the tables' items as they are encoded already."""

    def dump(value: Any, file: Any, default: Any) -> None:
        texts: dict[str, str] = {}

        def encode(part: Any) -> Any:
            if not isinstance(part, _EncodedItems):
                return default(part)
            name = f"{len(texts)} {uuid.uuid4()}"
            texts[json.dumps(name)] = part.text
            return name

        text = json.dumps(value, default=encode)
        for name, items in texts.items():
            text = text.replace(name, items, 1)
        file.write(text)

    persistence.json = SimpleNamespace(**{**vars(json), "dump": dump})


# 1.5.33 copies and encodes all items of all tables for each save: at 5,000 slides most of a second
# for each write. An item that changes is another object, so one that is the same object has the
# same text. No issue known. Can go when get_state in services/dynamodb.py no longer copies items;
# seeding that many takes five times as long without it.
@dataclass(frozen=True)
class _EncodedItems:
    """A table's items as JSON."""

    text: str


def _encode(item: Any) -> str:
    return json.dumps(item, default=persistence._json_default)


class ItemTexts:
    """The tables' state, of which only those items are encoded that have changed."""

    def __init__(self) -> None:
        # the item, so that no other object gets its address, and its text
        self._known: dict[tuple[Any, ...], tuple[Any, str]] = {}
        self._others = [name for name in dynamodb.get_state() if name != "tables"]

    def state(self) -> dict[str, Any]:
        """Return what ``dynamodb.get_state`` returns, with ``_EncodedItems`` in the tables."""
        known: dict[tuple[Any, ...], tuple[Any, str]] = {}
        tables = responses.AccountRegionScopedDict()
        for scope, table in dynamodb._tables.all_items():
            rest = {key: value for key, value in table.items() if key != "items"}
            rest.pop(dynamodb._INDEX_MEMBERS, None)
            items = _EncodedItems(self._encoded(scope, table["items"], known))
            tables.set_scoped(*scope, {**copy.deepcopy(rest), "items": items})
        self._known = known
        others = {name: copy.deepcopy(getattr(dynamodb, f"_{name}")) for name in self._others}
        return {"tables": tables, **others}

    def _encoded(self, scope: Any, items: Any, known: dict[tuple[Any, ...], Any]) -> str:
        parts = []
        for partition, rows in items.items():
            texts = []
            for sort, item in rows.items():
                place = (scope, partition, sort)
                before = self._known.get(place)
                known[place] = before if before and before[0] is item else (item, _encode(item))
                texts.append(f"{json.dumps(sort)}: {known[place][1]}")
            parts.append(f"{json.dumps(partition)}: {{{', '.join(texts)}}}")
        return f"{{{', '.join(parts)}}}"


def _encode_items_once() -> None:
    """Have the tables saved from ``ItemTexts``."""
    dynamodb.get_state = ItemTexts().state


# ─── Functions ───────────────────────────────────────────────────────────────────────────────────


# The local executor of 1.5.33 gives every exception of a Python handler the errorType
# Runtime.HandlerError, and a killed process HandlerError or RuntimeError. Lambda names the class of
# the exception, and Runtime.ExitError, by which the workflow's Retry and Catch choose. No issue
# known. Can go when test_ministack_still_names_no_exception in tests/local/test_emulator.py fails.
def named_error(result: dict[str, Any]) -> dict[str, Any]:
    """Return a failed invocation in Lambda's shape: ``errorType`` is the exception's class."""
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
    """Name every failed invocation's exception."""
    execute = lambda_svc._execute_function_warm

    def execute_named(func: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        return named_error(execute(func, event, request_id))

    lambda_svc._execute_function_warm = execute_named


# 1.5.33 unpacks all layers for each process of a function: 100 MB and seconds for each. Issue 1600
# (closed) mended that in the Docker executor; for the local one no issue is known. Can go when
# Worker._spawn in core/lambda_runtime.py no longer calls ``extractall`` for layers.
class _SharedZip(zipfile.ZipFile):
    """A layer's archive, unpacked once: other places get a link to it."""

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


# Not MiniStack's fault: it ends a function at its template's time limit, as Lambda does, and counts
# the start of the process. Beside fifty others on a small machine that start alone may take longer.
# Stays as long as tests run on such machines.
def _extend_timeouts() -> None:
    """Multiply the functions' time limits."""
    start = lambda_runtime.Worker.__init__

    def extended(self: Any, name: str, config: dict[str, Any], *arguments: Any) -> None:
        timeout_s = _TIMEOUT_FACTOR * config.get("Timeout", 3)
        start(self, name, {**config, "Timeout": timeout_s}, *arguments)

    lambda_runtime.Worker.__init__ = extended


# ─── API Gateway ─────────────────────────────────────────────────────────────────────────────────


# 1.5.33 compares binary media types as CloudFormation writes them, ``*~1*``, and takes a request
# without Accept for one that accepts nothing: images come as base64 text. No issue known; pull
# request 767 introduced the comparison. Can go when test_ministack_still_reads_types_literally
# in tests/local/test_emulator.py fails.
def _read_binary_media_types() -> None:
    """Read ``~1`` in binary media types as a slash, and a missing ``Accept`` as ``*/*``."""
    matches = apigateway_v1._media_type_matches

    def matches_unescaped(media_type: str | None, patterns: Sequence[str] | None) -> bool:
        unescaped = [each.replace("~1", "/") for each in patterns or ()]
        return bool(matches(media_type or "*/*", unescaped))

    apigateway_v1._media_type_matches = matches_unescaped


# ─── DynamoDB's streams ──────────────────────────────────────────────────────────────────────────


# 1.5.33 saves how far a stream was read, but not its records: after a restart as many new records
# are skipped, and what was not delivered is lost. No issue known. Can go when
# test_ministack_still_forgets_stream_records in tests/local/test_emulator.py fails; needed by
# test_what_is_to_be_sent_is_sent_after_a_restart in tests/stack/test_technician.py.
def _replay_streams() -> None:
    """Start each stream again, with one record for each item of its table."""
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
                    for record in dynamodb._stream_records.get(name, [])[-1:]:
                        # Nothing has changed: subscribers are not told of all slides.
                        record["eventName"] = "MODIFY"
                        record["dynamodb"]["OldImage"] = record["dynamodb"]["NewImage"]
            responses._request_account_id.reset(tokens[0])
            responses._request_region.reset(tokens[1])

    def load_from_the_beginning(data: dict[str, Any]) -> None:
        load_functions({**data, "dynamodb_stream_positions": {}})

    dynamodb.load_persisted_state = load_and_replay
    lambda_svc.load_persisted_state = load_from_the_beginning


# ─── Roles ───────────────────────────────────────────────────────────────────────────────────────


# With AUTH, 1.5.33 enforces roles (pull request 1471), but leaves no list of its decisions, which
# tests/stack/test_permissions.py reads: DECISIONS_FILE has a line of JSON for each that is new. No
# issue known; can go when MiniStack writes such a list. It serves plain HTTP, so that bucket
# policies that demand aws:SecureTransport would refuse every call; that is right, and stays.
def _note_decisions(file: Path) -> None:
    """Write each decision about a function's role once, and take the connection for TLS."""
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
    _encode_items_once()
    _extend_timeouts()
    sign_in.name_logins()
    _replay_streams()
    _note_decisions(Path(os.environ["DECISIONS_FILE"]))
    asyncio.run(_serve())
