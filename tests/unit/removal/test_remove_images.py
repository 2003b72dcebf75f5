"""The function RemoveImages: who may call it, and what it answers."""

import json

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from tests.handlers import load_handler
from vsv.removal import service as service_module


@pytest.fixture
def handler(tables, monkeypatch):
    for name in ("DELETE_IMAGE_FUNCTION", "TRANSFER_IMAGE_FUNCTION", "STATE_MACHINE_ARN"):
        monkeypatch.setenv(name, name.lower())
    monkeypatch.setenv("SLIDE_TABLE", tables["SlideTable"])
    monkeypatch.setenv("HISTORY_TABLE", tables["HistoryTable"])
    monkeypatch.setenv("TERM_TABLE", tables["TermTable"])
    return load_handler("RemoveImages")


def call(handler, body, claims):
    event = {
        "body": json.dumps(body),
        "requestContext": {"requestId": "1", "authorizer": {"claims": claims} if claims else None},
    }
    answer = handler(event, None)
    return answer["statusCode"], json.loads(answer["body"])


TECHNICIAN = {
    "aud": "viewer",
    "cognito:username": "ann",
    "cognito:groups": "Pathologists,Technicians",
}
BODY = {"Operation": "DELETED", "Images": [{"ImageID": "nobody", "Filename": "x.svs"}]}


@pytest.mark.parametrize(
    "claims",
    [
        None,
        {"aud": "viewer", "cognito:username": "ann"},
        {"aud": "viewer", "cognito:username": "ann", "cognito:groups": "Pathologists"},
        {
            "aud": "viewer",
            "cognito:username": "ann",
            "cognito:groups": "[Pathologists xTechnicians]",
        },
        {"client_id": "viewer", "scope": "vsv/import"},
        {"client_id": "viewer", "cognito:groups": "Technicians"},
    ],
)
def test_it_is_for_technicians(handler, claims):
    status, problem = call(handler, BODY, claims)
    assert (status, problem["title"]) == (403, "Forbidden")


def test_a_result_for_each_slide(handler):
    status, answer = call(handler, BODY, TECHNICIAN)
    assert status == 202
    assert answer["Operation"] == "DELETE"
    assert answer["Images"] == [
        {
            "ImageID": "nobody",
            "Filename": "x.svs",
            "status": 404,
            "detail": "there is no slide with this ImageID",
        }
    ]


def test_two_hundred_slides_with_long_names_are_taken_each_once(handler):
    images = [{"ImageID": f"{number:03}{'x' * 1021}"} for number in range(199)]
    body = {"Operation": "RESTORE", "Images": [*images, images[0]]}
    status, answer = call(handler, body, TECHNICIAN)
    assert status == 202
    assert [each["ImageID"] for each in answer["Images"]] == [each["ImageID"] for each in images]


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"Operation": "DELETE"},
        {"Operation": "DELETEX", "Images": [{"ImageID": "1"}]},
        {"Operation": ["DELETE"], "Images": [{"ImageID": "1"}]},
        {"Operation": "DELETE", "Images": []},
        {"Operation": "DELETE", "Images": ["1"]},
        {"Operation": "DELETE", "Images": [{"ImageID": ""}]},
        {"Operation": "DELETE", "Images": [{"ImageID": 7}]},
        {"Operation": "DELETE", "Images": [{"ImageID": "x" * 1025}]},
        {"Operation": "DELETE", "Images": [{"ImageID": "1", "Filename": ""}]},
        {"Operation": "DELETE", "Images": [{"ImageID": "1", "Filename": 7}]},
        {"Operation": "DELETE", "Images": [{"ImageID": str(n)} for n in range(201)]},
    ],
)
def test_malformed_requests_are_refused_whole(handler, body):
    status, problem = call(handler, body, TECHNICIAN)
    assert status == 400
    assert (
        "Operation" in problem["detail"]
        or "Image" in problem["detail"]
        or "Filename" in problem["detail"]
    )


@pytest.mark.parametrize(("deadline_s", "calls"), [(60.0, 3), (-1.0, 1)])
def test_a_busy_service_is_a_result_for_each_slide(handler, monkeypatch, deadline_s, calls):
    """Also where no more are begun, since the caller would not wait for them."""
    asked = []

    def refuse(self, operation, arguments):
        asked.append(operation)
        error = {"Code": "ThrottlingException", "Message": "arn:aws:dynamodb:…"}
        raise ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": 400}}, operation)

    monkeypatch.setattr(BaseClient, "_make_api_call", refuse)
    monkeypatch.setattr(service_module, "_DEADLINE_S", deadline_s)
    images = [{"ImageID": name} for name in ("1", "2", "3")]
    status, answer = call(handler, {"Operation": "DELETE", "Images": images}, TECHNICIAN)
    assert status == 202
    assert [image["status"] for image in answer["Images"]] == [503, 503, 503]
    assert all("try again later" in image["detail"] for image in answer["Images"])
    assert len(asked) == calls


@pytest.mark.parametrize("image_id", ["\ud800", "ü" * 513, ""])
def test_an_image_id_that_no_key_can_be_is_told(handler, image_id):
    body = {"Operation": "DELETE", "Images": [{"ImageID": image_id}]}
    status, problem = call(handler, body, TECHNICIAN)
    assert (status, problem["detail"]) == (400, "ImageID must be a string of 1 to 1024 bytes")
