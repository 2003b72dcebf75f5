"""Only a user pool's own, current tokens for our client open the GraphQL endpoint."""

import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from local.standins.tokens import TokenVerifier, Unauthorized

POOL = "us-east-1_pool"
ISSUER = f"https://cognito-idp.us-east-1.amazonaws.com/{POOL}"


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def verifier(key, monkeypatch):
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    keys = {"keys": [{**public, "kid": "k1", "use": "sig", "alg": "RS256"}]}
    monkeypatch.setattr(jwt.PyJWKClient, "fetch_data", lambda _self: keys)
    return TokenVerifier("http://127.0.0.1:1", POOL, "web")


@pytest.fixture
def token(key):
    def token(signing_key: Any = key, kid: str = "k1", **changes: Any) -> str:
        claims = {"sub": "1", "iss": ISSUER, "exp": time.time() + 3600, "token_use": "id"}
        claims |= {"aud": "web", **changes}
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, signing_key, algorithm="RS256", headers={"kid": kid})

    return token


def test_id_and_access_tokens_open(verifier, token):
    assert verifier.claims(token())["sub"] == "1"
    assert verifier.claims(f"Bearer {token()}")["sub"] == "1"
    access = token(token_use="access", aud=None, client_id="web")
    assert verifier.claims(access)["client_id"] == "web"


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": 1},
        {"exp": None},
        {"iss": "https://cognito-idp.us-east-1.amazonaws.com/other"},
        {"aud": "scanner"},
        {"token_use": "access", "client_id": "scanner"},
        {"token_use": None},
        {"kid": "unknown"},
        {"signing_key": rsa.generate_private_key(public_exponent=65537, key_size=2048)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_other_tokens_do_not(verifier, token, changes):
    with pytest.raises(Unauthorized):
        verifier.claims(token(**changes))


@pytest.mark.parametrize("header", [None, "", "Bearer ", "x", "a.b.c"])
def test_no_token_does_not(verifier, header):
    with pytest.raises(Unauthorized):
        verifier.claims(header)


def test_an_unsigned_token_does_not(verifier):
    claims = {"sub": "1", "iss": ISSUER, "exp": time.time() + 3600, "token_use": "id", "aud": "web"}
    with pytest.raises(Unauthorized):
        verifier.claims(jwt.encode(claims, "", algorithm="none", headers={"kid": "k1"}))
