"""A token opens a route only where it is of the route's own app client."""

import json

import pytest

from tests.conftest import ROOT, load_template
from tests.handlers import load_handler

PERSON = {"cognito:username": "ann", "cognito:groups": "Technicians", "token_use": "id"}
MACHINE = {"scope": "vsv/import", "token_use": "access"}
# Each function that a route leads to: the template's client, who asks, and the client's claim.
FUNCTIONS = {
    "ImageRequest": ("WebClientId", PERSON, "aud"),
    "Session": ("WebClientId", PERSON, "aud"),
    "RemoveImages": ("WebClientId", PERSON, "aud"),
    "ImportSlide": ("ScannerClientId", MACHINE, "client_id"),
}


@pytest.fixture
def refuses(aws, monkeypatch, storage):
    """Whether a function refuses a token with these claims."""
    monkeypatch.setenv("CLIENT_ID", "ours")
    monkeypatch.setenv("IMAGES_PATH", str(storage.root))

    def refuses(function, claims):
        event = {
            "body": "no JSON",
            "httpMethod": "DELETE",
            "path": "/DeepZoom/nobody.dzi",
            "requestContext": {"requestId": "1", "authorizer": {"claims": claims}},
        }
        answer = load_handler(function)(event, None)
        if answer["statusCode"] == 403:
            return json.loads(answer["body"])["detail"]
        assert answer["statusCode"] in (200, 400, 404)
        return None

    return refuses


@pytest.mark.parametrize("function", FUNCTIONS)
def test_it_takes_tokens_of_its_own_client_only(refuses, function):
    _, claims, name = FUNCTIONS[function]
    assert refuses(function, {**claims, name: "ours"}) is None
    theirs = {"aud": "ours", "client_id": "theirs"}
    for other in ({name: "theirs"}, {name: ""}, {name: "our"}, {}, theirs):
        assert "another application" in refuses(function, {**claims, **other})


def test_every_function_with_a_route_is_told_its_client():
    told = {}
    for name, resource in load_template(ROOT / "func.template.yaml")["Resources"].items():
        properties = resource.get("Properties", {})
        if any(event["Type"] == "Api" for event in properties.get("Events", {}).values()):
            client = properties["Environment"]["Variables"]["CLIENT_ID"]
            told[name.removesuffix("Function")] = client
    assert told == {name: {"Ref": client} for name, (client, *_) in FUNCTIONS.items()}
