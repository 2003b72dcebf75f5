"""AWS's bill for slides and tiles: quantities by what the code and EFS do, times prices."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Final

from estimates.cost.prices import usd
from estimates.scale.imports import transfer_s
from estimates.scale.reference import (
    EFS_READ_S,
    EFS_WRITE_S,
    EXTRACT_S,
    FINISH_S,
    REFERENCE,
    RUNTIME_S,
    TILES_PER_REPORT,
    VIEWED_TILE_BYTES,
    WRITES_PER_TILE,
    memory_mb,
    tile_s,
)
from vsv.storage.archive_copy import PART_BYTES

__all__ = [
    "ARCHIVES",
    "Archive",
    "archived",
    "backup",
    "fixed",
    "kept",
    "live",
    "million_tiles",
    "slide_import",
]

_KIB: Final = 2**10
# EFS counts an operation on data as at least so much, one on metadata likewise ("How do I estimate
# Elastic Throughput mode costs", re:Post).
_EFS_DATA: Final = 32 * _KIB
_EFS_METADATA: Final = 4 * _KIB
# What a file takes beside its data, and the steps in which that is counted ("How Amazon EFS reports
# file system and object sizes"); half a step in mean.
_EFS_INODE: Final = 2 * _KIB
_EFS_STEP: Final = 4 * _KIB
# The least that a file is counted as in Infrequent Access and Archive (Vantage, EFS pricing).
_EFS_COLD_FILE: Final = 128 * _KIB

# What reads pixels, and the other functions.
_PIXELS_GB: Final = memory_mb("RenderTilesFunction") / 1024
_OTHER_GB: Final = memory_mb("ImportSlideFunction") / 1024
# Rendering a tile without storage (docs/speed.md: 5.3 s for 31,106), and writing to S3 while others
# are (docs/decisions/0008-pyramid-store.md: 2 to 3 ms of CPU time).
_RENDER_S: Final = 5.3 / 31_106
_S3_WRITE_S: Final = 0.0025
# A pyramid's mean tile, those between rendered at quality 90. 0.25 GB for CMU-1's 31,106.
_PYRAMID_TILE_BYTES: Final = 8_000
# A tile and the four beneath it are one unit: two questions whether they are there, two reads.
_UNIT_TILES: Final = 5
# Units of a record of up to 2 KB, in the table: indexes have keys, which a report does not change;
# what else an import writes, in transactions with their history. An assumption.
_REPORT_UNITS: Final = 2
_OTHER_UNITS: Final = 90
# Units that an import reads, identities and other slides of its name among them, and each call of
# /ImportSlide. A test holds them to what is asked.
IMPORT_READ_UNITS: Final = 20
CALL_READ_UNITS: Final = 8
# Calls of /ImportSlide for one slide, one a minute; seconds of it and of CheckFile. Assumptions.
_CALL_S: Final = 0.2
_MINUTE_S: Final = 60
# Changes of a slide's record in its first month (import, review, sending), and reports of progress,
# one in five seconds of a minute. An assumption.
_CHANGES: Final = 8
_REPORTS: Final = 12
_PUBLISH_S: Final = 0.05
# Viewers of the busiest time, connected for a whole working day. Too many rather than too few.
_CONNECTED_MINUTES: Final = 8 * 60
# Lambda's three lines of each call. Metrics count what has ended: too few to matter here.
_LOG_BYTES: Final = 330


def slide_import(prerender: str, store: str) -> Mapping[str, float]:
    """Return the dollars for importing one slide, by service."""
    file_bytes, tiles = REFERENCE.file_bytes, REFERENCE.tiles(prerender)
    rendered = REFERENCE.tiles() if tiles else 0
    calls = REFERENCE.pieces(prerender)
    reads = rendered / _UNIT_TILES * 2
    polls = ceil(transfer_s() / _MINUTE_S) + 4
    write_s = WRITES_PER_TILE * EFS_WRITE_S if store == "efs" else _S3_WRITE_S
    # With S3 the questions are asked there.
    render_s = rendered * (_RENDER_S + 4 / _UNIT_TILES * EFS_READ_S) + tiles * write_s
    pyramid = (
        usd("efs-write", tiles * (_EFS_DATA + 2 * _EFS_METADATA))
        + usd("efs-read", rendered / _UNIT_TILES * 2 * _EFS_METADATA)
        if store == "efs"
        else usd("s3-put", tiles) + usd("s3-get", rendered / _UNIT_TILES * 2)
    )
    seconds = (EXTRACT_S + render_s) * _PIXELS_GB
    seconds += (FINISH_S * bool(tiles) + polls * 2 * _CALL_S) * _OTHER_GB
    return {
        "DataSync": usd("datasync", file_bytes),
        # It writes the file and reads it again; ExtractMetadata reads it, RenderTiles its tiles.
        "EFS, the slide": usd("efs-write", file_bytes)
        + usd("efs-read", 2 * file_bytes + reads * _EFS_DATA),
        "pyramid written": pyramid,
        "Lambda": usd("lambda-s", seconds) + usd("lambda", calls + 2 + 2 * polls),
        "Step Functions": usd("transition", calls + 5),
        "DynamoDB": usd("ddb-write", tiles / TILES_PER_REPORT * _REPORT_UNITS + _OTHER_UNITS)
        + usd("ddb-read", IMPORT_READ_UNITS + polls * CALL_READ_UNITS),
        "API, logs": usd("api", polls) + usd("logs", (calls + 2 + 2 * polls) * _LOG_BYTES),
    }


def kept(what: str, where: str) -> float:
    """Return the dollars a month of a slide's file, or of its pyramid by ``PrerenderLevels``."""
    if what == "slide":
        return usd(where, REFERENCE.file_bytes)
    tiles = REFERENCE.tiles(what)
    if where == "s3":
        return usd(where, tiles * _PYRAMID_TILE_BYTES)
    if where == "efs":
        return usd(where, tiles * (_PYRAMID_TILE_BYTES + _EFS_STEP / 2 + _EFS_INODE))
    return usd(where, tiles * max(_EFS_COLD_FILE, _PYRAMID_TILE_BYTES))


def million_tiles(source: str, edge_share: float) -> Mapping[str, float]:
    """Return the dollars for a million tiles from ``svs``, ``efs`` or ``s3``.

    The edge has a share of them.
    """
    asked = 10**6 * (1 - edge_share)
    storage = {
        # One read of the slide's own tile; a tile between is made of two reads, half of them are.
        "svs": usd("efs-read", 1.5 * _EFS_DATA * asked),
        "efs": usd("efs-read", (_EFS_DATA + 2 * _EFS_METADATA) * asked),
        "s3": usd("efs-read", _EFS_METADATA * asked) + usd("s3-get", asked),
    }[source]
    # To the first byte of S3 (decision 0008: 15 to 40 ms).
    waits_s = {"svs": tile_s(), "efs": 0.0034, "s3": 0.0192}[source]
    billed_s = ceil(1000 * (RUNTIME_S + waits_s)) / 1000
    return {
        "CloudFront, requests": usd("cdn", 10**6),
        "CloudFront, bytes": usd("cdn-gb", 10**6 * VIEWED_TILE_BYTES),
        "Lambda": usd("lambda", asked) + usd("lambda-s", asked * billed_s * _PIXELS_GB),
        "storage": storage,
        "logs": usd("logs", asked * _LOG_BYTES),
    }


@dataclass(frozen=True)
class Archive:
    """A storage class of S3 for slide files, with its prices in dollars.

    ``month`` is for a GB and month, ``puts`` for 1,000 PUTs, ``back`` for restoring a GB. At least
    ``days`` are billed. ``comes_back`` says how long a restore takes.
    """

    name: str
    month: float
    puts: float
    back: float
    days: int
    comes_back: str


# As Infracost's tests have them; GLACIER_IR's, and restoring by bulk, by Usage.ai, May 2026.
# Its 1,000 PUTs are from memory.
ARCHIVES: Final = (
    Archive("STANDARD", 0.023, 0.005, 0.0, 0, "at once"),
    Archive("STANDARD_IA", 0.0125, 0.01, 0.01, 30, "at once"),
    Archive("GLACIER_IR", 0.004, 0.02, 0.03, 90, "at once"),
    Archive("GLACIER", 0.0036, 0.03, 0.01, 90, "3 to 5 hours"),
    Archive("DEEP_ARCHIVE", 0.00099, 0.05, 0.02, 180, "12 hours"),
)
# A file goes up in parts, each a PUT, as its beginning and end are.
_PUTS: Final = ceil(REFERENCE.file_bytes / PART_BYTES) + 2


def archived(archive: Archive) -> tuple[float, float, float]:
    """Return the dollars to archive a slide's file, to keep it a month, and to restore it."""
    gigabytes = REFERENCE.file_bytes / 2**30
    there = _PUTS * archive.puts / 1000 + usd("efs-read", REFERENCE.file_bytes)
    back = archive.back * gigabytes + usd("efs-write", REFERENCE.file_bytes)
    return there, archive.month * gigabytes, back


def fixed(people: int) -> Mapping[str, float]:
    """Return the fixed dollars a month, with one scanner's client."""
    return {
        "alarms (32 metrics), dashboard": 32 * usd("alarm", 1) + usd("dashboard", 1),
        "metrics of our own (up to 37)": 37 * usd("metric", 1),
        "key that signs sessions": usd("kms", 1),
        "secrets, CloudFront's and the CDR's": 2 * usd("secret", 1),
        "a scanner's client, a token an hour": usd("m2m-client", 1) + usd("m2m", 730),
        "people beyond 10,000": usd("mau", max(0, people - 10_000)),
    }


def live(slides: int, viewers: int, days: int, prerender: str) -> float:
    """Return the dollars for telling ``viewers`` of ``slides`` new slides within ``days``.

    A message is far below the 5 KB that are billed as one.
    """
    messages = slides * (_CHANGES + (_REPORTS if prerender != "none" else 0))
    return (
        usd("appsync", messages)
        + usd("appsync-message", messages * viewers)
        + usd("appsync-minute", viewers * days * _CONNECTED_MINUTES)
        + usd("lambda", messages)
        + usd("lambda-s", messages * _PUBLISH_S * _OTHER_GB)
    )


def backup(slides: int) -> float:
    """Return the dollars a month for one copy of ``slides`` slide files in AWS Backup."""
    return usd("efs-backup", slides * REFERENCE.file_bytes)
