"""What a new AWS account may lack: credentials, CloudFront, Lambda's concurrency."""

import os
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from deployment.errors import DeploymentError

if TYPE_CHECKING:
    from mypy_boto3_ec2.client import EC2Client
    from mypy_boto3_lambda.client import LambdaClient

# What an account has after its first weeks. A new one may have 10.
FULL_CONCURRENCY: Final = 1000
# Lambda leaves at least this number to functions without a reservation of their own.
UNRESERVED: Final = 100
# As the template's default: calls of RenderTiles that one import makes at once.
_IMPORT_CONCURRENCY: Final = 10
# An import takes at most this part of the account's calls; the rest is for those who look.
_IMPORTS_PART: Final = 5
_TRIAL: Final = "vsv-account-check"


class Account(NamedTuple):
    """Who deploys, and where."""

    number: str
    caller: str
    region: str


def session() -> boto3.Session:
    """Return a session in the region that is set. Raises DeploymentError where none is."""
    try:
        found = boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
    except BotoCoreError as error:
        raise DeploymentError(f"AWS credentials cannot be read: {error}") from error
    if not found.region_name:
        raise DeploymentError("no region is set: export AWS_REGION=eu-central-1, say")
    return found


def identify(aws: boto3.Session) -> Account:
    """Return whose credentials are used. Raises DeploymentError where there are none."""
    try:
        caller = aws.client("sts").get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise DeploymentError(
            f"no AWS credentials that work ({error}). Run `aws configure` or `aws sso login`, or"
            " set AWS_PROFILE; `aws sts get-caller-identity` says whether they do"
        ) from error
    return Account(caller["Account"], caller["Arn"], aws.region_name or "")


def is_opt_in(client: "EC2Client", region: str) -> bool:
    """Tell whether accounts must opt in to the region. Some services leave such regions out."""
    (found,) = client.describe_regions(RegionNames=[region])["Regions"]
    return found.get("OptInStatus", "opt-in-not-required") != "opt-in-not-required"


def concurrency(client: "LambdaClient") -> int:
    """Return how many calls of functions may run at once in this account and region."""
    return client.get_account_settings()["AccountLimit"]["ConcurrentExecutions"]


def import_concurrency(limit: int) -> int:
    """Return how many calls one import may make at once, so that viewers are still answered."""
    return max(1, min(_IMPORT_CONCURRENCY, limit // _IMPORTS_PART))


def check_reservations(limit: int, reserved: int) -> None:
    """Raise DeploymentError where the account has too few calls for what is to be kept free."""
    if reserved and limit - reserved < UNRESERVED:
        raise DeploymentError(
            f"RenderConcurrency and TileProvisionedConcurrency ask for {reserved} calls, but the"
            f" account has {limit}, of which Lambda leaves {UNRESERVED} to all other functions"
        )


def has_distribution(client: Any) -> bool:
    """Tell whether the account has a distribution other than that of the check: then it may."""
    pages = client.get_paginator("list_distributions").paginate()
    return any(
        each["Comment"] != _TRIAL
        for page in pages
        for each in page.get("DistributionList", {}).get("Items", [])
    )


def try_cloudfront(client: Any) -> None:
    """Create a distribution that is switched off. Raises DeploymentError where AWS refuses.

    No request says whether an account may have distributions. One that is switched off answers
    nobody and costs nothing. The same trial again is the same distribution.
    """
    config = {
        "CallerReference": _TRIAL,
        "Comment": _TRIAL,
        "Enabled": False,
        "Origins": {
            "Quantity": 1,
            "Items": [
                {
                    "Id": "none",
                    "DomainName": "example.com",
                    "CustomOriginConfig": {
                        "HTTPPort": 80,
                        "HTTPSPort": 443,
                        "OriginProtocolPolicy": "https-only",
                    },
                }
            ],
        },
        "DefaultCacheBehavior": {
            "TargetOriginId": "none",
            "ViewerProtocolPolicy": "https-only",
            "CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",  # CachingDisabled
        },
    }
    try:
        client.create_distribution(DistributionConfig=config)
    except ClientError as error:
        if "must be verified" in str(error):
            raise DeploymentError(
                "AWS must verify this account before it may have CloudFront distributions. Open a"
                " case with AWS Support (https://console.aws.amazon.com/support/home#/) of the kind"
                f" Account and billing, quote this message, and repeat the command later: {error}"
            ) from error
        if error.response["Error"]["Code"] != "DistributionAlreadyExists":
            raise


def remove_trial(client: Any) -> bool:
    """Delete the trial's distribution; tell whether it is gone.

    CloudFront deletes none that is still on its way to all edges, which takes some minutes.
    """
    for page in client.get_paginator("list_distributions").paginate():
        for each in page.get("DistributionList", {}).get("Items", []):
            if each["Comment"] == _TRIAL:
                if each["Status"] != "Deployed":
                    return False
                tag = client.get_distribution(Id=each["Id"])["ETag"]
                client.delete_distribution(Id=each["Id"], IfMatch=tag)
    return True
