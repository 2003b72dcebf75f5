"""Parameters of a deployment: where they come from, whether they hold, how SAM is told them."""

import difflib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from samcli.cli.types import CfnParameterOverridesType
from samcli.yamlhelper import yaml_parse

from deployment.errors import DeploymentError

Parameters = dict[str, str]

# What `make deploy` itself is told. All other names that hold small letters are parameters.
OPTIONS: Final = ("STACK", "PARAMETERS", "CONFIRM")


def from_make(flags: str) -> Parameters:
    """Return the variables of make's command line, as make hands them on in MAKEFLAGS.

    The variables themselves are no help: make expands ``$`` in them. In MAKEFLAGS, they follow
    ``--``, with blanks and backslashes behind a backslash, and each ``$`` twice.
    """
    _, separator, given = f" {flags}".partition(" -- ")
    words = re.findall(r"(?:\\.|[^\s\\])+", given, re.DOTALL) if separator else []
    pairs = [re.sub(r"\\(.)|\$(\$)", r"\1\2", each, flags=re.DOTALL) for each in words]
    found: Parameters = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        found.setdefault(name.rstrip(":+?"), value)  # the last one stands first
    return found


def from_file(path: Path) -> Parameters:
    """Return the parameters in a TOML file: ``Name = "value"``. Raises DeploymentError."""
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError, tomllib.TOMLDecodeError) as error:
        raise DeploymentError(f"PARAMETERS={path} cannot be read: {error}") from error
    found = {}
    for name, value in read.items():
        if isinstance(value, dict | list):
            raise DeploymentError(f"{path}: {name} must be a string, a number, true or false")
        found[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return found


def from_samconfig(path: Path, stack: str) -> tuple[str, Parameters]:
    """Return the environment of samconfig.toml that deploys this stack, and its parameters.

    The environment is ``default`` where none names the stack; it then has no parameters.
    """
    for environment, commands in tomllib.loads(path.read_text(encoding="utf-8")).items():
        settings = commands.get("deploy", {}) if isinstance(commands, dict) else {}
        if (settings := settings.get("parameters", {})).get("stack_name") == stack:
            overrides = settings.get("parameter_overrides", [])
            return environment, CfnParameterOverridesType().convert(overrides, None, None)
    return "default", {}


@cache
def declared(template: Path) -> dict[str, dict[str, Any]]:
    """Return the parameters that a template has."""
    found: dict[str, dict[str, Any]] = yaml_parse(template.read_text())["Parameters"]
    return found


def check(given: Mapping[str, str], known: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise DeploymentError for names and values that CloudFormation would refuse.

    It would say so only after everything is built and uploaded.
    """
    if problems := [each for name in given for each in _problems(name, given[name], known)]:
        raise DeploymentError("\n  ".join(["these parameters cannot be:", *problems]))


def _problems(name: str, value: str, known: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    if name not in known:
        (near, *_) = [*difflib.get_close_matches(name, [*known, *OPTIONS], 1), ""]
        yield f"{name}: no such parameter" + (f"; did you mean {near}?" if near else "")
        return
    rule = known[name]
    shown = "this value" if rule.get("NoEcho") else repr(value)
    if (allowed := rule.get("AllowedValues")) and value not in map(str, allowed):
        yield f"{name}: {shown} is not one of {', '.join(map(str, allowed))}"
    if (pattern := rule.get("AllowedPattern")) and not re.fullmatch(pattern, value):
        yield f"{name}: {shown} is not accepted. {rule.get('Description', '')}"
    if len(value) > int(rule.get("MaxLength", 4096)):
        yield f"{name}: longer than {rule.get('MaxLength', 4096)} characters"
    if rule["Type"] == "Number":
        try:
            number = float(value)
        except ValueError:
            yield f"{name}: {shown} is not a number"
            return
        if not rule.get("MinValue", number) <= number <= rule.get("MaxValue", number):
            yield f"{name}: {shown} is not from {rule.get('MinValue')} to {rule.get('MaxValue')}"


def sam_file(given: Mapping[str, str], folder: Path) -> str:
    """Write the parameters for ``sam deploy --parameter-overrides``; return that option's value.

    On a command line, SAM refuses an empty value and cuts one at a blank or a quotation mark; and
    everybody on the machine could read it. SAM reads JSON as YAML.
    """
    path = folder / "parameters.yaml"
    path.touch(mode=0o600)
    # SAM takes quotes away twice: from the file's values, and from the option's.
    quoted = {name: _quoted(_quoted(value)) for name, value in given.items()}
    path.write_text(json.dumps(quoted))
    return f"file://{path}"


def _quoted(value: str) -> str:
    """Return the value that SAM takes for this one: it takes quotes and some backslashes away."""
    value = re.sub(r"""\\(?=[ "'])""", r"\\\\", value)
    return f'"{value}"' if value[:1] in ("'", '"') and value[:1] == value[-1:] else value
