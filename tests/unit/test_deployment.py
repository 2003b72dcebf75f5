"""`make deploy`: what it tells SAM, in which order, and how it goes on after a failure."""

import json
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from samcli.cli.context import Context
from samcli.commands.deploy.command import cli as sam_deploy

from deployment import account, deploy, pages
from deployment.deploy import Deployment, Request
from deployment.errors import DeploymentError
from tests.conftest import ROOT
from tests.sam_speed import read_templates_once

read_templates_once()

VIEWER = "https://d111111abcdef8.cloudfront.net/"

OUTPUTS = {
    "ViewerUrl": VIEWER,
    "PageBucketName": "pages",
    "PageConfig": '{"apiUrl": "", "scope": "openid"}',
}


def refused(code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Operation")


# ─── An account ──────────────────────────────────────────────────────────────────────────────────


class Pages:
    def __init__(self, *found):
        self._found = found

    def paginate(self, **_):
        return list(self._found)


class CloudFormation:
    """A stack that is what the last deployment left."""

    def __init__(self):
        self.status = ""
        self.parameters = {}
        self.events = {}
        self.calls = []
        self.then = {}  # by status, the one that follows when it is asked for next

    def describe_stacks(self, StackName):
        if not self.status:
            raise refused("ValidationError", f"Stack with id {StackName} does not exist")
        status = self.status
        self.status = self.then.pop(status, status)
        pairs = self.parameters.items()
        outputs = OUTPUTS.items() if status.endswith("_COMPLETE") else []
        return {
            "Stacks": [
                {
                    "StackStatus": status,
                    "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in pairs],
                    "Outputs": [{"OutputKey": k, "OutputValue": v} for k, v in outputs],
                }
            ]
        }

    def delete_stack(self, StackName):
        self.calls.append("delete")
        self.status, self.then = "DELETE_IN_PROGRESS", {"DELETE_IN_PROGRESS": ""}
        self.parameters = {}

    def continue_update_rollback(self, StackName):
        self.calls.append("continue")
        self.status = "UPDATE_ROLLBACK_COMPLETE"

    def get_paginator(self, name):
        assert name == "describe_stack_events"
        events = self.events

        class Events:
            def paginate(self, StackName):
                return [{"StackEvents": events.get(StackName, [])}]

        return Events()


class CloudFront:
    def __init__(self):
        self.distributions = []
        self.refusal = None

    def get_paginator(self, name):
        return Pages({"DistributionList": {"Items": self.distributions}})

    def create_distribution(self, DistributionConfig):
        if self.refusal:
            raise self.refusal
        assert not DistributionConfig["Enabled"]
        comment = DistributionConfig["Comment"]
        self.distributions.append({"Id": "E1", "Comment": comment, "Status": "InProgress"})

    def get_distribution(self, Id):
        return {"ETag": "tag"}

    def delete_distribution(self, Id, IfMatch):
        self.distributions = [each for each in self.distributions if each["Id"] != Id]


class S3:
    def __init__(self):
        self.objects = {"old.js": {}}
        self.order = []

    def put_object(self, Bucket, Key, **what):
        assert Bucket == "pages"
        self.objects[Key] = what
        self.order.append(Key)

    def delete_object(self, Bucket, Key):
        del self.objects[Key]

    def get_paginator(self, name):
        return Pages({"Contents": [{"Key": key} for key in self.objects]})


class Sts:
    refusal = None

    def get_caller_identity(self):
        if self.refusal:
            raise self.refusal
        return {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/ops"}


class Lambda:
    limit = 1000

    def get_account_settings(self):
        return {"AccountLimit": {"ConcurrentExecutions": self.limit}}


class Ec2:
    opt_in = "opt-in-not-required"

    def describe_regions(self, RegionNames):
        return {"Regions": [{"RegionName": RegionNames[0], "OptInStatus": self.opt_in}]}


class Aws:
    region_name = "eu-central-1"

    def __init__(self):
        self.cloudformation, self.cloudfront = CloudFormation(), CloudFront()
        self.sts, self.s3 = Sts(), S3()
        self.by_name = {"lambda": Lambda(), "ec2": Ec2()}

    def client(self, name):
        return self.by_name.get(name) or getattr(self, name)


class Sam:
    """Stands in for the programs; SAM's own parser reads what SAM is told."""

    def __init__(self, cloudformation):
        self.cloudformation = cloudformation
        self.deployed = []
        self.builds = 0
        self.fail = None

    def __call__(self, command):
        if command == ["make", "build"]:
            self.builds += 1
            return
        assert command[:2] == ["sam", "deploy"]
        told = sam_deploy.make_context("deploy", list(command[2:]), obj=Context()).params
        assert told["resolve_s3"]
        assert told["capabilities"]
        assert not told["fail_on_empty_changeset"]
        self.deployed.append(told)
        if self.fail:
            failure, self.fail = self.fail, None
            failure()
            raise DeploymentError("sam deploy failed: see above")
        self.cloudformation.parameters |= told["parameter_overrides"]
        self.cloudformation.status = "UPDATE_COMPLETE"


@pytest.fixture
def aws():
    return Aws()


@pytest.fixture
def sam(aws):
    return Sam(aws.cloudformation)


@pytest.fixture
def run_deploy(aws, sam, tmp_path, monkeypatch):
    """Deploys with layers for a Python that Lambda has, and returns what was said."""
    monkeypatch.setattr(deploy, "_RUNTIME", "python3.13")
    folder = tmp_path / "dist"
    for name in ("index.html", "app.js", "osd/osd.js", ".built", "config.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)

    def run(stack="vsv-prod", answers=None, **values):
        said = []
        answers = answers or {VIEWER: 200, f"{VIEWER}DeepZoom/none.dzi": 403}
        Deployment(
            Request(stack, values),
            aws,
            built_pages=folder,
            run=sam,
            fetch=answers.get,
            say=said.append,
            poll_s=0,
        ).deploy()
        return "\n".join(said)

    return run


# ─── Deploying ───────────────────────────────────────────────────────────────────────────────────


def overrides(sam):
    return [each["parameter_overrides"] for each in sam.deployed]


def test_the_first_time_it_deploys_twice_and_protects_only_then(run_deploy, sam):
    said = run_deploy(CdrUrl="https://cdr.example.org", CdrCredentials='{"token": "a b"}')
    first, second = overrides(sam)
    assert first == {
        "CdrUrl": "https://cdr.example.org",
        "CdrCredentials": '{"token": "a b"}',
        "PythonRuntime": deploy._RUNTIME,
    }
    assert second == {"ViewerUrl": VIEWER}
    assert [each["config_env"] for each in sam.deployed] == ["prod", "prod"]
    assert said.endswith(f"Ready: {VIEWER}")
    assert "token" not in said


def test_again_it_deploys_once_and_keeps_the_address(run_deploy, sam):
    run_deploy()
    sam.deployed.clear()
    assert "done already" in run_deploy(JpegQuality="80")
    (only,) = overrides(sam)
    assert only == {"JpegQuality": "80", "ViewerUrl": VIEWER, "PythonRuntime": deploy._RUNTIME}
    assert sam.builds == 2


def test_an_address_that_is_given_waits_for_the_second_deployment_too(run_deploy, sam):
    """Else the first one would be protected."""
    run_deploy(ViewerUrl="https://slides.example.org/")
    first, second = overrides(sam)
    assert "ViewerUrl" not in first
    assert second == {"ViewerUrl": "https://slides.example.org/"}


def test_parameters_of_samconfig_hold_and_those_of_the_command_before_them(run_deploy, sam):
    run_deploy("vsv-dev", LogRetentionDays="7")
    first = overrides(sam)[0]
    assert first["StageName"] == "dev"
    assert first["LogRetentionDays"] == "7"


def test_a_first_deployment_that_failed_is_deleted_and_tried_again(run_deploy, sam, aws):
    def fails():
        aws.cloudformation.status = "ROLLBACK_COMPLETE"

    sam.fail = fails
    with pytest.raises(DeploymentError):
        run_deploy()
    assert aws.s3.order == []
    run_deploy()
    assert aws.cloudformation.calls == ["delete"]
    assert len(sam.deployed) == 3


def test_a_second_deployment_that_failed_is_made_up_for(run_deploy, sam, aws):
    run_deploy()
    aws.cloudformation.parameters["ViewerUrl"] = ""
    aws.cloudformation.status = "UPDATE_ROLLBACK_COMPLETE"
    run_deploy()
    assert aws.cloudformation.parameters["ViewerUrl"] == VIEWER


def test_an_update_that_could_not_be_undone_is_undone(run_deploy, sam, aws):
    run_deploy()
    aws.cloudformation.status = "UPDATE_ROLLBACK_FAILED"
    run_deploy()
    assert aws.cloudformation.calls == ["continue"]


def test_what_runs_is_waited_for(run_deploy, aws, sam):
    run_deploy()
    aws.cloudformation.status = "UPDATE_IN_PROGRESS"
    aws.cloudformation.then = {"UPDATE_IN_PROGRESS": "UPDATE_COMPLETE"}
    run_deploy()
    aws.cloudformation.status = "UPDATE_IN_PROGRESS"
    aws.cloudformation.then = {"UPDATE_IN_PROGRESS": "UPDATE_COMPLETE"}
    assert "Ready" in run_deploy()


def test_a_stack_whose_deletion_failed_is_left_to_a_person(run_deploy, aws, sam):
    """It may hold slides."""
    run_deploy()
    sam.deployed.clear()
    aws.cloudformation.status = "DELETE_FAILED"
    with pytest.raises(DeploymentError, match=r"DELETE_FAILED: see docs/runbook\.md"):
        run_deploy()
    assert sam.deployed == []


def test_the_reason_is_that_of_the_nested_stack(run_deploy, sam, aws):
    def event(name, status, reason="", child="x"):
        return {
            "StackId": "s",
            "LogicalResourceId": name,
            "PhysicalResourceId": child,
            "ResourceType": "AWS::CloudFormation::Stack" if child == "web" else "AWS::X::Y",
            "ResourceStatus": status,
            "ResourceStatusReason": reason,
            "Timestamp": datetime.now(UTC),
        }

    def fails():
        aws.cloudformation.events = {
            "vsv-prod": [
                event("Web", "CREATE_FAILED", "Embedded stack web was not created", "web"),
                event("Db", "CREATE_FAILED", "Resource creation cancelled"),
            ],
            "web": [
                event("Distribution", "CREATE_FAILED", "no more distributions"),
                event("Old", "CREATE_FAILED", "long ago")
                | {"Timestamp": datetime(2020, 1, 1, tzinfo=UTC)},
            ],
        }

    sam.fail = fails
    with pytest.raises(DeploymentError) as failed:
        run_deploy()
    assert str(failed.value).splitlines()[1:] == [
        "  Web/Distribution (AWS::X::Y): no more distributions"
    ]


def test_pages_come_with_their_types_and_the_first_page_last(run_deploy, aws):
    run_deploy()
    assert aws.s3.order == ["config.json", "app.js", "osd/osd.js", "index.html"]
    assert set(aws.s3.objects) == set(aws.s3.order)
    assert json.loads(aws.s3.objects["config.json"]["Body"]) == json.loads(OUTPUTS["PageConfig"])
    assert aws.s3.objects["app.js"]["ContentType"] == "text/javascript"


@pytest.mark.parametrize("name", ["app.js", ""])
def test_a_logo_among_the_pages_is_uploaded_with_them(run_deploy, aws, monkeypatch, name):
    monkeypatch.setitem(OUTPUTS, "PageConfig", json.dumps({"logo": name}))
    run_deploy()
    assert json.loads(aws.s3.objects["config.json"]["Body"]) == {"logo": name}


def test_a_logo_that_is_not_there_is_named_before_anything_is_uploaded(
    run_deploy, aws, monkeypatch
):
    monkeypatch.setitem(OUTPUTS, "PageConfig", json.dumps({"logo": "laboratory/logo.svg"}))
    with pytest.raises(DeploymentError, match=r"there is no web/laboratory/logo\.svg"):
        run_deploy()
    assert aws.s3.order == []


def test_every_file_of_the_pages_has_a_type():
    built = ROOT / "web" / "dist"
    assert (built / "index.html").exists()
    assert {path.suffix for _, path in pages._files(built)} <= set(pages.TYPES)


def test_a_viewer_that_does_not_answer_is_told(run_deploy):
    with pytest.raises(DeploymentError, match=r"none\.dzi answers 200, not 403"):
        run_deploy(answers={VIEWER: 200, f"{VIEWER}DeepZoom/none.dzi": 200})
    with pytest.raises(DeploymentError, match="answers nothing, not 200"):
        run_deploy(answers={VIEWER: 0})


# ─── What an account lacks ───────────────────────────────────────────────────────────────────────


def test_without_credentials_nothing_is_built(run_deploy, aws, sam):
    aws.sts.refusal = NoCredentialsError()
    with pytest.raises(DeploymentError, match="aws configure"):
        run_deploy()
    assert not sam.builds


def test_without_a_region_it_says_so(monkeypatch, tmp_path):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(DeploymentError, match="AWS_REGION"):
        account.session()


def test_an_account_that_may_have_no_distribution_is_told_before_the_build(run_deploy, aws, sam):
    message = "Your account must be verified before you can add new CloudFront resources."
    aws.cloudfront.refusal = refused("AccessDenied", message)
    with pytest.raises(DeploymentError, match="AWS Support"):
        run_deploy()
    assert not sam.builds


def test_the_trial_of_the_account_is_deleted_once_cloudfront_lets_go_of_it(run_deploy, aws):
    assert "a distribution was made" in run_deploy()
    (trial,) = aws.cloudfront.distributions
    assert "a distribution was made" in run_deploy()
    trial["Status"] = "Deployed"
    run_deploy()
    assert aws.cloudfront.distributions == []


def test_an_account_with_a_distribution_needs_no_trial(run_deploy, aws):
    aws.cloudfront.distributions = [{"Id": "E2", "Comment": "other", "Status": "Deployed"}]
    run_deploy()
    assert [each["Id"] for each in aws.cloudfront.distributions] == ["E2"]


@pytest.mark.parametrize(("limit", "expected"), [(10, "2"), (4, "1"), (40, "8"), (999, "10")])
def test_an_import_leaves_a_new_account_to_those_who_look(run_deploy, aws, sam, limit, expected):
    aws.by_name["lambda"].limit = limit
    assert "request-service-quota-increase" in run_deploy()
    assert overrides(sam)[0]["ImportConcurrency"] == expected
    run_deploy(ImportConcurrency="3")
    assert overrides(sam)[-1]["ImportConcurrency"] == "3"


def test_reservations_that_lambda_would_refuse_are_told(run_deploy, aws):
    aws.by_name["lambda"].limit = 110
    with pytest.raises(DeploymentError, match="RenderConcurrency"):
        run_deploy(RenderConcurrency="11")


def test_another_python_than_the_layers_is_refused(run_deploy):
    with pytest.raises(DeploymentError, match="layers"):
        run_deploy(PythonRuntime="python3.12")


def test_a_python_that_lambda_cannot_run_is_told_before_the_build(run_deploy, sam, monkeypatch):
    monkeypatch.setattr(deploy, "_RUNTIME", "python3.11")
    with pytest.raises(DeploymentError, match="took Python 3.11, .*setup PYTHON=python3.13"):
        run_deploy()
    assert (sam.builds, sam.deployed) == (0, [])


def test_where_cloudfront_writes_no_log_there_is_none(run_deploy, aws, sam):
    aws.by_name["ec2"].opt_in = "opted-in"
    assert "ViewerLogDays=0" in run_deploy()
    assert overrides(sam)[0]["ViewerLogDays"] == "0"
    with pytest.raises(DeploymentError, match="ViewerLogDays=30, but CloudFront writes"):
        run_deploy(ViewerLogDays="30")
    assert sam.builds == 1


def test_other_regions_keep_the_log(run_deploy, sam):
    run_deploy()
    assert "ViewerLogDays" not in overrides(sam)[0]
