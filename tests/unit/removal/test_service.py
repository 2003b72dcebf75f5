"""Which requests are noted on a record, and which are refused."""

import pytest

from vsv.catalogue.record import Operation
from vsv.errors import Conflict
from vsv.removal import service as service_module
from vsv.removal.request import NamedImage

# What is refused, slide by slide
IMPORTED_SLIDE = {"ImageID": "1", "Filename": "x.svs", "ImportStatus": "IMPORTED", "Status": "NEW"}


def under_way(operation, state="REQUESTED"):
    return {"Removal": {"Operation": operation, "State": state}}


@pytest.mark.parametrize(
    ("changes", "operation", "reason"),
    [
        ({"Status": "DELETED"}, "TRANSFER", "is deleted"),
        ({"Status": "DELETED"}, "RESTORE", "is deleted"),
        ({"ImportStatus": "IMPORTING"}, "DELETE", "is being imported"),
        ({"ImportStatus": "IMPORTING"}, "TRANSFER", "is being imported"),
        ({"ImportStatus": "FAILED"}, "TRANSFER", "cannot be archived"),
        ({}, "RESTORE", "is not archived"),
        (under_way("DELETE"), "TRANSFER", "a DELETE of this slide is not complete"),
        (under_way("TRANSFER"), "DELETE", "a TRANSFER of this slide is not complete"),
        (under_way("TRANSFER", "FAILED"), "RESTORE", "a TRANSFER of this slide is not complete"),
    ],
)
def test_a_request_that_makes_no_sense_changes_nothing_and_says_why(changes, operation, reason):
    record = {**IMPORTED_SLIDE, **changes}
    with pytest.raises(Conflict, match=reason):
        service_module._requested(record, Operation(operation), NamedImage("1"), "ada")


@pytest.mark.parametrize(
    ("changes", "operation"),
    [
        ({}, "DELETE"),
        ({}, "TRANSFER"),
        ({"ImportStatus": "FAILED"}, "DELETE"),
        ({"Status": "TRANSFERRED"}, "RESTORE"),
        ({"Status": "TRANSFERRED"}, "DELETE"),
        (under_way("TRANSFER", "FAILED"), "TRANSFER"),
        (under_way("TRANSFER", "FAILED"), "DELETE"),
        (
            {
                "ImportStatus": "IMPORTING",
                "Status": "TRANSFERRED",
                **under_way("RESTORE", "FAILED"),
            },
            "RESTORE",
        ),
    ],
)
def test_a_request_is_noted_with_who_made_it(changes, operation):
    record = {**IMPORTED_SLIDE, **changes}
    noted = service_module._requested(record, Operation(operation), NamedImage("1", "x.svs"), "ada")
    removal = noted.pop("Removal")
    assert removal.pop("At")
    assert removal == {"Operation": operation, "State": "REQUESTED", "By": "ada"}
    record.pop("Removal", None)
    assert noted == record
    again = {**noted, **under_way(operation)}
    assert service_module._requested(again, Operation(operation), NamedImage("1"), "eve") is again


@pytest.mark.parametrize(
    ("changes", "operation"),
    [({"Status": "DELETED"}, "DELETE"), ({"Status": "TRANSFERRED"}, "TRANSFER")],
)
def test_what_is_done_is_not_asked_for_again(changes, operation):
    record = {**IMPORTED_SLIDE, **changes}
    assert service_module._requested(record, Operation(operation), NamedImage("1"), "ada") is record
