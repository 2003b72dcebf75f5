"""Slides as they lie on EFS after an import: beside each, what the import's first step wrote."""

import importlib.util
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, TypeVar

from benchmarks.slides import SlideSpec
from local.settings import ROOT

__all__ = ["ELSEWHERE", "TILE_ELSEWHERE", "imported", "in_fresh_process"]

# A slide, and a tile of it, that are read before a clock starts: that loads the code.
ELSEWHERE: Final = SlideSpec((1500, 1100))
TILE_ELSEWHERE: Final = (10, 0, 0)

_T = TypeVar("_T")
_TABLE: Final = "slides"
_HISTORY: Final = "history"
_TERMS: Final = "terms"
_AWS: Final = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "SLIDE_TABLE": _TABLE,
    "HISTORY_TABLE": _HISTORY,
    "TERM_TABLE": _TERMS,
    # Tiles come from the slide itself.
    "PRERENDER_LEVELS": "none",
}


def in_fresh_process(function: Callable[..., _T], *arguments: Any) -> _T:
    """Call a module's function in an interpreter that has done nothing yet."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def imported(slide: Path, work_dir: Path) -> tuple[Path, float]:
    """Import the slide; return its path on what stands for EFS, and the seconds that it took.

    The import is ExtractMetadata's handler, with tables in memory. The slide is its folder's only.
    """
    folder = work_dir / "imported" / slide.stem
    path = folder / slide.name
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        # The same bytes under the import's own path; a link costs neither time nor space.
        path.hardlink_to(slide)
    return path, in_fresh_process(_extract_metadata, path)


def _extract_metadata(path: Path) -> float:
    # Other processes, which have no import to make, do not wait for these.
    import boto3
    from moto import mock_aws

    os.environ.update(_AWS, IMAGES_PATH=str(path.parent))
    source = ROOT / "functions" / "ExtractMetadata" / "app.py"
    spec = importlib.util.spec_from_file_location("app_ExtractMetadata", source)
    if spec is None or spec.loader is None:
        raise ImportError(f"{source} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    with mock_aws():
        dynamodb = boto3.client("dynamodb")
        dynamodb.create_table(
            TableName=_TABLE,
            KeySchema=[{"AttributeName": "ImageID", "KeyType": "HASH"}],
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"}
                for name in ("ImageID", "Sha256", "Filename", "Listed", "SlideID")
            ],
            GlobalSecondaryIndexes=[
                _index("Sha256"),
                _index("Filename"),
                _index("Listed", "SlideID"),
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        dynamodb.create_table(
            TableName=_TERMS,
            KeySchema=[
                {"AttributeName": "Term", "KeyType": "HASH"},
                {"AttributeName": "Place", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in ("Term", "Place")
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        dynamodb.create_table(
            TableName=_HISTORY,
            KeySchema=[
                {"AttributeName": "ImageID", "KeyType": "HASH"},
                {"AttributeName": "Version", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "ImageID", "AttributeType": "S"},
                {"AttributeName": "Version", "AttributeType": "N"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        spec.loader.exec_module(module)
        status = path.stat()
        job = {
            "image_id": path.stem,
            "filename": path.name,
            "size": status.st_size,
            "mtime_ns": status.st_mtime_ns,
        }
        started = time.perf_counter()
        module.lambda_handler(job, None)
        return time.perf_counter() - started


def _index(*names: str) -> Any:
    """One of the indexes by which an import finds other slides: see templates/db.template.yaml."""
    kinds = ("HASH", "RANGE")
    return {
        "IndexName": f"{'-'.join(names)}-index",
        "KeySchema": [
            {"AttributeName": name, "KeyType": kind}
            for name, kind in zip(names, kinds, strict=False)
        ],
        "Projection": {"ProjectionType": "KEYS_ONLY"},
    }
