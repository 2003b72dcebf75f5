"""One server for what the emulator lacks: the edge, the GraphQL endpoint and DataSync."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import boto3
from botocore.config import Config as ClientConfig
from graphql import GraphQLSchema
from hypercorn.asyncio import serve
from hypercorn.config import Config
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from local import settings
from local.standins import appsync, datasync
from local.standins.cookies import CookieVerifier
from local.standins.edge import Edge
from local.standins.realtime import Identify, Realtime
from local.standins.roles import Roles
from local.standins.tokens import TokenVerifier, Unauthorized

_LAMBDA_TIMEOUT_S: Final = 35
_MAX_QUERY_BYTES: Final = 1 << 20  # AppSync's own limit
_SCOPES: Final = "openid profile email"


class SecurityHeaders:
    """Adds to each answer what CloudFront's response headers policy adds on AWS.

    The pages state their own content policy; who may frame them only a header can say.
    """

    _HEADERS: Final = {
        "Content-Security-Policy": "frame-ancestors 'none'",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def create_app() -> ASGIApp:
    """Return the server's application, set up by ``.local/standins.json``."""
    config = settings.read_json(settings.STATE / "standins.json")
    transfers = datasync.DataSync(settings.SCANNER, settings.EFS, settings.STATE / "datasync.json")
    edge = Edge(
        pages=settings.ROOT / "web" / "dist",
        api_url=config["api_url"],
        images_url=config["images_url"],
        cookies=_cookies(config),
        page_config={
            "apiUrl": "",
            "graphqlUrl": "/graphql",
            "liveUrl": "/graphql/realtime",
            "authorizeUrl": config["authorize_url"],
            "tokenUrl": config["token_url"],
            "logoutUrl": config["logout_url"],
            "clientId": config["web_client_id"],
            "scope": _SCOPES,
        },
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        worker = asyncio.create_task(transfers.run())
        async with edge.open():
            yield
        worker.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await worker

    async def handle_datasync(request: Request) -> Response:
        status, answer = transfers.handle(
            request.headers.get("X-Amz-Target", ""), await request.body()
        )
        return JSONResponse(answer, status, media_type=datasync.CONTENT_TYPE)

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok")

    app = Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/datasync", handle_datasync, methods=["POST"]),
            Route("/datasync/", handle_datasync, methods=["POST"]),
            *_own_graphql_routes(config),
            *edge.routes(),
        ],
        lifespan=lifespan,
    )
    return SecurityHeaders(app)


def _cookies(config: dict[str, Any]) -> CookieVerifier:
    """Return what checks viewers' cookies, by the public half of the key that signs them."""
    kms = boto3.client("kms", region_name=settings.REGION)
    public_key = kms.get_public_key(KeyId=config["cookie_key_arn"])["PublicKey"]
    return CookieVerifier(settings.COOKIE_KEY_PAIR_ID, public_key)


def graphql_routes(
    schema: GraphQLSchema, identify: Identify, invoke: appsync.Invoke
) -> list[BaseRoute]:
    """Return the routes of a GraphQL API: queries and mutations over HTTP, and the WebSocket."""
    realtime = Realtime(schema, identify)

    def refuse(status: int, kind: str, message: str) -> Response:
        return JSONResponse({"errors": [{"errorType": kind, "message": message}]}, status)

    async def graphql(request: Request) -> Response:
        try:
            caller = await identify(request.headers.get("Authorization"), request)
        except Unauthorized:
            return refuse(401, "UnauthorizedException", "You are not authorized to make this call.")
        body = await request.body()
        try:
            query = json.loads(body) if len(body) <= _MAX_QUERY_BYTES else None
        except ValueError:
            query = None
        if not isinstance(query, dict) or not isinstance(query.get("query"), str):
            return refuse(400, "MalformedHttpRequestException", "Unable to parse GraphQL query.")
        return JSONResponse(await appsync.answer(schema, query, caller, invoke, realtime.publish))

    return [Route("/graphql", graphql, methods=["POST"]), *realtime.routes()]


def _own_graphql_routes(config: dict[str, Any]) -> list[BaseRoute]:
    """Return the routes of our API: our schema, our user pool, our function."""
    endpoint_url = config["token_url"].removesuffix("/oauth2/token")
    verifier = TokenVerifier(endpoint_url, config["user_pool_id"], config["web_client_id"])
    functions = boto3.client(
        "lambda",
        endpoint_url=endpoint_url,
        region_name=settings.REGION,
        config=ClientConfig(
            read_timeout=_LAMBDA_TIMEOUT_S,
            retries={"total_max_attempts": 1},
            max_pool_connections=32,
        ),
    )

    roles = Roles(endpoint_url, settings.GRAPHQL_API_ARN)

    def call(event: appsync.Event) -> Any:
        answer = functions.invoke(
            FunctionName=config["slide_catalogue"], Payload=json.dumps(event).encode()
        )
        result = json.loads(answer["Payload"].read() or b"null")
        if "FunctionError" in answer:
            raise appsync.ResolverError(result.get("errorMessage", "the function failed"))
        return result

    async def invoke(event: appsync.Event) -> Any:
        return await asyncio.to_thread(call, event)

    async def identify(authorization: str | None, asked: HTTPConnection) -> appsync.Caller:
        if isinstance(asked, Request) and roles.has_signed(authorization):
            return await roles.caller(asked)
        return appsync.Caller(
            claims=await asyncio.to_thread(verifier.claims, authorization),
            issuer=verifier.issuer,
            headers=dict(asked.headers),
            address=asked.client.host if asked.client else "",
        )

    schema = appsync.load_schema(settings.ROOT / "graphql" / "schema.graphql")
    return graphql_routes(schema, identify, invoke)


async def _serve() -> None:
    config = Config()
    config.bind = [f"{settings.HOST}:{settings.ports().web}"]
    config.graceful_timeout = 3
    await serve(create_app(), config)  # type: ignore[arg-type]


if __name__ == "__main__":
    asyncio.run(_serve())
