"""main.template.yaml, packaged by the SAM CLI and deployed whole.

The emulator applies SAM's transform to no nested template; it is applied here, by SAM's own
translator. Types of resources that the emulator lacks have a parameter of SSM in their place. It
is made only: what the emulator does when it changes or deletes nested stacks is not what AWS does.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from samcli.yamlhelper import yaml_parse

from local import settings
from tests.cloudformation import expanded
from tests.conftest import ROOT, load_template

pytestmark = pytest.mark.stack

BUCKET = "vsv-local-artifacts"
STACK = "vsv-whole"
GIVEN = {
    "StageName": "whole",
    # The emulator runs functions by its own interpreter, whatever is said here.
    "PythonRuntime": "python3.13",
    # CodeDeploy is not there.
    "GradualDeployment": "false",
    "AlarmEmail": "ops@example.org",
    "DeletionProtection": "false",
    "LaboratoryName": "Pathologie <b>Süd</b> & Söhne",
    "LaboratoryLogo": "laboratory/logo.svg",
    "Banner": "Research use only",
}
MISSING = {
    "AWS::CloudFront::KeyGroup",
    "AWS::CloudFront::PublicKey",
    "AWS::EC2::SecurityGroupIngress",
}
STAND_IN = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "–"}}


def prepared(template: dict, given: dict) -> dict:
    """Return a nested template as the emulator takes it."""
    if "Transform" in template:
        template = expanded(template, given)
    if "RealtimeUrl" in template.get("Outputs", {}):
        # The emulator's AppSync has no attribute of that name.
        template["Outputs"]["RealtimeUrl"]["Value"] = {"Fn::Sub": "wss://${Api.ApiId}/graphql"}
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in resource["Properties"]:
            # The emulator knows no alarms over several metrics.
            del resource["Properties"]["Metrics"]
            resource["Properties"] |= {"Namespace": "AWS/Lambda", "MetricName": "Errors"}
        if resource["Type"] in MISSING:
            condition = {key: resource[key] for key in ("Condition",) if key in resource}
            template["Resources"][name] = STAND_IN | condition
    return template


@pytest.fixture(scope="module")
def template(stack, monkeypatch_module, tmp_path_factory) -> str:
    """Return the main template, packaged; the nested ones lie in the bucket."""
    folder = ROOT / ".local" / "whole"
    folder.mkdir(exist_ok=True)
    for name in ("functions", "graphql", "templates"):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(ROOT / name)
    main = (ROOT / "main.template.yaml").read_text()
    built = ROOT / ".local" / "sam" / "build" / "template.yaml"
    (folder / "main.yaml").write_text(main.replace(".aws-sam/build/template.yaml", str(built)))
    packaged = folder / "packaged.yaml"
    subprocess.run(
        [
            *(Path(sys.executable).with_name("sam"), "package", "--config-env", "local"),
            *("--template-file", folder / "main.yaml", "--output-template-file", packaged),
            *("--s3-bucket", BUCKET, "--s3-prefix", STACK, "--no-progressbar"),
        ],
        cwd=ROOT,
        check=True,
    )
    s3 = stack.client("s3")
    whole = yaml_parse(packaged.read_text())
    for resource in whole["Resources"].values():
        address = resource["Properties"]["TemplateURL"]
        key = address[address.index(f"{STACK}/") :]
        nested = yaml_parse(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode())
        given = {name: GIVEN[name] for name in nested.get("Parameters", {}) if name in GIVEN}
        body = json.dumps(prepared(nested, given), default=str)
        s3.put_object(Bucket=BUCKET, Key=f"{key}.expanded", Body=body.encode())
        resource["Properties"]["TemplateURL"] = f"{address}.expanded"
    return json.dumps(whole, default=str)


@pytest.fixture(scope="module")
def monkeypatch_module(stack):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.CREDENTIALS.items():
            patch.setenv(name, value)
        patch.setenv("AWS_ENDPOINT_URL", stack.aws_endpoint_url)
        patch.setenv("SAM_CLI_TELEMETRY", "0")
        yield patch


@pytest.fixture(scope="module")
def cloudformation(stack, template):
    client = stack.client("cloudformation")
    yield client
    client.delete_stack(StackName=STACK)


def settled(cloudformation) -> dict:
    """Return the stack once it stands still, and why it failed if it did."""
    while True:
        (found,) = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
        if not found["StackStatus"].endswith("IN_PROGRESS"):
            break
        time.sleep(0.5)
    if not found["StackStatus"].endswith("E_COMPLETE") or "ROLLBACK" in found["StackStatus"]:
        for each in cloudformation.describe_stacks()["Stacks"]:
            events = cloudformation.describe_stack_events(StackName=each["StackName"])
            failed = [e for e in events["StackEvents"] if "FAILED" in e["ResourceStatus"]]
            for event in failed:
                print(event["LogicalResourceId"], event.get("ResourceStatusReason"))
    return found


def test_it_is_made_and_tells_what_the_documentation_says(stack, cloudformation, template):
    cloudformation.create_stack(
        StackName=STACK,
        TemplateBody=template,
        Parameters=[
            {"ParameterKey": name, "ParameterValue": value} for name, value in GIVEN.items()
        ],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    found = settled(cloudformation)
    assert found["StackStatus"] == "CREATE_COMPLETE"
    outputs = {each["OutputKey"]: each["OutputValue"] for each in found["Outputs"]}
    promised = load_template(ROOT / "main.template.yaml")["Outputs"]
    unconditional = {name for name, each in promised.items() if "Condition" not in each}
    assert set(outputs) >= unconditional
    assert all(outputs[name] for name in unconditional)
    assert outputs["ApiUrl"] == f"{outputs['ViewerUrl']}whole"
    config = json.loads(outputs["PageConfig"])
    assert all(value for name, value in config.items() if name != "apiUrl")
    shown = {"laboratory": "LaboratoryName", "logo": "LaboratoryLogo", "banner": "Banner"}
    assert all(config[name] == GIVEN[parameter] for name, parameter in shown.items())

    # The custom resource has really looked up what is in the rule.
    ec2 = stack.client("ec2")
    known = {
        each["PrefixListId"]: each["PrefixListName"]
        for each in ec2.describe_managed_prefix_lists()["PrefixLists"]
    }
    groups = ec2.describe_security_groups()["SecurityGroups"]
    (functions,) = [each for each in groups if "FunctionSecurityGroup" in each["GroupName"]]
    lists = [
        known[each["PrefixListId"]]
        for rule in functions["IpPermissionsEgress"]
        for each in rule["PrefixListIds"]
    ]
    assert sorted(name.rpartition(".")[2] for name in lists) == ["dynamodb", "s3"]
    assert not [rule for rule in functions["IpPermissionsEgress"] if rule["IpRanges"]]
