"""What `make deploy` does to a stack, with the SAM CLI itself: a small one with main's outputs."""

import pytest

from deployment import account, deploy
from deployment.deploy import Deployment, Request
from local import settings

pytestmark = pytest.mark.stack

VIEWER = "https://d111111abcdef8.cloudfront.net/"
TEMPLATE = f"""
Parameters:
  ViewerUrl: {{Type: String, Default: ""}}
  PythonRuntime: {{Type: String, Default: ""}}
  ImportConcurrency: {{Type: Number, Default: 10}}
  SourceFolder: {{Type: String, Default: /scans}}
  CdrUrl: {{Type: String, Default: unset}}
  CdrCredentials: {{Type: String, Default: "", NoEcho: true}}
Resources:
  PageBucket:
    Type: AWS::S3::Bucket
    Properties: {{Tags: [{{Key: Viewer, Value: !Sub "${{ViewerUrl}} ${{SourceFolder}}"}}]}}
Outputs:
  ViewerUrl: {{Value: {VIEWER}}}
  PageBucketName: {{Value: !Ref PageBucket}}
  PageConfig: {{Value: '{{"apiUrl": ""}}'}}
"""
GIVEN = {"SourceFolder": "/scans dir", "CdrUrl": "", "CdrCredentials": '{"token": "a$b c"}'}


@pytest.fixture
def aws(stack, monkeypatch):
    for name, value in settings.CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", stack.aws_endpoint_url)
    monkeypatch.setenv("AWS_REGION", settings.REGION)
    monkeypatch.setenv("SAM_CLI_TELEMETRY", "0")
    return account.session()


def test_it_deploys_twice_then_once_and_values_arrive_as_they_are(aws, tmp_path):
    template, built = tmp_path / "main.yaml", tmp_path / "dist"
    template.write_text(TEMPLATE)
    built.mkdir()
    (built / "index.html").write_text("<!doctype html>")
    commands = []

    def run(command):
        commands.append(command[:2])
        if command[0] == "sam":
            deploy.run(command)

    def deployed(**given: str) -> list[dict]:
        deployment = Deployment(
            Request("vsv-make-deploy", given),
            aws,
            template=template,
            built_pages=built,
            run=run,
            fetch={VIEWER: 200, f"{VIEWER}DeepZoom/none.dzi": 403}.get,
            poll_s=0.5,
        )
        deployment.deploy()
        return aws.client("cloudformation").describe_stacks(StackName="vsv-make-deploy")["Stacks"]

    try:
        (stack,) = deployed(**GIVEN)
        found = {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}
        assert found["SourceFolder"] == "/scans dir"
        assert found["CdrUrl"] == ""
        assert found["ViewerUrl"] == VIEWER
        assert commands == [["make", "build"], ["sam", "deploy"], ["sam", "deploy"]]
        outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
        pages = aws.client("s3").list_objects_v2(Bucket=outputs["PageBucketName"])["Contents"]
        assert {each["Key"] for each in pages} == {"config.json", "index.html"}

        commands.clear()
        (stack,) = deployed(SourceFolder="/other")
        found = {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}
        assert (found["SourceFolder"], found["ViewerUrl"]) == ("/other", VIEWER)
        assert found["CdrUrl"] == "", "what is left out keeps its value"
        assert commands == [["make", "build"], ["sam", "deploy"]]
    finally:
        aws.client("cloudformation").delete_stack(StackName="vsv-make-deploy")
