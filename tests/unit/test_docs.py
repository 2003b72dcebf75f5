"""Documents are true: links lead somewhere, and commands, routes and errors exist."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lint.commands import (
    aws_problems,
    make_problems,
    output_problems,
    own_problems,
    parser_of,
    sam_problems,
    value_problems,
)
from lint.markdown import Document, documents
from scanscope import import_slides
from tests.conftest import ROOT, load_template
from vsv.admin import cli as admin
from vsv.api.answers import STATUS_OF
from vsv.pyramid.encoding import MEDIA_TYPES
from vsv.standalone import cli

MAIN = load_template(ROOT / "main.template.yaml")
MAKEFILE = (ROOT / "Makefile").read_text()
PROGRAMS = {
    "vsv": cli.main,
    "vsv-admin": admin.main,
    "import_slides.py": import_slides.main,
}
TOP_LEVEL = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
# Git-ignored: there once something was built or run.
MADE = ("web/dist", "web/node_modules")


def links(document: Document) -> Iterator[str]:
    """Check that each leads to a file that is there, and to a heading in it."""
    for target in document.links:
        path, _, anchor = target.partition("#")
        file = document.folder / path if path else ROOT / document.name
        if not file.exists():
            yield f"{target}: no such file"
        elif anchor:
            other = document if not path else Document(path, file.read_text(), file.parent)
            if anchor not in other.anchors:
                yield f"{target}: no such heading"


def shell(document: Document) -> Iterator[str]:
    """Check blocks without a language: they are for the shell; others say what they are."""
    for block in document.blocks:
        parsed = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True)
        if parsed.returncode:
            yield f"{block[:60]!r}: {parsed.stderr.strip()}"


def commands(document: Document) -> Iterator[str]:
    """Check targets, sub-commands, operations, options, parameters, outputs: all exist."""
    for text in (*document.blocks, *document.spans):
        yield from make_problems(text, MAKEFILE)
        for program, main in PROGRAMS.items():
            yield from own_problems(program, parser_of(main), text)
        yield from aws_problems(text)
        yield from sam_problems(text)
        yield from value_problems(text, MAIN["Parameters"])
        yield from output_problems(text, set(MAIN["Outputs"]))


def paths(document: Document) -> Iterator[str]:
    """Check that a path in the prose that begins like one of ours is one of ours."""
    for span in document.spans:
        if not re.fullmatch(r"[\w.*-]+(/[\w.*-]+)*/?", span) or span.startswith(MADE):
            continue
        top, slash, _ = span.partition("/")
        ours = top in TOP_LEVEL if slash else span.endswith((".md", ".template.yaml"))
        if ours and not any(
            any(folder.glob(span.rstrip("/"))) for folder in (ROOT, document.folder)
        ):
            yield f"{span}: no such file"


def names(document: Document) -> Iterator[str]:
    """Check that a dotted name of the library is a module's, or of something in a module."""
    for span in document.spans:
        if re.fullmatch(r"vsv(\.\w+)+", span) and not _exists(span.split(".")):
            yield f"{span}: not in the library"


def _exists(parts: list[str]) -> bool:
    path = ROOT / "layers" / "vsv"
    for number, part in enumerate(parts, start=1):
        if (path / part).is_dir():
            path /= part
        elif module := next(path.glob(f"{part}.py*"), None):  # .pyi where it is compiled
            return _defines(module, parts[number:])
        else:
            return _defines(path / "__init__.py", parts[number - 1 :])
    return True


def _defines(file: Path, rest: list[str]) -> bool:
    return not rest or bool(re.search(rf"\b{rest[0]}\b", file.read_text()))


CHECKS = {check.__name__: check for check in (links, shell, commands, paths, names)}

BAD = [
    ("links", "See [there](docs/nowhere.md).", "docs/nowhere.md: no such file"),
    ("links", "# One\nSee [two](#two).", "#two: no such heading"),
    ("links", "See [one](README.md#one-two-three-four).", "no such heading"),
    ("shell", "```\nif true; then\n```", "syntax error"),
    ("shell", "```bash\necho 'it\n```", "matching"),
    ("commands", "Run `make coffee`.", "make coffee"),
    ("commands", "```\nmake bench BENCH=tiles && make tea\n```", "make tea"),
    ("commands", "`.venv/bin/vsv describe x.svs`", "vsv describe: no such command"),
    ("commands", "`vsv prerender --colour red x.svs`", "vsv --colour: no such option"),
    ("commands", "`vsv-admin --stack info failed --twice`", "vsv-admin --twice"),
    ("commands", "```\nimport_slides.py --config x.ini --forever\n```", "--forever"),
    ("commands", "`aws cloudfont list-distributions`", "aws cloudfont: no such service"),
    ("commands", "`aws efs delete-files`", "aws efs delete-files: no such operation"),
    (
        "commands",
        '```\nX=$(aws efs tag-resource --resource-id "a b" \\\n  --tag x)\n```',
        "--tag: no such",
    ),
    ("commands", "`aws cloudformation wait stack-done --stack-name x`", "stack-done"),
    ("commands", "`sam bulid`", "sam bulid: no such command"),
    ("commands", "`sam deploy --stack x | tail`", "sam deploy --stack: no such option"),
    ("commands", "`sam deploy --parameter-overrides 'Colour=red' --guided`", "Colour"),
    ("commands", "`sam deploy --parameter-overrides CdrUrl=`", "sam refuses it"),
    ("commands", '`sam deploy --parameter-overrides "SourceFolder=/a b"`', "sam reads"),
    (
        "commands",
        """`sam deploy --parameter-overrides 'CdrCredentials={"token": "x"}'`""",
        "sam reads",
    ),
    ("commands", "`sam deploy --parameter-overrides JpegQuality=99`", "not from 1 to 95"),
    ("commands", "`make deploy STACK=vsv-prod CdrURL=https://x`", "did you mean CdrUrl"),
    ("commands", "`make deploy STACK=vsv-prod 'SourceFolder=scans dir'`", "not accepted"),
    ("commands", '```\ncurl "$(output ApiAddress)"\n```', "ApiAddress: no such output"),
    ("paths", "In `functions/MakeCoffee/app.py`.", "functions/MakeCoffee/app.py"),
    ("paths", "In `templates/*.yml`.", "templates/*.yml"),
    ("paths", "Read `INSTALLATION.md`.", "INSTALLATION.md"),
    ("names", "See `vsv.slides.nowhere`.", "vsv.slides.nowhere: not in the library"),
    ("names", "Call `vsv.pyramid.deepzoom.nothing_of_that_name`.", "not in the library"),
]


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_the_documentation_is_true(check):
    found = [f"{each.name}: {problem}" for each in documents(ROOT) for problem in check(each)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("check", "text", "problem"), BAD)
def test_what_is_wrong_is_seen(check, text, problem):
    (found,) = CHECKS[check](Document("README.md", text, ROOT))
    assert problem in found


def test_the_http_reference_names_all_routes():
    template = load_template(ROOT / "func.template.yaml")
    text = (ROOT / "docs/reference/http.md").read_text()
    described = {
        (method, path.partition("/{")[0])
        for method, path in re.findall(r"^\| `([A-Z]+) (/\w+)", text, re.MULTILINE)
    }
    routes = {
        (event["Properties"]["Method"].upper(), "/" + event["Properties"]["Path"].split("/")[1])
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
        for event in resource["Properties"].get("Events", {}).values()
        if event["Type"] == "Api"
    }
    assert described == routes


def test_the_http_reference_names_all_formats():
    text = (ROOT / "docs/reference/http.md").read_text()
    named = re.findall(r"\.\{(jpeg[\w\\|]*)\}", text)
    assert len(named) == 2
    assert all(formats.split("\\|") == [*MEDIA_TYPES] for formats in named)


def test_the_http_reference_names_the_status_of_each_error():
    text = (ROOT / "docs/reference/http.md").read_text()
    described = {
        name: int(status)
        for status, name in re.findall(r"^\| (\d+) \| `(\w+)` \|", text, re.MULTILINE)
    }
    assert described == {error.__name__: status.value for error, status in STATUS_OF.items()}


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 200


def test_the_architecture_names_each_module_of_the_library_in_its_folders_row():
    text = (ROOT / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\| (`[^|]+`) \| (.+) \|$", text, re.MULTILINE)
    named = {name.rstrip("/"): row for names, row in rows for name in re.findall(r"[\w/]+", names)}
    library = ROOT / "layers" / "vsv" / "vsv"
    for path in library.rglob("*.py"):
        folder, *rest = path.relative_to(library).with_suffix("").parts
        if folder.startswith("_") or rest in (["__init__"], ["__main__"]):
            continue
        row = named[folder]
        # Their rows tell their purpose, and commands have pages of their own.
        if rest and folder not in ("admin", "standalone", "cdr"):
            assert f"`{rest[0]}`" in row, path
