"""From a write to the slide table to a subscriber: the deployed function, its role, its signature.

The emulator runs alone, with templates/live.template.yaml; the stand-in for AppSync beside it.
"""

import asyncio
import io
import json
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import zipfile

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypercorn.asyncio import serve
from hypercorn.config import Config
from starlette.applications import Starlette
from starlette.requests import Request

from local import settings
from local.standins import appsync
from local.standins.roles import Roles
from local.standins.server import graphql_routes
from tests.cloudformation import expanded
from tests.conftest import ROOT, load_template
from tests.realtime_client import connect

pytestmark = pytest.mark.slow
SUBSCRIPTION = "subscription { onSlideChange { ImageID Version Status SlideID } }"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    """Yield the address of an emulator that enforces roles."""
    folder = tmp_path_factory.mktemp("emulator")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": settings.REGION,
        "AWS_ENDPOINT_URL": url,
        "STATE_DIR": str(folder),
        "TMPDIR": str(folder),
        "LAMBDA_EXECUTOR": "local",
        "AUTH": "true",
        "DECISIONS_FILE": str(folder / "decisions.jsonl"),
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "POWERTOOLS_TRACE_DISABLED": "true",
    }
    with pytest.MonkeyPatch.context() as patch, (folder / "log").open("w") as log:
        for name, value in {**settings.CREDENTIALS, **environment}.items():
            patch.setenv(name, value)
        process = subprocess.Popen(
            [sys.executable, "-m", "local.emulator"], cwd=ROOT, stdout=log, stderr=log
        )
        ready = threading.Event()
        while process.poll() is None and not ready.wait(0.1):
            try:
                urllib.request.urlopen(f"{url}/_ministack/health")
                ready.set()
            except urllib.error.URLError:
                continue
        assert process.poll() is None, (folder / "log").read_text()
        yield url
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def clients(emulator):
    session = boto3.Session("test", "test", region_name=settings.REGION)
    return lambda service: session.client(service, endpoint_url=emulator)


@pytest.fixture(scope="module")
def url(emulator):
    """Yield the address of the stand-in for AppSync. A token is a person's name here."""
    roles = Roles(emulator, settings.GRAPHQL_API_ARN)

    async def identify(authorization, asked):
        if isinstance(asked, Request) and roles.has_signed(authorization):
            return await roles.caller(asked)
        return appsync.Caller({"sub": authorization}, "", {}, "127.0.0.1")

    async def function(_):
        raise AssertionError("no function resolves what is published")

    schema = appsync.load_schema(ROOT / "graphql" / "schema.graphql")
    app = Starlette(routes=graphql_routes(schema, identify, function))
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = Config()
        config.bind = [f"fd://{listener.fileno()}"]
        config.graceful_timeout = 1
        server = serve(app, config, shutdown_trigger=stop.wait)
        thread = threading.Thread(target=loop.run_until_complete, args=(server,))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/graphql"
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        listener.detach()  # the server has closed it
    loop.close()


def archive(**files: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name, data in files.items():
            file.writestr(name, data)
    return content.getvalue()


@pytest.fixture(scope="module")
def table(clients, url):
    """Deploy the function for a table with a stream; return a function that writes to it."""
    dynamodb, s3 = clients("dynamodb"), clients("s3")
    made = dynamodb.create_table(
        TableName="slides",
        KeySchema=[{"AttributeName": "ImageID", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "ImageID", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    s3.create_bucket(Bucket="artifacts")
    code = (ROOT / "functions" / "PublishChange" / "app.py").read_bytes()
    s3.put_object(Bucket="artifacts", Key="code.zip", Body=archive(**{"app.py": code}))
    # The emulator runs functions by this interpreter, which has the library.
    layer = clients("lambda").publish_layer_version(
        LayerName="vsv", Content={"ZipFile": archive(nothing=b"")}
    )
    template = load_template(ROOT / "templates" / "live.template.yaml")
    function = template["Resources"]["PublishChangeFunction"]["Properties"]
    function["CodeUri"] = "s3://artifacts/code.zip"
    given = {
        "StageName": settings.STAGE,
        "SlideTableName": "slides",
        "SlideTableStreamArn": made["TableDescription"]["LatestStreamArn"],
        "GraphQLUrl": url,
        "GraphQLApiArn": settings.GRAPHQL_API_ARN,
        "VsvLayerArn": layer["LayerVersionArn"],
    }
    cloudformation = clients("cloudformation")
    cloudformation.create_stack(
        StackName="vsv-live",
        TemplateBody=json.dumps(expanded(template, given), default=str),
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in given.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName="vsv-live", WaiterConfig={"Delay": 1, "MaxAttempts": 120}
    )

    def write(image_id: str, version: int, status: str) -> None:
        item = {"ImageID": {"S": image_id}, "SlideID": {"S": "Miller"}, "Status": {"S": status}}
        dynamodb.put_item(TableName="slides", Item={**item, "Version": {"N": str(version)}})

    return write


def test_a_write_reaches_those_who_look(url, table):
    with connect(url, "pathologist") as client:
        client.subscribe(SUBSCRIPTION)
        for version, status in ((1, "NEW"), (2, "GOOD"), (3, "DELETED")):
            table("1", version, status)
            told = {"ImageID": "1", "Version": version, "Status": status, "SlideID": None}
            assert client.next() == {"data": {"onSlideChange": told}}


def test_only_the_functions_own_signature_opens_the_mutation(url, clients):
    """A person's token, the account's forged key and another role's key all fail."""
    query = {"query": 'mutation { publishSlideChange(ImageID: "9") { ImageID } }'}
    body = json.dumps(query).encode()

    def ask(headers):
        request = urllib.request.Request(url, body, {**headers, "Content-Type": "text/json"})
        try:
            with urllib.request.urlopen(request) as answer:
                return json.load(answer)["errors"][0]["errorType"]
        except urllib.error.HTTPError as error:
            return json.load(error)["errors"][0]["errorType"]

    assert ask({"Authorization": "technician"}) == "Unauthorized"
    iam = clients("iam")
    iam.create_user(UserName="other")
    key = iam.create_access_key(UserName="other")["AccessKey"]
    for secret, refusal in (
        (key["SecretAccessKey"], "Unauthorized"),
        ("forged", "UnauthorizedException"),
    ):
        request = AWSRequest("POST", url, data=body)
        credentials = Credentials(key["AccessKeyId"], secret)
        SigV4Auth(credentials, "appsync", settings.REGION).add_auth(request)
        assert ask(dict(request.headers)) == refusal
