"""What tests of all kinds share: slides, an images path, the template's tables in moto."""

import copy
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import boto3
import hypothesis
import pytest
import yaml
from moto import mock_aws
from playwright.sync_api import expect, sync_playwright

from local.samples import generated_slide, real_slide
from local.settings import CACHE
from tests import binaries, moto_speed
from vsv import logs
from vsv.catalogue.table import Catalogue
from vsv.storage.layout import Storage

# Timings are never assertions: the machine may be busy.
hypothesis.settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("untimed")
expect.set_options(timeout=120_000)

ROOT = Path(__file__).parents[1]

# What the shell has set for a make, for an AWS account or for Powertools is not the tests' own. It
# goes here, before a test's fixtures or processes can see it.
for setting in [*os.environ]:
    if setting.startswith(("MAKE", "AWS_", "POWERTOOLS_")) or setting in ("MFLAGS", "SEED"):
        del os.environ[setting]
# Nor is what it has ignore Ctrl-C, as it does for commands in the background.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def fresh_process() -> None:
    """Let each test find the library as a new process does: nothing cached, nothing counted."""
    logs._metrics.clear_metrics()
    # A copy, which no other thread's import can disturb.
    for name, module in sys.modules.copy().items():
        if name.partition(".")[0] == "vsv":
            for cached in _caches(module):
                cached.cache_clear()


@cache
def _caches(module: ModuleType) -> list:
    return [
        value
        for value in vars(module).values()
        if hasattr(value, "cache_clear") and value.__module__ == module.__name__
    ]


@pytest.fixture(autouse=True, scope="module")
def layers_builds() -> Iterator[None]:
    """Check that a module's tests load only the layers' Pillow, libjpeg, OpenJPEG, libdmtx.

    What a process has loaded stays loaded, so that one look after all tests of a module sees it.
    """
    yield
    assert not binaries.foreign()


@pytest.fixture(scope="session")
def real() -> Path:
    """Return the real Aperio slide: one level, a handwritten label."""
    return real_slide(CACHE)


@pytest.fixture(scope="session")
def generated(real, tmp_path_factory) -> Path:
    """Return a slide with levels rounded down, none a multiple of its tile, and a barcode."""
    folder = tmp_path_factory.mktemp("generated")
    return generated_slide(folder / "generated.svs", real, size=(2309, 1543))


@pytest.fixture(scope="session")
def small(real, tmp_path_factory) -> Path:
    """Return a slide of two levels and a dozen tiles, for tests that do not look at them."""
    folder = tmp_path_factory.mktemp("small")
    return generated_slide(folder / "small.svs", real, size=(517, 389), downsamples=(1, 4))


@pytest.fixture
def storage(tmp_path) -> Storage:
    root = tmp_path / "efs"
    root.mkdir()
    return Storage(root)


@pytest.fixture
def aws() -> Iterator[None]:
    """Moto instead of AWS, and no way to reach anything else."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        with mock_aws():
            boto3.DEFAULT_SESSION = moto_speed.session()
            yield


@cache
def dynamodb():
    """Moto's tables, as boto3 sees them: a client takes longer to make than most tests take."""
    return boto3.resource("dynamodb")


class _Loader(yaml.CSafeLoader):
    """Reads CloudFormation's short intrinsic functions as what stands behind them."""


_LONG_NAMES = {"Ref": "Ref", "Condition": "Condition"}


def _intrinsic(loader: _Loader, suffix: str, node: yaml.Node) -> dict:
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        value = value.split(".", 1) if suffix == "GetAtt" else value
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {_LONG_NAMES.get(suffix, f"Fn::{suffix}"): value}


_Loader.add_multi_constructor("!", _intrinsic)


_read = cache(lambda path, _mtime_ns: yaml.load(path.read_text(), _Loader))


def load_template(path: Path) -> dict:
    """Return what the template says: a copy, which the test may change."""
    return copy.deepcopy(_read(path, path.stat().st_mtime_ns))


@pytest.fixture
def tables(aws) -> dict[str, str]:
    """Return the tables of templates/db.template.yaml, by logical ID."""
    return moto_speed.tables(_create_tables)


def _create_tables() -> dict[str, str]:
    resources = load_template(ROOT / "templates" / "db.template.yaml")["Resources"]
    names = {}
    for logical_id, resource in resources.items():
        if resource["Type"] != "AWS::DynamoDB::Table":
            continue
        wanted = resource["Properties"]
        dynamodb().meta.client.create_table(
            TableName=logical_id,
            BillingMode="PAY_PER_REQUEST",
            **{
                key: wanted[key]
                for key in ("KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes")
                if key in wanted
            },
        )
        names[logical_id] = logical_id
    return names


@pytest.fixture
def catalogue(tables) -> Catalogue:
    return Catalogue(dynamodb(), *(tables[f"{name}Table"] for name in ("Slide", "History", "Term")))


# Playwright's own, where the system has none.
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
CHROMIUM_ARGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="module")
def browser():
    """Chromium. For one module at a time: other modules' tests run event loops of their own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        yield browser
        browser.close()
