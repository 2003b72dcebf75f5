"""Pixels of tissue, of which slides are written."""

import pytest

from tests import svs


@pytest.fixture(scope="session")
def tissue(real):
    return svs.tissue(real, (1024, 768))
