"""Fixtures: the cloud, the workstation, and the script as a module."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.scanscope.workstation import SCRIPT, Cloud, Station


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    cloud = Cloud()
    yield cloud
    cloud.close()


@pytest.fixture
def station(tmp_path: Path, cloud: Cloud) -> Station:
    return Station(tmp_path, cloud)


@pytest.fixture(scope="session")
def script() -> ModuleType:
    """Return the script as a module, for what only shows from the inside."""
    spec = importlib.util.spec_from_file_location("import_slides", SCRIPT)
    assert spec
    assert spec.loader
    module = sys.modules["import_slides"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
