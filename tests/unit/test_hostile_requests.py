"""Whatever a client sends, by HTTP or GraphQL, the answer is a result or says what is wrong.

Events have the shapes that API Gateway, CloudFront and AppSync give them. Routes are read from the
template, arguments from the schema: new ones are asked without a line here.
"""

import base64
import io
import json
from collections.abc import Iterator
from itertools import count
from types import SimpleNamespace
from urllib.parse import quote

import boto3
import pytest
from graphql import (
    get_nullable_type,
    is_enum_type,
    is_input_object_type,
    is_list_type,
    is_non_null_type,
)
from PIL import Image

from local.standins.appsync import load_schema
from tests import svs
from tests.conftest import ROOT, load_template
from tests.handlers import load_handler
from vsv import aws
from vsv.catalogue.indexes import derived
from vsv.catalogue.pages import to_token

TEXTS = (
    *("", " ", ".", "..", "/", "//", "../../etc/passwd", "%", "%00", "%2e%2e%2f", "%ff", "%25"),
    *("\0", "\x1b[31m", "\ud800", "a\udfffb", "\u202e", "a\r\nX: y", "😀", "ü" * 600, "x" * 5000),
    *("NaN", "sNaN", "-0", "1e999", "9" * 5000, "٣", "²", "null", "[]", "<script>", "a|b*c?d", "*"),
)
# JSON that is not a text. Python reads and writes the last two, which JSON does not know.
VALUES = (
    *(None, True, 0, -1, 2**63, 10**400, 1.5, 1e308, [], [[]], {}, {"a": {"b": [None]}}),
    *(float("nan"), float("inf")),
)
BODIES = (
    *(
        None,
        "",
        "no JSON",
        "{",
        "null",
        "[]",
        '"text"',
        "1e999",
        "9" * 5000,
        "\ud800",
        "ÿ",
        "=====",
    ),
    *("[" * 50_000, '{"a":' * 5000, b"\xff\xfe", b"\x80abc", b"\0", b"\xef\xbb\xbf{}"),
)
LEAKS = ("Traceback", "/tmp", "/mnt", "/var/task", ".py", "Error(", "arn:aws")


def items_of(value):
    return dict(value.items() if isinstance(value, dict) else enumerate(value))


def places(value, path=()):
    """Every place in a JSON value, the whole included."""
    yield path
    if isinstance(value, dict | list):
        for key, inner in items_of(value).items():
            yield from places(inner, (*path, key))


def changed(value, path, new):
    """Return the JSON value with another one at this place; ``...`` leaves the place out."""
    if not path:
        return new
    key, *rest = path
    items = items_of(value)
    inner = changed(items.pop(key), rest, new)
    items |= {} if inner is ... else {key: inner}
    return items if isinstance(value, dict) else list(items.values())


def sent(answer):
    """Return the answer as Lambda's runtime sends it: as JSON, in UTF-8."""
    return json.loads(json.dumps(answer, ensure_ascii=False, allow_nan=False).encode())


# ─── HTTP ────────────────────────────────────────────────────────────────────────────────────────
PERSON = {"aud": "viewer", "cognito:username": "ann", "cognito:groups": "Technicians"}
MACHINE = {"client_id": "viewer", "scope": "vsv/import"}
# What a client sends to each route where all is well.
USUAL = {
    "ImportSlide": {"filename": "day 1/a.svs", "size": 1, "sha256": "0" * 64},
    "RemoveImages": {"Operation": "DELETE", "Images": [{"ImageID": "s1", "Filename": "s1.svs"}]},
}
IMAGE_PATHS = (
    *("/DeepZoom/{}.dzi", "/DeepZoom/{}_files/8/0_0.jpeg", "/DeepZoom/{}_files/label.png", "{}"),
    *("/DeepZoom/s1_files/{}/0_0.jpeg", "/DeepZoom/s1_files/8/{}.jpeg", "/DeepZoom/s1.{}"),
    *("/DeepZoom/s1_files/8/{}_0.jpeg", "/DeepZoom/s1_files/8/0_0.{}", "/DeepZoom/s1_files/{}.png"),
)


def routes() -> list[tuple[str, str, str]]:
    """Return function, method and path of each route of the REST API."""
    found = []
    for name, resource in load_template(ROOT / "func.template.yaml")["Resources"].items():
        for event in resource.get("Properties", {}).get("Events", {}).values():
            if event["Type"] == "Api":
                how = event["Properties"]
                found.append((name.removesuffix("Function"), how["Method"], how["Path"]))
    return found


ROUTES = routes()


class Lambda:
    """Runs what ImportSlide and RemoveImages invoke, or takes note of it."""

    def invoke(self, FunctionName, Payload, InvocationType="RequestResponse"):
        if InvocationType == "Event":
            return {}
        result = load_handler(FunctionName)(json.loads(Payload), None)
        return {"Payload": io.BytesIO(json.dumps(result).encode())}


@pytest.fixture
def functions(tables, storage, monkeypatch):
    """Environment and services of the functions behind the REST API, and a slide to look at."""
    kms = boto3.client("kms")
    key = kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    clients = {
        "lambda": Lambda(),
        "kms": kms,
        "stepfunctions": SimpleNamespace(start_execution=lambda **_: None),
        "datasync": SimpleNamespace(
            start_task_execution=lambda **_: {"TaskExecutionArn": "execution"},
            describe_task_execution=lambda **_: {"Status": "TRANSFERRING"},
            exceptions=SimpleNamespace(InvalidRequestException=KeyError),
        ),
    }
    monkeypatch.setattr(aws, "client", clients.__getitem__)
    environment = {
        "IMAGES_PATH": str(storage.root),
        "COOKIE_KEY_ARN": key["Arn"],
        "COOKIE_KEY_PAIR_ID": "K1",
        "DATASYNC_TASK_ARN": "task",
        "STATE_MACHINE_ARN": "machine",
        "CHECK_FILE_FUNCTION": "CheckFile",
        "SET_ASIDE_FUNCTION": "SetAside",
        "DELETE_IMAGE_FUNCTION": "DeleteImage",
        "TRANSFER_IMAGE_FUNCTION": "TransferImage",
        **{f"{name.removesuffix('Table').upper()}_TABLE": name for name in tables},
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    buffer = io.BytesIO()
    Image.new("RGB", (256, 256)).save(buffer, "jpeg")
    svs.write(storage.root / "s1.svs", [svs.Page((256, 256), [buffer.getvalue()])])


def rest_event(function, method, path, body=...):
    """Return the event of API Gateway's proxy integration, where ``*/*`` is a binary media type."""
    body = USUAL.get(function) if body is ... else body
    headers = {"Host": "api.example.com", "If-None-Match": '"1"', "X-Forwarded-For": "203.0.113.9"}
    path = path.replace("{proxy+}", "s1_files/8/0_0.jpeg")
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": {"tilesize": "256", "overlap": "0", "fmt": "jpeg"},
        "multiValueQueryStringParameters": {"tilesize": ["254", "256"]},
        "pathParameters": {"proxy": "s1_files/8/0_0.jpeg"},
        "stageVariables": None,
        "requestContext": {
            "requestId": "r-1",
            "httpMethod": method,
            "authorizer": {"claims": MACHINE if function == "ImportSlide" else PERSON},
        },
        "body": base64.b64encode(json.dumps(body).encode()).decode() if body is not None else None,
        "isBase64Encoded": body is not None,
    }


def url_event(path, query):
    """Return the event of a function URL (payload 2.0), which CloudFront calls without a token."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"if-none-match": "*", "host": "u.lambda-url.eu-central-1.on.aws"},
        "queryStringParameters": query,
        "requestContext": {
            "requestId": "r-1",
            "http": {"method": "GET", "path": path},
            "authorizer": {"iam": {"userArn": "cloudfront.amazonaws.com"}},
        },
        "isBase64Encoded": False,
    }


def hostile_events(function, method, path) -> Iterator[dict]:
    """Events of one route: the usual one, and each with one thing odd."""
    usual = rest_event(function, method, path)
    yield usual
    for name in ("headers", "queryStringParameters", "pathParameters", "requestContext", "body"):
        yield changed(usual, (name,), None)
        yield changed(usual, (name,), ...)
    claims = ("requestContext", "authorizer", "claims")
    for depth in (2, 3):
        yield from (changed(usual, claims[:depth], odd) for odd in (..., None, {}))
    for name in usual["requestContext"]["authorizer"]["claims"]:
        yield from (changed(usual, (*claims, name), odd) for odd in ("", "\ud800", [], "x" * 5000))
    for text in TEXTS:
        yield changed(usual, ("headers",), {text: "x", "if-none-match": text})
        yield changed(usual, ("queryStringParameters",), dict.fromkeys(("tilesize", "fmt"), text))
        yield changed(usual, ("queryStringParameters",), {"overlap": text, text: text})
    for body in BODIES if function in USUAL else ():
        encoded = body if isinstance(body, bytes) else (body or "").encode(errors="surrogatepass")
        yield usual | {"body": base64.b64encode(encoded).decode()}
        if not isinstance(body, bytes):
            yield usual | {"body": body}
            yield usual | {"body": body, "isBase64Encoded": False}
    for place in places(USUAL.get(function, {})):
        for odd in (*VALUES, *TEXTS, ...):
            body = changed(USUAL.get(function, {}), place, odd)
            yield rest_event(function, method, path, None if body is ... else body)


def image_events() -> Iterator[dict]:
    """Yield requests for images with odd addresses, plain and as a browser encodes them."""
    for template in IMAGE_PATHS:
        for text in TEXTS:
            path = template.format(text)
            encoded = template.format(quote(text, safe="", errors="surrogatepass"))
            yield {**rest_event("ImageRequest", "GET", ""), "path": path}
            yield url_event(encoded, {"tilesize": text[:9]})


def check_answer(answer):
    """Accept a success, or a problem (RFC 9457) of the client's that tells nothing else."""
    status, body = answer["statusCode"], answer["body"]
    if status == 202:  # a result for each slide
        assert all(image["status"] < 500 for image in json.loads(body)["Images"])
    if status in (200, 202, 304):
        return
    assert status in (400, 403, 404, 409, 422)
    assert answer["headers"]["Content-Type"] == "application/problem+json"
    problem = json.loads(body)
    assert set(problem) == {"type", "title", "status", "detail", "instance"}
    assert problem["status"] == status
    assert 0 < len(problem["detail"]) < 400
    if problem["instance"] != "urn:request:unknown":
        assert problem["instance"] == "urn:request:r-1"
    assert not any(leak in body for leak in LEAKS)


@pytest.mark.usefixtures("functions")
@pytest.mark.slow
def test_whatever_is_sent_to_a_route_the_answer_says_what_is_wrong():
    failures = []
    for function, method, path in ROUTES:
        handler = load_handler(function)
        events = [*hostile_events(function, method, path)]
        if function == "ImageRequest":
            events += image_events()
        for event in events:
            try:
                check_answer(sent(handler(event, None)))
            except Exception as error:  # noqa: BLE001  all of them are shown
                failures.append((function, str(event)[:2000], repr(error)[:300]))
    assert failures == []


# ─── GraphQL ─────────────────────────────────────────────────────────────────────────────────────
SCHEMA = load_schema(ROOT / "graphql" / "schema.graphql")
ROOTS = (SCHEMA.query_type, SCHEMA.mutation_type)
# AppSync answers this one itself: see graphql/publish.js.
WITHOUT_FUNCTION = "publishSlideChange"
FIELDS = [(root.name, name) for root in ROOTS for name in root.fields if name != WITHOUT_FUNCTION]

TIMES = (
    *("2026-01-01T00:00:00Z", "2020-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-01-01"),
    *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-02-30T25:61:61Z"),
)
TOKENS = (
    *("x", "e30=", "W10=", "bnVsbA==", "ÿ"),
    *(to_token({"leg": leg}) for leg in ("-1", "99", "0")),
    to_token({"leg": "0", "ImageID": "\ud800"}),
    to_token({"Version": "0"}),
    base64.urlsafe_b64encode(b"[" * 6000).decode(),
)
ODD = {
    "String": (*TEXTS, *TIMES),
    "AWSDateTime": (*TIMES, *TEXTS),
    "Int": (-1, 0, 1, 1001, 2**31 - 1, -(2**31)),
    "Float": (0.0, -1.5, 1e308, 5e-324, 2.0**53),
    "Boolean": (True, False),
    **{name: tuple(kind.values) for name, kind in SCHEMA.type_map.items() if is_enum_type(kind)},
}


def odd_values(name, kind, turn, step=3):
    """Values of an argument's type: odd ones, outer places' null, an input's field by field.

    A place gets every n-th of them, by turns: ``step``, which is longer for inner ones.
    """
    if not is_non_null_type(kind) and step < 100:
        yield None
    kind = get_nullable_type(kind)
    if is_list_type(kind):
        values = [*odd_values(name, kind.of_type, turn, step)]
        yield from ([], values, *([value, value] for value in values if value is not None))
    elif is_input_object_type(kind):
        required = {name: "s1" for name, of in kind.fields.items() if is_non_null_type(of.type)}
        yield required
        for field, of in kind.fields.items():
            values = odd_values(field, of.type, turn, step * 8)
            yield from ({**required, field: value} for value in values)
    else:
        odd = TOKENS if name == "nextToken" else ODD[str(kind)]
        yield from odd[next(turn) % min(step, len(odd)) :: step]


@pytest.fixture
def resolve(catalogue, tables, monkeypatch):
    """Resolve a field as AppSync's resolver has SlideCatalogue do; return the error, if any."""
    monkeypatch.setenv("SLIDE_TABLE", tables["SlideTable"])
    monkeypatch.setenv("HISTORY_TABLE", tables["HistoryTable"])
    monkeypatch.setenv("TERM_TABLE", tables["TermTable"])
    monkeypatch.setenv("STATE_MACHINE_ARN", "machine")
    monkeypatch.setenv("CHECK_FILE_FUNCTION", "CheckFile")
    handler = load_handler("SlideCatalogue")

    def resolve(root, field, arguments, identity):
        event = {
            "arguments": arguments,
            "identity": identity,
            "source": None,
            "request": {"headers": {}},
            "info": {"fieldName": field, "parentTypeName": root, "selectionSetList": ["items"]},
        }
        answer = sent(handler(event, None))
        failed = isinstance(answer, dict) and "__error" in answer
        return answer["__error"] if failed else None

    for number in range(3):
        known = {"SlideID": f"S-{number}-A", "CaseID": f"S-{number}", "Scanner": "SS1"}
        status = {"Status": "NEW", "ImportStatus": "IMPORTED", "ScanDate": TIMES[0]}
        new = derived({"ImageID": f"s{number}", **known, **status})
        catalogue.slides.put_item(Item=new)
    return resolve


@pytest.mark.slow
def test_whatever_is_asked_of_a_field_the_answer_says_what_is_wrong(resolve):
    technician = {"claims": {"cognito:username": "ann", "cognito:groups": ["Technicians"]}}
    turn, failures = count(), []
    for root, field in FIELDS:
        arguments = SCHEMA.type_map[root].fields[field].args
        usual = {"limit": 3} if "limit" in arguments else {}
        for name, of in arguments.items():
            if is_non_null_type(of.type):
                usual[name] = {"ImageID": "s1"} if is_input_object_type(of.type.of_type) else "s1"
        for name, argument in arguments.items():
            for value in odd_values(name, argument.type, turn):
                error = resolve(root, field, {**usual, name: value}, technician)
                if error and not is_the_clients(error):
                    failures.append((field, name, value, error))
        for identity in (None, {}, {"claims": None}, {"claims": {}}, {"claims": MACHINE}):
            error = resolve(root, field, usual, identity)
            if error is None or error["type"] != "Unauthorized":
                failures.append((field, "identity", identity, error))
    assert failures == []


def is_the_clients(error) -> bool:
    """Whether an error says what the client did wrong, and tells nothing of the server."""
    message = error["message"]
    known = error["type"] in ("BadRequest", "NotFound", "Conflict")
    return known and 0 < len(message) < 400 and not any(leak in message for leak in LEAKS)
