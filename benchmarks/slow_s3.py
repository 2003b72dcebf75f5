"""Storage that resembles S3: moto's, which takes its time to answer a GET.

Run as a program, it is the server: ``python -m benchmarks.slow_s3 PORT DELAY_MS``.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

__all__ = ["DELAY_MS", "slow_bucket"]

# To the first byte of a small object. AWS's guide to S3's performance says 100 to 200; this is what
# one sees at best, within a region and on a connection that is open.
DELAY_MS: Final = 15

_BUCKET: Final = "pyramids"
_CREDENTIALS: Final = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-central-1",
}


@contextmanager
def slow_bucket(objects: Mapping[str, Path], delay_ms: int = DELAY_MS) -> Iterator[dict[str, str]]:
    """Put the files into a bucket under their keys; the environment of a function that reads it.

    A GET is answered ``delay_ms`` milliseconds after it was asked.
    """
    import boto3

    from benchmarks.processes import free_port, running, wait_for

    port = free_port()
    command = [sys.executable, "-m", "benchmarks.slow_s3", str(port), str(delay_ms)]
    with running(command) as process:
        wait_for(process, port, "/moto-api/")
        url = f"http://127.0.0.1:{port}"
        client = boto3.client(
            "s3",
            endpoint_url=url,
            aws_access_key_id=_CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=_CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name="us-east-1",
        )
        client.create_bucket(Bucket=_BUCKET)
        for key, path in objects.items():
            client.put_object(
                Bucket=_BUCKET, Key=key, Body=path.read_bytes(), ContentType="image/jpeg"
            )
        yield {
            **_CREDENTIALS,
            "AWS_ENDPOINT_URL_S3": url,
            "PYRAMID_STORE": "s3",
            "PYRAMID_BUCKET": _BUCKET,
        }


Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


def _delayed(application: Application, delay_s: float) -> Application:
    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        due = time.monotonic() + delay_s
        # Moto's own time is a part of it.
        body = list(application(environ, start_response))
        if environ["REQUEST_METHOD"] == "GET":
            time.sleep(max(due - time.monotonic(), 0))
        return body

    return answer


def _serve(port: int, delay_ms: int) -> None:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class KeepAlive(WSGIRequestHandler):
        """S3 keeps connections open."""

        protocol_version = "HTTP/1.1"

        def log(self, *_: Any) -> None:
            """Say nothing of each request."""

    application = _delayed(DomainDispatcherApplication(create_backend_app), delay_ms / 1000)
    make_server(
        "127.0.0.1", port, application, threaded=True, request_handler=KeepAlive
    ).serve_forever()


if __name__ == "__main__":
    _serve(*map(int, sys.argv[1:]))
