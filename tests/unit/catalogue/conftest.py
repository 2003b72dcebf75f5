"""The function that AppSync calls, on a table with forty slides."""

import json
from types import SimpleNamespace

import pytest

from local.standins.appsync import load_schema
from tests import moto_speed
from tests.conftest import ROOT
from tests.handlers import load_handler
from tests.unit.catalogue.helpers import Refused, fill
from vsv.catalogue import table

MUTATIONS = load_schema(ROOT / "graphql" / "schema.graphql").mutation_type.fields


@pytest.fixture
def ask(tables, monkeypatch):
    """Resolve one GraphQL field as AppSync's resolver does, for a technician."""
    monkeypatch.setenv("SLIDE_TABLE", tables["SlideTable"])
    monkeypatch.setenv("HISTORY_TABLE", tables["HistoryTable"])
    monkeypatch.setenv("TERM_TABLE", tables["TermTable"])
    monkeypatch.setenv("SLIDE_ID_PATTERN", r".{1,30}")
    handler = load_handler("SlideCatalogue")

    def ask(field, *, groups=("Technicians",), claims=None, **arguments):
        claims = {"cognito:username": "ann", "cognito:groups": list(groups)} | (claims or {})
        event = {
            "arguments": arguments,
            "identity": {"claims": claims},
            "source": None,
            "request": {"headers": {}},
            "info": {
                "fieldName": field,
                "parentTypeName": "Mutation" if field in MUTATIONS else "Query",
                "variables": {},
                "selectionSetList": ["items"],
            },
        }
        answer = json.loads(json.dumps(handler(event, None)))
        if isinstance(answer, dict) and "__error" in answer:
            raise Refused(answer["__error"])
        return answer

    return ask


@pytest.fixture
def slides(catalogue):
    if _FORTY:
        moto_speed.put_items(_FORTY[0])
    else:
        fill(catalogue, 40)
        _FORTY.append(moto_speed.items())


_FORTY: list[bytes] = []


@pytest.fixture
def pauses(monkeypatch):
    """Return the longest pauses between two attempts at a change, in s; no time passes."""
    waited = []
    clock = SimpleNamespace(sleep=waited.append, monotonic=lambda: sum(waited))
    monkeypatch.setattr(table, "time", clock)
    monkeypatch.setattr(table, "random", SimpleNamespace(uniform=lambda low, high: high - low))
    return waited
