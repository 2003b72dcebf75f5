"""Commands in a text, and whether those who take them know their words."""

import argparse
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any
from unittest.mock import patch

import botocore.session
import click
from botocore import xform_name
from botocore.exceptions import DataNotFoundError, UnknownServiceError
from samcli.cli.main import cli as sam
from samcli.cli.types import CfnParameterOverridesType

from deployment.errors import DeploymentError
from deployment.parameters import OPTIONS, check

Problems = Iterator[str]

# What the AWS CLI adds to the services' own operations, of what we use.
_ADDED = {("logs", "tail"), ("sso", "login"), ("cloudformation", "deploy")}
_ADDED_SERVICES = {"s3", "configure"}
_MODELS = {"deploy": "codedeploy", "s3api": "s3"}
# Options that the AWS CLI calls otherwise than the API does.
_RENAMED = {("sns", "subscribe"): {"--notification-endpoint"}}
_AWS_OPTIONS = {
    *("--cli-input-json", "--endpoint-url", "--no-cli-pager", "--no-paginate", "--output"),
    *("--profile", "--query", "--region", "--max-items", "--page-size", "--starting-token"),
}


def calls(program: str, text: str) -> Iterator[list[str]]:
    """Yield the words of each call of a program, without its name and without quotes.

    Where a pipe, another command or a comment follows, the call has ended; what stands in ``$(…)``
    is part of a word, and may be a call of its own.
    """
    text = text.replace("\\\n", " ")
    for found in re.finditer(rf"(?<![\w./-])(?:[\w.-]+/)*{program}(?![\w./=:-])", text):
        yield list(_words(text[found.end() :]))


def _words(text: str) -> Iterator[str]:
    words = shlex.shlex(text, posix=True, punctuation_chars="()<>|;&\n")
    words.whitespace, words.whitespace_split, words.commenters = " \t", True, ""
    depth = 0
    try:
        for word in words:
            if depth or word == "(":
                depth += word.count("(") - word.count(")")
            elif word[0] in ")<>|;&\n#`":
                return
            else:
                yield word
    except ValueError:
        return  # the call ends within somebody else's quotes


# ─── make ────────────────────────────────────────────────────────────────────────────────────────


def make_problems(text: str, makefile: str) -> Problems:
    """Targets that the Makefile lacks."""
    lines = re.findall(r"^([a-z][a-z -]*):(?!=)", makefile, re.MULTILINE)
    targets = {target for line in lines for target in line.split()}
    for words in calls("make", text):
        for word in words:
            if re.fullmatch(r"[a-z][a-z-]*", word) and word not in targets:
                yield f"make {word}: no such target"


# ─── Our own commands ────────────────────────────────────────────────────────────────────────────


@cache
def parser_of(main: Callable[[list[str]], Any]) -> argparse.ArgumentParser:
    """Return the parser by which a command reads its arguments."""

    class Asked(Exception):
        pass

    def asked(parser: argparse.ArgumentParser, *_: Any) -> None:
        raise Asked(parser)

    with patch.object(argparse.ArgumentParser, "parse_args", asked):
        try:
            main([])
        except Asked as found:
            parser: argparse.ArgumentParser = found.args[0]
            return parser
    raise TypeError(f"{main.__module__} has no argparse parser")


def own_problems(program: str, parser: argparse.ArgumentParser, text: str) -> Problems:
    """Sub-commands and options that a command of ours does not have."""
    for words in calls(re.escape(program), text):
        yield from (f"{program} {each}" for each in _unknown(parser, words))


def _unknown(parser: argparse.ArgumentParser, words: list[str]) -> Problems:
    commands = next(
        (each.choices for each in parser._actions if isinstance(each.choices, dict)), None
    )
    takes_value = False
    for index, word in enumerate(words):
        if word.startswith("--"):
            name, _, value = word.partition("=")
            action = parser._option_string_actions.get(name)
            if action is None:
                yield f"{name}: no such option"
            takes_value = action is not None and action.nargs != 0 and not value
        elif takes_value:
            takes_value = False
        elif commands and re.fullmatch(r"[a-z][a-z-]*", word):
            if word not in commands:
                yield f"{word}: no such command"
            else:
                yield from _unknown(commands[word], words[index + 1 :])
            return


# ─── AWS ─────────────────────────────────────────────────────────────────────────────────────────


def aws_problems(text: str) -> Problems:
    """Services, operations and options that the AWS CLI does not have."""
    for words in calls("aws", text):
        service, operation, *rest = [*words, "", ""]
        if service in _ADDED_SERVICES or (service, operation) in _ADDED:
            continue
        if not (re.fullmatch(r"[a-z][a-z0-9-]*", service) and operation):
            continue  # the program itself is meant, or an option of its own
        service = _MODELS.get(service, service)
        try:
            known = _operations(service)
        except UnknownServiceError:
            yield f"aws {service}: no such service"
            continue
        if operation == "wait":
            if rest[0] not in _waiters(service):
                yield f"aws {service} wait {rest[0]}: nothing to wait for"
        elif operation not in known:
            yield f"aws {service} {operation}: no such operation"
        else:
            options = _options(service, known[operation]) | _AWS_OPTIONS
            options |= _RENAMED.get((service, operation), set())
            for option in (each.partition("=")[0] for each in rest if each.startswith("--")):
                if option not in options:
                    yield f"aws {service} {operation} {option}: no such option"


@cache
def _session() -> botocore.session.Session:
    return botocore.session.Session()


@cache
def _operations(service: str) -> dict[str, str]:
    """By the CLI's name of each operation, the API's."""
    names = _session().get_service_model(service).operation_names
    return {xform_name(each, "-"): each for each in names}


@cache
def _waiters(service: str) -> set[str]:
    try:
        names = _session().get_waiter_model(service).waiter_names
    except DataNotFoundError:
        return set()
    return {xform_name(each, "-") for each in names}


@cache
def _options(service: str, operation: str) -> set[str]:
    shape = _session().get_service_model(service).operation_model(operation).input_shape
    names = {xform_name(each, "-") for each in shape.members} if shape else set()
    return {f"--{each}" for each in names} | {f"--no-{each}" for each in names}


# ─── SAM ─────────────────────────────────────────────────────────────────────────────────────────


def sam_problems(text: str) -> Problems:
    """Commands and options that the SAM CLI does not have."""
    for words in calls("sam", text):
        command = _sam(words[0]) if words and re.fullmatch(r"[a-z]+", words[0]) else None
        if command is None:
            if words and not words[0].startswith("--"):
                yield f"sam {words[0]}: no such command"
            continue
        options = {
            each for param in command.params for each in (*param.opts, *param.secondary_opts)
        }
        for option in (each.partition("=")[0] for each in words if each.startswith("-")):
            if option not in options | {"--help"}:
                yield f"sam {words[0]} {option}: no such option"


@cache
def _sam(name: str) -> click.Command | None:
    """Return a command, with its options. SAM loads one only where its context has an object."""
    command: click.Command | None = sam.get_command(click.Context(sam, obj=object()), name)
    return command


# ─── CloudFormation ──────────────────────────────────────────────────────────────────────────────


def value_problems(text: str, parameters: Mapping[str, Mapping[str, Any]]) -> Problems:
    """Parameters that do not exist, would not arrive as they are written, or would be refused.

    ``sam deploy`` cuts values at blanks and quotation marks, and takes no empty ones.
    """
    for words in calls("sam", text):
        if "--parameter-overrides" not in words:
            continue
        for word in words[words.index("--parameter-overrides") + 1 :]:
            if word.startswith("-"):
                break
            # What the shell puts in is not known here; a word of it will do.
            word = re.sub(r"\$\([^)]*\)|\$\{?\w+\}?", "$x", word)
            name, equals, value = word.partition("=")
            if not equals:
                continue
            if value[:1] in ("'", '"') and value[:1] == value[-1:] and len(value) > 1:
                value = value[1:-1]
            try:
                read = CfnParameterOverridesType().convert((word,), None, None)
            except click.BadParameter:
                yield f"{word}: sam refuses it"
                continue
            if read != {name: value}:
                yield f"{word}: sam reads {read}"
            yield from _refusals({name: value}, parameters)
    for words in calls("make", text):
        if "deploy" in words:
            pairs = (word.partition("=") for word in words if "=" in word)
            given = {name: value for name, _, value in pairs if name not in OPTIONS}
            yield from _refusals(given, parameters)


def _refusals(given: Mapping[str, str], parameters: Mapping[str, Mapping[str, Any]]) -> Problems:
    """Yield what CloudFormation would refuse, of the values that are no placeholders."""
    for name, value in given.items():
        if name not in parameters or not re.search(r"[$…]", value):
            try:
                check({name: value}, parameters)
            except DeploymentError as error:
                yield str(error)


def output_problems(text: str, outputs: set[str]) -> Problems:
    """Yield outputs that are asked for although the template has none of that name."""
    for words in calls("output", text):
        if words and re.fullmatch(r"[A-Z]\w*[a-z]\w*", words[0]) and words[0] not in outputs:
            yield f"{words[0]}: no such output"
