"""Policies: exact actions on exact resources."""

import re
from functools import cache
from typing import Any

from cfnlint.data import AdditionalSpecs
from cfnlint.helpers import load_resource
from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

from lint.template import items, properties, statements, text

# Policies of people and machines. Those of a bucket, a key or an endpoint say "*" for themselves.
IDENTITY = ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy", "AWS::IAM::Policy", "AWS::IAM::UserPolicy")
# Actions that know resources, but are needed on all of them.
ON_ALL = {
    # Lambda connects a function to its VPC by these, and asks for them on "*"
    # (docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html).
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:UnassignPrivateIpAddresses",
}


# By action: what AWS checks besides, as its caller.
COMPANIONS = {
    # Not in the service authorization reference. DataSync refuses to start a task without it.
    "datasync:StartTaskExecution": {"ec2:DescribeNetworkInterfaces"},
}


class Actions(CloudFormationLintRule):
    """A wildcard grants what AWS will add next year."""

    id = "E9106"
    shortdesc = "No wildcard in an action that is allowed"
    description = "Actions are named one by one; a Deny may say more"
    tags = ("vsv", "iam")

    def match(self, cfn: Template) -> list[RuleMatch]:
        """One match for each statement."""
        found = []
        for name, resource in cfn.get_resources().items():
            for path, statement in statements(resource, ("Resources", name)):
                wide = [each for each in map(text, items(statement.get("Action"))) if "*" in each]
                if "NotAction" in statement:
                    wide.append("NotAction")
                if statement["Effect"] == "Allow" and wide and not _leaves_it_to_iam(statement):
                    found.append(RuleMatch(path, f"{name} allows {', '.join(wide)}"))
        return found


class Scope(CloudFormationLintRule):
    """A role reaches what this deployment has, not what else is in the account."""

    id = "E9107"
    shortdesc = "No wildcard for a resource where the action knows resources"
    description = "By cfn-lint's copy of AWS's service authorization reference"
    tags = ("vsv", "iam")

    def match(self, cfn: Template) -> list[RuleMatch]:
        """One match for each statement."""
        found = []
        for name, resource in cfn.get_resources(list(IDENTITY)).items():
            for path, statement in statements(resource, ("Resources", name)):
                if statement["Effect"] != "Allow":
                    continue
                if "NotResource" in statement:
                    found.append(RuleMatch(path, f"{name} allows NotResource"))
                if any(_is_everything(text(each)) for each in items(statement.get("Resource"))):
                    actions = [text(each) for each in items(statement.get("Action"))]
                    narrow = [each for each in actions if each not in ON_ALL and _knows(each)]
                    if narrow:
                        message = f"{name} allows {', '.join(narrow)} on every resource"
                        found.append(RuleMatch(path, message))
        return found


class Companions(CloudFormationLintRule):
    """Some actions look at other services with their caller's rights."""

    id = "E9113"
    shortdesc = "Who may do something may do what AWS does in their name"
    description = "By COMPANIONS: actions that fail without another one"
    tags = ("vsv", "iam")

    def match(self, cfn: Template) -> list[RuleMatch]:
        """One match for each role that may do the one and not the other."""
        found = []
        for name, role in cfn.get_resources("AWS::IAM::Role").items():
            actions = {
                text(action)
                for _, each in statements(properties(role).get("Policies"))
                if each["Effect"] == "Allow"
                for action in items(each.get("Action"))
            }
            for action in sorted(actions & set(COMPANIONS)):
                if missing := COMPANIONS[action] - actions:
                    message = f"{name} may {action}, but not {', '.join(sorted(missing))}"
                    found.append(RuleMatch(["Resources", name], message))
        return found


def _leaves_it_to_iam(statement: dict[str, Any]) -> bool:
    """Accept a key's statement for its own account: without it nobody could administer the key."""
    principal = statement.get("Principal")
    of = items(principal.get("AWS")) if isinstance(principal, dict) else []
    return (
        items(statement.get("Action")) == ["kms:*"]
        and [text(each).rpartition(":")[2] for each in of] == ["root"]
        and "${AWS::AccountId}" in text(of[0])
    )


def _is_everything(resource: str) -> bool:
    """``*``, or an ARN that names a service and a type at most: ``arn:…:table/*``."""
    name = re.sub(r"\$\{[^}]*\}", "$", resource).split(":", 5)[-1]
    return re.fullmatch(r"([a-z-]+[:/])?\*", name) is not None


@cache
def _services() -> dict[str, Any]:
    found: dict[str, Any] = load_resource(AdditionalSpecs, "Policies.json")
    return found


def _knows(action: str) -> bool:
    """Whether an action can be bound to resources; yes for one that is not in the reference."""
    service, _, name = action.lower().partition(":")
    known = _services().get(service, {}).get("Actions", {}).get(name)
    return known is None or bool(known.get("Resources"))
