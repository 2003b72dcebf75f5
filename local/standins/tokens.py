"""Cognito tokens, checked as AppSync checks them."""

from typing import Any, Final

import jwt

from local.settings import REGION

_KEYS_TIMEOUT_S: Final = 10


class Unauthorized(Exception):
    """The request carries no token that opens this endpoint."""


class TokenVerifier:
    """Checks signature, issuer, expiry and client of a user pool's ID and access tokens."""

    def __init__(self, endpoint_url: str, pool_id: str, client_id: str) -> None:
        self._issuer = f"https://cognito-idp.{REGION}.amazonaws.com/{pool_id}"
        self._client_id = client_id
        self._keys = jwt.PyJWKClient(
            f"{endpoint_url}/{pool_id}/.well-known/jwks.json", timeout=_KEYS_TIMEOUT_S
        )

    @property
    def issuer(self) -> str:
        """The user pool's name in its tokens."""
        return self._issuer

    def claims(self, authorization: str | None) -> dict[str, Any]:
        """Return the claims of the token in an ``Authorization`` header, with or without Bearer.

        Raises `Unauthorized` for a missing, forged, expired or foreign token.
        """
        if not authorization:
            raise Unauthorized("no token")
        token = authorization.strip().removeprefix("Bearer ").strip()
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._keys.get_signing_key_from_jwt(token).key,
                algorithms=["RS256"],
                issuer=self._issuer,
                options={"require": ["exp", "iss", "token_use"], "verify_aud": False},
            )
        except jwt.PyJWTError as error:
            raise Unauthorized(str(error)) from error
        # An ID token names its client as audience, an access token as client_id.
        is_id_token = claims["token_use"] == "id"  # noqa: S105 (a claim, not a password)
        client = claims.get("aud" if is_id_token else "client_id")
        if client != self._client_id:
            raise Unauthorized("a token of another client")
        return claims
