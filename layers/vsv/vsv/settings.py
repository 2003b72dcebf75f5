"""Settings of the functions, read from the environment and checked once, at cold start."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

__all__ = [
    "ArchiveSettings",
    "CatalogueSettings",
    "CdrSettings",
    "ClientSettings",
    "ExtractMetadataSettings",
    "ImportSlideSettings",
    "LiveSettings",
    "RemovalSettings",
    "RetrySettings",
    "ReviewSettings",
    "SessionSettings",
    "StorageSettings",
]

# What BARCODE_FORMATS may name. All are checked by their own error correction or checksum.
_BARCODE_FORMATS = ("DataMatrix", "QRCode", "Code128", "PDF417", "Aztec")
# Printable ASCII without spaces at the ends: no label's text is refused for its form.
_ANY_ID = r"[!-~](?:[ -~]{0,62}[!-~])?"

Environment = Mapping[str, str]


def _required(environment: Environment, name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise ValueError(f"the environment variable {name} is not set")
    return value


def _number(environment: Environment, name: str, default: int, low: int, high: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
        raise ValueError(f"{name} is {text!r}, not a number in {low}..{high}")
    return int(text)


def _pattern(environment: Environment, name: str) -> str:
    pattern = environment.get(name) or _ANY_ID
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{name} is not a regular expression: {error}") from error
    return pattern


def _barcode_formats(environment: Environment) -> tuple[str, ...]:
    names = [name.strip() for name in environment.get("BARCODE_FORMATS", "").split(",")]
    names = [name for name in names if name] or ["DataMatrix"]
    for name in names:
        if name not in _BARCODE_FORMATS:
            known = ", ".join(_BARCODE_FORMATS)
            raise ValueError(f"BARCODE_FORMATS has {name!r}, which is not one of {known}")
    return tuple(dict.fromkeys(names))


def _secure_url(environment: Environment, name: str) -> str:
    """Return an https:// address without credentials; http:// to this machine only."""
    url = urlsplit(_required(environment, name))
    plain = url.scheme == "http" and url.hostname in ("127.0.0.1", "localhost")
    if not url.hostname or not (url.scheme == "https" or plain):
        raise ValueError(f"{name} is not an https:// address")
    if url.username is not None or url.password is not None:
        raise ValueError(f"{name} holds credentials; put them into the secret")
    return url.geturl()


@dataclass(frozen=True)
class _Names:
    """Settings that are names only."""

    @classmethod
    def read(cls, environment: Environment = os.environ) -> Self:
        """Read one variable for each field, in capitals. Raises ValueError if one is missing."""
        return cls(*(_required(environment, name.upper()) for name in cls.__dataclass_fields__))


@dataclass(frozen=True)
class ClientSettings(_Names):
    """Settings of functions behind a route: the app client whose tokens are accepted."""

    client_id: str


@dataclass(frozen=True)
class StorageSettings:
    """Settings of functions that mount EFS, at ``images_path``.

    ``quality`` is the JPEG quality (1..95) of tiles that are rendered rather than passed through.
    ``pyramid_bucket`` is the S3 bucket of pyramids and associated images; None where they are files
    on EFS.
    """

    images_path: Path
    quality: int
    pyramid_bucket: str | None

    @classmethod
    def read(cls, environment: Environment = os.environ) -> Self:
        """Read IMAGES_PATH, JPEG_QUALITY (90), PYRAMID_STORE (efs, or s3 with PYRAMID_BUCKET).

        Raises ValueError naming what is wrong.
        """
        store = environment.get("PYRAMID_STORE") or "efs"
        if store not in ("efs", "s3"):
            raise ValueError(f"PYRAMID_STORE is {store!r}, not efs or s3")
        return cls(
            Path(_required(environment, "IMAGES_PATH")),
            _number(environment, "JPEG_QUALITY", 90, 1, 95),
            _required(environment, "PYRAMID_BUCKET") if store == "s3" else None,
        )


@dataclass(frozen=True)
class CatalogueSettings(_Names):
    """Settings of functions that change the catalogue: its three DynamoDB tables."""

    slide_table: str
    history_table: str
    term_table: str


@dataclass(frozen=True)
class ReviewSettings:
    """Settings of SlideCatalogue: regular expressions that slide and case IDs match as a whole.

    They hold for what people type; ``slide_id_pattern`` is also the one for barcodes.
    """

    slide_id_pattern: str
    case_id_pattern: str

    @classmethod
    def read(cls, environment: Environment = os.environ) -> Self:
        """Read SLIDE_ID_PATTERN and CASE_ID_PATTERN. Raises ValueError for an invalid one."""
        names = ("SLIDE_ID_PATTERN", "CASE_ID_PATTERN")
        return cls(*(_pattern(environment, name) for name in names))


@dataclass(frozen=True)
class ExtractMetadataSettings:
    """Settings of ExtractMetadata, and of the import's other steps, which share its code.

    ``slide_id_pattern``: a regular expression; a barcode whose whole text matches is a slide ID.
    ``barcode_formats``: names of the formats that are read.
    ``barcode_search_s``: how long, in seconds, a label is searched more thoroughly where nothing
    was found at once. Damaged codes are found within one, others hardly ever after that.
    ``scanner_zone``: the scanner's time zone, for slides that name none.
    ``tiles_per_piece``: tiles that one call of RenderTiles renders. At 10 to 100 ms a tile, 1,000
    stay far below Lambda's 15 minutes even on slow storage, and are enough to outweigh the call.
    ``prerender_levels``: ``all``, ``derived`` or ``none``, see ``vsv.pyramid.plan``.
    """

    slide_id_pattern: str
    barcode_formats: tuple[str, ...]
    barcode_search_s: float
    scanner_zone: ZoneInfo
    tiles_per_piece: int
    prerender_levels: str

    @classmethod
    def read(cls, environment: Environment = os.environ) -> Self:
        """Read SLIDE_ID_PATTERN, BARCODE_FORMATS (DataMatrix), BARCODE_SEARCH_MS (1200).

        SCANNER_TIME_ZONE (UTC), TILES_PER_PIECE (1000), PRERENDER_LEVELS (all).
        Raises ValueError naming what is wrong.
        """
        levels = environment.get("PRERENDER_LEVELS") or "all"
        if levels not in ("all", "derived", "none"):
            raise ValueError(f"PRERENDER_LEVELS is {levels!r}, not all, derived or none")
        zone = environment.get("SCANNER_TIME_ZONE") or "UTC"
        try:
            scanner_zone = ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"SCANNER_TIME_ZONE {zone!r} is not an IANA time zone") from error
        return cls(
            _pattern(environment, "SLIDE_ID_PATTERN"),
            _barcode_formats(environment),
            _number(environment, "BARCODE_SEARCH_MS", 1200, 0, 60_000) / 1000,
            scanner_zone,
            _number(environment, "TILES_PER_PIECE", 1000, 1, 100_000),
            levels,
        )


@dataclass(frozen=True)
class ImportSlideSettings(_Names):
    """Settings of ImportSlide: the names of all that it calls and starts."""

    slide_table: str
    transfer_table: str
    datasync_task_arn: str
    state_machine_arn: str
    check_file_function: str
    set_aside_function: str


@dataclass(frozen=True)
class RetrySettings(_Names):
    """Settings of SlideCatalogue: the names of what it calls and starts to retry an import."""

    state_machine_arn: str
    check_file_function: str


@dataclass(frozen=True)
class CdrSettings:
    """Settings of SendToCdr: the CDR, and what happens to slides that it does not accept.

    ``cdr_url`` receives metadata, with the credentials in the secret of ``cdr_secret_arn``.
    ``cdr_give_up_s``: how long to try, in seconds from when a slide was marked to be sent. Slides
    that are given up go to ``dead_letter_queue_url``.
    """

    cdr_url: str
    cdr_secret_arn: str
    cdr_give_up_s: int
    dead_letter_queue_url: str
    slide_table: str
    history_table: str
    term_table: str

    @classmethod
    def read(cls, environment: Environment = os.environ) -> Self:
        """Read one variable for each field, in capitals; CDR_GIVE_UP_S is 3600 by default.

        Raises ValueError naming what is wrong.
        """
        return cls(
            _secure_url(environment, "CDR_URL"),
            _required(environment, "CDR_SECRET_ARN"),
            _number(environment, "CDR_GIVE_UP_S", 3600, 10, 86_400),
            _required(environment, "DEAD_LETTER_QUEUE_URL"),
            _required(environment, "SLIDE_TABLE"),
            _required(environment, "HISTORY_TABLE"),
            _required(environment, "TERM_TABLE"),
        )


@dataclass(frozen=True)
class LiveSettings:
    """Settings of PublishChange: the GraphQL API that it publishes by, and that API's region."""

    graphql_url: str
    aws_region: str

    @classmethod
    def read(cls, environment: Environment = os.environ) -> Self:
        """Read GRAPHQL_URL, and AWS_REGION, which Lambda sets. Raises ValueError."""
        return cls(_secure_url(environment, "GRAPHQL_URL"), _required(environment, "AWS_REGION"))


@dataclass(frozen=True)
class RemovalSettings(_Names):
    """Settings of RemoveImages: the names of what it starts."""

    delete_image_function: str
    transfer_image_function: str
    state_machine_arn: str


@dataclass(frozen=True)
class ArchiveSettings:
    """Settings of functions that archive slides: the S3 bucket, and its objects' storage class."""

    bucket: str
    storage_class: str

    @classmethod
    def read(cls, environment: Environment = os.environ) -> Self:
        """Read ARCHIVE_BUCKET, ARCHIVE_STORAGE_CLASS (STANDARD_IA). Raises ValueError."""
        return cls(
            _required(environment, "ARCHIVE_BUCKET"),
            environment.get("ARCHIVE_STORAGE_CLASS") or "STANDARD_IA",
        )


@dataclass(frozen=True)
class SessionSettings(_Names):
    """Settings of Session: the KMS key that signs cookies, and CloudFront's ID of it."""

    cookie_key_arn: str
    cookie_key_pair_id: str
