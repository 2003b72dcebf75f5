"""Roles that call the stand-in for AppSync: their signatures and rights, as the emulator knows."""

import base64
from typing import Any, Final

import httpx
from starlette.requests import Request

from local.settings import SIGNATURES_PATH
from local.standins import appsync
from local.standins.tokens import Unauthorized

__all__ = ["Roles"]

_SCHEME: Final = "AWS4-HMAC-SHA256 "
_TIMEOUT_S: Final = 30


class Roles:
    """Asks the emulator whose signature a request has, and what they may do with an API."""

    def __init__(self, endpoint_url: str, api_arn: str) -> None:
        self._url = f"{endpoint_url}{SIGNATURES_PATH}"
        self._api_arn = api_arn

    @staticmethod
    def has_signed(authorization: str | None) -> bool:
        """Return whether an ``Authorization`` header has a signature, and not a token."""
        return (authorization or "").startswith(_SCHEME)

    async def caller(self, request: Request) -> appsync.Caller:
        """Return the role that has signed the request. Raises Unauthorized."""
        headers = dict(request.headers)
        question = {
            "service": "appsync",
            "method": request.method,
            "url": f"http://{headers.get('host', '')}{request.url.path}",
            "headers": headers,
            "body": base64.b64encode(await request.body()).decode(),
        }
        signer = await self._ask(question)
        if signer is None:
            raise Unauthorized("a wrong signature")

        async def permits(kind: str, field: str) -> bool:
            resource = f"{self._api_arn}/types/{kind}/fields/{field}"
            answer = await self._ask(
                {**question, "action": "appsync:GraphQL", "resource": resource}
            )
            return bool(answer and answer["allowed"])

        address = request.client.host if request.client else ""
        return appsync.Caller({"sub": signer["arn"]}, "", headers, address, permits)

    async def _ask(self, question: dict[str, Any]) -> dict[str, Any] | None:
        async with httpx.AsyncClient(timeout=_TIMEOUT_S) as client:
            answer = await client.post(self._url, json=question)
        found: dict[str, Any] | None = answer.raise_for_status().json()
        return found
