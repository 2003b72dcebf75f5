"""What the deployment takes as the scanner's folder is what DataSync takes, and no more.

Else a deployment fails after a quarter of an hour, or refuses a folder that there is.
"""

import re

import botocore.session
import pytest

from tests.conftest import ROOT, load_template

# A parameter of both templates, DataSync's name for what it is, and values worth a thought.
VALUES = {
    ("SourceHost", "ServerHostname"): [
        *("scanner", "192.0.2.20", "scanner-1.lab.example.org", "2001:db8::20", "3"),
        *("scan_ner", "-", "scanner.", "", r"\\scanner", "scanner/scans"),
    ],
    ("SourceFolder", "SmbSubdirectory"): [
        *("/scans", "/data/New Scans (2)/a+b_c.d-e", "/c$/scans"),
        *("/Größe", r"\scans", "/scans;", "/a:b"),
    ],
    ("SmbUser", "SmbUser"): ["svc-datasync", "svc_datasync$", "größe", r"LAB\svc", "a" * 105],
    ("SmbDomain", "SmbDomain"): ["LAB", "lab.example.org", "a--b", "-lab", "lab.", "a..b", "a_b"],
    ("DataSyncAgentArn", "AgentArn"): [
        "arn:aws:datasync:eu-central-1:123456789012:agent/agent-0b0addbeef44bxyz3",
        "arn:aws-us-gov:datasync:us-gov-west-1:123456789012:agent/agent-0b0addbeef44baca3",
        "arn:aws:datasync:eu-central-1:123456789012:agent/agent-0b0addbeef",
        "arn:aws:datasync:eu-central-1:123456789012:location/loc-0b0addbeef44baca3",
    ],
    ("SourceLocationArn", "LocationArn"): [
        "arn:aws:datasync:eu-central-1:123456789012:location/loc-0b0addbeef44bxyz3",
        "arn:aws-cn:datasync:cn-north-1:123456789012:location/loc-0b0addbeef44baca3",
        "arn:aws:datasync:eu-central-1:123456789012:location/loc-0b0addbeef",
        "arn:aws:datasync:eu-central-1:123456789012:agent/agent-0b0addbeef44baca3",
    ],
}


@pytest.fixture(scope="module")
def api():
    return botocore.session.get_session().get_service_model("datasync")


def takes(limits, pattern, value) -> bool:
    longest = limits.get("MaxLength", limits.get("max", len(value)))
    return len(value) <= int(longest) and bool(re.fullmatch(pattern, value))


@pytest.mark.parametrize("template", ["main", "templates/datasync"])
@pytest.mark.parametrize(("parameter", "shape"), VALUES)
def test_what_datasync_takes_is_what_the_parameter_takes(api, template, parameter, shape):
    parameters = load_template(ROOT / f"{template}.template.yaml")["Parameters"]
    names = {"DataSyncAgentArn": "AgentArn"} if template != "main" else {}
    ours = parameters[names.get(parameter, parameter)]
    theirs = api.shape_for(shape).metadata
    # Java's class of all blanks; ours is the one that there is on Windows.
    pattern = theirs["pattern"].replace(r"\p{Zs}", " ")
    for value in filter(None, VALUES[parameter, shape]):
        assert takes(ours, ours["AllowedPattern"], value) == takes(theirs, pattern, value), value
