"""Which deployment ``vsv-admin`` works on: a stack, or the file that describes one."""

import json

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.unit.admin.helpers import add
from vsv.admin import deployment, main
from vsv.admin.deployment import Deployment


class FakeCloudFormation:
    """Has one stack, of func.template.yaml: it is told the tables by parameters."""

    def describe_stacks(self, *, StackName):
        if StackName != "vsv-test":
            error = {"Code": "ValidationError", "Message": "Stack does not exist"}
            raise ClientError({"Error": error}, "DescribeStacks")
        parameters = {
            "SlideTableName": "SlideTable",
            "HistoryTableName": "HistoryTable",
            "TermTableName": "TermTable",
            "PyramidStore": "efs",
            "PyramidBucketName": "unused",
        }
        stack = {
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
            "Outputs": [{"OutputKey": "VerifySlideFunctionName", "OutputValue": "VerifySlide"}],
        }
        return {"Stacks": [stack]}


@pytest.fixture
def cloudformation(monkeypatch):
    client = deployment.aws.client
    monkeypatch.setattr(
        deployment.aws,
        "client",
        lambda name: FakeCloudFormation() if name == "cloudformation" else client(name),
    )


def test_a_stack_is_known_by_its_outputs_and_parameters(cloudformation, world, capsys, monkeypatch):
    add(world, "1", ImportStatus="FAILED", ImportError="why")
    for arguments in (("--stack", "vsv-test", "failed"), ("failed", "--stack", "vsv-test")):
        assert main(arguments) == 0
        assert "1.svs: why" in capsys.readouterr().out
    monkeypatch.setenv("VSV_STACK", "vsv-test")
    assert main(["failed", "--region", "eu-central-1"]) == 0
    assert main(["retry", "1"]) == 1
    error = capsys.readouterr().err
    assert (
        error == "vsv-admin: the stack vsv-test has no ImportStateMachineArn; is it up to date?\n"
    )
    found = Deployment.of_stack("vsv-test", None, None)
    assert found.name("VerifySlideFunctionName") == "VerifySlide"
    assert found.pyramid_bucket is None
    assert main(["failed", "--stack", "nowhere"]) == 1
    assert "there is no stack nowhere" in capsys.readouterr().err


def test_the_local_stack_is_asked_by_nobodys_credentials(tmp_path):
    path = tmp_path / "stack.json"
    path.write_text(
        json.dumps(
            {
                "region": "eu-west-1",
                "aws_endpoint_url": "http://localhost:4566",
                "table_name": "slides",
                "history_table_name": "history",
                "term_table_name": "terms",
                "pyramid_bucket": "",
            }
        )
    )
    found = Deployment.of_file(path, None, None)
    table = found.catalogue.slides
    assert (table.name, table.meta.client.meta.endpoint_url) == ("slides", "http://localhost:4566")
    assert table.meta.client.meta.region_name == "eu-west-1"
    assert boto3.DEFAULT_SESSION.get_credentials().access_key == "test"
    assert found.pyramid_bucket is None


@pytest.mark.parametrize("content", ["", "[]", "no JSON"])
def test_what_is_no_stack_file_is_told_in_a_line(tmp_path, capsys, content):
    path = tmp_path / "x.json"
    path.write_text(content)
    assert main(["--stack-file", str(path), "failed"]) == 1
    assert capsys.readouterr().err == f"vsv-admin: {path} is not a stack file\n"
