"""Records, their history and their terms: read, and changed one at a time.

Every change is one transaction: the record, if it still is what the change was decided upon, the
line in its history, and the rows by which it is searched. So calls may be repeated and may race,
and nothing is changed without a trace. Only the count of rendered tiles goes by without one.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import count, islice
from typing import TYPE_CHECKING, Any, Final, cast

from boto3.dynamodb.conditions import Attr, Key
from botocore.exceptions import ClientError

from vsv.catalogue.accessors import version_of
from vsv.catalogue.history import Action, HistoryLine, changes
from vsv.catalogue.indexes import LISTED, derived
from vsv.catalogue.record import ImportStatus, SlideRecord, changed, now
from vsv.catalogue.terms import Row, digest_of, position_of, rows_of, status_term
from vsv.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import DynamoDBServiceResource, Table

__all__ = ["Catalogue", "Decide"]

# Returns the record after the change, given the record before it (None: there is none). If it
# returns it as it is, nothing changes. It is called again if another change comes first.
Decide = Callable[[SlideRecord | None], SlideRecord | None]

# DynamoDB's own limit for BatchGetItem.
_BATCH: Final = 100
# A change that loses against others is repeated until the caller stops waiting.
_DEADLINE_S: Final = 20.0
_FIRST_PAUSE_S: Final = 0.02
_LONGEST_PAUSE_S: Final = 0.5
# The reasons of a cancelled transaction that another attempt may not meet.
_TRANSIENT: Final = frozenset(
    {
        "ConditionalCheckFailed",
        "TransactionConflict",
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
    }
)


class Catalogue:
    """The slide table, the history table and the term table. Reads are strongly consistent.

    The last two are None for those who look at records only.
    """

    def __init__(
        self,
        dynamodb: "DynamoDBServiceResource",
        slide_table: str,
        history_table: str | None = None,
        term_table: str | None = None,
    ) -> None:
        self._dynamodb = dynamodb
        self.slides: Table = dynamodb.Table(slide_table)
        self._history_table = history_table
        self._term_table = term_table

    @cached_property
    def _history(self) -> "Table":
        if self._history_table is None:
            raise ValueError("this catalogue was opened without its history")
        return self._dynamodb.Table(self._history_table)

    @cached_property
    def terms(self) -> "Table":
        """Return the table of the rows of ``vsv.catalogue.terms``."""
        if self._term_table is None:
            raise ValueError("this catalogue was opened without its terms")
        return self._dynamodb.Table(self._term_table)

    def get(self, image_id: str) -> SlideRecord | None:
        """Return the slide's record, or None."""
        answer = self.slides.get_item(Key={"ImageID": image_id}, ConsistentRead=True)
        return cast("SlideRecord | None", answer.get("Item"))

    def get_many(self, image_ids: Iterable[str]) -> list[SlideRecord | None]:
        """Return the slides' records in the order of their IDs; None for each that is unknown."""
        wanted = list(image_ids)
        unique = [{"ImageID": image_id} for image_id in dict.fromkeys(wanted)]
        records = cast("Iterable[SlideRecord]", self._get_batches(self.slides.name, unique))
        found = {str(record["ImageID"]): record for record in records}
        return [found.get(image_id) for image_id in wanted]

    def _get_batches(self, table: str, keys: Sequence[Row]) -> Iterator[Row]:
        """Yield the items of these keys that there are, in no order."""
        for start in range(0, len(keys), _BATCH):
            batch: list[Any] = list(keys[start : start + _BATCH])
            for attempt in count():
                answer = self._dynamodb.batch_get_item(
                    RequestItems={table: {"Keys": batch, "ConsistentRead": True}}
                )
                yield from answer["Responses"].get(table, [])
                rest = answer["UnprocessedKeys"].get(table)
                if not rest:
                    break
                batch = list(rest["Keys"])
                _pause(attempt)

    def without_terms(self, records: Iterable[SlideRecord]) -> Iterator[SlideRecord]:
        """Yield those of the records whose rows are not in the term table, or are others."""
        rest = iter(records)
        while some := list(islice(rest, _BATCH)):
            keys = [
                {"Term": status_term(str(record.get("Status"))), "Place": position_of(record)}
                for record in some
            ]
            there = {
                (row["Term"], row["Place"]) for row in self._get_batches(self.terms.name, keys)
            }
            for record, key in zip(some, keys, strict=True):
                known = record.get("Terms") == digest_of(rows_of(record))
                if not known or ("Status" in record and (key["Term"], key["Place"]) not in there):
                    yield record

    def write_terms(self, image_id: str) -> None:
        """Write all rows of the slide to the term table; the record's version stays."""
        for attempt in count():
            record = self.get(image_id)
            if record is None:
                return
            rows = rows_of(record)
            update = _update(record, changed(record, Terms=digest_of(rows)), always=("Terms",))
            puts = [self._put(row) for row in rows.values()]
            if self._write([{"Update": {"TableName": self.slides.name, **update}}, *puts]):
                return
            _pause(attempt)

    def by_filename(self, filename: str) -> list[SlideRecord]:
        """Return all records whose file has, or had, this name, read from the table.

        A record written a moment ago can be missing, since the index follows the table.
        """
        return self._by("Filename", filename)

    def by_sha256(self, sha256: str) -> list[SlideRecord]:
        """Return all records of slides with these bytes, under any name; see ``by_filename``."""
        return self._by("Sha256", sha256)

    def _by(self, attribute: str, value: str) -> list[SlideRecord]:
        answer = self.slides.query(
            IndexName=f"{attribute}-index", KeyConditionExpression=Key(attribute).eq(value)
        )
        records = self.get_many(str(item["ImageID"]) for item in answer["Items"])
        return [record for record in records if record and record.get(attribute) == value]

    def by_slide_id(self, slide_id: str, limit: int) -> list[SlideRecord]:
        """Return the records of up to ``limit`` slides, but deleted ones, that have this SlideID.

        A record written a moment ago can be missing, since the index follows the table.
        """
        answer = self.slides.query(
            IndexName="Listed-SlideID-index",
            KeyConditionExpression=Key("Listed").eq(LISTED) & Key("SlideID").eq(slide_id),
            Limit=limit,
        )
        records = self.get_many(str(item["ImageID"]) for item in answer["Items"])
        return [record for record in records if record and record.get("SlideID") == slide_id]

    def history(
        self, image_id: str, limit: int, before: int | None = None
    ) -> tuple[list[HistoryLine], int | None]:
        """Return up to ``limit`` changes, most recent first, and the version of the last one.

        That is ``before`` of the next call, which returns changes to lower versions only. It is
        None if there are no more changes.
        """
        condition = Key("ImageID").eq(image_id)
        answer = self._history.query(
            KeyConditionExpression=condition & Key("Version").lt(before) if before else condition,
            ScanIndexForward=False,
            ConsistentRead=True,
            Limit=limit,
        )
        lines = cast("list[HistoryLine]", answer["Items"])
        return lines, int(lines[-1]["Version"]) if "LastEvaluatedKey" in answer else None

    def change(self, image_id: str, by: str, action: Action, decide: Decide) -> SlideRecord | None:
        """Change the slide's record to what ``decide`` returns; return the record after the change.

        The history names who did it (``by``) and what (``action``). The record's ``Version``
        counts its changes. Raises what ``decide`` raises, and Unavailable where other changes come
        first for 20 seconds.
        """
        end = time.monotonic() + _DEADLINE_S
        written = 0
        tried: SlideRecord | None = None
        for attempt in count():
            old = self.get(image_id)
            if attempt and old == tried:
                # Refused though nothing changed: the history goes on beyond the record, which was
                # lost or comes from an older backup.
                written = self._last_version(image_id)
            tried = old
            wanted = decide(old)
            if wanted is None:
                return old
            present = {name: value for name, value in wanted.items() if value is not None}
            wanted = derived(cast("SlideRecord", present))
            new = changed({**wanted, **_kept(old)}, ImageID=image_id)
            if new == old:
                return old
            new["Terms"] = digest_of(rows_of(new))
            new["Version"] = max(version_of(new), written) + 1
            new["lastModified"] = now()
            if self._replace(old, new, by, action):
                return new
            if time.monotonic() > end:
                raise Unavailable("the record is changed by too many at once")
            _pause(attempt)
        raise AssertionError("unreachable")

    def add_rendered(self, image_id: str, file_version: str, tiles: int) -> None:
        """Add to the import's progress. Nothing happens once other bytes own the record."""
        condition = Attr("FileVersion").eq(file_version) & Attr("ImportStatus").eq(
            ImportStatus.IMPORTING
        )
        try:
            self.slides.update_item(
                Key={"ImageID": image_id},
                UpdateExpression="ADD TilesRendered :tiles",
                ExpressionAttributeValues={":tiles": tiles},
                ConditionExpression=condition,
            )
        except self.slides.meta.client.exceptions.ConditionalCheckFailedException:
            return

    def _last_version(self, image_id: str) -> int:
        lines, _ = self.history(image_id, 1)
        return int(lines[0]["Version"]) if lines else 0

    def _replace(self, old: SlideRecord | None, new: SlideRecord, by: str, action: Action) -> bool:
        """Write the record and its line of history; return False if the record has changed."""
        line = {
            "ImageID": new["ImageID"],
            "Version": new["Version"],
            "At": new["lastModified"],
            "By": by,
            "Action": action,
            "Changes": changes(old, new),
        }
        writes: list[Any] = [
            {"Update": {"TableName": self.slides.name, **_update(old, new)}},
            {
                "Put": {
                    "TableName": self._history.name,
                    "Item": line,
                    "ConditionExpression": "attribute_not_exists(ImageID)",
                }
            },
            *self._term_writes(old, new),
        ]
        return self._write(writes)

    def _term_writes(self, old: SlideRecord | None, new: SlideRecord) -> list[Any]:
        """Return what makes the old record's rows those of the new one, written or not."""
        before = rows_of(old) if old else {}
        after = rows_of(new)
        written = old is not None and old.get("Terms") == digest_of(before)
        puts = [
            self._put(row) for key, row in after.items() if not written or before.get(key) != row
        ]
        deletes = [
            {"Delete": {"TableName": self.terms.name, "Key": {"Term": term, "Place": place}}}
            for term, place in before.keys() - after.keys()
        ]
        return [*puts, *deletes]

    def _put(self, row: Row) -> Any:
        return {"Put": {"TableName": self.terms.name, "Item": row}}

    def _write(self, writes: list[Any]) -> bool:
        """Write all in one transaction; return False if another attempt may succeed."""
        client = self._dynamodb.meta.client
        try:
            client.transact_write_items(TransactItems=writes)
        except client.exceptions.TransactionInProgressException:
            return False
        except ClientError as error:
            if not _is_transient(error):
                raise
            return False
        return True


def _kept(old: SlideRecord | None) -> SlideRecord:
    """Return the attributes that only the table sets."""
    own = ("Version", "lastModified", "Terms")
    return cast("SlideRecord", {name: old.get(name) for name in own if old and name in old})


def _update(
    old: SlideRecord | None, new: SlideRecord, always: Iterable[str] = ()
) -> dict[str, Any]:
    """Return the update from the old record to the new one, on condition that it is the old one.

    It names the differences only, so that a count of tiles that has grown is not set back, and the
    attributes that are to be set ``always``: an update sets one at least.
    """
    before: Mapping[str, Any] = old or {}
    after: Mapping[str, Any] = new
    names, values, sets, removes = {"#version": "Version"}, {}, [], []
    for number, name in enumerate(sorted(before.keys() | after.keys())):
        if name == "ImageID" or (before.get(name) == after.get(name) and name not in always):
            continue
        names[f"#f{number}"] = name
        if name in after:
            values[f":f{number}"] = after[name]
            sets.append(f"#f{number} = :f{number}")
        else:
            removes.append(f"#f{number}")
    condition = "attribute_not_exists(#version)"
    if old is None:
        condition += " AND attribute_not_exists(ImageID)"
    elif "Version" in old:
        condition = "#version = :seen"
        values[":seen"] = old["Version"]
    return {
        "Key": {"ImageID": new["ImageID"]},
        "UpdateExpression": "SET "
        + ", ".join(sets)
        + (" REMOVE " + ", ".join(removes) if removes else ""),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
        "ConditionExpression": condition,
    }


def _is_transient(error: ClientError) -> bool:
    """Return whether another attempt may succeed after a write that failed."""
    if error.response["Error"]["Code"] != "TransactionCanceledException":
        return False
    reasons: Iterable[Mapping[str, Any]] = error.response.get("CancellationReasons", [])
    codes = {reason.get("Code") for reason in reasons} - {None, "None"}
    return bool(codes) and codes <= _TRANSIENT


def _pause(attempt: int) -> None:
    """Wait a little before another attempt: longer from one to the next, and not all alike."""
    longest = min(_FIRST_PAUSE_S * 2 ** min(attempt, 10), _LONGEST_PAUSE_S)
    time.sleep(random.uniform(0, longest))  # noqa: S311  no secret depends on it
