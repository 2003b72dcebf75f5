"""The stand-in for AppSync opens fields as AppSync does where roles may ask, too."""

import asyncio
import base64
from types import SimpleNamespace

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from ministack.services import iam, sts

from local import signatures
from local.standins import appsync

SCHEMA = """
type Query {
  open: Slide
  groups: Slide @aws_cognito_user_pools(cognito_groups: ["Technicians"])
  ignored: Slide @aws_auth(cognito_groups: ["Technicians"])
  both: Slide @aws_iam @aws_cognito_user_pools
}
type Mutation {
  publishSlideChange(ImageID: ID!): Slide @aws_iam
}
type Subscription {
  onSlideChange: Slide @aws_subscribe(mutations: ["publishSlideChange"]) @aws_cognito_user_pools
  onRole: Slide @aws_subscribe(mutations: ["publishSlideChange"]) @aws_iam
}
type Slide @aws_cognito_user_pools @aws_iam { ImageID: ID! Secret: String @aws_iam Label: Label }
type Label { text: String }
"""
PUBLISH = 'mutation { publishSlideChange(ImageID: "1") { ImageID } }'


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    path = tmp_path_factory.mktemp("graphql") / "schema.graphql"
    path.write_text(SCHEMA)
    return appsync.load_schema(path)


def person(*groups):
    return appsync.Caller({"sub": "1", "cognito:groups": list(groups)}, "", {}, "127.0.0.1")


def role(*fields):
    async def permits(kind, field):
        return f"{kind}.{field}" in fields

    return appsync.Caller({"sub": "arn:role"}, "", {}, "127.0.0.1", permits)


@pytest.fixture
def ask(schema):
    async def function(event):
        return {"ImageID": "1", "Secret": "s", "Label": {"text": "t"}}

    def ask(query, caller):
        told = []
        answer = asyncio.run(
            appsync.answer(
                schema, {"query": query}, caller, function, lambda *each: told.append(each)
            )
        )
        kinds = [error["errorType"] for error in answer.get("errors") or []]
        return SimpleNamespace(data=answer["data"], kinds=kinds, told=told)

    return ask


def test_people_may_not_publish_whatever_their_groups(ask):
    answer = ask(PUBLISH, person("Technicians", "Admins"))
    assert answer.kinds == ["Unauthorized"]
    assert answer.told == []


def test_a_role_may_do_what_schema_and_policy_both_allow(ask):
    may = role("Mutation.publishSlideChange", "Query.open", "Query.both")
    assert ask(PUBLISH, may).told == [("publishSlideChange", {"ImageID": "1"})]
    assert ask(PUBLISH, role("Query.both")).kinds == ["Unauthorized"]
    assert ask("{ open { ImageID } }", may).kinds == ["Unauthorized"], "it is for people"
    assert ask("{ both { ImageID Secret } }", may).data == {"both": {"ImageID": "1", "Secret": "s"}}
    assert ask("{ both { Label { text } } }", may).kinds == ["Unauthorized"], "the type is people's"


def test_people_get_what_no_directive_closes(ask):
    assert ask("{ open { ImageID Label { text } } }", person()).kinds == []
    assert ask("{ open { Secret } }", person("Technicians")).kinds == ["Unauthorized"]
    assert ask("{ groups { ImageID } }", person("Pathologists")).kinds == ["Unauthorized"]
    assert ask("{ groups { ImageID } }", person("Technicians")).kinds == []


def test_the_older_directive_closes_nothing_any_more(ask):
    """AppSync ignores it beside another way to authorize: so must the stand-in."""
    assert ask("{ ignored { ImageID } }", person("Pathologists")).kinds == []


def test_only_people_subscribe_to_what_is_theirs(schema):
    document = {"query": "subscription { onSlideChange { ImageID } }"}
    assert appsync.subscribe(schema, document, person()).field_name == "onSlideChange"
    with pytest.raises(appsync.Refused, match="ValidationError"):
        appsync.subscribe(schema, {"query": "subscription { onRole { ImageID } }"}, person())


# ─── Signatures ──────────────────────────────────────────────────────────────────────────────────

KEY, SECRET, TOKEN = "ASIAPUBLISHCHANGE001", "the secret", "the token"
URL = "http://127.0.0.1:8080/graphql"
FIELD = "arn:aws:appsync:us-east-1:000000000000:apis/local/types/Mutation/fields"


@pytest.fixture
def known(monkeypatch):
    """Have the emulator know a role that may publish, and credentials of it."""
    policy = {
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["appsync:GraphQL"],
                "Resource": f"{FIELD}/publishSlideChange",
            }
        ]
    }
    monkeypatch.setitem(iam._roles, "publisher", {"InlinePolicies": {"P": policy}})
    sts.register_session(
        KEY,
        {
            "Arn": "arn:aws:sts::000000000000:assumed-role/publisher/f",
            "UserId": "publisher:f",
            "SecretAccessKey": SECRET,
            "SessionToken": TOKEN,
        },
    )


def question(secret=SECRET, token=TOKEN, service="appsync", **changed):
    request = AWSRequest("POST", URL, data=b"{}", headers={"Content-Type": "application/json"})
    SigV4Auth(Credentials(KEY, secret, token), service, "us-east-1").add_auth(request)
    headers = {"host": "127.0.0.1:8080", "user-agent": "any", **dict(request.headers)}
    body = base64.b64encode(b"{}").decode()
    asked = {"service": "appsync", "method": "POST", "url": URL, "headers": headers, "body": body}
    return asked | changed


def may(field):
    return {"action": "appsync:GraphQL", "resource": f"{FIELD}/{field}"}


@pytest.mark.usefixtures("known")
def test_the_emulator_knows_a_signature_and_what_its_role_may():
    arn = "arn:aws:sts::000000000000:assumed-role/publisher/f"
    assert signatures.decide(question()) == {"arn": arn}
    allowed = signatures.decide(question(**may("publishSlideChange")))
    assert allowed == {"arn": arn, "allowed": True}
    assert signatures.decide(question(**may("updateSlide"))) == {"arn": arn, "allowed": False}


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    "wrong",
    [
        {"secret": "another"},
        {"token": "another"},
        {"service": "s3"},
        {"url": "http://127.0.0.1:8080/other"},
        {"body": base64.b64encode(b"{} ").decode()},
        {"headers": {"authorization": "AWS4-HMAC-SHA256 nonsense"}},
        {"headers": {}},
    ],
)
def test_a_wrong_signature_is_nobodys(wrong):
    signed = {key: wrong[key] for key in ("secret", "token") if key in wrong}
    if wrong.get("service"):
        signed["service"] = wrong["service"]
    changed = {key: value for key, value in wrong.items() if key in ("url", "body", "headers")}
    assert signatures.decide(question(**signed, **changed)) is None


@pytest.mark.usefixtures("known")
def test_an_old_signature_is_nobodys():
    asked = question()
    headers = {**asked["headers"], "X-Amz-Date": "20200101T000000Z"}
    assert signatures.decide({**asked, "headers": headers}) is None
