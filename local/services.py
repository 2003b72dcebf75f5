"""The servers of the local stack: the AWS emulator, the stand-ins for what it lacks, a CDR."""

import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

import boto3

from local import settings
from local.processes import Service

# A server that answers late must not be restarted in the middle of an import.
_ANSWER_TIMEOUT_S: Final = 30.0
_COOKIE_KEY_ALIAS: Final = "alias/vsv-local-cookies"
_HERE: Final = Path(__file__).parent
_STANDINS: Final = _HERE / "standins"


def session() -> boto3.Session:
    """Return what makes clients of the emulator's AWS; it takes any credentials."""
    return boto3.Session("test", "test", region_name=settings.REGION)


def endpoint_url() -> str:
    """Return the emulator's address, for every AWS client."""
    return f"http://{settings.HOST}:{settings.ports().aws}"


def viewer_url() -> str:
    """Return the viewer's address; browsers treat localhost as a secure origin."""
    return f"http://localhost:{settings.ports().web}/"


def standins_url() -> str:
    """Return the stand-ins' address."""
    return f"http://{settings.HOST}:{settings.ports().web}"


def cookie_key_arn() -> str:
    """Return the KMS key that signs viewers' cookies, made when first asked for.

    On AWS templates/edge.template.yaml makes it, with CloudFront's own resources.
    """
    kms = session().client("kms", endpoint_url=endpoint_url())
    try:
        key = kms.describe_key(KeyId=_COOKIE_KEY_ALIAS)
    except kms.exceptions.NotFoundException:
        key = kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
        kms.create_alias(AliasName=_COOKIE_KEY_ALIAS, TargetKeyId=key["KeyMetadata"]["KeyId"])
    return key["KeyMetadata"]["Arn"]


def emulator() -> Service:
    """Return MiniStack, whose environment the functions inherit."""
    state = settings.STATE / "state"
    temporary = settings.STATE / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    return Service(
        name="ministack",
        command=[sys.executable, "-m", "local.emulator"],
        environment={
            **settings.CREDENTIALS,
            "BIND_HOST": settings.HOST,
            "GATEWAY_PORT": str(settings.ports().aws),
            "MINISTACK_HOST": settings.HOST,
            "MINISTACK_REGION": settings.REGION,
            "AWS_ENDPOINT_URL": endpoint_url(),
            "AWS_ENDPOINT_URL_DATASYNC": f"{standins_url()}/datasync",
            "PERSIST_STATE": "1",
            "STATE_DIR": str(state),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(state / "s3"),
            "TMPDIR": str(temporary),
            "LAMBDA_EXECUTOR": "local",
            # The next process of a function finds the layers compiled, whatever the shell says.
            "PYTHONDONTWRITEBYTECODE": "",
            # Roles hold: a function may do what its policies say, and nothing else.
            "AUTH": "true",
            "DECISIONS_FILE": str(settings.STATE / "decisions.jsonl"),
            # Listeners of services that we do not use.
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            # There is no X-Ray daemon to send traces to.
            "POWERTOOLS_TRACE_DISABLED": "true",
        },
        answers=lambda: _answers(f"{endpoint_url()}/_ministack/health"),
        sources=[
            *(_HERE / name for name in ("emulator.py", "sign_in.py", "accounts.py")),
            _HERE / "signatures.py",
            settings.ROOT / "requirements" / "dev.txt",
        ],
    )


def standins() -> Service:
    """Return the stand-ins for DataSync, AppSync and CloudFront."""
    return Service(
        name="standins",
        command=[sys.executable, "-m", "local.standins.server"],
        environment={**settings.CREDENTIALS, "AWS_ENDPOINT_URL": endpoint_url()},
        answers=lambda: _answers(f"{standins_url()}/healthz"),
        sources=[
            *(_STANDINS, _HERE / "settings.py"),
            settings.ROOT / "graphql",
            settings.STATE / "standins.json",
        ],
        stop_timeout_s=10.0,
    )


def cdr_url() -> str:
    """Return where slides are sent."""
    return f"http://{settings.HOST}:{settings.ports().cdr}/slides"


def cdr_control_url() -> str:
    """Return where the stand-in for the CDR is told what to play, and tells what it got."""
    return f"http://{settings.HOST}:{settings.ports().cdr_control}"


def cdr() -> Service:
    """Return the stand-in for the clinical data repository."""
    ports = settings.ports()
    return Service(
        name="cdr",
        command=[
            *(sys.executable, "-m", "local.standins.cdr"),
            *("--authorization", f"Bearer {settings.CDR_TOKEN}"),
            *("--port", str(ports.cdr), "--control-port", str(ports.cdr_control)),
        ],
        environment={},
        answers=lambda: _answers(f"{cdr_control_url()}/received"),
        sources=[_STANDINS / "cdr.py", settings.ROOT / "docs" / "cdr.schema.json"],
        stop_timeout_s=10.0,
    )


def all_services() -> list[Service]:
    """Return all servers, in the order in which they are stopped."""
    return [standins(), emulator(), cdr()]


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=_ANSWER_TIMEOUT_S) as response:  # noqa: S310 (our own address)
            return bool(response.status == 200)
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False
