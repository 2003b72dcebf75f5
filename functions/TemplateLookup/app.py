"""Custom resources that look up values for the templates.

``Custom::PrefixLists`` finds the prefix lists of gateway endpoints: for ``Services`` such as
``["s3", "dynamodb"]`` an attribute of each name holds the ID. ``Custom::PublicKey`` reads the
public half of the KMS key ``KeyArn`` into the attribute ``Pem``.

Sources: "Custom resource response objects" in CloudFormation's user guide.
"""

import base64
import json
import textwrap
from collections.abc import Callable, Mapping
from typing import Any, Final

import boto3
import urllib3  # boto3 brings it

Properties = Mapping[str, Any]
Attributes = dict[str, str]

_ANSWER_TIMEOUT_S: Final = 10


def prefix_lists(properties: Properties) -> Attributes:
    """Return the ID of each service's managed prefix list in this region.

    Raises LookupError for a service without one.
    """
    ec2 = boto3.client("ec2")
    region = ec2.meta.region_name
    names = {f"com.amazonaws.{region}.{service}": service for service in properties["Services"]}
    answer = ec2.describe_managed_prefix_lists(
        Filters=[{"Name": "prefix-list-name", "Values": list(names)}]
    )
    found = {names[each["PrefixListName"]]: each["PrefixListId"] for each in answer["PrefixLists"]}
    if missing := set(names.values()) - set(found):
        raise LookupError(f"{region} has no prefix list of {', '.join(sorted(missing))}")
    return found


def public_key(properties: Properties) -> Attributes:
    """Return the public half of a key, in PEM with a final line break."""
    der = boto3.client("kms").get_public_key(KeyId=properties["KeyArn"])["PublicKey"]
    lines = textwrap.wrap(base64.b64encode(der).decode("ascii"), 64)
    pem = ["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""]
    return {"Pem": "\n".join(pem)}


LOOKUPS: Final[Mapping[str, Callable[[Properties], Attributes]]] = {
    "Custom::PrefixLists": prefix_lists,
    "Custom::PublicKey": public_key,
}


def lambda_handler(event: dict[str, Any], context: Any) -> None:
    """Look a value up and report it to CloudFormation, which waits an hour for a report."""
    answer: dict[str, Any] = {
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        # Always the same: another one would mean a replacement to CloudFormation.
        "PhysicalResourceId": event.get("PhysicalResourceId") or event["LogicalResourceId"],
    }
    try:
        if event["RequestType"] != "Delete":
            answer["Data"] = LOOKUPS[event["ResourceType"]](event["ResourceProperties"])
        answer["Status"] = "SUCCESS"
    except Exception as error:  # noqa: BLE001  every failure is reported
        answer |= {"Status": "FAILED", "Reason": f"{type(error).__name__}: {error}"}
    # The address is signed for an empty type.
    urllib3.PoolManager().request(
        "PUT",
        event["ResponseURL"],
        body=json.dumps(answer).encode(),
        headers={"Content-Type": ""},
        timeout=_ANSWER_TIMEOUT_S,
    )
