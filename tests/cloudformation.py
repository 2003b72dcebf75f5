"""What a CloudFormation template makes of given parameters, as far as conditions decide it."""

from collections.abc import Mapping
from pathlib import Path

from samtranslator.translator.transform import transform

from tests.conftest import load_template

_NOTHING = {"Ref": "AWS::NoValue"}


class _NoPolicies:
    """SAM's policies by AWS's names: we use none."""

    def load(self) -> dict:
        return {}


def expanded(template: dict, given: Mapping[str, str]) -> dict:
    """Return the template after SAM's transform, for these parameters and else the defaults.

    Artefacts have to be on S3, as ``sam package`` leaves them: see ``packaged``.
    """
    parameters = template.get("Parameters", {}).items()
    values = {name: str(each.get("Default", "")) for name, each in parameters}
    return transform(template, values | given, _NoPolicies())


def packaged(path: Path, **uploaded: str) -> dict:
    """Return the template as ``sam package`` leaves it; ``uploaded`` names where some files are."""
    template = load_template(path)
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        for key in {"CodeUri", "ContentUri", "DefinitionUri"} & set(properties):
            properties[key] = uploaded.get(name, "s3://bucket/key")
    return template


def resolved(path: Path, **given: str) -> dict:
    """Return the template with its conditions decided, and without what they leave out.

    Parameters are replaced by their values, in ``Ref`` and a ``Fn::Join`` of such; other functions
    stay as they are. Raises NotImplementedError for a condition that hangs on more than these,
    and LookupError for a parameter that the template does not know, or that has no value, or for a
    reference to a resource that is left out.
    """
    template = load_template(path)
    parameters = template.get("Parameters", {})
    if unknown := set(given) - set(parameters):
        raise LookupError(f"{path.name} has no parameters {', '.join(sorted(unknown))}")
    values = {name: each["Default"] for name, each in parameters.items() if "Default" in each}
    values |= given
    if missing := set(parameters) - set(values):
        raise LookupError(f"{path.name} needs {', '.join(sorted(missing))}")
    for name, value in values.items():
        if parameters[name]["Type"] == "CommaDelimitedList":
            values[name] = value.split(",") if value else []
    decide = _Conditions(template.get("Conditions", {}), values)
    for part in ("Resources", "Outputs"):
        template[part] = {
            name: decide.within({key: of for key, of in each.items() if key != "Condition"})
            for name, each in template.get(part, {}).items()
            if "Condition" not in each or decide(each["Condition"])
        }
    known = {*template["Resources"], *parameters}
    for part in ("Resources", "Outputs"):
        for target in references(template[part]):
            if not target.startswith("AWS::") and target not in known:
                raise LookupError(f"{path.name}: {target} is left out, but referred to")
    return template


def references(value: object) -> set[str]:
    """Return the logical IDs that ``Ref`` and ``Fn::GetAtt`` name anywhere in a value."""
    if isinstance(value, list):
        return set().union(*map(references, value))
    if not isinstance(value, dict):
        return set()
    found = set().union(*map(references, value.values()))
    if isinstance(value.get("Ref"), str):
        found.add(value["Ref"])
    if "Fn::GetAtt" in value:
        found.add(value["Fn::GetAtt"][0])
    return found


class _Conditions:
    """A template's conditions, for the values of its parameters."""

    def __init__(self, definitions: Mapping, values: Mapping[str, str | list[str]]) -> None:
        self._definitions = definitions
        self._values = values

    def __call__(self, condition: object) -> bool:
        """Whether a condition holds: its name, or what a name would stand for."""
        if isinstance(condition, str):
            return self(self._definitions[condition])
        ((function, operands),) = condition.items()
        match function:
            case "Condition":
                return self(operands)
            case "Fn::Equals":
                left, right = map(self.within, operands)
                if isinstance(left, dict) or isinstance(right, dict):
                    raise NotImplementedError(f"{left} == {right}")
                return str(left) == str(right)
            case "Fn::Not":
                return not self(operands[0])
            case "Fn::And":
                return all(map(self, operands))
            case "Fn::Or":
                return any(map(self, operands))
        raise NotImplementedError(function)

    def within(self, value: object) -> object:
        """Replace ``Ref`` to parameters and ``Fn::If``, leave ``NoValue`` out; return the value."""
        if isinstance(value, list):
            return [each for each in map(self.within, value) if each != _NOTHING]
        if not isinstance(value, dict):
            return value
        if set(value) == {"Fn::If"}:
            condition, then, otherwise = value["Fn::If"]
            return self.within(then if self(condition) else otherwise)
        if set(value) == {"Ref"}:
            return self._values.get(value["Ref"], value)
        inside = {key: self.within(each) for key, each in value.items()}
        match inside:
            case {"Fn::Join": [str(separator), [*parts]]} if all(isinstance(p, str) for p in parts):
                return separator.join(parts)
        return {key: each for key, each in inside.items() if each != _NOTHING}
