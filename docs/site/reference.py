"""Reference pages, made from the code's own docstrings, help texts, types and schema."""

import argparse
import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

from graphql import (
    DefinitionNode,
    EnumTypeDefinitionNode,
    FieldDefinitionNode,
    InputObjectTypeDefinitionNode,
    InputValueDefinitionNode,
    ObjectTypeDefinitionNode,
    parse,
    print_ast,
)

from lint.commands import parser_of
from scanscope import import_slides
from vsv.admin import cli as admin
from vsv.standalone import cli

_PROGRAMS = {
    "vsv": (cli.main, "The library without AWS: one slide, or a folder of slides."),
    "vsv-admin": (admin.main, "What ops do with a deployment ([operations](../operations.md))."),
    "import_slides.py": (
        import_slides.main,
        "The workstation's script ([how to install it](../../scanscope/README.md)).",
    ),
}
_GRAPHQL_TYPES = (ObjectTypeDefinitionNode, InputObjectTypeDefinitionNode, EnumTypeDefinitionNode)


def pages(root: Path) -> dict[str, str]:
    """Return the text of each page, by file name."""
    library = root / "layers" / "vsv" / "vsv"
    return {
        "cli.md": "\n".join(_commands()),
        "graphql.md": "\n".join(_graphql((root / "graphql" / "schema.graphql").read_text())),
        "record.md": "\n".join(_record((library / "catalogue" / "record.py").read_text())),
        "library.md": "\n".join(_library(library)),
    }


# ─── Commands ────────────────────────────────────────────────────────────────────────────────────


def _commands() -> Iterator[str]:
    yield "# Command line\n"
    yield "What each command prints for `--help`.\n"
    for program, (main, meaning) in _PROGRAMS.items():
        yield f"## {program}\n\n{meaning}\n"
        yield from _help(parser_of(main), program)


def _help(parser: argparse.ArgumentParser, heading: str) -> Iterator[str]:
    parser.prog = heading
    yield f"```text\n{parser.format_help().rstrip()}\n```\n"
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                yield f"### {heading} {name}\n"
                yield from _help(command, f"{heading} {name}")


# ─── GraphQL ─────────────────────────────────────────────────────────────────────────────────────


def _graphql(schema: str) -> Iterator[str]:
    yield "# GraphQL API\n"
    yield "Made from the [schema](../../graphql/schema.graphql). All who are signed in may query."
    yield "Edits need the group `Technicians`.\n"
    for definition in parse(schema).definitions:
        yield from _graphql_type(definition)


def _graphql_type(definition: DefinitionNode) -> Iterator[str]:
    if not isinstance(definition, _GRAPHQL_TYPES):
        return
    yield f"## {definition.name.value}\n"
    if definition.description:
        yield f"{_one_line(definition.description.value)}\n"
    if isinstance(definition, EnumTypeDefinitionNode):
        yield ", ".join(f"`{each.name.value}`" for each in definition.values or ()) + "\n"
        return
    yield "| field | type | meaning |\n| --- | --- | --- |"
    for field in definition.fields or ():
        meaning = _one_line(field.description.value) if field.description else ""
        yield f"| `{_signature(field)}` | `{print_ast(field.type)}` | {_cell(meaning)} |"
    yield ""


def _signature(field: FieldDefinitionNode | InputValueDefinitionNode) -> str:
    arguments = field.arguments if isinstance(field, FieldDefinitionNode) else ()
    given = ", ".join(f"{each.name.value}: {print_ast(each.type)}" for each in arguments or ())
    return f"{field.name.value}({given})" if given else field.name.value


# ─── The record ──────────────────────────────────────────────────────────────────────────────────


def _record(source: str) -> Iterator[str]:
    """Yield the types of the record; a field's comment, at the end of its line, is its meaning."""
    lines = source.splitlines()
    yield "# The slide record\n"
    yield "The attributes of a slide in the DynamoDB table, from `vsv.catalogue.record`.\n"
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    for node in sorted(classes, key=lambda each: each.name != "SlideRecord"):
        yield f"## {node.name}\n\n{_literals(ast.get_docstring(node) or '')}\n"
        values = [each for each in node.body if isinstance(each, ast.Assign)]
        if values:
            yield "| value | meaning |\n| --- | --- |"
            yield from (
                f"| `{ast.literal_eval(each.value)}` | {_comment(lines, each)} |" for each in values
            )
        fields = [each for each in node.body if isinstance(each, ast.AnnAssign)]
        if fields:
            yield "| attribute | type | meaning |\n| --- | --- | --- |"
            yield from (
                f"| `{ast.unparse(each.target)}` | `{ast.unparse(each.annotation)}` "
                f"| {_comment(lines, each)} |"
                for each in fields
            )
        yield ""


def _comment(lines: list[str], node: ast.stmt) -> str:
    return _literals(_cell(lines[node.lineno - 1].partition("  # ")[2]))


# ─── The library ─────────────────────────────────────────────────────────────────────────────────


def _library(folder: Path) -> Iterator[str]:
    yield "# The library\n"
    yield "The modules of `vsv` with their public names, by the first line of each docstring."
    yield "[Architecture](../architecture.md#the-library) says what each kind of work may import.\n"
    for path in sorted(folder.rglob("*.py")):
        name = ".".join(path.relative_to(folder.parent).with_suffix("").parts)
        module = ast.parse(path.read_text(encoding="utf-8"))
        text = ast.get_docstring(module)
        if not text:
            continue
        yield f"## {name.removesuffix('.__init__')}\n\n{_literals(_first(text))}\n"
        public = [
            node
            for node in module.body
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
        ]
        yield from (
            f"* `{node.name}`: {_literals(_first(ast.get_docstring(node) or ''))}"
            for node in public
        )
        yield ""


def _first(docstring: str) -> str:
    return _one_line(inspect.cleandoc(docstring).split("\n\n")[0])


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _literals(text: str) -> str:
    """Return reStructuredText's literals as Markdown has them."""
    return text.replace("``", "`")


def _cell(text: str) -> str:
    return text.replace("|", r"\|")
