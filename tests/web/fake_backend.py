"""A server for everything that the pages request: for their tests and for trying them out.

It serves the built pages, a hosted sign-in page with PKCE, GraphQL with the project's own schema,
removals, and DeepZoom images whose tiles show their own level, column and row. Requests without a
valid token are refused, and so are images without a valid cookie.
`POST /fake/…` simulates events: see `FakeBackend.simulate`.

    python tests/web/fake_backend.py --port 8000

Then sign in as "pathologist" or "technician", with the password "secret".
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import functools
import hashlib
import html
import json
import mimetypes
import re
import secrets
import time
from http import HTTPStatus
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from fake_catalogue import WITHOUT_LABEL, Api, Catalogue, now, shown, slide
from fake_images import TILE_SIZE, draw_label, draw_tile, jpeg, tissue
from fake_live import Live
from graphql import GraphQLError, GraphQLSchema, build_schema, graphql_sync

from vsv.errors import Conflict, InvalidRequest, NotFound, StaleVersion

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "web" / "dist"
SCHEMA = ROOT / "graphql" / "schema.graphql"
CLIENT_ID = "viewer"
GROUPS = {"pathologist": ["Pathologists"], "technician": ["Technicians"]}
PASSWORD = "secret"
ID_TOKEN_LIFE_S = 3600
WORK_S = 6.0
ERROR_TYPES = {InvalidRequest: "BadRequest", NotFound: "NotFound", Conflict: "Conflict"}


class FakeBackend(ThreadingHTTPServer):
    """The server and its state: codes, tokens, simulated failures, and counts of requests."""

    daemon_threads = True

    def __init__(
        self, port: int = 0, pages: Path = PAGES, work_s: float = WORK_S, more: int = 0
    ) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.pages = pages.resolve()
        self.catalogue = Catalogue(work_s, more)
        self.live = Live(graphql_schema)
        self.live.tell(self.catalogue.records)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.codes: dict[str, dict[str, str]] = {}
        self.id_tokens: dict[str, str] = {}  # token: user
        self.cookies: set[str] = set()
        self.refresh_tokens: dict[str, str] = {}
        self.api_broken = False
        self.tiles_broken = False
        self.more_config: dict[str, str | None] = {}
        self.busy = 0  # how many requests for data and tiles are still refused
        self.counts = {
            "sign_in": 0,
            "refresh": 0,
            "image_cookies": 0,
            "tiles": 0,
            "refused": 0,
            "graphql": 0,
        }

    def simulate(self, event: str, body: dict[str, str | None]) -> None:
        """Simulate a failure, the end of some work, or somebody else's change."""
        if event in {"expire-tokens", "end-sign-ins"}:
            self.id_tokens.clear()
            self.cookies.clear()
        if event == "end-sign-ins":
            self.refresh_tokens.clear()
        if event in {"break-tiles", "repair-tiles"}:
            self.tiles_broken = event == "break-tiles"
        if event == "configure":
            self.more_config = body
        if event == "be-busy":
            self.busy = int(body["requests"] or 0)
        if event in {"break-api", "repair-api"}:
            self.api_broken = event == "break-api"
        if event == "finish-imports":
            for record in self.catalogue.records.values():
                failed = record["ImportStatus"] == "FAILED"
                record |= {} if failed else {"ImportStatus": "IMPORTED"}
        if event == "edit":  # by another user
            self.catalogue.edit(body, "colleague")
        if event == "touch":  # of a field that the pages do not show, as imports do
            self.catalogue.change(
                str(body["ImageID"]), "import", "IMPORT", lambda old: {**old, "Sha256": now()}
            )
        if event == "archive":
            self.catalogue.remove("TRANSFER", {"ImageID": body["ImageID"]}, "colleague")
            self.catalogue.work(at_once=True)
        if event == "finish-work":
            self.catalogue.failure = None
            self.catalogue.work(at_once=True)
        if event == "fail-work":
            self.catalogue.failure = body["why"]
            self.catalogue.work(at_once=True)
        if event == "render":  # some more tiles of an import
            self.catalogue.records[str(body["ImageID"])]["TilesRendered"] = body["TilesRendered"]
        if event == "arrive":
            new = slide(str(body["ImageID"]))
            self.catalogue.change(new["ImageID"], "import", "IMPORT", lambda _: new)
        if event == "await-live":
            self.live.wait_for(int(body["subscriptions"] or 0))
        if event in {"forbid-live", "allow-live"}:
            self.live.is_forbidden = event == "forbid-live"
        if event in {"cut-live", "forbid-live"}:
            self.live.cut()
        self.live.tell(self.catalogue.records)

    def is_busy(self) -> bool:
        """Return whether this request is refused, and count it."""
        self.busy -= 1
        return self.busy >= 0

    def tokens(self, user: str) -> dict[str, object]:
        """Issue an unsigned ID token: this server checks only that it issued the token."""
        issued = int(time.time())
        claims = {
            "email": f"{user.replace('a', 'ä', 1)}@example.org",
            "cognito:username": user,
            "cognito:groups": GROUPS[user],
            "iat": issued,
            "exp": issued + ID_TOKEN_LIFE_S,
            "jti": secrets.token_hex(8),
        }
        id_token = ".".join(b64url(json.dumps(part).encode()) for part in ({"alg": "none"}, claims))
        self.id_tokens[id_token + "."] = user
        return {"id_token": id_token + ".", "token_type": "Bearer", "expires_in": ID_TOKEN_LIFE_S}


class Handler(BaseHTTPRequestHandler):
    """Routes requests to a method each."""

    server: FakeBackend
    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        """Handle requests; ignore that browsers close connections they no longer need."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_message(self, *_: object) -> None:
        """Log nothing, to keep the tests' output readable."""

    def do_GET(self) -> None:
        """Serve pages, the sign-in page and images."""
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/config.json":
            self.reply_json(self.config())
        elif url.path == "/graphql/realtime":
            self.server.live.serve(self, self.server.id_tokens)
        elif url.path == "/oauth2/authorize":
            self.sign_in_page(query)
        elif url.path == "/logout":
            self.redirect(query["logout_uri"])
        elif url.path == "/fake/counts":
            self.reply_json(self.server.counts | {"live": self.server.live.connections})
        elif url.path.startswith("/api/DeepZoom/"):
            self.deepzoom(url.path.removeprefix("/api/DeepZoom/"))
        else:
            self.static(url.path)

    def do_POST(self) -> None:
        """Handle the sign-in form, tokens, GraphQL, image cookies and simulated events."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        path = urlsplit(self.path).path
        if path == "/oauth2/authorize":
            self.sign_in({name: values[0] for name, values in parse_qs(body).items()})
        elif path == "/oauth2/token":
            self.token({name: values[0] for name, values in parse_qs(body).items()})
        elif path == "/graphql":
            self.graphql(body)
        elif path == "/api/Session":
            self.set_image_cookie()
        elif path.startswith("/fake/"):
            self.server.simulate(path.removeprefix("/fake/"), json.loads(body or "{}"))
            self.reply_json({})
        else:
            self.problem(HTTPStatus.NOT_FOUND)

    def do_DELETE(self) -> None:
        """Handle removals and the sign-out."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if urlsplit(self.path).path == "/api/RemoveImages":
            self.remove_images(body)
        elif urlsplit(self.path).path == "/api/Session":
            self.delete_image_cookie()
        else:
            self.problem(HTTPStatus.NOT_FOUND)

    def config(self) -> dict[str, str | None]:
        """Return what the pages read as `config.json`."""
        url = self.server.url
        return {
            "apiUrl": "/api",
            "graphqlUrl": f"{url}/graphql",
            "authorizeUrl": f"{url}/oauth2/authorize",
            "tokenUrl": f"{url}/oauth2/token",
            "logoutUrl": f"{url}/logout",
            "clientId": CLIENT_ID,
            "scope": "openid profile email",
            **self.server.more_config,
        }

    # --- the hosted sign-in page -------------------------------------------------------------

    def sign_in_page(self, query: dict[str, str], error: str = "") -> None:
        """Serve a form that also sends the authorization request."""
        assert query["client_id"] == CLIENT_ID
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        hidden = "".join(
            f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
            for name, value in query.items()
        )
        self.reply(
            f"""<!doctype html><title>Sign in</title><p>{html.escape(error)}</p>
            <form method="post" action="/oauth2/authorize">{hidden}
            <input name="username" placeholder="Username">
            <input name="password" type="password" placeholder="Password">
            <button>Sign in</button></form>""".encode(),
            "text/html; charset=utf-8",
        )

    def sign_in(self, form: dict[str, str]) -> None:
        """Issue a code for the right password."""
        user, password = form.pop("username", ""), form.pop("password", "")
        if user not in GROUPS or password != PASSWORD:
            self.sign_in_page(form, "Incorrect username or password.")
            return
        code = secrets.token_urlsafe()
        self.server.codes[code] = form | {"user": user}
        self.server.counts["sign_in"] += 1
        answer = urlencode({"code": code, "state": form["state"]})
        self.redirect(f"{form['redirect_uri']}?{answer}")

    def token(self, form: dict[str, str]) -> None:
        """Exchange a code or a refresh token for tokens."""
        server = self.server
        if form["grant_type"] == "authorization_code":
            asked = server.codes.pop(form["code"], None)
            challenge = b64url(hashlib.sha256(form["code_verifier"].encode()).digest())
            granted = (
                asked is not None
                and asked["code_challenge"] == challenge
                and asked["redirect_uri"] == form["redirect_uri"]
            )
            user = asked["user"] if asked else None
            refresh_token = secrets.token_urlsafe()
            more = {"refresh_token": refresh_token}
        else:
            user = server.refresh_tokens.get(form["refresh_token"])
            granted = user is not None
            server.counts["refresh"] += 1
            refresh_token, more = form["refresh_token"], {}
        if granted and user and form["client_id"] == CLIENT_ID:
            server.refresh_tokens[refresh_token] = user
            self.reply_json(server.tokens(user) | more)
        else:
            self.reply_json({"error": "invalid_grant"}, HTTPStatus.BAD_REQUEST)

    # --- the API -----------------------------------------------------------------------------

    def caller(self, prefix: str) -> str | None:
        """Return the user of the request's valid token, else refuse the request."""
        scheme, token = (self.headers.get("Authorization") or "").rpartition(" ")[::2]
        user = self.server.id_tokens.get(token)
        if scheme == prefix and user:
            return user
        self.server.counts["refused"] += 1
        self.problem(HTTPStatus.UNAUTHORIZED)
        return None

    def graphql(self, body: str) -> None:
        """Answer a query. One that does not fit the project's schema is an error."""
        user = self.caller("")
        if user is None:
            return
        if self.server.api_broken:
            self.problem(HTTPStatus.INTERNAL_SERVER_ERROR)
            return
        if self.server.is_busy():
            error = {"errorType": "ServiceUnavailable", "message": "try again later"}
            self.reply_json({"data": None, "errors": [error]})
            return
        self.server.catalogue.work()
        request = json.loads(body)
        if request["query"].startswith("mutation") and "Technicians" not in GROUPS[user]:
            error = {"errorType": "Unauthorized", "message": "Not Authorized to access updateSlide"}
            self.reply_json({"data": None, "errors": [error]})
            return
        result = graphql_sync(
            graphql_schema(),
            request["query"],
            Api(self.server.catalogue, user),
            variable_values=request["variables"],
        )
        self.server.counts["graphql"] += 1
        self.server.live.tell(self.server.catalogue.records)
        self.reply_json(
            {"data": result.data}
            | ({"errors": [appsync_error(each) for each in result.errors]} if result.errors else {})
        )

    def remove_images(self, body: str) -> None:
        """Delete, archive or restore slides, with a result for each."""
        user = self.caller("Bearer")
        if user is None:
            return
        if "Technicians" not in GROUPS[user]:
            self.problem(HTTPStatus.FORBIDDEN, "this is for the group Technicians")
            return
        if self.server.api_broken:
            self.problem(HTTPStatus.INTERNAL_SERVER_ERROR)
            return
        request = json.loads(body)
        results = [
            self.server.catalogue.remove(request["Operation"], image, user)
            for image in request["Images"]
        ]
        answer = {"Operation": request["Operation"], "Images": results}
        self.reply_json(answer, HTTPStatus.ACCEPTED)

    def set_image_cookie(self) -> None:
        """Issue a cookie for images, in place of CloudFront's signed cookies."""
        if self.caller("Bearer") is None:
            return
        cookie = secrets.token_urlsafe()
        self.server.cookies.add(cookie)
        self.server.counts["image_cookies"] += 1
        answer = {"seconds": ID_TOKEN_LIFE_S, "session": "request-1"}
        self.reply_json(answer, cookie=f"session={cookie}")

    def delete_image_cookie(self) -> None:
        """Delete the cookie for images."""
        if self.caller("Bearer") is not None:
            self.reply_json({"seconds": 0}, cookie="session=; Max-Age=0")

    def has_image_cookie(self) -> bool:
        """Return whether the request has a valid cookie; refuse it if not, as CloudFront does."""
        cookies = SimpleCookie(self.headers.get("Cookie"))
        if "session" in cookies and cookies["session"].value in self.server.cookies:
            return True
        self.server.counts["refused"] += 1
        self.reply(b"<Error>MissingKey</Error>", "text/xml", HTTPStatus.FORBIDDEN)
        return False

    def deepzoom(self, path: str) -> None:
        """Serve a descriptor, a tile or an associated image."""
        if not self.has_image_cookie():
            return
        image_id, _, rest = unquote(path).removesuffix(".dzi").partition("_files/")
        record = self.server.catalogue.records.get(image_id, {})
        if not record.get("width") or record["Status"] == "DELETED":
            self.problem(HTTPStatus.NOT_FOUND)
            return
        width, height = record["width"], record["height"]
        is_associated = re.fullmatch(r"[a-z]+\.jpeg", rest)
        if record["Status"] == "TRANSFERRED" and not is_associated:
            self.problem(HTTPStatus.CONFLICT, "the slide is archived; a technician can restore it")
        elif not rest:
            self.reply(
                f'<?xml version="1.0" encoding="utf-8"?>'
                f'<Image xmlns="http://schemas.microsoft.com/deepzoom/2008" Format="jpeg" '
                f'Overlap="0" TileSize="{TILE_SIZE}">'
                f'<Size Width="{width}" Height="{height}"/></Image>'.encode(),
                "application/xml",
            )
        elif tile := re.fullmatch(r"(\d+)/(\d+)_(\d+)\.jpeg", rest):
            self.server.counts["tiles"] += 1
            if self.server.is_busy():
                self.problem(HTTPStatus.SERVICE_UNAVAILABLE)
            elif self.server.tiles_broken:
                self.problem(HTTPStatus.INTERNAL_SERVER_ERROR)
            else:
                self.reply(draw_tile(width, height, *map(int, tile.groups())), "image/jpeg")
        elif rest == "label.jpeg" and image_id in WITHOUT_LABEL:
            self.problem(HTTPStatus.NOT_FOUND)
        elif rest in {"label.jpeg", "macro.jpeg"}:
            self.reply(draw_label(f"S24-{image_id}-A1"), "image/jpeg")
        else:
            self.reply(jpeg(tissue().resize((768, 768 * height // width))), "image/jpeg")

    # --- answers -----------------------------------------------------------------------------

    def static(self, path: str) -> None:
        """Serve one of the pages' files."""
        pages = self.server.pages
        file = (pages / (path.lstrip("/") or "index.html")).resolve()
        if not (file.is_relative_to(pages) and file.is_file()):
            self.problem(HTTPStatus.NOT_FOUND)
            return
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        self.reply(file.read_bytes(), kind)

    def problem(self, status: HTTPStatus, detail: str | None = None) -> None:
        """Answer with an error as in RFC 9457."""
        body = {"title": status.phrase, "status": status, "detail": detail or status.description}
        self.reply(json.dumps(body).encode(), "application/problem+json", status)

    def reply_json(
        self, body: object, status: HTTPStatus = HTTPStatus.OK, cookie: str | None = None
    ) -> None:
        """Answer with a JSON document."""
        self.reply(json.dumps(body).encode(), "application/json", status, cookie)

    def reply(
        self,
        body: bytes,
        kind: str,
        status: HTTPStatus = HTTPStatus.OK,
        cookie: str | None = None,
    ) -> None:
        """Answer with a body, and optionally a cookie for images."""
        self.send_response(status)
        if cookie:
            attributes = "Path=/api/DeepZoom/; Secure; HttpOnly; SameSite=Strict"
            self.send_header("Set-Cookie", f"{cookie}; {attributes}")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        if status is HTTPStatus.SERVICE_UNAVAILABLE:
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(body)

    def redirect(self, url: str) -> None:
        """Redirect the browser."""
        self.send_response(HTTPStatus.SEE_OTHER)
        self.send_header("Location", url)
        self.send_header("Content-Length", "0")
        self.end_headers()


def appsync_error(error: GraphQLError) -> dict[str, object]:
    """Return an error in AppSync's format."""
    cause = error.original_error
    kind = next((name for kind, name in ERROR_TYPES.items() if isinstance(cause, kind)), None)
    record = shown(dict(cause.record)) if isinstance(cause, StaleVersion) else None
    return {"message": error.message, "errorType": kind, "errorInfo": record, "path": error.path}


@functools.cache
def graphql_schema() -> GraphQLSchema:
    """Return the project's schema, with the scalar type that AppSync adds."""
    return build_schema("scalar AWSDateTime\n" + SCHEMA.read_text(), assume_valid_sdl=True)


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--pages", type=Path, default=PAGES, help="the built pages' folder")
    parser.add_argument(
        "--work-seconds", type=float, default=WORK_S, help="how long removals and deliveries take"
    )
    parser.add_argument(
        "--more", type=int, default=0, help="how many slides there are besides one of each kind"
    )
    options = parser.parse_args()
    backend = FakeBackend(options.port, options.pages, options.work_seconds, options.more)
    print(backend.url, flush=True)
    backend.serve_forever()
