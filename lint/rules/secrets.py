"""Secrets: nobody reads them back from CloudFormation."""

import re
from collections.abc import Iterator
from typing import Any

from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

from lint.template import always, branches, properties, text

# The last words of a name whose value is a secret: SmbPassword, SecretString, oidc_client_secret.
# What only points to one ends otherwise: CdrSecretArn.
SECRET = re.compile(
    r"(?:password|passphrase|secret(?:_?(?:string|key))?|credentials?|(?<!next)(?<!service)token"
    r"|(?:api|private|access)_?key)",
    re.IGNORECASE,
)


class NoEcho(CloudFormationLintRule):
    """A parameter is shown to everybody who may describe the stack, unless it is NoEcho."""

    id = "E9110"
    shortdesc = "Secret parameters are NoEcho, and have no default that is one"
    description = "By the parameter's name, and by the property or nested parameter that it fills"
    tags = ("vsv", "parameters")

    def match(self, cfn: Template) -> list[RuleMatch]:
        """One match for each parameter."""
        parameters = cfn.template.get("Parameters") or {}
        secret = {name for name in parameters if _is_secret(name)}
        for resource in cfn.get_resources().values():
            secret |= set(_fillings(properties(resource))) & set(parameters)
        found = []
        for name in sorted(secret):
            if not always(parameters[name].get("NoEcho")):
                found.append(RuleMatch(["Parameters", name], f"{name} is not NoEcho"))
            if always(parameters[name].get("Default")):
                found.append(RuleMatch(["Parameters", name], f"{name} has a default"))
        return found


def _is_secret(name: str) -> bool:
    last = re.search(rf"(?:^|[a-z0-9_-])({SECRET.pattern})$", name, re.IGNORECASE)
    return last is not None


def _fillings(value: Any, key: str = "") -> Iterator[str]:
    """Names of parameters that end up in a property whose name says that it is secret."""
    if _is_secret(key):
        for each in branches(value):
            yield from re.findall(r"\$\{(\w+)\}", text(each))
    if isinstance(value, dict):
        for name, child in value.items():
            yield from _fillings(child, name)
    elif isinstance(value, list):
        for child in value:
            yield from _fillings(child, key)
