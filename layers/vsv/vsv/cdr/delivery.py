"""SendToCdr: send each slide that is due, and note the outcome on its record.

A slide whose Status is SEND is due. The slide table's stream reports changes at least once. Only
the record says what is to be done, so that late or repeated events do no harm. The CDR recognises
a repetition by its key. The log names slides by these keys only.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.parameters import SecretsProvider

from vsv import aws
from vsv.catalogue.accessors import (
    is_archived,
    is_deleted,
    is_to_be_sent,
    send_requested_at_of,
    version_of,
)
from vsv.catalogue.history import Action
from vsv.catalogue.identity import id_source
from vsv.catalogue.projections import missing_for_cdr
from vsv.catalogue.record import Delivery, IdSource, ReviewStatus, SlideRecord, changed, instant
from vsv.catalogue.review import UNIDENTIFIED
from vsv.catalogue.table import Catalogue
from vsv.cdr.client import CdrClient, Credentials, Refused
from vsv.cdr.content import digest, idempotency_key, payload
from vsv.errors import Unavailable
from vsv.logs import count, log_unexpected, logger
from vsv.settings import CdrSettings

__all__ = ["Sender", "sender"]


class Sender:
    """Sends slides that are due.

    ``dead_letters`` receives those that could not be sent ``give_up_s`` seconds after the request.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        client: CdrClient,
        dead_letters: Callable[[Mapping[str, Any]], None],
        give_up_s: int,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._catalogue = catalogue
        self._client = client
        self._dead_letters = dead_letters
        self._give_up_s = give_up_s
        self._now = now

    def send(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Send the slides of these records of the table's stream, as far as they are due.

        Raises Unavailable after the last one if some have to wait: the stream then repeats all of
        them, and those that were sent are known by their Status.
        """
        changes = [record["dynamodb"] for record in records]
        told = {each["Keys"]["ImageID"]["S"]: each for each in changes}
        waiting = 0
        for image_id, change in told.items():
            try:
                self._send_if_due(image_id, change["ApproximateCreationDateTime"])
            except Unavailable as error:
                waiting += 1
                logger.warning("a slide waits for the CDR: %s", error)
            except Exception as error:  # noqa: BLE001  the others do not wait for this one
                waiting += 1
                log_unexpected(error)
        if waiting:
            raise Unavailable(f"{waiting} of {len(told)} slides wait for the CDR")

    def _send_if_due(self, image_id: str, told_at: float) -> None:
        record = self._catalogue.get(image_id)
        if record is None or not is_to_be_sent(record):
            return
        version = version_of(record)
        key = idempotency_key(image_id, version)
        requested_at = instant(str(send_requested_at_of(record))) or _iso(
            datetime.fromtimestamp(told_at, UTC)
        )
        try:
            receipt = self._deliver(record, requested_at, key)
        except Refused as error:
            logger.warning("%s", error, extra={"idempotency_key": key})
            self._fail(image_id, version, f"{error}: {error.title}" if error.title else str(error))
        except Unavailable as error:
            age = self._now() - datetime.fromisoformat(requested_at)
            if age.total_seconds() < self._give_up_s:
                raise
            logger.error("given up: %s", error, extra={"idempotency_key": key})
            self._dead_letters(
                {
                    "ImageID": image_id,
                    "Version": version,
                    "IdempotencyKey": key,
                    "Reason": str(error),
                    "At": _iso(self._now()),
                }
            )
            self._fail(image_id, version, f"given up after {self._give_up_s} s: {error}")
        else:
            logger.info("sent to the CDR", extra={"idempotency_key": key})
            count("SlideSent")
            sent = Delivery(
                At=_iso(self._now()), Version=version, Receipt=receipt, Digest=digest(record)
            )
            outcome = SlideRecord(Sent=sent, SendError=None)
            self._note(image_id, version, ReviewStatus.SENT, outcome)

    def _deliver(self, record: SlideRecord, requested_at: str, key: str) -> str:
        if missing := missing_for_cdr(record):
            raise Refused(f"the slide has no {' and no '.join(missing)}; it cannot be sent")
        if id_source(record) is IdSource.NONE:
            raise Refused(UNIDENTIFIED)
        return self._client.deliver(payload(record, requested_at), key)

    def _fail(self, image_id: str, version: int, why: str) -> None:
        count("SlideSendFailed")
        self._note(image_id, version, ReviewStatus.SEND_FAILED, SlideRecord(SendError=why))

    def _note(
        self, image_id: str, version: int, status: ReviewStatus, outcome: SlideRecord
    ) -> None:
        """Write the outcome onto the record, unless the record was changed since."""

        def decide(old: SlideRecord | None) -> SlideRecord | None:
            if old is None:
                return None
            if is_to_be_sent(old) and version_of(old) == version:
                return changed({**old, **outcome}, Status=status)
            if is_archived(old) or is_deleted(old):
                return {**old, **outcome}
            # It was edited, and is due again: the stream has another event for that. Or another
            # run has noted the outcome.
            return old

        self._catalogue.change(image_id, "cdr", Action.SEND, decide)


@cache
def sender() -> Sender:
    """Return what SendToCdr works with. Raises ValueError for invalid settings."""
    settings = CdrSettings.read()
    secrets = SecretsProvider(boto3_client=aws.client("secretsmanager"))

    def dead_letters(message: Mapping[str, Any]) -> None:
        aws.client("sqs").send_message(
            QueueUrl=settings.dead_letter_queue_url, MessageBody=json.dumps(message)
        )

    return Sender(
        Catalogue(
            aws.dynamodb(), settings.slide_table, settings.history_table, settings.term_table
        ),
        CdrClient(settings.cdr_url, Credentials(secrets, settings.cdr_secret_arn)),
        dead_letters,
        settings.cdr_give_up_s,
    )


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
