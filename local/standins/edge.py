"""Stand-in for CloudFront: the viewer's pages, images and the REST API under one origin.

Images are for those who have a session's cookies. The function that makes them is asked by its own
URL, with a signature, as CloudFront's origin access control does; it is cached by nobody here.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from local import settings
from local.standins.cookies import CookieVerifier

_CREDENTIALS: Final = Credentials(
    settings.CREDENTIALS["AWS_ACCESS_KEY_ID"], settings.CREDENTIALS["AWS_SECRET_ACCESS_KEY"]
)
_API_TIMEOUT_S: Final = 35.0  # the API answers within 29 s
_IMAGE_METHODS: Final = ["GET", "HEAD"]
_API_METHODS: Final = ["GET", "HEAD", "POST", "DELETE", "OPTIONS"]
_API_PATHS: Final = ("/ImportSlide", "/RemoveImages", "/Session")
_HOP_BY_HOP: Final = frozenset(
    {"connection", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)


class Pages(StaticFiles):
    """The built pages; a browser asks again each time, so that a new build shows at once."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        """Return a file that may be kept, but not used unasked."""
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "no-cache"
        return response


class Edge:
    """Serves pages, their configuration, and the API behind them."""

    def __init__(
        self,
        pages: Path,
        api_url: str,
        images_url: str,
        cookies: CookieVerifier,
        page_config: Mapping[str, str],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._pages = pages
        self._api_url = api_url
        self._images_url = images_url
        self._cookies = cookies
        self._page_config = page_config
        self._client = httpx.AsyncClient(
            timeout=_API_TIMEOUT_S,
            limits=httpx.Limits(max_connections=64),
            trust_env=False,
            transport=transport,
        )

    def routes(self) -> list[BaseRoute]:
        """Return the routes; the pages come last, since they match everything."""
        return [
            Route("/config.json", self._config),
            Route("/DeepZoom/{path:path}", self._images, methods=_IMAGE_METHODS),
            *(Route(path, self._api, methods=_API_METHODS) for path in _API_PATHS),
            Mount("/", Pages(directory=self._pages, html=True))
            if self._pages.is_dir()
            else Mount("/", PlainTextResponse("The pages are not built.", 503)),
        ]

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Hold the connections to the API."""
        async with self._client:
            yield

    async def _config(self, _: Request) -> Response:
        return JSONResponse(self._page_config, headers={"Cache-Control": "no-cache"})

    async def _images(self, request: Request) -> Response:
        """Ask for an image if the cookies allow it; neither they nor a token go further."""
        address = f"{request.url.hostname}{_target(request)}"
        if not self._cookies.allows(request.cookies, f"https://{address}"):
            return PlainTextResponse("Missing or invalid cookies", 403)
        url = self._images_url + _target(request)
        signed = AWSRequest(request.method, url)
        SigV4Auth(_CREDENTIALS, "lambda", settings.REGION).add_auth(signed)
        headers = dict(signed.headers)
        if "if-none-match" in request.headers:
            headers["If-None-Match"] = request.headers["if-none-match"]
        return await self._send(self._client.build_request(request.method, url, headers=headers))

    async def _api(self, request: Request) -> Response:
        """Pass a request on to the REST API as it came, percent-encoding included."""
        headers = [
            (name, value)
            for name, value in request.headers.raw
            if name.decode("ascii").lower() not in _HOP_BY_HOP
        ]
        outgoing = self._client.build_request(
            request.method,
            self._api_url + _target(request),
            headers=headers,
            content=await request.body() or None,
        )
        return await self._send(outgoing)

    async def _send(self, outgoing: httpx.Request) -> Response:
        try:
            incoming = await self._client.send(outgoing, stream=True)
        except httpx.HTTPError as error:
            return PlainTextResponse(f"The API does not answer: {type(error).__name__}", 502)
        response = StreamingResponse(incoming.aiter_raw(), incoming.status_code)
        response.raw_headers = [
            (name.lower(), value)
            for name, value in incoming.headers.raw
            if name.decode("ascii").lower() not in _HOP_BY_HOP
        ]
        response.background = BackgroundTask(incoming.aclose)
        return response


def _target(request: Request) -> str:
    """Return path and query as they came, percent-encoding included."""
    query = f"?{request.url.query}" if request.url.query else ""
    return str(request.scope["raw_path"].decode("ascii")) + query
