"""The CDR's HTTPS endpoint: credentials, tries, and untrusted answers."""

import base64
import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, Final, Self

import urllib3
from aws_lambda_powertools.utilities.parameters import GetParameterError, SecretsProvider
from urllib3.exceptions import HTTPError

from vsv.errors import Unavailable, VsvError

if TYPE_CHECKING:
    from urllib3.response import BaseHTTPResponse  # Lambda may bring a version that has none

__all__ = ["CdrClient", "Credentials", "Refused"]

# Ten slides at their slowest (a try that begins just before the deadline, and one more
# with credentials read again) take some ten minutes: SendToCdr has fifteen.
_TIMEOUT: Final = urllib3.Timeout(connect=3, read=8)
_ANSWER_S: Final = 5.0
# One try as a whole, however each of its waits is drawn out: connection, headers, answer.
_TRY_S: Final = 3 + 8 + _ANSWER_S
_TRIES: Final = 3
_DEADLINE_S: Final = 25.0
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 10.0
# Statuses from 400 to 499 that may be others a moment later. 401 is one: credentials are replaced.
_TRANSIENT: Final = frozenset({401, 408, 425, 429})
_SECRET_AGE_S: Final = 300
# Of an answer no more is read, and of its texts no more is kept.
_MAX_ANSWER_BYTES: Final = 16 * 1024
_MAX_TEXT_CHARS: Final = 200


class Refused(VsvError):
    """The CDR refused the slide: another try would be refused, too.

    ``title`` is the CDR's reason: for the record, not for the log.
    """

    def __init__(self, reason: str, title: str | None = None) -> None:
        super().__init__(reason)
        self.title = title


class Credentials:
    """The CDR's credentials, in Secrets Manager: kept for minutes, and read again on request.

    The secret is JSON: ``{"username": …, "password": …}`` or ``{"token": …}``.
    """

    def __init__(self, secrets: SecretsProvider, arn: str) -> None:
        self._secrets = secrets
        self._arn = arn

    def header(self, *, force: bool = False) -> str:
        """Return the Authorization header. Raises Unavailable if the secret is not usable."""
        try:
            text = self._secrets.get(self._arn, max_age=_SECRET_AGE_S, force_fetch=force)
            secret = json.loads(str(text))
        except (GetParameterError, ValueError) as error:
            raise Unavailable("the CDR's credentials cannot be read") from error
        match secret:
            case {"username": str(name), "password": str(password)}:
                return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
            case {"token": str(token)} if token.isascii() and token.isprintable():
                return f"Bearer {token}"
        raise Unavailable("the CDR's secret has neither username and password nor a token")


@dataclass(frozen=True)
class _Answer:
    """The relevant parts of the CDR's answer. Its texts are bounded and printable."""

    status: int
    receipt: str | None
    title: str | None
    retry_after_s: float | None

    @classmethod
    def read(cls, response: "BaseHTTPResponse", body: bytes) -> Self:
        """Parse an answer; a ``body`` longer than the limit is ignored."""
        fields = _json_object(body) if len(body) <= _MAX_ANSWER_BYTES else None
        try:
            retry_after_s = urllib3.Retry().get_retry_after(response)
        except (HTTPError, ValueError, OverflowError):
            retry_after_s = None
        receipt = title = None
        if fields is not None:
            receipt = _text(fields.get("receipt")) or _text(response.headers.get("Receipt"))
            title = _text(fields.get("title"))
        return cls(response.status, receipt, title, retry_after_s)

    @property
    def is_acceptance(self) -> bool:
        """Return whether the answer accepts the slide, provided that it has a receipt."""
        return 200 <= self.status < 300 or self.status == 409

    @property
    def is_refusal(self) -> bool:
        """Return whether the answer is final: another try would get the same."""
        return 400 <= self.status < 500 and self.status not in _TRANSIENT

    @property
    def problem(self) -> str:
        """Return what is wrong with an answer that is neither a receipt nor a refusal."""
        if 200 <= self.status < 300:
            return f"the CDR answers with status {self.status} but without a receipt"
        return f"the CDR answers with status {self.status}"


class CdrClient:
    """Sends payloads.

    The loop over tries is its own: urllib3's reads what it discards to the end, however long that
    is, knows no bound for the whole, and has no jitter in the version that Lambda may bring.
    """

    def __init__(
        self, url: str, credentials: Credentials, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._url = url
        self._credentials = credentials
        self._sleep = sleep
        self._http = urllib3.PoolManager(
            timeout=_TIMEOUT, retries=False, cert_reqs="CERT_REQUIRED", maxsize=1
        )

    def deliver(self, content: Mapping[str, Any], key: str) -> str:
        """Send one payload; return the CDR's receipt.

        Raises Refused, or Unavailable where the same may go through later.
        """
        body = json.dumps(content).encode()
        end = time.monotonic() + _DEADLINE_S
        force = False
        for tried in count(1):
            pause_s = random.uniform(0.5, 1) * _FIRST_PAUSE_S * 2 ** (tried - 1)  # noqa: S311
            try:
                answer = self._ask(body, key, self._credentials.header(force=force))
                if answer.status == 401 and not force:  # they may have been replaced
                    force = True
                    answer = self._ask(body, key, self._credentials.header(force=True))
            except HTTPError as error:
                reason = f"the CDR cannot be reached ({type(error).__name__})"
            else:
                if answer.receipt and answer.is_acceptance:
                    return answer.receipt
                if answer.is_refusal:
                    raise Refused(
                        f"the CDR refused the slide with status {answer.status}",
                        _without_ids(answer.title, content),
                    )
                reason = answer.problem
                pause_s = min(answer.retry_after_s or pause_s, _LONGEST_PAUSE_S)
            if tried == _TRIES or time.monotonic() + pause_s > end:
                raise Unavailable(reason)
            self._sleep(pause_s)
        raise AssertionError("unreachable")

    def _ask(self, body: bytes, key: str, authorization: str) -> _Answer:
        """Return the answer to one try. Raises HTTPError, or Unavailable where it takes too long.

        A timeout bounds each wait for a byte and not their sum, so the try runs in a thread of its
        own, which is left to its end where that does not come.
        """
        ends: SimpleQueue[_Answer | Exception] = SimpleQueue()

        def run() -> None:
            try:
                ends.put(self._exchange(body, key, authorization))
            except Exception as error:  # noqa: BLE001  raised below, in the caller's thread
                ends.put(error)

        Thread(target=run, daemon=True).start()
        try:
            end = ends.get(timeout=_TRY_S)
        except Empty:
            raise Unavailable("the CDR's answer takes too long") from None
        if isinstance(end, Exception):
            raise end
        return end

    def _exchange(self, body: bytes, key: str, authorization: str) -> _Answer:
        headers = {
            "Authorization": authorization,
            "Content-Type": "application/json",
            "Idempotency-Key": key,
        }
        response = self._http.request(
            "POST", self._url, body=body, headers=headers, redirect=False, preload_content=False
        )
        read, end = bytearray(), time.monotonic() + _ANSWER_S
        try:
            # A byte at a time: to ask for more is to wait until it is there, however it trickles.
            while len(read) <= _MAX_ANSWER_BYTES and (byte := response.read(1)):
                read += byte
                if time.monotonic() > end:
                    raise Unavailable("the CDR's answer takes too long")
            return _Answer.read(response, bytes(read))
        finally:
            response.close()


def _json_object(body: bytes) -> Mapping[str, Any] | None:
    """Return the body's JSON object; an empty one if there is no body, None for other bodies."""
    if not body:
        return {}
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def _text(value: Any) -> str | None:
    """Return an untrusted text or number, printable and bounded; None if nothing is left."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    shown = "".join(char for char in str(value) if char.isprintable()).strip()
    return shown[:_MAX_TEXT_CHARS] or None


def _without_ids(title: str | None, content: Mapping[str, Any]) -> str | None:
    """Return the title, unless it repeats one of the slide's IDs."""
    ids = (str(content[name]).casefold() for name in ("ImageID", "SlideID", "CaseID"))
    return None if title is None or any(each in title.casefold() for each in ids) else title
