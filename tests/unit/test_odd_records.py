"""Records that another version wrote, or a hand: each is shown as far as it can be, and no other is
lost for it."""

import json
from decimal import Decimal

import pytest
from graphql import (
    get_nullable_type,
    is_enum_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)

from local.standins.appsync import load_schema
from tests.conftest import ROOT
from tests.handlers import load_handler
from vsv.api import graphql
from vsv.catalogue.identity import id_source
from vsv.catalogue.indexes import derived
from vsv.catalogue.projections import API_FIELDS
from vsv.catalogue.record import IdSource, instant, to_json
from vsv.catalogue.review import Edit, IdPatterns
from vsv.errors import Conflict

SCHEMA = load_schema(ROOT / "graphql" / "schema.graphql")
FIELDS = SCHEMA.type_map["Slide"].fields
ODD = (
    *(None, "", "x", "LIS", True, Decimal(-1), Decimal("0.5"), Decimal(2**31), Decimal("1e100")),
    *([], ["x", None, Decimal(1)], {}, {"At": "x"}, {"text": [], "reason": {}}, {"Digest": "x"}),
    *({"Operation": "DELETE"}, {"Operation": "DELETE", "State": "HELD", "At": "20260101T000000Z"}),
    *({"storage_class": 1}, "2026-01-01", "20260101T000000Z", "2026-01-01T00:00:00", {"a", "b"}),
)
USUAL = {
    "ImageID": "1",
    "SlideID": "S-1-A",
    "CaseID": "S-1",
    "IdSource": "BARCODE",
    "Status": "NEW",
    "ImportStatus": "IMPORTED",
    "ScanDate": "2026-01-01T09:26:53+01:00",
    "Version": 1,
}
SCALARS = {
    "String": lambda value: isinstance(value, str),
    "Boolean": lambda value: isinstance(value, bool),
    "Int": lambda value: type(value) is int and -(2**31) <= value < 2**31,
    "Float": lambda value: type(value) in (int, float),
    "AWSDateTime": lambda value: isinstance(value, str) and "T" in value[10:11] and instant(value),
}


def fits(kind, value) -> bool:
    """Whether AppSync takes the value for one of the type."""
    if value is None:
        return not is_non_null_type(kind)
    kind = get_nullable_type(kind)
    if is_list_type(kind):
        return isinstance(value, list) and all(fits(kind.of_type, each) for each in value)
    if is_object_type(kind):
        return isinstance(value, dict) and all(
            fits(field.type, value.get(name)) for name, field in kind.fields.items()
        )
    if is_enum_type(kind):
        return value in kind.values
    return bool(SCALARS[kind.name](value))


@pytest.mark.parametrize("name", [name for name in FIELDS if name != "ImageID"])
def test_whatever_a_field_holds_the_slide_fits_the_schema(name):
    for odd in ODD:
        shown = to_json(graphql.slide({**USUAL, name: odd}))
        assert fits(SCHEMA.type_map["Slide"], shown), odd
        assert shown["ImageID"] == "1"


def test_what_fits_is_shown_as_it_is():
    full = {
        **USUAL,
        "MPP": Decimal("0.25"),
        "AppMag": Decimal(40),
        "FileSize": Decimal(2**40),
        "ImportWarnings": ["odd"],
        "Barcode": {"reason": "blank"},
        "Removal": {"Operation": "TRANSFER", "State": "FAILED", "Error": "why"},
        "Archive": {"storage_class": "GLACIER", "At": "2026-01-01T00:00:00.000+00:00"},
        "Sent": {"At": "2026-01-01T00:00:00Z", "Version": Decimal(2), "Receipt": "r"},
    }
    shown = to_json(graphql.slide(full))
    archive = {"StorageClass": "GLACIER", "At": "2026-01-01T00:00:00.000+00:00"}
    for field, value in (to_json(full) | {"Archive": archive}).items():
        if isinstance(value, dict):
            assert {k: v for k, v in shown[field].items() if v is not None} == value
        else:
            assert shown[field] == value


def test_every_field_of_the_schema_is_read():
    assert {*API_FIELDS, "IdSource", "EditedAfterSending"} == {*FIELDS}


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("listSlides", {}),
        ("getSlides", {"ImageIDs": ["0", "1", "2"]}),
        ("searchSlides", {"SlideIDPrefix": "S-"}),
        ("querySlidesByCase", {"CaseID": "S-1"}),
        ("listCaseIDs", {}),
    ],
)
def test_an_odd_record_hides_no_other(catalogue, tables, monkeypatch, field, arguments):
    for number, source in enumerate(("BARCODE", "LIS", "SCANNER")):
        new = {**USUAL, "ImageID": str(number), "IdSource": source, "Barcode": "S", "Sent": {}}
        catalogue.slides.put_item(Item=derived(new))
    monkeypatch.setenv("SLIDE_TABLE", tables["SlideTable"])
    monkeypatch.setenv("HISTORY_TABLE", tables["HistoryTable"])
    monkeypatch.setenv("TERM_TABLE", tables["TermTable"])
    event = {
        "arguments": arguments,
        "identity": {"claims": {"cognito:username": "ann", "cognito:groups": ["Technicians"]}},
        "request": {"headers": {}},
        "info": {"fieldName": field, "parentTypeName": "Query"},
    }
    answer = json.loads(json.dumps(load_handler("SlideCatalogue")(event, None)))
    shown = {each["ImageID"] for each in (answer if field == "getSlides" else answer["items"])}
    assert shown == ({"0", "2"} if field == "listCaseIDs" else {"0", "1", "2"})


def test_a_source_that_is_not_known_counts_as_nobody():
    odd = {**USUAL, "IdSource": "LIS"}
    assert id_source(odd) is IdSource.NONE
    confirmed = Edit("1", {"SlideID": "S-1-A"}).apply(odd, "now")
    assert confirmed["IdSource"] == "TYPED"


def test_a_status_that_is_not_known_can_become_nothing_else():
    edit = Edit.parse({"ImageID": "1", "Status": "GOOD"}, IdPatterns())
    with pytest.raises(Conflict, match="Status HELD cannot become GOOD; .*nothing else"):
        edit.apply({**USUAL, "Status": "HELD"}, "now")
