"""Sessions: cookies as CloudFront takes them, for people and for an hour."""

import base64
import json
from datetime import UTC, datetime

import pytest
from botocore.signers import CloudFrontSigner
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from local.standins.cookies import CookieVerifier
from tests.handlers import load_handler
from vsv.viewing.image_cookies import EXPIRED, VALID_S, ImageCookies

NOW = 1_800_000_000
TILE = "https://d111.cloudfront.net/DeepZoom/1_files/3/0_0.jpeg?tilesize=256"
PERSON = {"aud": "viewer", "cognito:username": "anna", "cognito:groups": "Pathologists"}
MACHINE = {"client_id": "viewer", "scope": "vsv/import"}


def sign_with(key):
    return lambda message: key.sign(message, padding.PKCS1v15(), hashes.SHA256())


def public_half(key) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def cookies(key):
    return ImageCookies("K1", sign_with(key), now=lambda: NOW).issue()


def edge(key, now=NOW) -> CookieVerifier:
    return CookieVerifier("K1", public_half(key), now=lambda: now)


def test_a_session_opens_images_for_its_time_and_nothing_else(key, cookies):
    assert edge(key).allows(cookies, TILE)
    assert edge(key, NOW + VALID_S - 1).allows(cookies, TILE)
    assert not edge(key, NOW + VALID_S).allows(cookies, TILE)
    assert not edge(key).allows(cookies, "https://d111.cloudfront.net/ImportSlide")


def test_nobody_makes_or_changes_cookies_without_the_key(key, cookies):
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert not edge(key).allows(ImageCookies("K1", sign_with(stranger), lambda: NOW).issue(), TILE)
    assert not edge(stranger).allows(cookies, TILE)
    longer = ImageCookies("K1", sign_with(stranger), lambda: NOW + 9999).issue()[
        "CloudFront-Policy"
    ]
    assert not edge(key).allows({**cookies, "CloudFront-Policy": longer}, TILE)
    for name in cookies:
        assert not edge(key).allows({**cookies, name: ""}, TILE)
        assert not edge(key).allows({**cookies, name: "no base64!"}, TILE)
    assert not edge(key).allows(EXPIRED, TILE)


def test_policy_and_letters_are_those_of_botocore(key, cookies):
    """An oracle: AWS's own signer of policies."""
    signer = CloudFrontSigner("K1", sign_with(key))
    policy = signer.build_policy("https://*/DeepZoom/*", datetime.fromtimestamp(NOW + VALID_S, UTC))
    assert cookies["CloudFront-Policy"] == signer._url_b64encode(policy.encode()).decode()
    signature = signer._url_b64encode(sign_with(key)(policy.encode())).decode()
    assert cookies["CloudFront-Signature"] == signature


@pytest.fixture
def ask(aws, monkeypatch):
    """Ask the function, as API Gateway does."""
    import boto3

    kms = boto3.client("kms")
    key = kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    monkeypatch.setenv("COOKIE_KEY_ARN", key["Arn"])
    monkeypatch.setenv("COOKIE_KEY_PAIR_ID", "K1")
    handler = load_handler("Session")

    def ask(method, claims):
        context = {"requestId": "r-1", "authorizer": {"claims": claims}}
        return handler({"httpMethod": method, "requestContext": context}, None)

    return ask, kms.get_public_key(KeyId=key["KeyId"])["PublicKey"]


def read(response) -> dict[str, str]:
    """Return the cookies that an answer sets; none can be read by scripts or other sites."""
    cookies = {}
    for header in response["multiValueHeaders"]["Set-Cookie"]:
        pair, *attributes = header.split("; ")
        assert attributes[:4] == ["Path=/DeepZoom/", "Secure", "HttpOnly", "SameSite=Strict"]
        name, _, value = pair.partition("=")
        cookies[name] = value
    return cookies


def test_a_person_gets_cookies_signed_by_kms(ask):
    ask, public_key = ask
    response = ask("POST", PERSON)
    assert json.loads(response["body"]) == {"seconds": VALID_S, "session": "r-1"}
    assert response["headers"]["Cache-Control"] == "no-store"
    assert CookieVerifier("K1", public_key).allows(read(response), TILE)


def test_signing_out_takes_them_away(ask):
    ask, _ = ask
    response = ask("DELETE", PERSON)
    assert read(response) == dict(EXPIRED)
    assert all("Max-Age=0" in each for each in response["multiValueHeaders"]["Set-Cookie"])


@pytest.mark.parametrize("claims", [MACHINE, None])
def test_a_machine_gets_none(ask, claims):
    ask, _ = ask
    for method in ("POST", "DELETE"):
        response = ask(method, claims)
        assert response["statusCode"] == 403
        assert "multiValueHeaders" not in response


def test_cookies_hold_what_cookies_may(cookies):
    """RFC 6265: no spaces, quotes, commas, semicolons or backslashes; 4 KiB in all."""
    for name, value in cookies.items():
        assert value.isascii()
        assert not set(value) & set(' ",;\\')
        assert len(name) + len(value) < 1024
    decoded = cookies["CloudFront-Policy"].translate(str.maketrans("-_~", "+=/"))
    assert json.loads(base64.b64decode(decoded))["Statement"][0]["Resource"].startswith("https://")
