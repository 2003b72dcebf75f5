"""Who may do what: every route and every field, with every kind of token, as deployed.

Routes come from the template and fields from the schema, so that a new one fails here until it is
said who may use it.
"""

import json
import time

import httpx
import jwt
import pytest

from local import accounts
from local.standins.appsync import load_schema
from tests.conftest import ROOT, load_template
from tests.realtime_client import Refused, connect

pytestmark = pytest.mark.stack

PEOPLE = frozenset({"technician", "pathologist", "nobody's"})
TECHNICIANS = frozenset({"technician"})
MACHINE = frozenset({"scanner"})

ROUTES = {
    "GET /DeepZoom/{proxy+}": PEOPLE,
    "POST /ImportSlide": MACHINE,
    "DELETE /RemoveImages": TECHNICIANS,
    "POST /Session": PEOPLE,
    "DELETE /Session": PEOPLE,
}
FIELDS = {
    "Query.getSlide": PEOPLE,
    "Query.getSlides": PEOPLE,
    "Query.querySlidesByStatus": PEOPLE,
    "Query.querySlidesByCase": PEOPLE,
    "Query.listSlides": PEOPLE,
    "Query.searchSlides": PEOPLE,
    "Query.countSlides": PEOPLE,
    "Query.listUnsentSlides": PEOPLE,
    "Query.listImportFailures": PEOPLE,
    "Query.listUnidentified": PEOPLE,
    "Query.listCaseIDs": PEOPLE,
    "Query.slideHistory": PEOPLE,
    "Mutation.updateSlide": TECHNICIANS,
    "Mutation.publishSlideChange": frozenset(),
    "Mutation.retryImport": TECHNICIANS,
    "Subscription.onUpdateSlide": PEOPLE,
    "Subscription.onSlideChange": PEOPLE,
}
ROLES = (
    *("anonymous", "forged", "expired", "another pool's", "another client's"),
    *("scanner", "technician's access", *sorted(PEOPLE)),
)
# A token that names the technician otherwise. The emulator's gateway lets it in; AWS's does not.
ACCESS = "technician's access"


def routes() -> list[str]:
    found = []
    for resource in load_template(ROOT / "func.template.yaml")["Resources"].values():
        for event in resource.get("Properties", {}).get("Events", {}).values():
            if event["Type"] in ("Api", "HttpApi"):
                properties = event["Properties"]
                found.append(f"{properties['Method'].upper()} {properties['Path']}")
    return found


SCHEMA = load_schema(ROOT / "graphql" / "schema.graphql")


def fields() -> list[str]:
    roots = (SCHEMA.query_type, SCHEMA.mutation_type, SCHEMA.subscription_type)
    return [f"{root.name}.{field}" for root in roots if root for field in root.fields]


def test_of_every_route_and_field_it_is_said_who_may():
    assert sorted(routes()) == sorted(ROUTES)
    assert sorted(fields()) == sorted(FIELDS)


def test_every_field_that_changes_something_names_its_group_in_the_schema():
    for name, field in SCHEMA.mutation_type.fields.items():
        known = {"aws_iam"} if name == "publishSlideChange" else {"aws_cognito_user_pools"}
        assert {each.name.value for each in field.ast_node.directives} == known, name


@pytest.fixture(scope="module")
def tokens(stack):
    """Yield a token of each kind."""
    cognito, pool = stack.client("cognito-idp"), stack.user_pool_id

    def account(pool_id, client_id, name):
        password = accounts.new_password()
        cognito.admin_create_user(
            UserPoolId=pool_id,
            Username=name,
            TemporaryPassword=password,
            MessageAction="SUPPRESS",
        )
        cognito.admin_set_user_password(
            UserPoolId=pool_id, Username=name, Password=password, Permanent=True
        )
        return sign_in(client_id, name, password)

    def sign_in(client_id, name, password):
        answer = cognito.initiate_auth(
            ClientId=client_id,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": name, "PASSWORD": password},
        )
        return answer["AuthenticationResult"]["IdToken"]

    def client(pool_id):
        made = cognito.create_user_pool_client(
            UserPoolId=pool_id,
            ClientName="another",
            ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        )
        return made["UserPoolClient"]["ClientId"]

    other_pool = cognito.create_user_pool(PoolName="another")["UserPool"]["Id"]
    other_client = client(pool)
    name = f"nobody-{time.time_ns()}"
    technician = stack.tokens("technician")
    head, _, signature = technician["IdToken"].rpartition(".")
    try:
        yield {
            "anonymous": None,
            "forged": f"{head}.{signature[::-1]}",
            "expired": aged(technician["IdToken"], pool),
            "another pool's": account(other_pool, client(other_pool), "technician"),
            "another client's": sign_in(
                other_client, stack.technician_username, stack.technician_password
            ),
            "scanner": stack.scanner_token(),
            "technician's access": technician["AccessToken"],
            "technician": technician["IdToken"],
            "pathologist": stack.tokens("pathologist")["IdToken"],
            "nobody's": account(pool, stack.user_pool_client_id, name),
        }
    finally:
        cognito.admin_delete_user(UserPoolId=pool, Username=name)
        cognito.delete_user_pool_client(UserPoolId=pool, ClientId=other_client)
        cognito.delete_user_pool(UserPoolId=other_pool)


def aged(token: str, pool_id: str) -> str:
    """Return the token as it was two hours ago, signed by the pool's own key.

    It has expired since.
    """
    claims = jwt.decode(token, options={"verify_signature": False})
    claims |= {name: claims[name] - 7200 for name in ("auth_time", "exp", "iat") if name in claims}
    key = (ROOT / ".local" / "state" / "cognito-pool-keys" / f"{pool_id}-id.pem").read_text()
    headers = {"kid": jwt.get_unverified_header(token)["kid"]}
    return jwt.encode(claims, key, algorithm="RS256", headers=headers)


BODIES = {
    "POST": {"filename": "nobody's.svs", "size": -1},
    "DELETE": {"Operation": "DELETE", "Images": [{"ImageID": "nobody"}]},
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("route", sorted(ROUTES))
def test_a_route_is_open_to_those_it_is_for(api, tokens, route, role):
    method, path = route.split()
    with api(tokens[role]) as client:
        answer = client.request(
            method, path.replace("{proxy+}", "nobody.dzi"), json=BODIES.get(method)
        )
    may = role in ROUTES[route] or (role == ACCESS and "technician" in ROUTES[route])
    refused = answer.status_code in (401, 403)
    assert refused is not may, (route, role, answer.status_code, answer.text)
    if role in ("anonymous", "forged", "expired", "another pool's"):
        assert answer.status_code == 401
    assert answer.status_code < 500


DOCUMENTS = {
    "Query.getSlide": '{ getSlide(ImageID: "nobody") { ImageID } }',
    "Query.getSlides": '{ getSlides(ImageIDs: ["nobody"]) { ImageID } }',
    "Query.querySlidesByStatus": '{ querySlidesByStatus(Status: "NEW", limit: 1) { nextToken } }',
    "Query.querySlidesByCase": '{ querySlidesByCase(CaseID: "nobody") { nextToken } }',
    "Query.listSlides": "{ listSlides(limit: 1) { nextToken } }",
    "Query.searchSlides": '{ searchSlides(Scanner: "nobody") { nextToken } }',
    "Query.countSlides": '{ countSlides(Scanner: "nobody") { Count } }',
    "Query.listUnsentSlides": "{ listUnsentSlides(limit: 1) { nextToken } }",
    "Query.listImportFailures": "{ listImportFailures(limit: 1) { nextToken } }",
    "Query.listUnidentified": "{ listUnidentified(limit: 1) { nextToken } }",
    "Query.listCaseIDs": "{ listCaseIDs(limit: 1) { nextToken } }",
    "Query.slideHistory": '{ slideHistory(ImageID: "nobody") { nextToken } }',
    "Mutation.updateSlide": (
        'mutation { updateSlide(input: {ImageID: "nobody", SlideID: "x"}) { ImageID } }'
    ),
    "Mutation.publishSlideChange": (
        'mutation { publishSlideChange(ImageID: "nobody") { ImageID } }'
    ),
    "Mutation.retryImport": 'mutation { retryImport(ImageID: "nobody") { ImageID } }',
    "Subscription.onUpdateSlide": "subscription { onUpdateSlide { ImageID } }",
    "Subscription.onSlideChange": "subscription { onSlideChange { ImageID } }",
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("field", sorted(FIELDS))
def test_a_field_is_open_to_those_it_is_for(stack, tokens, field, role):
    may = role in FIELDS[field] or (role == ACCESS and "technician" in FIELDS[field])
    if field.startswith("Subscription"):
        assert subscribes(stack, tokens[role], DOCUMENTS[field]) is may
        return
    answer = httpx.post(
        stack.graphql_url,
        json={"query": DOCUMENTS[field]},
        headers={"Authorization": tokens[role]} if tokens[role] else {},
        timeout=120,
    )
    errors = answer.json().get("errors") or []
    kinds = {error["errorType"] for error in errors}
    if may:
        assert answer.status_code == 200
        assert kinds <= {"NotFound"}, answer.text
    elif role in PEOPLE or role == ACCESS:
        assert kinds == {"Unauthorized"}, answer.text
    else:
        assert (answer.status_code, kinds) == (401, {"UnauthorizedException"}), answer.text


def subscribes(stack, token, document) -> bool:
    try:
        with connect(stack.graphql_url, token or "") as client:
            client.subscribe(document)
    except Refused:
        return False
    return True


@pytest.mark.parametrize("role", ["pathologist", "scanner", "nobody's"])
def test_the_function_refuses_by_itself(stack, tokens, role):
    """Were AppSync's own check to go, an edit would still be a technician's."""
    claims = jwt.decode(tokens[role], options={"verify_signature": False})
    functions = stack.client("lambda")
    (name,) = [
        each["FunctionName"]
        for page in functions.get_paginator("list_functions").paginate()
        for each in page["Functions"]
        if "SlideCatalogue" in each["FunctionName"]
    ]
    event = {
        "arguments": {"input": {"ImageID": "nobody", "SlideID": "x"}},
        "identity": {"claims": claims},
        "info": {"parentTypeName": "Mutation", "fieldName": "updateSlide", "variables": {}},
        "request": {"headers": {}},
        "source": None,
    }
    answer = functions.invoke(FunctionName=name, Payload=json.dumps(event).encode())
    assert json.loads(answer["Payload"].read())["__error"]["type"] == "Unauthorized"
