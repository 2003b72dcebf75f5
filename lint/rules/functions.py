"""Functions: a role of their own, a log that ends, and nowhere for an event to be lost."""

from typing import Any

from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

from lint.template import always, branches, items, properties, statements, target

FUNCTION = "AWS::Lambda::Function"
# Services that hand Lambda an event and do not wait for what becomes of it.
ASYNCHRONOUS = (
    "events.amazonaws.com",
    "iot.amazonaws.com",
    "logs.amazonaws.com",
    "s3.amazonaws.com",
    "scheduler.amazonaws.com",
    "ses.amazonaws.com",
    "sns.amazonaws.com",
)
DEFAULT_TIMEOUT_S = 3  # Lambda's


class OwnRole(CloudFormationLintRule):
    """A function may do what itself does, not what SAM or another function thinks of."""

    id = "E9101"
    shortdesc = "Every function has an explicit role of its own"
    description = "Role is a role of this template that is written out and serves no other function"
    tags = ("vsv", "iam")

    def match(self, cfn: Template) -> list[RuleMatch]:
        """One match for each function without such a role."""
        roles = cfn.get_resources("AWS::IAM::Role")
        owners: dict[str, str] = {}
        found = []
        for name, function in cfn.get_resources(FUNCTION).items():
            path = ["Resources", name]
            role = target(properties(function).get("Role"))
            if role not in roles:
                found.append(RuleMatch(path, f"{name} has no role of this template"))
            elif {"Key": "lambda:createdBy", "Value": "SAM"} in properties(roles[role]).get(
                "Tags", []
            ):
                found.append(RuleMatch(path, f"{name} leaves its role to SAM; write it out"))
            elif role in owners:
                found.append(RuleMatch(path, f"{name} has the role of {owners[role]}"))
            else:
                owners[role] = name
        return found


class LogRetention(CloudFormationLintRule):
    """Lambda makes a log group that is kept for ever where the template names none."""

    id = "E9102"
    shortdesc = "Every function has a log group with retention, and every log group has one"
    description = "LoggingConfig.LogGroup is a log group of this template; it has RetentionInDays"
    tags = ("vsv", "logs")

    def match(self, cfn: Template) -> list[RuleMatch]:
        """One match for each function without a log group, and for each endless log group."""
        groups = cfn.get_resources("AWS::Logs::LogGroup")
        found = [
            RuleMatch(["Resources", name], f"{name} is kept for ever: it has no RetentionInDays")
            for name, group in groups.items()
            if not always(properties(group).get("RetentionInDays"))
        ]
        for name, function in cfn.get_resources(FUNCTION).items():
            if (
                target((properties(function).get("LoggingConfig") or {}).get("LogGroup"))
                not in groups
            ):
                found.append(
                    RuleMatch(["Resources", name], f"{name} names no log group of this template")
                )
        return found


class FailureDestination(CloudFormationLintRule):
    """What nobody waits for has to leave a trace when it fails.

    A template does not say how one function calls another. But one that may run longer than its
    caller can only be called without waiting for it.
    """

    id = "E9103"
    shortdesc = "What is invoked asynchronously, by a stream or by a queue keeps what failed"
    description = "A dead-letter queue or an OnFailure destination"
    tags = ("vsv", "lambda")

    def match(self, cfn: Template) -> list[RuleMatch]:
        """One match for each function, stream or queue that would lose an event."""
        kept = {
            target(properties(config).get("FunctionName"))
            for config in cfn.get_resources("AWS::Lambda::EventInvokeConfig").values()
            if _on_failure(properties(config))
        }
        functions = cfn.get_resources(FUNCTION)
        asynchronous = _called_by_services(cfn) | _outliving_their_callers(cfn)
        found = [
            RuleMatch(["Resources", name], f"{name} is invoked asynchronously: what fails is lost")
            for name in sorted(asynchronous & set(functions))
            if name not in kept
            and not always(
                (properties(functions[name]).get("DeadLetterConfig") or {}).get("TargetArn")
            )
        ]
        for name, mapping in cfn.get_resources("AWS::Lambda::EventSourceMapping").items():
            of_stream = "StartingPosition" in properties(mapping)
            if of_stream and not _on_failure(properties(mapping)):
                found.append(RuleMatch(["Resources", name], f"{name} loses what it gives up"))
            queue = cfn.get_resources("AWS::SQS::Queue").get(
                target(properties(mapping).get("EventSourceArn"))
            )
            if queue is not None and not always(properties(queue).get("RedrivePolicy")):
                found.append(RuleMatch(["Resources", name], f"{name}'s queue has no RedrivePolicy"))
        return found


def _on_failure(config: dict[str, Any]) -> bool:
    destination = (config.get("DestinationConfig") or {}).get("OnFailure") or {}
    return always(destination.get("Destination"))


def _called_by_services(cfn: Template) -> set[str]:
    """Functions that a service with events of its own may invoke."""
    return {
        target(properties(permission).get("FunctionName"))
        for permission in cfn.get_resources("AWS::Lambda::Permission").values()
        if properties(permission).get("Principal") in ASYNCHRONOUS
    }


def _outliving_their_callers(cfn: Template) -> set[str]:
    """Functions that may run longer than a function whose role may invoke them."""
    functions, roles = cfn.get_resources(FUNCTION), cfn.get_resources("AWS::IAM::Role")
    found: set[str] = set()
    for caller in functions.values():
        role = roles.get(target(properties(caller).get("Role")), {})
        for _, statement in statements(properties(role).get("Policies")):
            if "lambda:InvokeFunction" in items(statement.get("Action")):
                called = {target(each) for each in items(statement.get("Resource"))}
                found |= {
                    name
                    for name in called & set(functions)
                    if _timeout_s(functions[name]) > _timeout_s(caller)
                }
    return found


def _timeout_s(function: dict[str, Any]) -> float:
    """Return the longest time that a function may run."""
    return max(
        (each for each in branches(properties(function).get("Timeout")) if isinstance(each, int)),
        default=DEFAULT_TIMEOUT_S,
    )
