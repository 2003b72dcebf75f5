"""Which subscriptions are accepted on a connection."""

import json

import pytest

from tests.local.realtime.helpers import ALL, OF_A_CASE, UNAUTHORIZED
from tests.realtime_client import Refused


@pytest.mark.parametrize(
    ("query", "variables", "kind"),
    [
        ("subscription {", {}, "MalformedQuery"),
        ("subscription { nope { ImageID } }", {}, "ValidationError"),
        (
            "subscription { onUpdateSlide { ImageID } onAnyChange { ImageID } }",
            {},
            "ValidationError",
        ),
        ("subscription { onAnyChange @skip(if: true) { ImageID } }", {}, "ValidationError"),
        (OF_A_CASE, {"case": ["C1"]}, "ValidationError"),
        (OF_A_CASE, ["C1"], "BadRequestException"),
        ('{ getSlide(ImageID: "1") { ImageID } }', {}, "UnsupportedOperation"),
        ("subscription { onSecret { ImageID } }", {}, "Unauthorized"),
    ],
)
def test_what_is_no_subscription_is_refused_and_the_others_stay(
    client, mutate, query, variables, kind
):
    client.subscribe(ALL)
    with pytest.raises(Refused) as refusal:
        client.subscribe(query, variables)
    assert {each["errorType"] for each in refusal.value.errors} == {kind}
    mutate()
    assert client.next()["data"]["onUpdateSlide"]["ImageID"] == "1"


def test_a_field_s_groups_may_subscribe_to_it(client, mutate):
    name = client.subscribe("subscription { onSecret { ImageID } }", token="technician")
    mutate()
    assert client.next(name=name) == {"data": {"onSecret": {"ImageID": "1"}}}
    with pytest.raises(Refused) as refusal:
        client.subscribe("subscription { onSecret { ImageID } }")
    message = "Not Authorized to access onSecret on type Subscription"
    assert refusal.value.errors == [{"errorType": "Unauthorized", "message": message}]


def test_every_registration_needs_a_token_of_its_own(client):
    with pytest.raises(Refused) as refusal:
        client.subscribe(ALL, token="nobody")
    assert refusal.value.errors == [UNAUTHORIZED]
    client.send(id="a", type="start", payload={"data": json.dumps({"query": ALL})})
    error = client.expect("error")
    assert (error["id"], error["payload"]) == ("a", {"errors": [UNAUTHORIZED]})


@pytest.mark.parametrize(
    "message",
    [
        {"type": "subscribe", "id": "a", "payload": {"query": ALL}},
        {"type": "start", "id": "a", "payload": {"query": ALL}},
        {"type": "start", "id": "a", "payload": {"data": "{"}},
        {"type": "start", "id": "a", "payload": {"data": "[]"}},
        {"type": "start", "id": "a"},
        {"type": "stop", "id": ["a"]},
        {"id": "a"},
    ],
)
def test_messages_that_appsync_does_not_know(client, message):
    client.send(**message)
    error = client.expect("error")
    assert error["id"] == message["id"]
    assert error["payload"]["errors"] == [
        {
            "errorType": "UnsupportedOperation",
            "message": "unknown not supported through the realtime channel",
        }
    ]


def test_an_id_is_for_one_subscription_at_a_time(client):
    client.subscribe(ALL, name="a")
    with pytest.raises(Refused) as refusal:
        client.subscribe(ALL, name="a")
    assert refusal.value.errors[0]["errorType"] == "DuplicatedOperationError"
    client.stop("a")
    with pytest.raises(Refused) as refusal:
        client.stop("a")
    assert refusal.value.errors[0]["errorType"] == "UnknownOperationError"
    client.subscribe(ALL, name="a")


def test_a_connection_has_a_hundred_subscriptions_and_no_more(client, mutate):
    names = [client.subscribe(ALL) for _ in range(100)]
    with pytest.raises(Refused) as refusal:
        client.subscribe(ALL)
    assert refusal.value.errors[0]["errorType"] == "MaxSubscriptionsReachedError"
    mutate()
    assert {client.expect("data")["id"] for _ in names} == set(names)
