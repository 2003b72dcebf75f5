"""What each function may do, as the templates have it: for docs/permissions.md and for tests.

python -m lint.permissions --write
"""

import argparse
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from samcli.yamlhelper import yaml_parse

from lint.template import branches, items, properties, target, text

ROOT: Final = Path(__file__).resolve().parent.parent
DOCUMENT: Final = ROOT / "docs" / "permissions.md"
# Those that hold functions.
TEMPLATES: Final = (
    ROOT / "func.template.yaml",
    ROOT / "templates" / "live.template.yaml",
    ROOT / "templates" / "auth.template.yaml",
    ROOT / "templates" / "base.template.yaml",
)
_MARKED: Final = re.compile(r"(<!-- rights -->\n).*(<!-- end -->)", re.DOTALL)
# The same for all, and long: service, region and account.
_ARN: Final = re.compile(
    r"^arn:\$\{AWS::Partition\}:[a-z0-9-]+:(?:\$\{AWS::Region\})?:(?:\$\{AWS::AccountId\})?:(?=.)"
)

Resources = Mapping[str, dict[str, Any]]


class Right(NamedTuple):
    """One action on one resource, ``when`` a condition holds; always, where it is empty."""

    action: str
    resource: str
    when: str


class Role(NamedTuple):
    """What the functions of a role may do: by its own policies, and by policies that it shares."""

    rights: frozenset[Right]
    shared: frozenset[str]


def roles(resources: Resources) -> dict[str, Role]:
    """Return the roles of a template's functions and state machines, by the logical ID of these."""
    return {
        name: _role(resources[target(role)], resources)
        for name, resource in resources.items()
        if (role := properties(resource).get("Role")) and target(role) in resources
    }


def shared(resources: Resources) -> dict[str, frozenset[Right]]:
    """Return the policies that roles share, by logical ID."""
    return {
        name: frozenset(_rights(properties(resource)["PolicyDocument"]))
        for name, resource in resources.items()
        if resource["Type"] == "AWS::IAM::ManagedPolicy"
    }


def _role(role: dict[str, Any], resources: Resources) -> Role:
    found = properties(role)
    policies = frozenset(
        name for each in items(found.get("ManagedPolicyArns")) if (name := target(each))
    )
    return Role(frozenset(_rights(found.get("Policies") or [])), policies & set(resources))


def _rights(value: Any, when: str = "") -> Iterator[Right]:
    """Yield the rights of every policy below a value, with the condition that leads to each."""
    if isinstance(value, dict) and set(value) == {"Fn::If"}:
        condition, then, otherwise = value["Fn::If"]
        yield from _rights(then, condition)
        yield from _rights(otherwise, f"not {condition}")
    elif isinstance(value, dict) and value.get("Effect") == "Allow":
        for action in _conditional(value["Action"], when):
            for resource in _conditional(value["Resource"], when):
                conditions = {action[1], resource[1]} - {""}
                yield Right(action[0], _ARN.sub("", resource[0]), ", ".join(sorted(conditions)))
    elif isinstance(value, dict):
        for child in value.values():
            yield from _rights(child, when)
    elif isinstance(value, list):
        for child in value:
            yield from _rights(child, when)


def _conditional(value: Any, when: str) -> Iterator[tuple[str, str]]:
    """Each text of a value, with the condition under which it is there."""
    if isinstance(value, list):
        for each in value:
            yield from _conditional(each, when)
    elif isinstance(value, dict) and set(value) == {"Fn::If"}:
        condition, then, otherwise = value["Fn::If"]
        yield from _conditional(then, condition)
        yield from _conditional(otherwise, f"not {condition}")
    elif branches(value):
        yield text(value), when


def document() -> str:
    """Return what docs/permissions.md says between its marks."""
    parts = []
    for path in TEMPLATES:
        resources: Resources = yaml_parse(path.read_text())["Resources"]
        for name, rights in shared(resources).items():
            parts.append(f"### {name}, shared\n\n{_table(rights)}")
        for name, role in sorted(roles(resources).items()):
            also = f"\nAlso: {', '.join(sorted(role.shared))}.\n" if role.shared else ""
            own = _table(role.rights) if role.rights else "Nothing of its own.\n"
            parts.append(f"### {name.removesuffix('Function')}\n\n{own}{also}")
    return "\n".join(parts)


def _table(rights: frozenset[Right]) -> str:
    """Actions that go together in one row."""
    rows: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for right in sorted(rights):
        rows[right.resource, right.when].append(right.action)
    lines = [
        f"| {', '.join(f'`{action}`' for action in actions)} | `{resource}` | {when} |"
        for (resource, when), actions in sorted(rows.items(), key=lambda row: (row[1], row[0]))
    ]
    return "\n".join(["| may | with | when |", "| --- | --- | --- |", *lines, ""])


def main() -> int:
    """Print what functions may do, or write it into the document."""
    parser = argparse.ArgumentParser(description="Print what each function may do.")
    parser.add_argument("--write", action="store_true", help=f"write it into {DOCUMENT.name}")
    if not parser.parse_args().write:
        sys.stdout.write(document())
        return 0
    DOCUMENT.write_text(filled(DOCUMENT.read_text()))
    return 0


def filled(page: str) -> str:
    """Return the page with what the templates say between its marks."""
    return _MARKED.sub(lambda mark: f"{mark[1]}{document()}{mark[2]}", page)


if __name__ == "__main__":
    sys.exit(main())
