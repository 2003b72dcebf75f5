"""A catalogue in memory with a slide that is due, and what sends it to the CDR."""

import copy
import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from aws_lambda_powertools.utilities.parameters import SecretsProvider

from vsv.cdr.client import CdrClient, Credentials
from vsv.cdr.delivery import Sender
from vsv.errors import Unavailable

# Patient data that must be found nowhere.
IMAGE_ID, SLIDE_ID, CASE_ID = "canary-4711", "CANARY-24-00042-A1", "CANARY-24-00042"
CANARY = "canary"
GIVE_UP_S = 3600
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HIDDEN = "\x1b[31m\n\u202e\ud800"
SECRET = {"username": "vsv", "password": "secret"}


class FakeCatalogue:
    """Records in memory. ``interrupt`` is called once, before the next change reads the record."""

    def __init__(self):
        self.records = {}
        self.history = []
        self.interrupt = None

    def get(self, image_id):
        return copy.deepcopy(self.records.get(image_id))

    def put(self, **fields):
        old = self.records.get(fields.get("ImageID", IMAGE_ID), {})
        record = {**old, **fields, "Version": Decimal(int(old.get("Version", 0)) + 1)}
        self.records[record["ImageID"]] = record

    def change(self, image_id, by, action, decide):
        if self.interrupt:
            interrupt, self.interrupt = self.interrupt, None
            interrupt()
        old = self.get(image_id)
        new = decide(old)
        if new is None or new == old:
            return old
        json.dumps(new, default=float).encode()  # DynamoDB takes UTF-8 only
        self.put(**new)
        for name in [name for name, value in new.items() if value is None]:
            del self.records[image_id][name]
        self.history.append((by, action, self.records[image_id]["Status"]))
        return self.get(image_id)


class FakeSecrets:
    """Secrets Manager: counts how often it is asked, past Powertools' cache."""

    def __init__(self, value=SECRET):
        self.value = json.dumps(value)
        self.reads = 0

    def get_secret_value(self, SecretId):
        self.reads += 1
        if self.value is None:
            raise RuntimeError("no such secret")
        return {"SecretString": self.value}


class Sending:
    """A catalogue with a slide that is due, and what sends it."""

    def __init__(self, cdr):
        self.cdr = cdr
        self.catalogue = FakeCatalogue()
        self.secrets = FakeSecrets()
        self.dead_letters = []
        self.pauses = []
        self.time = NOON
        self.add(IMAGE_ID)
        credentials = Credentials(SecretsProvider(boto3_client=self.secrets), "arn")
        self.sender = Sender(
            self.catalogue,
            CdrClient(cdr.url, credentials, self.pauses.append),
            self.dead_letters.append,
            GIVE_UP_S,
            lambda: self.time,
        )

    def add(self, image_id, **fields):
        known = {
            "ImageID": image_id,
            "Filename": "canary.svs",
            "SlideID": SLIDE_ID,
            "CaseID": CASE_ID,
            "Status": "SEND",
            "ImportStatus": "IMPORTED",
            "ScanDate": "2026-02-27T08:30:00+01:00",
            "Scanner": "SS1234",
            "MPP": Decimal("0.2520"),
            "AppMag": Decimal(40),
            "width": Decimal(46000),
            "height": Decimal(32914),
            "FileSize": Decimal(177552579),
            "Sha256": "0f" * 32,
            "Barcode": {"text": SLIDE_ID},
            "IdSource": "BARCODE",
            "SendRequestedAt": NOON.isoformat(),
        }
        self.catalogue.put(**{**known, **fields})

    @property
    def record(self):
        return self.catalogue.records[IMAGE_ID]

    def send(self, *image_ids):
        self.sender.send(words(*(image_ids or (IMAGE_ID,))))

    def send_in_vain(self, *image_ids):
        with pytest.raises(Unavailable) as raised:
            self.send(*image_ids)
        return str(raised.value)


def words(*image_ids, at=NOON):
    """Return the stream's records about these slides."""
    return [
        {
            "eventName": "MODIFY",
            "dynamodb": {
                "Keys": {"ImageID": {"S": image_id}},
                "ApproximateCreationDateTime": int(at.timestamp()),
            },
        }
        for image_id in image_ids
    ]


class FakeCdr:
    url = "http://127.0.0.1:1/"
