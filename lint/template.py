"""What the rules see of a template: cfn-lint has applied the SAM transform, but no condition."""

import json
import re
from collections.abc import Iterator
from typing import Any

Resources = dict[str, dict[str, Any]]


def properties(resource: dict[str, Any]) -> dict[str, Any]:
    """Return a resource's properties; none for one that has no such section."""
    found: dict[str, Any] = resource.get("Properties") or {}
    return found


def branches(value: Any) -> list[Any]:
    """All that a value can become by its conditions; nothing where a branch leaves it out."""
    if isinstance(value, dict) and set(value) == {"Fn::If"}:
        return [each for branch in value["Fn::If"][1:] for each in branches(branch)]
    return [] if value is None or value == {"Ref": "AWS::NoValue"} else [value]


def items(value: Any) -> list[Any]:
    """Return the members of a list, or the one that stands alone, whatever the conditions."""
    return [
        member
        for branch in branches(value)
        for each in (branch if isinstance(branch, list) else [branch])
        for member in branches(each)
    ]


def always(value: Any) -> bool:
    """Whether a value is there under every condition, and in none false."""
    if isinstance(value, dict) and set(value) == {"Fn::If"}:
        return all(always(branch) for branch in value["Fn::If"][1:])
    return value not in (None, {"Ref": "AWS::NoValue"}, False, "false", "", [], {})


def text(value: Any) -> str:
    """Return a value as ``Fn::Sub`` would write it: references become ``${Name}``."""
    if isinstance(value, dict):
        if isinstance(target := value.get("Ref"), str):
            return f"${{{target}}}"
        if "Fn::GetAtt" in value:
            attribute = value["Fn::GetAtt"]
            return f"${{{attribute if isinstance(attribute, str) else '.'.join(attribute)}}}"
        if "Fn::Sub" in value:
            return text(value["Fn::Sub"])
    if (
        isinstance(value, list) and value and isinstance(value[0], str)
    ):  # Fn::Sub with its own names
        names = value[1] if len(value) > 1 and isinstance(value[1], dict) else {}
        return re.sub(
            r"\$\{(\w+)\}",
            lambda name: text(names[name[1]]) if name[1] in names else name[0],
            value[0],
        )
    return value if isinstance(value, str) else ""


def target(value: Any) -> str:
    """Return the logical ID that a value begins with: of ``!Ref X``, ``!GetAtt X.Arn``, ``!Sub``.

    Empty where it begins with none.
    """
    name = re.match(r"\$\{(\w+)(?:\.\w+)*\}", text(value))
    return name[1] if name else ""


def statements(
    value: Any, path: tuple[Any, ...] = ()
) -> Iterator[tuple[list[Any], dict[str, Any]]]:
    """Every statement of every policy below a value, with the path that leads to it."""
    if isinstance(value, dict):
        if value.get("Effect") in ("Allow", "Deny"):
            yield list(path), value
        for key, child in value.items():
            yield from statements(child, (*path, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from statements(child, (*path, index))
    elif isinstance(value, str) and value.lstrip().startswith("{") and '"Effect"' in value:
        # A policy that is written as JSON. The path ends at the text.
        yield from ((list(path), each) for _, each in statements(json.loads(value)))
