"""TemplateLookup reports to CloudFormation what it found, and that it found nothing."""

import json

import boto3
import pytest
import urllib3
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from tests.handlers import load_handler


@pytest.fixture
def lookup(aws, monkeypatch):
    """Ask as CloudFormation does; what it is told comes back."""
    told = []
    monkeypatch.setattr(
        urllib3.PoolManager, "request", lambda _, method, url, **rest: told.append((url, rest))
    )

    def lookup(kind, request="Create", **properties):
        event = {
            "RequestType": request,
            "ResourceType": f"Custom::{kind}",
            "ResponseURL": "https://cloudformation/answer",
            "StackId": "arn:stack",
            "RequestId": "r-1",
            "LogicalResourceId": "Wanted",
            "ResourceProperties": {"ServiceToken": "arn:function", **properties},
        }
        load_handler("TemplateLookup")(event, None)
        ((url, rest),) = told
        assert url == event["ResponseURL"]
        assert rest["headers"] == {"Content-Type": ""}
        answer = json.loads(rest["body"])
        assert {name: answer[name] for name in ("StackId", "RequestId", "LogicalResourceId")} == {
            name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")
        }
        assert answer["PhysicalResourceId"]
        return answer

    return lookup


@pytest.mark.slow
def test_prefix_lists_of_this_region(lookup):
    answer = lookup("PrefixLists", Services=["s3", "dynamodb"])
    assert answer["Status"] == "SUCCESS"
    described = boto3.client("ec2").describe_managed_prefix_lists(
        PrefixListIds=[answer["Data"]["s3"], answer["Data"]["dynamodb"]]
    )
    names = {each["PrefixListId"]: each["PrefixListName"] for each in described["PrefixLists"]}
    assert {service: names[pl] for service, pl in answer["Data"].items()} == {
        "s3": "com.amazonaws.eu-central-1.s3",
        "dynamodb": "com.amazonaws.eu-central-1.dynamodb",
    }


def test_the_public_half_of_a_key(lookup):
    kms = boto3.client("kms")
    key = kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    pem = lookup("PublicKey", KeyArn=key["Arn"])["Data"]["Pem"]
    assert load_pem_public_key(pem.encode()).key_size == 2048
    assert pem.endswith("-----END PUBLIC KEY-----\n")


@pytest.mark.parametrize(
    ("kind", "properties", "reason"),
    [
        ("PrefixLists", {"Services": ["s3", "moon"]}, "moon"),
        ("PublicKey", {"KeyArn": "arn:aws:kms:eu-central-1:123456789012:key/none"}, "NotFound"),
        ("Unknown", {}, "KeyError"),
    ],
)
def test_what_is_not_there_fails_the_deployment_with_a_reason(lookup, kind, properties, reason):
    answer = lookup(kind, **properties)
    assert answer["Status"] == "FAILED"
    assert reason in answer["Reason"]


def test_there_is_nothing_to_delete(lookup):
    assert lookup("PublicKey", "Delete", KeyArn="gone")["Status"] == "SUCCESS"
