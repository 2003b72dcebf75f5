"""Publish changes of slides to the people who look at them, by a mutation of AppSync.

AppSync passes a mutation's result on to subscribers. The pages read again what they show, so that a
lost message costs time and nothing else.
"""

import json
import random
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

import boto3
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from urllib3.exceptions import HTTPError

from vsv.catalogue.projections import LIVE_FIELDS
from vsv.errors import Unavailable, VsvError
from vsv.live.changes import slide_changes
from vsv.logs import count, log_unexpected, logger
from vsv.settings import LiveSettings

__all__ = ["AppSync", "Publisher", "Refused", "publisher"]

# An import's progress is told at most this often for a slide: each message is paid for as often as
# people are connected.
_PROGRESS_EVERY_S: Final = 5.0
_TIMEOUT: Final = urllib3.Timeout(connect=2, read=5)
_TRIES: Final = 3
_FIRST_PAUSE_S: Final = 0.2
# When this has passed in a batch, nothing more is tried: the next batch waits.
_DEADLINE_S: Final = 20.0
_MAX_ANSWER_BYTES: Final = 16 * 1024
_TYPES: Final = {
    "ImageID": "String!",
    "Version": "Int",
    "Status": "String",
    "ImportStatus": "String",
    "TilesRendered": "Int",
    "TilesTotal": "Int",
}
# Subscribers get the fields that are selected here, and no others.
_MUTATION: Final = (
    f"mutation ({', '.join(f'${name}: {kind}' for name, kind in _TYPES.items())}) {{"
    f" publishSlideChange({', '.join(f'{name}: ${name}' for name in _TYPES)})"
    f" {{ ImageID {' '.join(LIVE_FIELDS)} }} }}"
)


class Refused(VsvError):
    """AppSync refused a message; another try would be refused, too."""


class Channel(Protocol):
    """Where messages go."""

    def publish(self, message: Mapping[str, Any]) -> None:
        """Publish one message. Raises Refused, or Unavailable."""


class AppSync:
    """The GraphQL API, called with the rights of the function's role (Signature Version 4)."""

    def __init__(
        self,
        url: str,
        region: str,
        credentials: Callable[[], Credentials],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = url
        self._region = region
        self._credentials = credentials
        self._sleep = sleep
        self._http = urllib3.PoolManager(
            timeout=_TIMEOUT, retries=False, cert_reqs="CERT_REQUIRED", maxsize=1
        )

    def publish(self, message: Mapping[str, Any]) -> None:
        """Publish one message. Raises Refused, or Unavailable after three tries."""
        body = json.dumps({"query": _MUTATION, "variables": message}).encode()
        for attempt in range(_TRIES):
            try:
                self._post(body)
            except Unavailable:
                if attempt == _TRIES - 1:
                    raise
                # No secret depends on it.
                self._sleep(random.uniform(0.5, 1) * _FIRST_PAUSE_S * 4**attempt)  # noqa: S311
            else:
                return

    def _post(self, body: bytes) -> None:
        request = AWSRequest(
            "POST", self._url, data=body, headers={"Content-Type": "application/json"}
        )
        SigV4Auth(self._credentials(), "appsync", self._region).add_auth(request)
        try:
            answer = self._http.request(
                "POST", self._url, body=body, headers=dict(request.headers), preload_content=False
            )
            try:
                text = answer.read(_MAX_ANSWER_BYTES)
            finally:
                answer.release_conn()
        except HTTPError as error:
            raise Unavailable(f"AppSync cannot be reached ({type(error).__name__})") from error
        if answer.status == 429 or answer.status >= 500:
            raise Unavailable(f"AppSync answers with status {answer.status}")
        if kinds := _error_types(text):
            raise Refused(f"AppSync refused the message: {kinds}")
        if answer.status != 200:
            raise Refused(f"AppSync refused the message with status {answer.status}")


class Publisher:
    """Tells of changes, and of an import's progress not more often than people can follow."""

    def __init__(self, channel: Channel, now: Callable[[], float] = time.monotonic) -> None:
        self._channel = channel
        self._now = now
        # When each slide was last told of, for as long as its progress is held back.
        self._told: dict[str, float] = {}

    def publish(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Publish the changes in these records of the table's stream.

        All are tried. Raises Unavailable if some may go through later: the stream then repeats all
        of them, which does no harm.
        """
        start, waiting = self._now(), 0
        recently = start - _PROGRESS_EVERY_S
        self._told = {key: at for key, at in self._told.items() if at > recently}
        for change in slide_changes(records):
            if change.is_progress and change.image_id in self._told:
                continue
            if self._now() - start > _DEADLINE_S:
                waiting += 1
                continue
            try:
                self._channel.publish(change.message())
            except Refused as error:
                count("LiveMessageFailed")
                logger.error("%s", error)
            except Unavailable as error:
                waiting += 1
                logger.warning("%s", error)
            except Exception as error:  # noqa: BLE001  the others do not wait for this one
                count("LiveMessageFailed")
                log_unexpected(error)
            else:
                self._told[change.image_id] = self._now()
        if waiting:
            count("LiveMessageFailed")
            raise Unavailable(f"{waiting} changes were not published")


def publisher() -> Publisher:
    """Return what PublishChange works with. Raises ValueError for invalid settings."""
    settings = LiveSettings.read()
    session = boto3.Session()

    def credentials() -> Credentials:
        found = session.get_credentials()
        if found is None:
            raise Unavailable("the function has no credentials")
        return found

    return Publisher(AppSync(settings.graphql_url, settings.aws_region, credentials))


def _error_types(text: bytes) -> str:
    """Return the types of a GraphQL answer's errors, without messages; empty for none."""
    try:
        errors = json.loads(text).get("errors") or []
        return ", ".join(sorted({str(each["errorType"])[:60] for each in errors}))
    except (ValueError, AttributeError, TypeError, KeyError):
        return "an answer that is not GraphQL's"
