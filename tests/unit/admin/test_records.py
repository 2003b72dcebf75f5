"""``vsv-admin failed``, ``history`` and ``upgrade``: what they tell and change of records."""

import json

import pytest

from tests.conftest import dynamodb
from tests.unit.admin.helpers import add, set_fields
from vsv.catalogue.listings import Listings

# failed


def test_failed_imports_are_listed_the_last_one_first_with_their_reasons(admin, world):
    add(world, "1", ImportStatus="FAILED", ImportError="first\n reason", FailedAt="2026-01-01")
    add(world, "2", ImportStatus="FAILED", ImportError="second", FailedAt="2026-01-02")
    add(world, "3")
    code, out, _ = admin("failed")
    assert (code, out) == (
        0,
        ["2026-01-02  2  2.svs: second", "2026-01-01  1  1.svs: first reason"],
    )
    code, out, _ = admin("failed", "--json", "--limit", "1")
    assert [json.loads(line) for line in out] == [
        {
            "ImageID": "2",
            "Filename": "2.svs",
            "FailedAt": "2026-01-02",
            "ImportError": "second",
        }
    ]


# history


def test_a_slides_history(admin, world):
    add(world, "1", SlideID="S1")
    set_fields(world, "1", Status="GOOD", SlideID=None, Barcode={"text": "S2"})
    code, out, _ = admin("history", "1")
    assert code == 0
    assert out[0].endswith("  version 2: EDIT by ann")
    assert out[1:4] == [
        '    Barcode: nothing → {"text": "S2"}',
        "    SlideID: S1 → nothing",
        "    Status: NEW → GOOD",
    ]
    _, out, _ = admin("history", "1", "--json")
    last, first = map(json.loads, out)
    assert (last["Version"], first["Version"]) == (2, 1)
    assert {"Field": "Status", "From": "NEW", "To": "GOOD"} in last["Changes"]


@pytest.mark.slow
def test_a_long_history_is_told_to_its_end(admin, world):
    add(world, "1")
    (first,), _ = world.catalogue.history("1", 1)
    with dynamodb().Table("HistoryTable").batch_writer() as batch:
        for version in range(2, 106):
            batch.put_item(Item={**first, "Version": version})
    _, out, _ = admin("history", "1", "--json")
    assert [json.loads(line)["Version"] for line in out] == list(range(105, 0, -1))


def test_an_unknown_slide_has_no_history(admin):
    code, out, err = admin("history", "nobody")
    assert (code, out) == (1, [])
    assert err == ["vsv-admin: nobody: there is no slide with this ImageID"]


# upgrade


def test_records_of_the_first_version_are_brought_up_to_date(admin, world):
    ids = {
        "read": {"SlideID": "S1-A", "CaseID": "S1", "Barcode": {"text": "S1-A"}},
        "typed": {"SlideID": "S2-A", "CaseID": "S2", "Barcode": {"reason": "no label image"}},
        "nobodys": {"SlideID": "nobodys", "CaseID": "nobodys"},
        "half": {"SlideID": "S3-A", "CaseID": "half"},
        "removed": {"CaseID": "S4"},
        "gone": {"SlideID": "gone", "CaseID": "gone", "Status": "DELETED"},
        "new": {"SlideID": "new", "CaseID": "new", "IdSource": "TYPED"},
    }
    for image_id, fields in ids.items():
        add(world, image_id, **fields)
        world.catalogue.slides.update_item(
            Key={"ImageID": image_id}, UpdateExpression="REMOVE Unidentified"
        )
    assert admin("upgrade") == (0, [], ["vsv-admin: 5 slides upgraded"])
    assert admin("upgrade") == (0, [], ["vsv-admin: 0 slides upgraded"])
    sources = {each: str(world.catalogue.get(each)["IdSource"]) for each in ids if each != "gone"}
    assert sources == {
        "read": "BARCODE",
        "typed": "TYPED",
        "nobodys": "NONE",
        "half": "NONE",
        "removed": "NONE",
        "new": "TYPED",
    }
    found = Listings(world.catalogue).unidentified().items
    assert {record["ImageID"] for record in found} == {"nobodys", "half", "removed"}
    (line,), _ = world.catalogue.history("typed", 1)
    assert (line["By"], line["Action"], line["Changes"]) == (
        "upgrade",
        "UPGRADE",
        [{"Field": "IdSource", "To": "TYPED"}],
    )
