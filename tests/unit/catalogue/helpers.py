"""Slides for the catalogue's tests, and how a query is read page by page."""

from collections import Counter
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from vsv.catalogue.indexes import derived
from vsv.catalogue.terms import digest_of, rows_of


class Refused(Exception):
    """A field that resolved to an error, as graphql/resolver.js passes it on."""

    def __init__(self, error):
        super().__init__(f"{error['type']}: {error['message']}")
        self.error = error


BEGIN = datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1)))


def slide(number, **fields):
    status = ("NEW", "GOOD", "BAD", "SENT", "SEND_FAILED")[number % 5]
    return derived(
        {
            "ImageID": f"i{number:05}",
            "Filename": f"{number:05}.svs",
            "SlideID": f"S-{99999 - number}-A",
            "CaseID": f"S-{99999 - number // 2 * 2}",
            "Status": status,
            "ImportStatus": "FAILED" if number % 10 == 7 else "IMPORTED",
            "ScanDate": (BEGIN + timedelta(seconds=number)).isoformat(),
            "Scanner": f"SS{number % 3}",
            "MPP": Decimal("0.25") if number % 2 else None,
            "AppMag": 40 if number % 2 else 20,
            "Version": 1,
        }
        | fields
    )


def fill(catalogue, count):
    slides = [slide(number) for number in range(count)]
    slides.append(slide(count, Status="DELETED", ImageID="gone", CaseID="S-99999"))
    put(catalogue, slides)


def put(catalogue, slides):
    """Have the records, with their terms, without each one's history."""
    with catalogue.slides.batch_writer() as batch, catalogue.terms.batch_writer() as rows:
        for each in slides:
            record = {name: value for name, value in each.items() if value is not None}
            terms = rows_of(record)
            batch.put_item(Item=record | {"Terms": digest_of(terms)})
            for row in terms.values():
                rows.put_item(Item=row)


def pages(ask, field, limit=None, **arguments):
    """All items of a query, page by page."""
    found, token = [], None
    while True:
        page = ask(field, limit=limit, nextToken=token, **arguments)
        assert limit is None or len(page["items"]) <= limit
        found += page["items"]
        token = page["nextToken"]
        if token is None:
            return found


def ids(slides):
    return [slide["ImageID"] for slide in slides]


class Meter:
    """Counts the calls to DynamoDB, and the items that they looked at."""

    def __init__(self, client):
        self.calls, self.items = Counter(), 0
        client.meta.events.register("after-call.dynamodb", self._count)

    def _count(self, model, parsed, **_):
        self.calls[model.name] += 1
        self.items += parsed.get("ScannedCount", 0)
        self.items += sum(map(len, parsed.get("Responses", {}).values()))
        self.items += "Item" in parsed
