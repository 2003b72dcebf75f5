"""Where things lie: encrypted, and not open to anybody."""

from typing import Any

from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

from lint.template import always, items, properties, statements, target, text

# By type: the properties any of which encrypts. CloudWatch encrypts log groups by itself, Secrets
# Manager its secrets and Lambda its environments, with keys of AWS: there is nothing to ask for.
# A topic of CloudWatch's alarms is an exception to be stated where it stands (ignore_checks).
ENCRYPTION = {
    "AWS::DynamoDB::Table": ("SSESpecification.SSEEnabled",),
    "AWS::EC2::Volume": ("Encrypted",),
    "AWS::EFS::FileSystem": ("Encrypted",),
    "AWS::Kinesis::Stream": ("StreamEncryption",),
    "AWS::S3::Bucket": ("BucketEncryption.ServerSideEncryptionConfiguration",),
    "AWS::SNS::Topic": ("KmsMasterKeyId",),
    "AWS::SQS::Queue": ("SqsManagedSseEnabled", "KmsMasterKeyId"),
}
# What services call protection from deletion: DynamoDB; Cognito and RDS; EC2.
PROTECTION = (
    "DeletionProtectionEnabled",
    "DeletionProtection",
    "DisableApiTermination",
)
BLOCKS = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")


class AtRest(CloudFormationLintRule):
    """Slides, records and messages name patients."""

    id = "E9108"
    shortdesc = "What stores data encrypts it"
    description = "Encryption at rest is asked for in the template, not left to a default"
    tags = ("vsv", "encryption")

    def match(self, cfn: Template) -> list[RuleMatch]:
        """One match for each store that does not say so."""
        return [
            RuleMatch(["Resources", name], f"{name} does not say {' or '.join(ways)}")
            for kind, ways in ENCRYPTION.items()
            for name, resource in cfn.get_resources(kind).items()
            if not any(always(_at(properties(resource), way)) for way in ways)
        ]


class PrivateBucket(CloudFormationLintRule):
    """Buckets keep the public out, and refuse to talk without TLS."""

    id = "E9109"
    shortdesc = "Buckets block public access and refuse plain HTTP"
    description = "All four blocks, and a policy that denies s3:* without aws:SecureTransport"
    tags = ("vsv", "s3")

    def match(self, cfn: Template) -> list[RuleMatch]:
        """One match for each bucket that lacks either."""
        encrypted = {
            target(properties(policy).get("Bucket"))
            for policy in cfn.get_resources("AWS::S3::BucketPolicy").values()
            if any(_refuses_http(each) for _, each in statements(properties(policy)))
        }
        found = []
        for name, bucket in cfn.get_resources("AWS::S3::Bucket").items():
            blocks = properties(bucket).get("PublicAccessBlockConfiguration") or {}
            if missing := [block for block in BLOCKS if not always(blocks.get(block))]:
                found.append(RuleMatch(["Resources", name], f"{name} lacks {', '.join(missing)}"))
            if name not in encrypted:
                found.append(RuleMatch(["Resources", name], f"{name} does not refuse plain HTTP"))
        return found


class FirstTry(CloudFormationLintRule):
    """What a failed first deployment leaves behind makes the next one fail."""

    id = "E9111"
    shortdesc = "What a failed first deployment made can be deleted"
    description = (
        "DeletionPolicy RetainExceptOnCreate rather than Retain. Only what is retained is protected"
        " from deletion, and only by a parameter or a condition"
    )
    tags = ("vsv", "deletion")

    def match(self, cfn: Template) -> list[RuleMatch]:
        """One match for each resource that a failed first deployment would leave behind."""
        found = []
        for name, resource in cfn.get_resources().items():
            path, policy = ["Resources", name], resource.get("DeletionPolicy")
            # SAM's versions of a function say Retain, and go with their function all the same.
            if policy == "Retain" and resource["Type"] != "AWS::Lambda::Version":
                found.append(RuleMatch(path, f"{name} survives the rollback of its creation"))
            protection = [_at(properties(resource), each) for each in PROTECTION]
            for each in (each for each in protection if each is not None):
                if not isinstance(each, dict) and str(each).lower() in ("true", "active"):
                    found.append(RuleMatch(path, f"{name} is protected from the first moment"))
                elif isinstance(each, dict) and policy != "RetainExceptOnCreate":
                    found.append(RuleMatch(path, f"{name} is deleted and protected from deletion"))
        return found


def _at(value: Any, path: str) -> Any:
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _refuses_http(statement: dict[str, Any]) -> bool:
    """Whether a statement denies everybody everything, on bucket and objects, without TLS."""
    objects = {text(each).endswith("/*") for each in items(statement.get("Resource"))}
    secure = _at(statement, "Condition.Bool") or {}
    return (
        statement["Effect"] == "Deny"
        and statement.get("Principal") in ("*", {"AWS": "*"})
        and "s3:*" in items(statement.get("Action"))
        and objects == {True, False}
        and str(secure.get("aws:SecureTransport")).lower() == "false"
    )
