"""What signed-in people are told of a change, and what they are not."""

import pytest

from vsv.live.changes import slide_changes

PRIVATE = {"Filename": "Miller.svs", "SlideID": "S26-1-A1", "CaseID": "S26-1"}
IMPORTING = {**PRIVATE, "Version": 3, "Status": "NEW", "ImportStatus": "IMPORTING"}


def messages(*records):
    return [change.message() for change in slide_changes(records)]


def test_a_new_slide_is_told_without_names(stream_record):
    after = {**IMPORTING, "TilesRendered": 0, "TilesTotal": 900}
    assert messages(stream_record("7", None, after)) == [
        {
            "ImageID": "7",
            "Version": 3,
            "Status": "NEW",
            "ImportStatus": "IMPORTING",
            "TilesRendered": 0,
            "TilesTotal": 900,
        }
    ]


def test_an_edit_that_changes_names_only_is_told_by_its_version(stream_record):
    after = {**IMPORTING, "SlideID": "S26-2-A1", "Version": 4}
    (message,) = messages(stream_record("7", IMPORTING, after))
    assert message["Version"] == 4
    assert not set(message) & set(PRIVATE)


def test_what_the_version_does_not_count_is_progress(stream_record):
    before = {**IMPORTING, "TilesRendered": 10, "TilesTotal": 900}
    (change,) = slide_changes([stream_record("7", before, {**before, "TilesRendered": 20})])
    assert change.is_progress
    assert change.fields["TilesRendered"] == 20
    (change,) = slide_changes([stream_record("7", before, {**before, "Version": 4})])
    assert not change.is_progress


def test_of_each_slide_the_last_change_is_told_once(stream_record):
    first = {**IMPORTING, "TilesRendered": 10}
    second = {**IMPORTING, "TilesRendered": 20}
    done = {**IMPORTING, "ImportStatus": "IMPORTED", "Version": 4}
    records = [
        stream_record("7", None, first),
        stream_record("8", None, first),
        stream_record("7", first, second),
    ]
    changes = slide_changes(records)
    assert [change.image_id for change in changes] == ["7", "8"]
    assert changes[0].fields["TilesRendered"] == 20
    assert not changes[0].is_progress, "the slide is new"
    (change,) = slide_changes([stream_record("7", first, second), stream_record("7", second, done)])
    assert not change.is_progress
    assert change.fields["ImportStatus"] == "IMPORTED"


def test_what_people_do_not_see_is_not_told(stream_record):
    unseen = {**IMPORTING, "RetryAt": "2026-01-01T00:00:00Z"}
    assert messages(stream_record("7", IMPORTING, unseen)) == []
    assert messages(stream_record("7", IMPORTING, None)) == [], "the record itself was removed"


def test_of_a_deleted_slide_nothing_is_told_but_that_it_is(stream_record):
    deleted = {**IMPORTING, "Status": "DELETED", "Version": 4, "TilesRendered": 5}
    assert messages(stream_record("7", IMPORTING, deleted)) == [
        {"ImageID": "7", "Version": 4, "Status": "DELETED"}
    ]
    assert messages(stream_record("7", deleted, {**deleted, "Version": 5})) == []
    assert messages(stream_record("7", None, deleted)) == [], "it never was on a list"


def test_a_slide_that_comes_back_is_told(stream_record):
    deleted = {**IMPORTING, "Status": "DELETED"}
    (message,) = messages(stream_record("7", deleted, {**IMPORTING, "Version": 4}))
    assert message["Status"] == "NEW"


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"eventName": "INSERT"},
        {"eventName": "INSERT", "dynamodb": None},
        {"eventName": "MODIFY", "dynamodb": {"Keys": {}}},
        {"eventName": "MODIFY", "dynamodb": {"Keys": {"ImageID": {"N": "7"}}}},
        {"eventName": "MODIFY", "dynamodb": {"Keys": {"ImageID": {"S": ""}}}},
        {"eventName": "MODIFY", "dynamodb": {"Keys": {"ImageID": "7"}}},
        {"eventName": "MODIFY", "dynamodb": {"Keys": {"ImageID": {"X": "7"}}}},
        {"eventName": "MODIFY", "dynamodb": {"Keys": ["ImageID"]}},
    ],
)
def test_an_odd_record_does_not_hold_up_the_others(odd, stream_record):
    assert [each["ImageID"] for each in messages(odd, stream_record("7", None, IMPORTING))] == ["7"]


def test_values_that_do_not_fit_the_schema_are_left_out(stream_record):
    record = stream_record("7", None, {"Version": 1, "Status": 5, "ImportStatus": ["IMPORTED"]})
    record["dynamodb"]["NewImage"] |= {"TilesTotal": {"N": "many"}, "TilesRendered": "3"}
    assert messages(record) == [{"ImageID": "7", "Version": 1}]
