"""The slide record has one type: nobody else names its attributes or values by strings."""

import ast
import json
from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum
from fnmatch import fnmatch
from pathlib import Path

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from graphql import is_enum_type

from local.standins.appsync import load_schema
from tests.conftest import ROOT
from vsv.catalogue import projections
from vsv.catalogue.accessors import (
    has_failed,
    is_deleted,
    is_removal_requested,
    removal_of,
    status_of,
)
from vsv.catalogue.history import Action
from vsv.catalogue.record import (
    IdSource,
    ImportStatus,
    Operation,
    Removal,
    RemovalState,
    ReviewReason,
    ReviewStatus,
    SlideRecord,
    changed,
    to_json,
)

ATTRIBUTES = frozenset(SlideRecord.__annotations__)
ENUMERATIONS = (ReviewStatus, ImportStatus, IdSource, Operation, RemovalState, ReviewReason)
VALUES = frozenset(str(value) for each in ENUMERATIONS for value in each)
CODE = ("layers/vsv/vsv", "functions", "local")

# Names of other interfaces that are spelled as the record's.
OTHERS = {
    # JSON and events that clients and other functions know
    "functions/DeleteImage/app.py": {"ImageID"},
    "functions/FailImport/app.py": {"ImageID"},
    "functions/RemoveImages/app.py": {"ImageID", "Filename"},
    "functions/TransferImage/app.py": {"ImageID"},
    "*/admin/cli.py": {"ImageID", "Filename"},
    "*/api/graphql.py": {"ImageID"},
    "*/cdr/client.py": {"ImageID", "SlideID", "CaseID"},
    "*/cdr/content.py": {"Version", "IdSource"},
    "*/cdr/delivery.py": {"ImageID", "Version"},
    "*/imports/fail_import.py": {"ImageID"},
    "*/imports/request.py": {"ImageID", "IMPORTING", "IMPORTED", "FAILED"},
    "*/removal/request.py": {"ImageID", "Filename"},
    "*/standalone/cli.py": {"ImageID"},
    "*/standalone/server.py": {"width", "height"},
    "*/vsv/wiring.py": {"ImageID"},
    # The table's stream, and the arguments of publishSlideChange
    "*/live/changes.py": {"ImageID", "Status", "Version"},
    "*/live/publisher.py": {
        *("ImageID", "Version", "Status", "ImportStatus", "TilesRendered", "TilesTotal"),
    },
    # The table of transfers, and DataSync's answers
    "*/imports/transfers.py": {"Filename", "Status"},
    "local/*datasync.py": {"Status"},
    # CloudFormation's custom resources
    "functions/*Look*/app.py": {"Status", "FAILED"},
    # HTTP methods
    "functions/Session/app.py": {"DELETE"},
    "local/*edge.py": {"DELETE"},
    # Properties of SVS files and of OpenSlide
    "*/slides/aperio.py": {"ImageID", "MPP", "AppMag", "Barcode"},
    "*/slides/openslide_reader.py": {"width", "height"},
    "local/*samples.py": {"ImageID", "MPP", "AppMag"},
    "local/sample_slides/demo_slides.py": {"ImageID", "MPP", "AppMag", "Stain"},
}


def strings(tree: ast.AST) -> Iterator[ast.Constant]:
    """All strings of a module but the names in ``__all__`` and annotations."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            continue
        if isinstance(node, ast.FunctionDef):
            node.returns = None
            for argument in (*node.args.args, *node.args.kwonlyargs):
                argument.annotation = None
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("dict", "update")):
            yield from (ast.Constant(each.arg, lineno=node.lineno) for each in node.keywords)
        yield from strings(node)


def found_in(path: Path) -> list[tuple[int, str]]:
    tree = ast.parse(path.read_text())
    return [(each.lineno, each.value) for each in strings(tree)]


def others_in(name: str) -> set[str]:
    return set().union(*(names for pattern, names in OTHERS.items() if fnmatch(name, pattern)))


def test_only_the_catalogue_names_attributes_and_values_of_a_record():
    for folder in CODE:
        for path in (ROOT / folder).rglob("*.py"):
            name = str(path.relative_to(ROOT))
            if "/catalogue/" in name:
                continue
            for line, text in found_in(path):
                assert text not in (ATTRIBUTES | VALUES) - others_in(name), (
                    f"{name}:{line} says {text!r}. Read a record with the functions of "
                    "vsv.catalogue.accessors, write it with SlideRecord(...) or changed(record, "
                    "...), and compare it with an enumeration; lists of attributes belong into "
                    "vsv.catalogue.projections. If the name is another interface's, add it to "
                    "OTHERS in tests/unit/test_record.py. See docs/decisions/0028-typed-records.md."
                )


def test_the_table_of_other_interfaces_names_nothing_that_is_gone():
    files = [path for folder in CODE for path in (ROOT / folder).rglob("*.py")]
    for pattern, names in OTHERS.items():
        matching = [path for path in files if fnmatch(str(path.relative_to(ROOT)), pattern)]
        used = {text for path in matching for _, text in found_in(path)}
        assert not matching or names <= used, pattern


def test_a_string_is_found_wherever_it_stands():
    code = """
__all__ = ["Archive"]

def f(x: "Status") -> "Scanner":
    return {**x, "Status": x["SlideID"], **dict(Removal=1)}, f"{x['MPP']}"
"""
    found = {each.value for each in strings(ast.parse(code))} & ATTRIBUTES
    assert found == {"Status", "SlideID", "Removal", "MPP"}


@pytest.mark.parametrize("enumeration", [*ENUMERATIONS, Action])
def test_a_value_is_a_plain_text_in_the_table_and_in_json(enumeration: type[StrEnum]):
    for value in enumeration:
        stored = TypeSerializer().serialize(value)
        assert stored == {"S": value.value}
        assert json.dumps([stored, value]) == json.dumps([{"S": value.value}, value.value])
        assert type(json.loads(json.dumps(value))) is str
        read = TypeDeserializer().deserialize(json.loads(json.dumps(stored)))
        assert (read, type(read)) == (value, str)
        assert f"{value} {value!s}" == f"{value.value} {value.value}"
        assert to_json({"x": [value]}) == {"x": [value.value]}
        assert {value.value: 1}[value] == 1


def test_values_that_are_spelled_alike_are_members_of_two_enumerations():
    assert ImportStatus.FAILED is not RemovalState.FAILED
    record = changed(
        {"ImportStatus": "IMPORTED"},
        Removal=Removal(Operation=Operation.RESTORE, State=RemovalState.FAILED),
    )
    assert not has_failed(record)
    assert not is_removal_requested(record)
    assert removal_of(record) == "RESTORE"


def test_a_value_of_another_version_is_shown_and_is_no_known_one():
    odd: SlideRecord = {"ImageID": "1", "Status": "HELD", "ImportStatus": "QUEUED"}  # type: ignore[typeddict-item]
    assert (status_of(odd), is_deleted(odd), has_failed(odd)) == ("HELD", False, False)
    shown = projections.api_fields(odd)
    assert (shown["Status"], shown["ImportStatus"]) == ("HELD", "QUEUED")


def test_whoever_gets_a_record_gets_attributes_that_it_has():
    """A field is declared in SlideRecord, and listed in projections for each who shows it."""
    slide = load_schema(ROOT / "graphql" / "schema.graphql").type_map["Slide"].fields
    assert set(projections.API_FIELDS) == set(slide) - {"IdSource", "EditedAfterSending"}
    lists = (projections.API_FIELDS, projections.CSV_COLUMNS, projections.CDR_REQUIRED)
    for names in lists:
        assert set(names) <= ATTRIBUTES
    record: SlideRecord = {"ImageID": "1", "CaseID": "C", "MPP": Decimal("0.25")}
    shaped = (projections.cdr_fields(record), projections.failure_fields(record))
    for fields in (*shaped, projections.case_fields(record)):
        assert set(fields) <= ATTRIBUTES


@pytest.mark.parametrize("enumeration", [IdSource, ReviewReason])
def test_the_schema_has_the_enumeration_s_values(enumeration: type[StrEnum]):
    kind = load_schema(ROOT / "graphql" / "schema.graphql").type_map[enumeration.__name__]
    assert is_enum_type(kind)
    assert list(kind.values) == list(enumeration)
