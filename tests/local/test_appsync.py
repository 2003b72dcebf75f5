"""The GraphQL stand-in calls the function as AppSync would, and refuses as AppSync would."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from local.settings import ROOT
from local.standins import appsync

SCHEMA = """
type Query {
  getSlide(ImageID: ID!): Slide
  getSlides(ImageIDs: [ID!]!): [Slide]
  secret: String @aws_auth(cognito_groups: ["Technicians"])
}
type Mutation {
  updateSlide(input: SlideInput!): Slide @aws_cognito_user_pools(cognito_groups: ["Technicians"])
}
type Subscription {
  onUpdateSlide(ImageID: ID): Slide @aws_subscribe(mutations: ["updateSlide"])
}
type Slide {
  ImageID: ID!
  ScanDate: AWSDateTime
  Notes: String @aws_auth(cognito_groups: ["Technicians"])
  Barcode: Barcode
}
type Barcode { text: String! reason: String }
input SlideInput { ImageID: ID! SlideID: String }
"""


class Function:
    """Records its events and answers them."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.events: list[dict[str, Any]] = []

    async def __call__(self, event: dict[str, Any]) -> Any:
        self.events.append(event)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def caller(*groups: str) -> appsync.Caller:
    claims: dict[str, Any] = {"sub": "1234", "cognito:username": "somebody"}
    if groups:
        claims["cognito:groups"] = list(groups)
    return appsync.Caller(claims, "https://issuer", {"x-test": "1"}, "127.0.0.1")


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    path: Path = tmp_path_factory.mktemp("graphql") / "schema.graphql"
    path.write_text(SCHEMA)
    return appsync.load_schema(path)


@pytest.fixture
def ask(schema):
    def ask(query: str, function: Function, *groups: str, **request: Any) -> dict[str, Any]:
        return asyncio.run(
            appsync.answer(schema, {"query": query, **request}, caller(*groups), function)
        )

    return ask


def test_our_own_schema_loads():
    assert appsync.load_schema(ROOT / "graphql" / "schema.graphql").query_type is not None


def test_the_function_gets_a_direct_resolver_s_event(ask):
    function = Function({"ImageID": "1", "ScanDate": "2026-01-02T03:04:05Z"})
    answer = ask(
        "query One($id: ID!) { it: getSlide(ImageID: $id) { key: ImageID ...more } }"
        " fragment more on Slide { ScanDate __typename }",
        function,
        "Pathologists",
        variables={"id": "1"},
    )
    slide = {"key": "1", "ScanDate": "2026-01-02T03:04:05Z", "__typename": "Slide"}
    assert answer == {"data": {"it": slide}}
    (event,) = function.events
    assert event["arguments"] == {"ImageID": "1"}
    assert event["identity"]["groups"] == ["Pathologists"]
    assert event["identity"]["username"] == "somebody"
    assert event["request"]["headers"] == {"x-test": "1"}
    assert event["source"] is None
    assert event["info"]["fieldName"] == "getSlide"
    assert event["info"]["parentTypeName"] == "Query"
    assert event["info"]["variables"] == {"id": "1"}
    assert event["info"]["selectionSetList"] == ["key", "ScanDate", "__typename"]


def test_lists_keep_their_nulls(ask):
    function = Function([None, {"ImageID": "2"}])
    answer = ask('{ getSlides(ImageIDs: ["1", "2"]) { ImageID } }', function)
    assert answer == {"data": {"getSlides": [None, {"ImageID": "2"}]}}


def test_a_field_is_for_its_groups_only(ask):
    function = Function({"ImageID": "1"})
    change = 'mutation { updateSlide(input: {ImageID: "1", SlideID: "x"}) { ImageID } }'

    refused = ask(change, function, "Pathologists")
    assert refused["data"] == {"updateSlide": None}
    assert refused["errors"][0]["errorType"] == "Unauthorized"
    assert refused["errors"][0]["path"] == ["updateSlide"]
    assert function.events == []
    assert ask("{ secret }", function)["errors"][0]["errorType"] == "Unauthorized"

    assert ask(change, function, "Technicians") == {"data": {"updateSlide": {"ImageID": "1"}}}
    assert function.events[0]["arguments"] == {"input": {"ImageID": "1", "SlideID": "x"}}


def test_a_nested_field_is_for_its_groups_only(ask):
    function = Function({"ImageID": "1", "Notes": "n"})
    query = '{ getSlide(ImageID: "1") { ImageID Notes } }'
    assert ask(query, function, "Technicians")["data"]["getSlide"]["Notes"] == "n"
    assert ask(query, function)["data"]["getSlide"] == {"ImageID": "1", "Notes": None}


def test_a_failed_function_is_one_error_at_its_field(ask):
    function = Function(appsync.ResolverError("no such slide"))
    answer = ask('{ getSlide(ImageID: "1") { ImageID } }', function)
    assert answer["data"] == {"getSlide": None}
    (error,) = answer["errors"]
    assert (error["errorType"], error["message"]) == ("Lambda:Unhandled", "no such slide")


def test_a_function_can_name_its_error_and_say_more(ask):
    current = {"ImageID": "1", "ScanDate": "2026-01-02T03:04:05Z", "Barcode": {"reason": "blank"}}
    failure = {
        "type": "Conflict",
        "message": "The slide has changed.",
        "data": {**current, "Notes": "n", "Version": 3},
        "info": {"version": 3},
    }
    answer = ask(
        "mutation Edit($input: SlideInput!) {\n"
        "  edit: updateSlide(input: $input) { ...more Notes code: Barcode { text reason } }\n"
        "} fragment more on Slide { __typename key: ImageID }",
        Function({"__error": failure}),
        "Technicians",
        variables={"input": {"ImageID": "1"}},
    )
    # As much of the data as the field's selection set asks for, under the same names.
    selected = {
        "__typename": "Slide",
        "key": "1",
        "Notes": "n",
        "code": {"text": None, "reason": "blank"},
    }
    assert answer == {
        "data": {"edit": None},
        "errors": [
            {
                "path": ["edit"],
                "data": selected,
                "errorType": "Conflict",
                "errorInfo": {"version": 3},
                "locations": [{"line": 2, "column": 3, "sourceName": None}],
                "message": "The slide has changed.",
            }
        ],
    }


def test_an_error_s_data_shows_nothing_that_is_for_other_groups(ask):
    failure = {"type": "NotFound", "message": "gone", "data": {"ImageID": "1", "Notes": "n"}}
    answer = ask('{ getSlide(ImageID: "1") { ImageID Notes } }', Function({"__error": failure}))
    assert answer["errors"][0]["data"] == {"ImageID": "1", "Notes": None}


@pytest.mark.parametrize(
    ("data", "shown"), [(None, None), ([None, {"ImageID": "1"}], [None, {"ImageID": "1"}])]
)
def test_an_error_s_data_may_be_of_any_shape(ask, data, shown):
    failure = {"type": "NotFound", "message": "gone", "data": data}
    answer = ask('{ getSlides(ImageIDs: ["1"]) { ImageID } }', Function({"__error": failure}))
    assert answer["data"] == {"getSlides": None}
    assert answer["errors"][0]["data"] == shown
    assert answer["errors"][0]["errorInfo"] is None


def test_one_field_s_error_leaves_the_others(ask):
    async def function(event):
        if event["arguments"] == {"ImageID": "1"}:
            return {"__error": {"type": "NotFound", "message": "gone"}}
        return {"ImageID": "2"}

    query = '{ a: getSlide(ImageID: "1") { ImageID } b: getSlide(ImageID: "2") { ImageID } }'
    answer = ask(query, function)
    assert answer["data"] == {"a": None, "b": {"ImageID": "2"}}
    assert [(each["path"], each["errorType"]) for each in answer["errors"]] == [(["a"], "NotFound")]


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("{ nope }", "ValidationError"),
        ("{ getSlide { ImageID } }", "ValidationError"),
        ("{ getSlide(", "MalformedQuery"),
        ("", "MalformedQuery"),
        ("query A { secret } query B { secret }", "BadRequestException"),
        ("subscription { onUpdateSlide { ImageID } }", "BadRequestException"),
    ],
)
def test_what_cannot_be_executed_is_refused_whole(ask, query, kind):
    function = Function(None)
    answer = ask(query, function)
    assert answer["data"] is None
    assert answer["errors"][0]["errorType"] == kind
    assert function.events == []


def test_variables_are_an_object(ask):
    answer = ask("{ secret }", Function(None), variables=["1"])
    assert answer["data"] is None
    assert answer["errors"][0]["errorType"] == "BadRequestException"
