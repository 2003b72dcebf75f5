"""Alarms, dashboard and runbook agree with each other, and with the metrics that there are."""

import ast
import itertools
import json
import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import NamedTuple

import pytest
from aws_lambda_powertools.metrics.provider.cold_start import reset_cold_start_flag

from lint.markdown import Document
from lint.template import text
from tests.conftest import ROOT, load_template
from vsv import logs
from vsv.imports.request import ImportState

OPS = load_template(ROOT / "templates" / "ops.template.yaml")
FUNC = load_template(ROOT / "func.template.yaml")
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
ANCHORS = Document("docs/runbook.md", RUNBOOK, ROOT / "docs").anchors
OURS = "VirtualSlideViewer"


def alarms(template: dict) -> dict[str, dict]:
    """Return the properties of a template's alarms, by their names without the deployment's."""
    return {
        name.removesuffix("Alarm"): resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }


ALARMS = alarms(OPS)

# ─── Metrics ─────────────────────────────────────────────────────────────────────────────────────

# What AWS emits, of what is used here: by namespace and dimensions. From the services' own pages on
# their CloudWatch metrics.
_FUNCTION = (
    "Duration Errors Throttles ConcurrentExecutions IteratorAge "
    "UrlRequestCount Url4xxCount Url5xxCount"
)
_EXECUTIONS = "Started Succeeded Failed TimedOut Aborted"
_IO = "DataReadIOBytes DataWriteIOBytes MeteredIOBytes"
AWS = {
    ("AWS/Lambda", "FunctionName"): _FUNCTION,
    ("AWS/Lambda",): "ConcurrentExecutions ClaimedAccountConcurrency",
    ("AWS/States", "StateMachineArn"): "ExecutionTime ExecutionThrottled "
    + " ".join(f"Executions{each}" for each in _EXECUTIONS.split()),
    ("AWS/ApiGateway", "ApiName", "Stage"): "Count 4XXError 5XXError Latency",
    ("AWS/AppSync", "GraphQLAPIId"): "4XXError 5XXError Latency",
    ("AWS/CloudFront", "DistributionId", "Region"): "Requests 4xxErrorRate 5xxErrorRate",
    ("AWS/SQS", "QueueName"): "ApproximateNumberOfMessagesVisible",
    ("AWS/DynamoDB", "TableName"): "ConsumedReadCapacityUnits ConsumedWriteCapacityUnits",
    ("AWS/DynamoDB", "Operation", "TableName"): "ThrottledRequests",
    ("AWS/EFS", "FileSystemId"): f"{_IO} PercentIOLimit PermittedThroughput ClientConnections",
    ("AWS/EFS", "FileSystemId", "StorageClass"): "StorageBytes",
    ("AWS/S3", "BucketName", "StorageType"): "BucketSizeBytes",
}


class Metric(NamedTuple):
    """A metric, with the sorted names of its dimensions."""

    namespace: str
    name: str
    dimensions: tuple[str, ...]


def counted() -> set[str]:
    """Return the names of all metrics that the code counts; of composed names, the beginning."""
    found = set()
    for folder in ("functions", "layers/vsv/vsv"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                match node:
                    case ast.Call(ast.Name("count"), [ast.Constant(str(name))]):
                        found.add(name)
                    case ast.Call(ast.Name("count"), [ast.JoinedStr([ast.Constant(start), *_])]):
                        found.add(f"{start}…")
    return found


def emitted(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """Return what a function prints at its first call, if it counts an ``Event``."""
    monkeypatch.setattr(logs._metrics, "service", "POWERTOOLS_SERVICE_NAME")
    reset_cold_start_flag()
    context = SimpleNamespace(
        function_name="f", invoked_function_arn="a", memory_limit_in_mb=1, aws_request_id="r"
    )
    logs.observed(lambda *_: logs.count("Event"))({}, context)
    lines = [line for line in capsys.readouterr().out.splitlines() if "CloudWatchMetrics" in line]
    return [each for line in lines for each in json.loads(line)["_aws"]["CloudWatchMetrics"]]


def alarm_metrics(alarm: dict) -> Iterator[Metric]:
    for each in alarm.get("Metrics", [{"MetricStat": {"Metric": alarm}}]):
        if "MetricStat" in each:
            metric = each["MetricStat"]["Metric"]
            names = sorted(dimension["Name"] for dimension in metric.get("Dimensions", []))
            yield Metric(metric["Namespace"], metric["MetricName"], tuple(names))


def widget_metrics(widget: dict) -> Iterator[Metric]:
    before: list[str] = []
    for entry in widget["properties"].get("metrics", []):
        plain = [part for part in entry if isinstance(part, str)]
        if not plain:
            # SEARCH('{Namespace,Dimension,…} MetricName="…" …', …)
            found = re.findall(r'\{([^}]+)\} MetricName="(\w+)"', entry[0]["expression"])
            for schema, name in found:
                namespace, *names = schema.split(",")
                yield Metric(namespace, name, tuple(sorted(names)))
            # Whether CloudWatch looks past it for what "." repeats, nobody says.
            before = []
            continue
        plain = [before[index] if part == "." else part for index, part in enumerate(plain)]
        before = plain
        yield Metric(plain[0], plain[1], tuple(sorted(plain[2::2])))


# ─── Dashboard ───────────────────────────────────────────────────────────────────────────────────


def dashboard(**conditions: bool) -> dict:
    """Return the dashboard's body, where these conditions hold and others do not."""

    def sub(template: str, values: dict) -> str:
        return re.sub(r"\$\{([\w:.]+)\}", lambda m: values.get(m[1], f"<{m[1]}>"), template)

    def of(value: object) -> str:
        match value:
            case {"Fn::If": [condition, then, otherwise]}:
                return of(then if conditions.get(condition) else otherwise)
            case {"Fn::Sub": str(template)}:
                return sub(template, {})
        return str(value)

    body, values = OPS["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    known = {*OPS["Parameters"], *OPS["Resources"], *values}
    for name in re.findall(r"\$\{([\w:]+)", body):
        assert name in known or name.startswith("AWS::"), name
    return json.loads(sub(body, {name: of(value) for name, value in values.items()}))


CONDITIONS = OPS["Conditions"]
EVERYWHERE = dashboard(**dict.fromkeys(CONDITIONS, True))


@pytest.mark.parametrize("lacking", [(), *itertools.combinations(CONDITIONS, 1), CONDITIONS])
def test_the_dashboard_is_json_and_no_widget_lies_over_another(lacking):
    body = dashboard(**{name: name not in lacking for name in CONDITIONS})
    taken: set[tuple[int, int]] = set()
    for widget in body["widgets"]:
        columns = range(widget["x"], widget["x"] + widget["width"])
        rows = range(widget["y"], widget["y"] + widget["height"])
        place = set(itertools.product(columns, rows))
        assert columns.stop <= 24
        assert not place & taken, widget["properties"]
        taken |= place
    assert len(taken) == 24 * (1 + max(row for _, row in taken)), "there are holes"


@pytest.mark.parametrize("holding", [True, False])
def test_the_dashboard_shows_all_alarms_that_there_are(holding):
    body = dashboard(**dict.fromkeys(CONDITIONS, holding))
    (widget,) = (each for each in body["widgets"] if each["type"] == "alarm")
    shown = {re.fullmatch(r"<(\w+)Alarm\.Arn>", arn)[1] for arn in widget["properties"]["alarms"]}
    there = {n for n in ALARMS if holding or "Condition" not in OPS["Resources"][f"{n}Alarm"]}
    assert shown == there


def test_the_dashboard_tells_all_that_the_workstation_may_be_told():
    shown = {metric.name for widget in EVERYWHERE["widgets"] for metric in widget_metrics(widget)}
    told = {name for name in shown if name.startswith("ImportSlide")}
    assert told == {f"ImportSlide{state.value.title()}" for state in ImportState}


def test_queries_ask_the_functions_log_for_what_they_write():
    group = text(FUNC["Resources"]["FunctionLogs"]["Properties"]["LogGroupName"])
    wanted = group.replace("${StageName}", "<StageName>")
    queries = [
        each["properties"]["query"] for each in EVERYWHERE["widgets"] if each["type"] == "log"
    ]
    assert len(queries) == 2
    for query in queries:
        assert query.startswith(f"SOURCE '{wanted}' | ")
    (message,) = re.findall(r'message = "([^"]+)"', " ".join(queries))
    assert f'"{message}", kind=' in (ROOT / "functions" / "FailImport" / "app.py").read_text()


# ─── Both ────────────────────────────────────────────────────────────────────────────────────────


def test_every_metric_is_one_that_is_emitted(capsys, monkeypatch):
    used = {each for alarm in ALARMS.values() for each in alarm_metrics(alarm)}
    used |= {each for widget in EVERYWHERE["widgets"] for each in widget_metrics(widget)}
    sets = {}
    for each in emitted(capsys, monkeypatch):
        (dimensions,), (metric,) = each["Dimensions"], each["Metrics"]
        sets[metric["Name"]] = (each["Namespace"], tuple(sorted(dimensions)))
    names = counted()
    ours = [metric for metric in used if metric.namespace == OURS]
    assert len(ours) > 10
    for metric in used:
        namespace, name, dimensions = metric
        if namespace != OURS:
            assert name in AWS[namespace, *dimensions].split(), metric
            continue
        assert (namespace, dimensions) == sets[name if name in sets else "Event"], metric
        known = name in names | set(sets) or any(
            name.startswith(each.removesuffix("…")) for each in names if each.endswith("…")
        )
        assert known, metric


def test_deployments_side_by_side_do_not_count_together():
    variables = FUNC["Globals"]["Function"]["Environment"]["Variables"]
    service = text(variables["POWERTOOLS_SERVICE_NAME"])
    assert "${StageName}" in service
    for name, alarm in ALARMS.items():
        for dimension in alarm.get("Dimensions", []):
            if dimension["Name"] == "service":
                assert text(dimension["Value"]) == service, name
    body = json.dumps(EVERYWHERE)
    shown = re.findall(r'service(?:", |=.)"(.+?)\\?"', body)
    assert len(shown) == body.count(OURS) > 0
    assert set(shown) == {service.replace("${StageName}", "<StageName>")}


def test_throttles_of_all_that_functions_ask_the_slide_table_are_watched():
    reads = ["get_item", "batch_get_item", "query", "scan"]
    writes = ["put_item", "update_item", "delete_item", "transact_write_items"]
    source = "".join(path.read_text() for path in (ROOT / "layers/vsv/vsv/catalogue").glob("*.py"))
    used = {call for call in reads + writes if f".{call}(" in source}
    watched = {
        dimension["Value"]
        for each in ALARMS["DatabaseThrottles"]["Metrics"]
        if "MetricStat" in each
        for dimension in each["MetricStat"]["Metric"]["Dimensions"]
        if dimension["Name"] == "Operation"
    }
    assert watched == {call.title().replace("_", "") for call in used}


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_notifies_and_says_where_to_read_on(name):
    alarm = ALARMS[name]
    topic = OPS["Outputs"]["AlarmTopicArn"]["Value"]
    assert alarm["AlarmActions"] == alarm["OKActions"] == [topic]
    assert text(alarm["AlarmName"]) == f"vsv-${{StageName}}-{name}"
    says, link = alarm["AlarmDescription"].rsplit(" ", 1)
    assert says.endswith(".")
    assert link == f"docs/runbook.md#{name.lower()}"
    assert link.partition("#")[2] in ANCHORS
    assert alarm["TreatMissingData"] == "notBreaching"


@pytest.mark.parametrize("name", [name for name, alarm in ALARMS.items() if "Metrics" in alarm])
def test_an_alarms_expressions_are_made_of_its_metrics(name):
    entries = ALARMS[name]["Metrics"]
    ids = {each["Id"] for each in entries}
    functions = {"SUM", "MAX", "FILL", "METRICS", "IF", "PERIOD", "SERVICE_QUOTA"}
    for each in entries:
        expression = re.sub(r"\$\{\w+\}", "", text(each.get("Expression", "")))
        assert set(re.findall(r"[A-Za-z_]+", expression)) <= ids | functions
    (result,) = (each for each in entries if each.get("ReturnData", True))
    assert "Expression" in result
    assert sum("MetricStat" in each for each in entries) <= 10, "CloudWatch takes no more"


# ─── Runbook ─────────────────────────────────────────────────────────────────────────────────────


def sections() -> dict[str, str]:
    """Return the runbook's section of each alarm."""
    (part,) = re.findall(r"^## The alarms\n(.*?)^## ", RUNBOOK, re.MULTILINE | re.DOTALL)
    found = re.split(r"^### (\w+)\n", part, flags=re.MULTILINE)[1:]
    return dict(zip(found[::2], found[1::2], strict=True))


def test_every_alarm_has_its_section_and_every_section_its_alarm():
    templates = [ROOT / "func.template.yaml", *(ROOT / "templates").glob("*.template.yaml")]
    assert set(sections()) == {name for path in templates for name in alarms(load_template(path))}


@pytest.mark.parametrize("part", ["Users notice", "Look", "Causes", "Do", "Over when"])
def test_each_section_answers_the_same_questions(part):
    lacking = [name for name, body in sections().items() if f"**{part}.**" not in body]
    assert not lacking


def test_the_first_table_leads_to_every_section():
    (part,) = re.findall(r"^## When an alarm fires\n(.*?)^## ", RUNBOOK, re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^\| \[(\w+)\]\(#(\w+)\) \|", part, re.MULTILINE)
    assert [name for name, _ in rows] == [*sections()]
    assert all(anchor == name.lower() for name, anchor in rows)
