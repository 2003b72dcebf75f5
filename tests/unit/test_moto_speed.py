"""What tests save in moto changes nothing that they see of it."""

import pytest
from botocore.exceptions import ClientError

from tests import moto_speed
from tests.conftest import dynamodb


def rows(tables):
    return {name: dynamodb().Table(name).scan()["Items"] for name in tables.values()}


@pytest.fixture
def slides(tables):
    return dynamodb().Table(tables["SlideTable"])


def test_copies_of_items_are_as_they_were_and_independent(tables, slides):
    history = dynamodb().Table(tables["HistoryTable"])
    (partition, sort) = [each["AttributeName"] for each in history.key_schema]
    slides.put_item(Item={"ImageID": "a", "n": 1, "deep": {"many": [1, {"y"}, None, True]}})
    history.put_item(Item={partition: "a", sort: 1})
    before, kept = rows(tables), moto_speed.items()
    slides.delete_item(Key={"ImageID": "a"})
    history.delete_item(Key={partition: "a", sort: 1})
    history.put_item(Item={partition: "a", sort: 2})
    moto_speed.put_items(kept)
    slides.update_item(Key={"ImageID": "a"}, UpdateExpression="SET n = n + n, deep.many[0] = n")
    moto_speed.put_items(kept)
    assert history.get_item(Key={partition: "a", sort: 2})["Item"]
    history.delete_item(Key={partition: "a", sort: 2})
    assert rows(tables) == before


def test_each_test_begins_with_empty_tables(tables, slides):
    for _ in range(2):
        assert not any(rows(tables).values())
        slides.put_item(Item={"ImageID": "a"})
        moto_speed.tables(_created_by(tables))


def _created_by(tables):
    (create,) = (each for each, (names, _) in moto_speed._created.items() if names == tables)
    return create


def test_a_transaction_that_fails_leaves_every_item_as_it_was(tables, slides):
    slides.put_item(Item={"ImageID": "a", "n": 1, "deep": {"many": [1]}})
    before = rows(tables)
    update = {"TableName": slides.name, "Key": {"ImageID": "a"}}
    update["UpdateExpression"] = "SET n = n + n, deep.many[0] = n"
    new = {"TableName": slides.name, "Item": {"ImageID": "b"}}
    check = {"TableName": slides.name, "Key": {"ImageID": "c"}}
    check["ConditionExpression"] = "attribute_exists(ImageID)"
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        slides.meta.client.transact_write_items(
            TransactItems=[{"Update": update}, {"Put": new}, {"ConditionCheck": check}]
        )
    assert rows(tables) == before


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("SET n = :one, n = :one", "Two document paths overlap"),
        ("SET n = :one SET m = :one", "can only be used once"),
        ("SET n = :one REMOVE n", "Two document paths overlap"),
    ],
)
def test_an_update_that_contradicts_itself_is_refused(slides, expression, message):
    with pytest.raises(ClientError, match=message):
        slides.update_item(
            Key={"ImageID": "a"},
            UpdateExpression=expression,
            ExpressionAttributeValues={":one": 1},
        )


def test_an_expression_can_be_used_again_and_its_lists_are_not_shared(slides):
    slides.put_item(Item={"ImageID": "a", "list": [1]})
    for number in (1, 2):
        slides.update_item(
            Key={"ImageID": "a"},
            UpdateExpression="SET list2 = list_append(#list, :more)",
            ExpressionAttributeNames={"#list": "list"},
            ExpressionAttributeValues={":more": [number]},
        )
        item = slides.get_item(Key={"ImageID": "a"})["Item"]
        assert (item["list"], item["list2"]) == ([1], [1, number])
