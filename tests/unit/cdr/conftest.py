"""The stand-in for the CDR, what sends to it, and the log."""

import logging

import pytest

from local.standins.cdr import CdrServer
from tests.unit.cdr.helpers import Sending
from vsv.logs import logger


@pytest.fixture
def cdr():
    with CdrServer() as server:
        yield server


@pytest.fixture
def sending(cdr):
    return Sending(cdr)


@pytest.fixture
def log(capsys):
    """All that is logged, by this library and by urllib3, down to DEBUG."""
    records = []

    class Keep(logging.Handler):
        def emit(self, record):
            records.append(f"{record.getMessage()} {vars(record)}")

    keep, root = Keep(level=logging.DEBUG), logging.getLogger()
    level = root.level
    root.setLevel(logging.DEBUG)
    for each in (root, logger):
        each.addHandler(keep)
    yield lambda: "\n".join(records) + "".join(capsys.readouterr())
    for each in (root, logger):
        each.removeHandler(keep)
    root.setLevel(level)
