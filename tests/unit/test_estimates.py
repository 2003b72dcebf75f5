"""docs/scale.md and docs/cost.md show their commands' output, and the numbers obey their rules."""

import json
from collections import Counter

import pytest

from benchmarks.report import Table
from estimates.cost import model
from estimates.cost import tables as costs
from estimates.documents import filled
from estimates.scale import imports, reference, tables, viewers
from estimates.scale.quotas import QUOTAS
from tests.conftest import ROOT


@pytest.mark.slow
@pytest.mark.parametrize(("name", "make"), [("scale", tables.make), ("cost", costs.make)])
def test_the_document_shows_what_its_command_prints(name, make):
    document = (ROOT / "docs" / f"{name}.md").read_text()
    assert document == filled(document, make()), f"docs/{name}.md is not what its command prints"


def test_a_table_without_a_place_is_refused():
    with pytest.raises(ValueError, match="prices"):
        filled("no place at all", {"prices": Table("Prices", [])})


def test_the_reference_is_planned_as_an_import_plans_it():
    slide = reference.CMU1
    # docs/speed.md: the whole pyramid of 31,106 tiles.
    assert slide.tiles() == 31_106
    work = slide.work()
    assert sum(1 for unit in work.units() for _ in work.beneath(*unit)) == slide.tiles()
    assert slide.tiles("derived") + slide.pyramid.count(slide.own_levels) == slide.tiles()
    assert slide.tiles("none") == slide.pieces("none") == 0


def test_history_holds_the_largest_slide_and_no_larger_one():
    side = tables.largest_side(QUOTAS["history"].value, tables.events)
    assert tables.events(tables.square(side).pieces()) <= QUOTAS["history"].value
    assert tables.events(tables.square(side + 1000).pieces()) > QUOTAS["history"].value
    # Each item of the map: two events of the iteration, five of its task.
    assert tables.events(11) - tables.events(10) == 7


def test_requests_beyond_ten_for_each_unit_of_concurrency_are_refused_and_come_again():
    crowd = viewers.viewers(10, concurrency=5, seconds=20, ramp_s=1)
    assert crowd.refused > 0
    assert crowd.most_busy <= 5
    # A full bucket at first, and what comes into it in 21 seconds.
    assert crowd.asked - crowd.refused <= 5 * QUOTAS["rate"].value * (1 + 21)
    alone = viewers.viewers(10, concurrency=1000, seconds=20, ramp_s=1)
    assert alone.refused == 0
    assert alone.view_ms(0.5) < crowd.view_ms(0.5)


def test_one_task_carries_what_its_executions_leave_time_for():
    crowded = imports.day(2000, tasks=1)
    assert len(crowded.waits_s) <= imports.transfers_a_day(imports.OVERHEAD_S)
    relaxed = imports.day(2000, tasks=20)
    assert relaxed.left == 0
    assert relaxed.wait_min(0.95) < crowded.wait_min(0.5)


def test_an_import_reads_what_is_counted_for_it(world, generated):
    """Units: 1 for each record of up to 4 KB that is read as it is now, half of one for a query."""
    read = Counter()

    def count(model, params, **_):
        body = json.loads(params["body"])
        batch = body.get("RequestItems", {})
        keys = sum(len(each["Keys"]) for each in batch.values() if "Keys" in each)
        weight = 1 if body.get("ConsistentRead") else 0.5
        read[step] += {"BatchGetItem": keys, "GetItem": weight, "Query": weight}.get(model.name, 0)

    events = world.catalogue.slides.meta.client.meta.events
    events.register("before-call.dynamodb", count)
    try:
        request = world.scan(generated, "a.svs")
        for step in ("transfer", "import", "imported"):
            world.call(request)
            world.datasync.proceed()
            if step == "import":
                step = "workflow"
                world.workflow.proceed()
    finally:
        events.unregister("before-call.dynamodb", count)
    calls = [read[step] for step in ("transfer", "import", "imported")]
    assert 0 < min(calls) <= max(calls) <= model.CALL_READ_UNITS
    assert model.IMPORT_READ_UNITS / 2 < read["workflow"] <= model.IMPORT_READ_UNITS


def test_small_files_cost_more_in_a_cold_class_than_their_bytes():
    # 128 KiB are billed for each tile: colder is not a twentieth of the price, as for slide files.
    assert model.kept("slide", "efs-ia") < model.kept("slide", "efs") / 15
    assert model.kept("all", "efs-ia") > model.kept("all", "efs") / 2
