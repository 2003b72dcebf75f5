"""The catalogue: one record a slide, in a DynamoDB table.

Every write is conditional, so that calls may be repeated and may race. The rules that the
conditions keep: an import touches only the record of its own file and bytes; an imported slide's
record is never taken over by other bytes; what a technician edited stays.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from boto3.dynamodb.conditions import Attr, ConditionBase, Key

from vsv.errors import ImageIdConflict, InvalidRequest

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import DynamoDBServiceResource, Table

__all__ = ["FAILED", "IMPORTED", "IMPORTING", "STATUSES", "Catalogue", "Record"]

Record = dict[str, Any]

# ImportStatus: how far the import has come.
IMPORTING: Final = "IMPORTING"
IMPORTED: Final = "IMPORTED"
FAILED: Final = "FAILED"

# Status: how far the technicians' review has come, in the order of a slide's life.
STATUSES: Final = ("NEW", "GOOD", "BAD", "SEND", "SENT", "SEND_FAILED", "TRANSFERRED", "DELETED")

# What a technician may have edited: the import sets these only where they are missing.
_EDITABLE: Final = ("SlideID", "CaseID", "Status")
# Present on each record whose slide's metadata were read.
_METADATA_MARK: Final = "width"

# DynamoDB's own limit for BatchGetItem.
_BATCH: Final = 100
_MAX_PAGE: Final = 1000
_DEFAULT_PAGE: Final = 100


class Catalogue:
    """The slide table. Reads are strongly consistent unless they go through an index."""

    def __init__(self, dynamodb: "DynamoDBServiceResource", table_name: str) -> None:
        self._dynamodb = dynamodb
        self._table: Table = dynamodb.Table(table_name)

    # Reading

    def get(self, image_id: str) -> Record | None:
        """The slide's record, or None."""
        return self._table.get_item(Key={"ImageID": image_id}, ConsistentRead=True).get("Item")

    def get_many(self, image_ids: Iterable[str]) -> list[Record | None]:
        """The slides' records in the order of their IDs; None for each that is unknown."""
        wanted = list(image_ids)
        found: dict[str, Record] = {}
        unique = list(dict.fromkeys(wanted))
        for start in range(0, len(unique), _BATCH):
            keys: list[Any] = [{"ImageID": key} for key in unique[start : start + _BATCH]]
            while keys:
                answer = self._dynamodb.batch_get_item(
                    RequestItems={self._table.name: {"Keys": keys, "ConsistentRead": True}}
                )
                for record in answer["Responses"].get(self._table.name, []):
                    found[str(record["ImageID"])] = record
                rest = answer["UnprocessedKeys"].get(self._table.name)
                keys = list(rest["Keys"]) if rest else []
        return [found.get(image_id) for image_id in wanted]

    def by_filename(self, filename: str) -> list[Record]:
        """All records whose file has, or had, this name: read anew, not from the index.

        A record written a moment ago can be missing, since the index follows the table.
        """
        answer = self._table.query(
            IndexName="Filename-index", KeyConditionExpression=Key("Filename").eq(filename)
        )
        records = self.get_many(str(item["ImageID"]) for item in answer["Items"])
        return [record for record in records if record and record["Filename"] == filename]

    def by_status(
        self, status: str, limit: int | None = None, token: str | None = None
    ) -> tuple[list[Record], str | None]:
        """A page of the slides of one review status, by slide ID; and the next page's token."""
        start = {"ExclusiveStartKey": _from_token(token)} if token else {}
        answer = self._table.query(
            IndexName="Status-SlideID-index",
            KeyConditionExpression=Key("Status").eq(status),
            Limit=_page_size(limit),
            **start,  # type: ignore[arg-type]  # a token's key holds texts only
        )
        return answer["Items"], _to_token(answer.get("LastEvaluatedKey"))

    def all_slides(
        self, limit: int | None = None, token: str | None = None
    ) -> tuple[list[Record], str | None]:
        """A page of all slides but deleted ones, new ones first; and the next page's token.

        Walks the status index, a status after the other, and so never scans the table.
        """
        state = _from_token(token) if token else {}
        statuses = [status for status in STATUSES if status != "DELETED"]
        position = state.get("at", statuses[0])
        if position not in statuses:
            raise InvalidRequest("nextToken is not one of this query's")
        rest, inner = statuses[statuses.index(position) :], state.get("token")
        size, records = _page_size(limit), list[Record]()
        for number, status in enumerate(rest):
            page, inner = self.by_status(status, size - len(records), inner)
            records += page
            if inner:
                return records, _to_token({"at": status, "token": inner})
            if len(records) == size and number + 1 < len(rest):
                return records, _to_token({"at": rest[number + 1]})
        return records, None

    # Writing, by the import

    def begin_import(self, record: Mapping[str, Any]) -> None:
        """Write what the import read of a slide, with ImportStatus IMPORTING.

        The same bytes again: what a technician edited stays. A new file, or the successor of one
        whose import failed: the record is new. Raises ImageIdConflict where the ImageID is another
        slide's.
        """
        fields = {**record, "ImportStatus": IMPORTING, "lastModified": _now()}
        if self._update(record["ImageID"], fields, _was_read_for(record), keep=_EDITABLE):
            return
        if not self._put(fields, _is_free_for(record)):
            raise ImageIdConflict(
                f"ImageID {record['ImageID']} belongs to another slide, "
                f"imported from {self._filename_of(record['ImageID'])!r}"
            )

    def add_rendered(self, image_id: str, file_version: str, tiles: int) -> None:
        """Add to the import's progress. Nothing happens once other bytes own the record."""
        self._update_if(
            image_id,
            "ADD TilesRendered :tiles",
            {":tiles": tiles},
            Attr("FileVersion").eq(file_version) & Attr("ImportStatus").eq(IMPORTING),
        )

    def finish_import(self, image_id: str, file_version: str, tiles: int) -> bool:
        """Set ImportStatus IMPORTED; False where the record is not of this version any more."""
        return self._update(
            image_id,
            {"ImportStatus": IMPORTED, "TilesRendered": tiles, "lastModified": _now()},
            Attr("FileVersion").eq(file_version),
        )

    def fail_import(self, record: Mapping[str, Any], reason: str) -> str:
        """Set ImportStatus FAILED and say why; return the ID of the record that says it.

        ``record`` holds ImageID, Filename, FileVersion and FileSize. Where the ImageID is another
        slide's, the failure gets a record under the file's name: the other slide's is not touched.
        """
        for image_id in dict.fromkeys((record["ImageID"], record["Filename"])):
            fields = {
                **record,
                "ImageID": image_id,
                "ImportStatus": FAILED,
                "ImportError": reason,
                "lastModified": _now(),
            }
            ids = {"SlideID": image_id, "CaseID": image_id, "Status": STATUSES[0]}
            if self._update(image_id, fields, _was_read_for(record)) or self._put(
                {**ids, **fields}, _is_free_for(record)
            ):
                return str(image_id)
        raise ImageIdConflict(f"{record['Filename']!r} is also an imported slide's ImageID")

    def _filename_of(self, image_id: str) -> str:
        return str((self.get(image_id) or {}).get("Filename", "a file that is gone"))

    def _put(self, record: Mapping[str, Any], condition: ConditionBase) -> bool:
        item = {name: value for name, value in record.items() if value is not None}
        try:
            self._table.put_item(Item=item, ConditionExpression=condition)
        except self._table.meta.client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def _update(
        self,
        image_id: str,
        fields: Mapping[str, Any],
        condition: ConditionBase,
        keep: Iterable[str] = (),
    ) -> bool:
        """Set the fields; remove those that are None; leave those in ``keep`` that are there."""
        values = {name: value for name, value in fields.items() if name != "ImageID"}
        sets, removes, names, placeholders = [], [], {}, {}
        for number, (name, value) in enumerate(values.items()):
            names[f"#f{number}"] = name
            if value is None:
                removes.append(f"#f{number}")
                continue
            placeholders[f":f{number}"] = value
            kept = f"if_not_exists(#f{number}, :f{number})"
            sets.append(f"#f{number} = {kept if name in set(keep) else f':f{number}'}")
        if "ImportError" not in values:
            removes.append("ImportError")
        expression = "SET " + ", ".join(sets)
        if removes:
            expression += " REMOVE " + ", ".join(removes)
        return self._update_if(image_id, expression, placeholders, condition, names)

    def _update_if(
        self,
        image_id: str,
        expression: str,
        values: Mapping[str, Any],
        condition: ConditionBase,
        names: Mapping[str, str] | None = None,
    ) -> bool:
        extra: dict[str, Any] = {"ExpressionAttributeNames": dict(names)} if names else {}
        try:
            self._table.update_item(
                Key={"ImageID": image_id},
                UpdateExpression=expression,
                ExpressionAttributeValues=dict(values),
                ConditionExpression=condition,
                **extra,
            )
        except self._table.meta.client.exceptions.ConditionalCheckFailedException:
            return False
        return True


def _was_read_for(record: Mapping[str, Any]) -> ConditionBase:
    """The metadata of these very bytes, under this name, are on the record already."""
    return (
        Attr("Filename").eq(record["Filename"])
        & Attr("FileVersion").eq(record["FileVersion"])
        & Attr(_METADATA_MARK).exists()
    )


def _is_free_for(record: Mapping[str, Any]) -> ConditionBase:
    """No record, or one of a file of the same name that never became a slide."""
    same_name = Attr("Filename").eq(record["Filename"]) & Attr("ImportStatus").ne(IMPORTED)
    return Attr("ImageID").not_exists() | same_name


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _page_size(limit: int | None) -> int:
    size = _DEFAULT_PAGE if limit is None else limit
    if not 1 <= size <= _MAX_PAGE:
        raise InvalidRequest(f"limit {size} is not in 1..{_MAX_PAGE}")
    return size


def _to_token(key: Mapping[str, Any] | None) -> str | None:
    if not key:
        return None
    return base64.urlsafe_b64encode(json.dumps(dict(key)).encode()).decode()


def _from_token(token: str) -> dict[str, Any]:
    try:
        key = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, binascii.Error) as error:
        raise InvalidRequest("nextToken is not one of this query's") from error
    if not isinstance(key, dict) or not all(isinstance(text, str) for text in key.values()):
        raise InvalidRequest("nextToken is not one of this query's")
    return key
