"""What the CDR gets: the fields of the schema, and a key for each version."""

import json

import jsonschema

from local.standins.cdr import SCHEMA, VALIDATOR
from tests.unit.cdr.helpers import NOON, FakeCdr, Sending
from vsv.cdr.content import idempotency_key, payload


def test_the_payload_is_as_the_schema_has_it():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    record = Sending(FakeCdr).record
    full = payload(record, NOON.isoformat())
    VALIDATOR.validate(full)
    assert set(full) == set(SCHEMA["properties"]) == set(SCHEMA["required"])
    assert full["MPP"] == 0.252
    unknown = {
        name: value
        for name, value in record.items()
        if name in ("ImageID", "SlideID", "CaseID", "IdSource", "width", "height")
    }
    VALIDATOR.validate(payload(unknown, NOON.isoformat()))


def test_the_payload_has_no_more_than_the_cdr_needs():
    """The file's name may hold what the technicians corrected."""
    assert "canary.svs" not in json.dumps(payload(Sending(FakeCdr).record, NOON.isoformat()))


def test_a_key_tells_slides_and_versions_apart_and_is_the_same_for_each_try():
    keys = [idempotency_key(*each) for each in (("1", 11), ("11", 1), ("1", 12), ("1", 11))]
    assert len(set(keys)) == 3
    assert keys[0] == keys[3]
    assert "4711" not in idempotency_key("4711", 1)
