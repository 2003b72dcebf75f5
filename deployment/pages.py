"""The viewer's pages: from web/dist into their bucket, with their configuration."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deployment.errors import DeploymentError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

# Not guessed: what a machine knows of these differs, and browsers run no script of a wrong type.
TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    "": "text/plain; charset=utf-8",  # a LICENSE
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
CONFIG: Final = "config.json"
# Browsers ask each time, so that a new deployment shows at once.
_CACHE: Final = "no-cache"


def upload(s3: "S3Client", bucket: str, folder: Path, config: str) -> int:
    """Put the built pages and their configuration into the bucket; return how many files.

    The page itself comes last, when all that it loads is there. What is no longer part of the pages
    is deleted at the end.
    """
    files = dict(_files(folder))
    if "index.html" not in files:
        raise DeploymentError(f"{folder} has no index.html: run `make setup`")
    read = json.loads(config)
    if (logo := read.get("logo")) and logo not in files:
        raise DeploymentError(
            f"LaboratoryLogo={logo}: there is no web/{logo}, or the pages were built before it;"
            " put it there and repeat"
        )
    _put(s3, bucket, CONFIG, json.dumps(read, indent=2).encode())
    for name in sorted(files.keys() - {CONFIG}, key=lambda name: (name.endswith(".html"), name)):
        _put(s3, bucket, name, files[name].read_bytes())
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    kept = {*files, CONFIG}
    for key in [each["Key"] for page in pages for each in page.get("Contents", [])]:
        if key not in kept:
            s3.delete_object(Bucket=bucket, Key=key)
    return len(kept)


def _put(s3: "S3Client", bucket: str, key: str, body: bytes) -> None:
    kind = TYPES.get(Path(key).suffix)
    if kind is None:
        raise DeploymentError(
            f"{key}: its content type is not known; add it to deployment/pages.py"
        )
    s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType=kind, CacheControl=_CACHE)


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            yield path.relative_to(folder).as_posix(), path
