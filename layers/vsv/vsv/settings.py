"""Settings of the functions, read from the environment and checked once, at cold start."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

__all__ = ["CatalogueSettings", "DeskSettings", "StepSettings", "StorageSettings"]

# Printable ASCII without spaces at the ends: no label's text is refused for its form.
_ANY_SLIDE_ID = r"[!-~](?:[ -~]{0,62}[!-~])?"

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


@dataclass(frozen=True)
class StorageSettings:
    """For functions that see EFS. ``images_path`` is where it is mounted.

    ``quality`` is the JPEG quality (1..95) of tiles that are rendered rather than passed through.
    ``pyramid_bucket`` is the S3 bucket of pyramids and associated images; None where they are files
    on EFS.
    """

    images_path: Path
    quality: int
    pyramid_bucket: str | None

    @classmethod
    def read(cls, environment: Environment = os.environ) -> Self:
        """IMAGES_PATH, JPEG_QUALITY (90), PYRAMID_STORE (efs, or s3 with PYRAMID_BUCKET).

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
class CatalogueSettings:
    """For functions that use the catalogue. ``slide_table`` is the DynamoDB table's name."""

    slide_table: str

    @classmethod
    def read(cls, environment: Environment = os.environ) -> Self:
        """SLIDE_TABLE. Raises ValueError where it is missing."""
        return cls(_required(environment, "SLIDE_TABLE"))


@dataclass(frozen=True)
class StepSettings:
    """For ExtractMetadata.

    ``slide_id_pattern``: a regular expression; a barcode whose whole text matches is a slide ID.
    ``scanner_zone``: the scanner's time zone, for slides that name none.
    ``tiles_per_piece``: tiles that one call of RenderTiles renders. At 10 to 100 ms a tile, 1,000
    stay far below Lambda's 15 minutes even on slow storage, and are enough to outweigh the call.
    ``prerender_levels``: ``all``, ``derived`` or ``none``, see ``vsv.pyramid.levels_to_render``.
    """

    slide_id_pattern: str
    scanner_zone: ZoneInfo
    tiles_per_piece: int
    prerender_levels: str

    @classmethod
    def read(cls, environment: Environment = os.environ) -> Self:
        """SLIDE_ID_PATTERN, SCANNER_TIME_ZONE (UTC), TILES_PER_PIECE (1000), PRERENDER_LEVELS.

        Raises ValueError naming what is wrong.
        """
        pattern = environment.get("SLIDE_ID_PATTERN") or _ANY_SLIDE_ID
        levels = environment.get("PRERENDER_LEVELS") or "all"
        if levels not in ("all", "derived", "none"):
            raise ValueError(f"PRERENDER_LEVELS is {levels!r}, not all, derived or none")
        zone = environment.get("SCANNER_TIME_ZONE") or "UTC"
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"SLIDE_ID_PATTERN is no regular expression: {error}") from error
        try:
            scanner_zone = ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"SCANNER_TIME_ZONE {zone!r} is no IANA time zone") from error
        return cls(
            pattern,
            scanner_zone,
            _number(environment, "TILES_PER_PIECE", 1000, 1, 100_000),
            levels,
        )


@dataclass(frozen=True)
class DeskSettings:
    """For ImportSlide: the names of all that it asks and starts."""

    slide_table: str
    transfer_table: str
    datasync_task_arn: str
    state_machine_arn: str
    check_file_function: str
    set_aside_function: str

    @classmethod
    def read(cls, environment: Environment = os.environ) -> Self:
        """One variable a field, in capitals. Raises ValueError where one is missing."""
        return cls(*(_required(environment, name.upper()) for name in cls.__dataclass_fields__))
