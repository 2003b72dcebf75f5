"""Hand new slides to the cloud, and delete each local copy once it may go.

Runs on the scanner's workstation. For every new ``.svs`` file in the watched folder it calls
``POST {api_url}/ImportSlide`` until the answer says that these very bytes are imported; only then,
and only if the file is still the one it described, does the local copy go.

One file, Python 3.9 or later, standard library only. README.md beside it tells how to install it.
"""

from __future__ import annotations

import argparse
import base64
import configparser
import contextlib
import dataclasses
import email.utils
import enum
import hashlib
import http.client
import ipaddress
import json
import logging
import logging.handlers
import math
import os
import random
import re
import secrets
import signal
import ssl
import stat
import sys
import time
import typing
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Annotated, NamedTuple, Optional

if sys.platform == "win32":
    import ctypes
    import ctypes.wintypes
    import msvcrt
else:
    import fcntl

__version__ = "1.1.0"

SECRET_VARIABLE = "IMPORT_SLIDES_CLIENT_SECRET"  # noqa: S105 - a variable's name, not a secret
MAX_WAIT_S = 60.0  # longest wait between two attempts of one call; beyond it, the next run tries
MAX_ANSWER_BYTES = 1_000_000  # an answer is a few hundred bytes; more is not ours
TOKEN_MARGIN_S = 60.0  # a token is renewed this long before it expires
HASH_CHUNK_BYTES = 1 << 20

log = logging.getLogger("import_slides")


class ExitCode(enum.IntEnum):
    """What the process tells its caller."""

    OK = 0  # all done, or waiting normally
    SOME_FAILED = 1
    BAD_CONFIG = 2
    ALREADY_RUNNING = 3
    UNREACHABLE = 4
    TIMED_OUT = 5


class ImportSlidesError(Exception):
    """Root of the errors that this script raises."""


class ConfigError(ImportSlidesError):
    """Nothing can work until a person corrects the configuration."""


class AlreadyRunningError(ImportSlidesError):
    """Another instance holds the lock file."""


class SlideError(ImportSlidesError):
    """This one slide cannot be imported now; the others may."""


class NotYetError(ImportSlidesError):
    """This one slide must wait; nothing is wrong."""


class UnreachableError(ImportSlidesError):
    """A server gave no usable answer, also after several attempts."""

    def __init__(self, reason: str, retry_after_s: float = 0) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


# Settings ---------------------------------------------------------------------------------------


class Key(NamedTuple):
    """Where a setting stands in the configuration file, and what it means."""

    section: str
    meaning: str
    default: str | None = None  # None: required. In a path, {stem} is the configuration file's
    least: float = 0


@dataclass(frozen=True)
class Settings:
    """The configuration file, checked. Paths in it are relative to its own folder."""

    folder: Annotated[Path, Key("scanner", "folder to watch for new .svs files")]
    recursive: Annotated[bool, Key("scanner", "look into sub-folders too", "yes")]
    min_age_s: Annotated[float, Key("scanner", "leave files changed within these seconds", "60")]
    settle_s: Annotated[
        float, Key("scanner", "leave files not yet seen unchanged for these seconds", "30")
    ]
    sha256: Annotated[bool, Key("scanner", "send the SHA-256 of each file", "yes")]
    allow_http: Annotated[bool, Key("api", "allow http:// to other machines", "no")]
    api_url: Annotated[str, Key("api", "address of the API, stage included")]
    ca_bundle: Annotated[
        Optional[Path],  # noqa: UP045 - evaluated at run time, where Python 3.9 knows no "|"
        Key("api", "PEM file of certificate authorities to trust besides the system's", ""),
    ]
    timeout_s: Annotated[float, Key("api", "seconds to wait for an answer", "60", 0.001)]
    attempts: Annotated[int, Key("api", "attempts per call before giving up", "5", 1)]
    backoff_s: Annotated[float, Key("api", "first wait between attempts; doubles each time", "1")]
    token_url: Annotated[str, Key("login", "OAuth2 token endpoint")]
    client_id: Annotated[str, Key("login", "OAuth2 client")]
    client_secret: Annotated[
        str, Key("login", f"its secret; if empty, environment variable {SECRET_VARIABLE}", "")
    ]
    scope: Annotated[str, Key("login", "OAuth2 scopes, separated by spaces", "")]
    interval_s: Annotated[float, Key("run", "seconds between two passes", "60", 0.001)]
    max_calls_per_pass: Annotated[int, Key("run", "files to ask about in one pass", "200", 1)]
    state_file: Annotated[Path, Key("files", "hashes and sightings", "{stem}.state.json")]
    lock_file: Annotated[Path, Key("files", "held while running", "{stem}.lock")]
    log_file: Annotated[Path, Key("files", "the log", "{stem}.log")]
    log_max_bytes: Annotated[int, Key("files", "size at which the log rotates", "5000000", 1)]
    log_backups: Annotated[int, Key("files", "rotated logs to keep", "5", 1)]


def setting_keys() -> dict[str, tuple[object, Key]]:
    """Each setting's type and place, by name."""
    hints = typing.get_type_hints(Settings, include_extras=True)
    return {name: typing.get_args(hint) for name, hint in hints.items()}


def read_settings(config: Path) -> Settings:
    """Read and check the configuration file; errors name the section and the key."""
    parser = parse_ini(config)
    keys = setting_keys()
    known = {(key.section, name) for name, (_, key) in keys.items()}
    for section in parser.sections():
        for name in parser[section]:
            if (section, name) not in known:
                raise ConfigError(f"[{section}] {name}: no such setting")
    values: dict[str, typing.Any] = {}
    for name, (kind, key) in keys.items():
        text = parser.get(key.section, name, fallback="").strip() or key.default
        if name == "client_secret":
            text = text or os.environ.get(SECRET_VARIABLE)
        try:
            if text is None:
                raise ValueError("is missing")
            values[name] = parse_value(text, kind, key, config)
            if name in ("api_url", "token_url"):
                check_url(text, allow_http=values["allow_http"])
        except ValueError as error:
            raise ConfigError(f"[{key.section}] {name}: {error}") from error
    return Settings(**values)


def parse_ini(config: Path) -> configparser.ConfigParser:
    """Return the file's sections.

    A message about a bad line never repeats it: it may hold the secret.
    """
    parser = configparser.ConfigParser(interpolation=None, default_section="")
    try:
        parser.read_string(config.read_text(encoding="utf-8-sig"), source=str(config))
    except UnicodeDecodeError as error:
        raise ConfigError("not UTF-8; save it again with that encoding") from error
    except OSError as error:
        raise ConfigError(str(error.strerror)) from error
    except configparser.ParsingError as error:
        line = getattr(error, "lineno", None) or error.errors[0][0]
        raise ConfigError(f"line {line}: not [section], not key = value") from None
    except configparser.Error as error:
        raise ConfigError(str(error)) from error
    return parser


def parse_value(text: str, kind: object, key: Key, config: Path) -> object:
    """One setting's value; raises ValueError with a reason that a person can act on."""
    if kind is bool:
        if text.lower() not in configparser.ConfigParser.BOOLEAN_STATES:
            raise ValueError(f"{text!r} is neither yes nor no")
        return configparser.ConfigParser.BOOLEAN_STATES[text.lower()]
    if kind in (int, float):
        number = int(text) if kind is int else float(text)
        if not key.least <= number < math.inf:
            raise ValueError(f"{text} is not a number from {key.least:g} up")
        return number
    if kind is str:
        return text
    return config.parent / text.replace("{stem}", config.stem) if text else None


def check_url(url: str, allow_http: bool) -> None:
    """Refuse addresses over which the secret or a token would travel in the clear."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not re.fullmatch(r"[!-~]+", url):
        raise ValueError(f"{url!r} is not an https:// address")
    if not parts.hostname or parts.username or parts.query or parts.fragment or parts.port == 0:
        raise ValueError("the address needs a host, and may have no user, query or fragment")
    parts.hostname.encode("idna")  # raises a ValueError for a host that cannot exist
    if parts.scheme == "http" and not (allow_http or is_loopback(parts.hostname)):
        raise ValueError(f"{url} would send secrets in the clear; use https://")


def is_loopback(host: str) -> bool:
    """Whether a host name means this machine (RFC 6761 reserves ``.localhost`` for it)."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


# Files ------------------------------------------------------------------------------------------

SLIDE_SUFFIX = ".svs"
ASIDE_NAME = re.compile(r".+\.[0-9a-f]{8}\.vsv-removing", re.DOTALL)  # see remove()


@dataclass(frozen=True)
class Identity:
    """Which file this is, as far as the file system can tell without reading it."""

    size: int
    mtime_ns: int
    inode: int
    device: int

    @classmethod
    def of(cls, path: Path) -> Identity:
        """Return the identity of the file that now has this name; links are not followed."""
        return cls.from_stat(path.lstat())

    @classmethod
    def from_stat(cls, info: os.stat_result) -> Identity:
        """Return the identity in lstat()'s result (DirEntry's has no file index on Windows)."""
        return cls(info.st_size, info.st_mtime_ns, info.st_ino, info.st_dev)


@dataclass(frozen=True)
class Slide:
    """A slide file as it was when this pass began."""

    path: Path
    name: str  # relative to the watched folder, with "/": what the API calls filename
    identity: Identity


def scan(settings: Settings) -> tuple[list[Slide], list[Path]]:
    """Return the watched folder's slides, and the files that a broken-off removal left aside."""
    slides, asides = [], []
    for path, info in walk(settings.folder, settings.recursive):
        if ASIDE_NAME.fullmatch(path.name):
            asides.append(path)
        elif path.name.lower().endswith(SLIDE_SUFFIX):
            name = path.relative_to(settings.folder).as_posix()
            slides.append(Slide(path, name, Identity.from_stat(info)))
    return slides, asides


def walk(folder: Path, recursive: bool) -> Iterator[tuple[Path, os.stat_result]]:
    """Every plain file that is not hidden; no links, junctions or unreadable sub-folders."""
    pending = [folder]
    while pending:
        here = pending.pop()
        try:
            entries = sorted(here.iterdir())
        except OSError as error:
            if here == folder:
                raise ConfigError(f"[scanner] folder: {folder}: {error.strerror}") from error
            log.warning("%s: folder skipped: %s", here, error.strerror)
            continue
        for path in entries:
            try:
                info = path.lstat()
            except OSError as error:  # gone, most likely
                log.warning("%s: skipped: %s", path, error.strerror)
                continue
            attributes = getattr(info, "st_file_attributes", 0)  # Windows only
            junction = attributes & stat.FILE_ATTRIBUTE_REPARSE_POINT
            if path.name.startswith((".", "~")) or attributes & stat.FILE_ATTRIBUTE_HIDDEN:
                continue
            if stat.S_ISREG(info.st_mode):
                yield path, info
            elif stat.S_ISDIR(info.st_mode) and recursive and not junction:
                pending.append(path)


if sys.platform == "win32":

    def is_locked(path: Path) -> bool:
        """Whether another program has the file open: Windows would refuse us exclusive use."""
        kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
        word, handle_type = ctypes.wintypes.DWORD, ctypes.wintypes.HANDLE
        open_file, close = kernel32.CreateFileW, kernel32.CloseHandle
        open_file.restype, close.argtypes = handle_type, [handle_type]
        open_file.argtypes = [
            ctypes.wintypes.LPCWSTR, word, word, ctypes.c_void_p, word, word, handle_type,
        ]  # fmt: skip
        generic_read, open_existing, nobody_else = 0x80000000, 3, 0
        handle = open_file(str(path), generic_read, nobody_else, None, open_existing, 0, None)
        if handle == ctypes.c_void_p(-1).value:
            error = ctypes.get_last_error()
            if error in (32, 33):  # ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION
                return True
            raise ctypes.WinError(error)
        close(handle)
        return False

    def lock_exclusively(descriptor: int) -> None:
        """Take the lock or raise OSError; the system releases it when this process ends."""
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def rename_to_free_name(source: Path, target: Path) -> None:
        """Rename, but raise FileExistsError rather than overwrite."""
        source.rename(target)

else:

    def is_locked(path: Path) -> bool:
        """Whether another program holds an advisory lock; POSIX has no better sign."""
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            except OSError:  # this file system knows no locks
                return False
        return False

    def lock_exclusively(descriptor: int) -> None:
        """Take the lock or raise OSError; the system releases it when this process ends."""
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def rename_to_free_name(source: Path, target: Path) -> None:
        """Rename, but raise FileExistsError rather than overwrite."""
        try:
            os.link(source, target)
        except FileExistsError:
            if not source.samefile(target):  # else: a crash between link and unlink
                raise
        source.unlink()


def remove(path: Path, expected: Identity) -> None:
    """Delete the file if it is the expected one, else leave it and raise NotYetError.

    Between a check and a deletion by name, the scanner could put another file under that name. So
    the file first gets a name that nobody else knows, and is checked under that name. Windows
    refuses the renaming while another program has the file open.
    """
    if Identity.of(path) != expected or is_locked(path):
        raise NotYetError("kept: changed, or opened by another program")
    aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}.vsv-removing")
    path.rename(aside)
    try:
        if Identity.of(aside) != expected or is_locked(aside):
            raise NotYetError("kept: changed, or opened by another program")
        os.unlink(aside)  # the one deletion of a slide
    except BaseException:
        with contextlib.suppress(FileNotFoundError):  # interrupted just after the deletion
            put_back(aside)
        raise


def put_back(aside: Path) -> None:
    """Give a file that was moved aside its name again, or a new one where that is taken."""
    path = aside.with_suffix("").with_suffix("")
    try:
        rename_to_free_name(aside, path)
    except FileExistsError:
        path = path.with_name(f"{path.stem}.restored-{secrets.token_hex(4)}{path.suffix}")
        rename_to_free_name(aside, path)
    log.warning("%s: put back as %s", aside, path.name)


def sha256_of(path: Path) -> str:
    """Return the file's SHA-256 in hex, read in pieces: slides are larger than memory."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(HASH_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


@contextlib.contextmanager
def single_instance(lock_file: Path) -> Iterator[None]:
    """Hold the lock file; raises AlreadyRunningError where another instance does."""
    try:
        file = lock_file.open("ab")
    except OSError as error:
        raise ConfigError(f"[files] lock_file: {lock_file}: {error.strerror}") from error
    with file:
        try:
            lock_exclusively(file.fileno())
        except OSError as error:
            raise AlreadyRunningError(f"another instance runs: it holds {lock_file}") from error
        yield


# State between runs -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Record:
    """What is remembered of one file, as long as its size, time and inode stay the same."""

    size: int
    mtime_ns: int
    inode: int
    first_seen: float  # seconds since the epoch, by this machine's clock
    last_tried: float = 0.0  # 0: never
    sha256: str = ""

    def __post_init__(self) -> None:
        numbers = (self.size, self.mtime_ns, self.inode, self.first_seen, self.last_tried)
        if not all(isinstance(number, (int, float)) for number in numbers):
            raise TypeError("a number is none")
        if not re.fullmatch("([0-9a-f]{64})?", self.sha256):
            raise ValueError("a SHA-256 is none")


class State:
    """The records of all files in the folder, kept in one small JSON file.

    It only saves work: without it, files are hashed and watched again.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.records: dict[str, Record] = {}
        try:
            stored = json.loads(file.read_text(encoding="utf-8"))
            self.records = {name: Record(**fields) for name, fields in stored["files"].items()}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
            self.records = {}
            log.warning("%s: unreadable, starting over: %s", file, error)

    def observe(self, slides: list[Slide]) -> None:
        """Note which files there are now; a file that changed, or is gone, is forgotten."""
        now, before, self.records = time.time(), self.records, {}
        for slide in slides:
            seen = slide.identity
            record = before.get(slide.name)
            known = record and (record.size, record.mtime_ns, record.inode)
            if not record or known != (seen.size, seen.mtime_ns, seen.inode):
                record = Record(seen.size, seen.mtime_ns, seen.inode, now)
            # A clock that was set back must not make a file wait for the old time.
            record = dataclasses.replace(record, first_seen=min(record.first_seen, now))
            self.records[slide.name] = record

    def update(self, name: str, **changes: typing.Any) -> None:
        """Replace some fields of one record."""
        self.records[name] = dataclasses.replace(self.records[name], **changes)

    def save(self) -> None:
        """Write the file whole or not at all."""
        files = {name: dataclasses.asdict(record) for name, record in self.records.items()}
        temporary = self._file.with_name(f"{self._file.name}.tmp")
        try:
            temporary.write_text(json.dumps({"files": files}, indent=1), encoding="utf-8")
            temporary.replace(self._file)
        except OSError as error:
            log.warning("%s: not saved: %s", self._file, error.strerror)


# HTTP -------------------------------------------------------------------------------------------


class AnyStatus(urllib.request.HTTPErrorProcessor):
    """Hand back every answer as it is: no exception for 4xx, and no redirect followed.

    A redirect would carry the token to another address.
    """

    def http_response(
        self, request: urllib.request.Request, response: http.client.HTTPResponse
    ) -> http.client.HTTPResponse:
        """Any answer is a good answer here."""
        return response

    https_response = http_response


@dataclass(frozen=True)
class Reply:
    """An HTTP answer."""

    status: int
    headers: Message
    body: bytes

    def json(self) -> dict[str, typing.Any]:
        """Return the body as a JSON object; empty where it is none."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    def problem(self) -> str:
        """Return what went wrong, in the server's words (RFC 9457) where it has some."""
        said = self.json()
        texts = [said.get("title") or said.get("message"), said.get("detail")]
        words = ": ".join(text for text in texts if isinstance(text, str) and text)
        instance = said.get("instance")
        request = f" (request {instance})" if isinstance(instance, str) else ""
        return f"HTTP {self.status} {words}".rstrip() + request

    def retry_after_s(self) -> float:
        """Seconds that the server asks us to wait; 0 if it doesn't."""
        text = self.headers.get("Retry-After", "")
        with contextlib.suppress(ValueError):
            return max(0.0, float(int(text)))
        with contextlib.suppress(ValueError, TypeError):
            return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
        return 0.0


class Http:
    """POST with time limits, attempts, and waits between them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._tls = ssl.create_default_context()
        if settings.ca_bundle:
            try:
                self._tls.load_verify_locations(settings.ca_bundle)
            except OSError as error:  # ssl.SSLError is one
                raise ConfigError(f"[api] ca_bundle: {settings.ca_bundle}: {error}") from error

    def post(self, url: str, body: bytes, headers: dict[str, str]) -> Reply:
        """Return the server's answer; raise UnreachableError if no attempt got a usable one."""
        for attempt in range(1, self._settings.attempts + 1):
            try:
                return self._post_once(url, body, headers)
            except UnreachableError as error:
                # Jitter, so that many workstations don't all come back at the same moment.
                backoff_s = self._settings.backoff_s * 2 ** (attempt - 1)
                wait_s = backoff_s * random.uniform(0.5, 1)  # noqa: S311 - nothing to guess
                wait_s = max(min(wait_s, MAX_WAIT_S), error.retry_after_s)
                if attempt == self._settings.attempts or wait_s > MAX_WAIT_S:
                    raise
                log.info("%s; attempt %d follows in %.1f s", error, attempt + 1, wait_s)
                time.sleep(wait_s)
        raise AssertionError("settings.attempts is at least 1")

    def _post_once(self, url: str, body: bytes, headers: dict[str, str]) -> Reply:
        headers = {
            "Accept": "application/json, application/problem+json",
            "User-Agent": f"import_slides/{__version__}",
            **headers,
        }
        host = urllib.parse.urlsplit(url).hostname or ""
        handlers = [AnyStatus(), urllib.request.HTTPSHandler(context=self._tls)]
        if is_loopback(host):
            handlers.append(urllib.request.ProxyHandler({}))  # a proxy's localhost is not ours
        request = urllib.request.Request(url, body, headers)  # noqa: S310 - see check_url
        opener = urllib.request.build_opener(*handlers)
        try:
            with opener.open(request, timeout=self._settings.timeout_s) as response:
                reply = Reply(response.status, response.headers, response.read(MAX_ANSWER_BYTES))
        except (OSError, http.client.HTTPException) as error:
            reason = str(getattr(error, "reason", error)) or type(error).__name__
            raise UnreachableError(f"no answer from {host}: {reason}") from error
        if reply.status in (408, 429) or reply.status >= 500:
            raise UnreachableError(f"{host}: {reply.problem()}", reply.retry_after_s())
        return reply


class Login:
    """The access token, by OAuth2 client credentials; kept in memory until it soon expires."""

    def __init__(self, settings: Settings, http: Http) -> None:
        self._settings = settings
        self._http = http
        self._token = ""
        self._expires = 0.0  # time.monotonic()

    def forget(self) -> None:
        """Ask for a new token next time."""
        self._token = ""

    def token(self) -> str:
        """Return a token that is still valid for a while; raise ConfigError if it is refused."""
        if not self._token or time.monotonic() >= self._expires:
            self._renew()
        return self._token

    def _renew(self) -> None:
        asked = time.monotonic()
        client = (self._settings.client_id, self._settings.client_secret)
        pair = ":".join(urllib.parse.quote(part, safe="") for part in client)  # RFC 6749, 2.3.1
        form = {"grant_type": "client_credentials", "scope": self._settings.scope}
        reply = self._http.post(
            self._settings.token_url,
            urllib.parse.urlencode({key: text for key, text in form.items() if text}).encode(),
            {
                "Authorization": "Basic " + base64.b64encode(pair.encode()).decode(),
                "Content-Type": "application/x-www-form-urlencoded",
            },
        )
        answer = reply.json()
        token, lifetime_s = answer.get("access_token"), answer.get("expires_in")
        # Only visible ASCII: http.client would quote any other token in its error message.
        if reply.status != 200 or not re.fullmatch(r"[!-~]+", str(token or "")):
            reason = re.sub(r"[^\w ]", "", str(answer.get("error", "")))[:60] or "no token"
            raise ConfigError(f"[login] token_url refuses us: HTTP {reply.status} {reason}")
        lifetime_s = lifetime_s if isinstance(lifetime_s, int) else 300
        self._token = str(token)
        self._expires = asked + max(lifetime_s - TOKEN_MARGIN_S, lifetime_s / 2)


@dataclass(frozen=True)
class Answer:
    """What ``POST /ImportSlide`` says about one slide."""

    status: str
    fields: dict[str, typing.Any]

    def allows_removal_of(self, slide: Slide, sha256: object) -> bool:
        """Whether the local copy may go. Raises SlideError if the answer means another file.

        ``sha256`` is the one that was sent, or None. One that was sent has to come back.
        """
        filename, size = self.fields.get("filename"), self.fields.get("size")
        if self.status != "IMPORTED" or (filename is None and size is None):
            return False
        if (filename, size) != (slide.name, slide.identity.size) or type(size) is not int:
            raise SlideError(f"kept: the answer is about {filename!r} of {size!r} bytes")
        answered = self.fields.get("sha256")
        if sha256 is not None and answered is None:
            raise SlideError("kept: the answer does not name the SHA-256 of what was imported")
        if sha256 is not None and answered != sha256:
            raise SlideError(f"kept: the answer is about bytes with the SHA-256 {answered!r}")
        return True

    def reason(self) -> str:
        """Why the copy may go: "imported", or that another file has the same bytes."""
        detail = self.fields.get("detail")
        if isinstance(detail, str) and detail.strip() not in ("", "imported"):
            return f"imported, {detail}"
        return "imported"

    def __str__(self) -> str:
        """Return the status in a technician's words."""
        rendered, total = self.fields.get("tiles_rendered"), self.fields.get("tiles_total")
        details = [self.status.lower()]
        if isinstance(rendered, int) and isinstance(total, int):
            details.append(f"{rendered} of {total} tiles")
        if isinstance(self.fields.get("detail"), str):
            details.append(self.fields["detail"])
        return ", ".join(details)


class Api:
    """The one call that this script lives for."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.api_url.rstrip("/") + "/ImportSlide"
        self._http = Http(settings)
        self._login = Login(settings, self._http)

    def import_slide(self, description: dict[str, object]) -> Answer:
        """Describe one file and hear how far its import is."""
        body = json.dumps(description).encode()
        reply = self._post(body)
        if reply.status == 401:  # revoked, or its clock is not ours
            self._login.forget()
            reply = self._post(body)
        if reply.status == 401:
            raise ConfigError(f"[api] api_url refuses our token: {reply.problem()}")
        if reply.status != 200:
            raise SlideError(reply.problem())
        fields = reply.json()
        if not isinstance(fields.get("status"), str):
            raise SlideError("the API's answer is not understood: no JSON object with a status")
        return Answer(fields["status"], fields)

    def _post(self, body: bytes) -> Reply:
        token = self._login.token()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        return self._http.post(self._url, body, headers)


# The work ---------------------------------------------------------------------------------------


class Outcome(enum.Enum):
    """How one file stands after a pass."""

    GONE = enum.auto()
    WAITING = enum.auto()
    FAILED = enum.auto()
    UNREACHABLE = enum.auto()


BAD_OUTCOMES = (Outcome.FAILED, Outcome.UNREACHABLE)


class Importer:
    """Passes over the watched folder; remembers what it said, to say only what changed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._api = Api(settings)
        self._state = State(settings.state_file)
        self._said: dict[str, str] = {}
        self.retry_after_s = 0.0  # what the API asked for when it last turned us away

    def run_pass(self) -> Counter[Outcome]:
        """Ask once about every file that is ready; raises ConfigError if none can be asked."""
        self.retry_after_s = 0.0
        slides, asides = scan(self._settings)
        for aside in asides:
            try:
                put_back(aside)
            except OSError as error:
                log.error("%s: cannot be put back: %s", aside, error.strerror)
        if asides:
            slides, _ = scan(self._settings)
        self._state.observe(slides)
        try:
            return self._offer_all(slides)
        finally:
            self._state.save()

    def _offer_all(self, slides: list[Slide]) -> Counter[Outcome]:
        outcomes = Counter[Outcome]()
        ready = []
        for slide in slides:
            reason = why_not_yet(slide, self._state.records[slide.name], self._settings)
            if reason:
                outcomes[self._say(slide, Outcome.WAITING, reason)] += 1
            else:
                ready.append(slide)
        # Oldest first; but files that had their turn go behind those that had not, so that
        # neither a limit nor bad files in front ever keep the others from their turn.
        ready.sort(key=lambda s: (self._state.records[s.name].last_tried, s.identity.mtime_ns))
        given_up = 0
        for number, slide in enumerate(ready):
            if number == self._settings.max_calls_per_pass or given_up == 2:
                outcomes[Outcome.WAITING] += len(ready) - number
                break
            outcome = self._offer(slide)
            outcomes[outcome] += 1
            # One file may be beyond the API's strength; two in a row mean that the API is.
            given_up = given_up + 1 if outcome is Outcome.UNREACHABLE else 0
        return outcomes

    def _offer(self, slide: Slide) -> Outcome:
        """Ask about one file, and delete it if told so. One file's trouble stops no others."""
        self._state.update(slide.name, last_tried=time.time())
        try:
            if Identity.of(slide.path) != slide.identity:
                raise NotYetError("waiting: changed since this pass began")
            if is_locked(slide.path):
                raise NotYetError("waiting: another program has it open")
            description = self._describe(slide)
            answer = self._api.import_slide(description)
            if answer.allows_removal_of(slide, description.get("sha256")):
                remove(slide.path, slide.identity)
                return self._say(slide, Outcome.GONE, f"{answer.reason()}; local copy deleted")
            failed = answer.status == "FAILED"
            return self._say(slide, Outcome.FAILED if failed else Outcome.WAITING, str(answer))
        except NotYetError as error:
            return self._say(slide, Outcome.WAITING, str(error))
        except SlideError as error:
            return self._say(slide, Outcome.FAILED, str(error))
        except UnreachableError as error:
            self.retry_after_s = max(self.retry_after_s, error.retry_after_s)
            return self._say(slide, Outcome.UNREACHABLE, f"given up until later: {error}")
        except FileNotFoundError:
            return self._say(slide, Outcome.GONE, "no longer in the folder")
        except OSError as error:
            return self._say(slide, Outcome.FAILED, f"local file: {error.strerror}")

    def _describe(self, slide: Slide) -> dict[str, object]:
        try:
            slide.name.encode()
        except UnicodeEncodeError as error:
            raise SlideError("its name is not valid Unicode and cannot be sent") from error
        description: dict[str, object] = {"filename": slide.name, "size": slide.identity.size}
        if self._settings.sha256:
            if not self._state.records[slide.name].sha256:
                digest = sha256_of(slide.path)
                if Identity.of(slide.path) != slide.identity:
                    raise NotYetError("waiting: changed while it was read")
                self._state.update(slide.name, sha256=digest)
                self._state.save()  # now: a crash must not cost the reading of 2 GB again
            description["sha256"] = self._state.records[slide.name].sha256
        return description

    def _say(self, slide: Slide, outcome: Outcome, text: str) -> Outcome:
        """Log what is new about a file; what was said before, only if verbose."""
        level = logging.ERROR if outcome in BAD_OUTCOMES else logging.INFO
        if self._said.get(slide.name) == text:
            level = logging.DEBUG
        log.log(level, "%s: %s", slide.name, text)
        self._said[slide.name] = text
        if outcome is Outcome.GONE:
            del self._said[slide.name]
        return outcome


def why_not_yet(slide: Slide, record: Record, settings: Settings) -> str:
    """Why a file is left alone for now; empty if it is ready."""
    now, changed = time.time(), slide.identity.mtime_ns / 1e9
    if changed > now:  # the scanner's clock is ahead: go by what this machine saw
        changed = record.first_seen
    if now - changed < settings.min_age_s:
        return f"waiting: changed less than {settings.min_age_s:g} s ago"
    if now - record.first_seen < settings.settle_s:
        return f"waiting: not yet seen unchanged for {settings.settle_s:g} s"
    return ""


def dry_run(settings: Settings) -> ExitCode:
    """Say what a pass would do; calls nothing, changes nothing."""
    slides, asides = scan(settings)
    state = State(settings.state_file)
    state.observe(slides)
    for aside in asides:
        log.info("%s: would be put back", aside)
    for slide in sorted(slides, key=lambda s: s.identity.mtime_ns):
        reason = why_not_yet(slide, state.records[slide.name], settings)
        offer = f"would be offered to {settings.api_url} ({slide.identity.size} bytes)"
        log.info("%s: %s", slide.name, reason or offer)
    return ExitCode.OK


def exit_code(outcomes: Counter[Outcome]) -> ExitCode:
    """One pass, summed up."""
    if outcomes[Outcome.UNREACHABLE]:
        return ExitCode.UNREACHABLE
    return ExitCode.SOME_FAILED if outcomes[Outcome.FAILED] else ExitCode.OK


def run(settings: Settings, arguments: argparse.Namespace) -> ExitCode:
    """Make passes until there is nothing left to do in the chosen mode."""
    importer = Importer(settings)
    patient = not (arguments.once or arguments.until_done)
    deadline = time.monotonic() + (arguments.timeout or math.inf)
    while True:
        try:
            outcomes = importer.run_pass()
        except ConfigError as error:  # may be cured by then: a share, a client's secret
            if not patient:
                raise
            log.error("%s", error)
            outcomes = Counter()
        code = exit_code(outcomes)
        unfinished = outcomes[Outcome.WAITING] + outcomes[Outcome.UNREACHABLE]
        if arguments.once or (arguments.until_done and not unfinished):
            return code
        wait_s = max(settings.interval_s, importer.retry_after_s)
        if time.monotonic() + wait_s > deadline:
            log.error("out of time; %d files are left", unfinished + outcomes[Outcome.FAILED])
            return code or ExitCode.TIMED_OUT
        time.sleep(wait_s)


# The command line -------------------------------------------------------------------------------


class OneLineFormatter(logging.Formatter):
    """One line per event, whatever a file name or a server's answer contains."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the event, with anything unprintable replaced by a space."""
        text = super().format(record)
        return "".join(c if c.isprintable() or "\ud800" <= c <= "\udfff" else " " for c in text)


def log_to(handler: logging.Handler) -> None:
    """Write the log there too."""
    formatter = OneLineFormatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S%z")
    handler.setFormatter(formatter)
    log.addHandler(handler)


def log_file(settings: Settings) -> logging.Handler:
    """Return the rotating log file."""
    try:
        return logging.handlers.RotatingFileHandler(
            settings.log_file,
            maxBytes=settings.log_max_bytes,
            backupCount=settings.log_backups,
            encoding="utf-8",
            errors="backslashreplace",  # a file name on Linux may be no Unicode
        )
    except OSError as error:
        raise ConfigError(f"[files] log_file: {settings.log_file}: {error.strerror}") from error


def help_on_settings() -> str:
    """Return the configuration file's settings, for --help."""
    lines = ["settings in the configuration file:"]
    section = ""
    for name, (_, key) in setting_keys().items():
        if key.section != section:
            section = key.section
            lines.append(f"  [{section}]")
        default = "required" if key.default is None else f"default: {key.default or 'none'}"
        lines.append(f"    {name}: {key.meaning} ({default})")
    lines.append("exit codes:")
    lines += [f"  {code.value} {code.name.lower().replace('_', ' ')}" for code in ExitCode]
    return "\n".join(lines)


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Parse the command line; exit with code 2 and a message if it is wrong."""
    parser = argparse.ArgumentParser(
        description="Import new slides from the scanner's folder; delete each local copy once "
        "the cloud holds it and says so. Without --once or --until-done: until stopped.",
        epilog=help_on_settings(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--config",
        type=Path,
        default=Path(__file__).with_suffix(".ini"),
        metavar="FILE",
        help="configuration file (default: import_slides.ini beside this script)",
    )
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--once", action="store_true", help="make one pass, then exit")
    mode.add_argument(
        "--until-done",
        action="store_true",
        help="repeat until no file is left, or only failed ones",
    )
    mode.add_argument("--dry-run", action="store_true", help="say what would be done, do nothing")
    parser.add_argument("--timeout", type=float, metavar="S", help="give up --until-done after S s")
    parser.add_argument(
        "--verbose", action="store_true", help="log every answer, also unchanged ones"
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    arguments = parser.parse_args(argv)
    if arguments.timeout is not None and not (arguments.until_done and arguments.timeout > 0):
        parser.error("--timeout goes with --until-done, and is more than 0")
    return arguments


def main(argv: list[str] | None = None) -> int:
    """Run the script; returns its exit code."""
    arguments = parse_arguments(argv)
    log.setLevel(logging.DEBUG if arguments.verbose else logging.INFO)
    log_to(logging.StreamHandler())
    # Ended by a service manager or by Ctrl-C: the same tidy way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        settings = read_settings(arguments.config)
        if arguments.dry_run:
            return dry_run(settings)
        with single_instance(settings.lock_file):
            log_to(log_file(settings))
            return run(settings, arguments)
    except ConfigError as error:
        log.error("%s: %s", arguments.config, error)
        return ExitCode.BAD_CONFIG
    except AlreadyRunningError as error:
        log.error("%s", error)
        return ExitCode.ALREADY_RUNNING
    except KeyboardInterrupt:
        log.info("stopped")
        return ExitCode.OK
    except Exception:
        log.exception("a bug; please report this line")  # Task Scheduler shows no stderr
        return ExitCode.SOME_FAILED


if __name__ == "__main__":
    sys.exit(main())
