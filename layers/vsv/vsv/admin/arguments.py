"""What ``vsv-admin`` can be asked, and what it says of itself."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from vsv import __version__

__all__ = ["ENVIRONMENT", "Run", "parser_for"]

Run = Callable[[argparse.Namespace], int]

# Where the stack's name is looked for if no option says it.
ENVIRONMENT: Final = "VSV_STACK"
_MAX_AT_ONCE: Final = 64
# Whoever copies files may pause for minutes, between one part of a file and the next.
_MIN_AGE_S: Final = 300
# An import runs for some minutes with up to 10 functions at once, of the account's 1,000 that
# viewers need as well.
_PER_MINUTE: Final = 12


def parser_for(commands: Mapping[str, Run]) -> argparse.ArgumentParser:
    """The parser. What it gives has ``run``, one of the commands, and ``parser``, the command's."""
    parser = argparse.ArgumentParser(
        prog="vsv-admin",
        description="""\
Look after a deployment: list failed imports and retry them, take in slides that were
copied by other means, make pyramids and indexes anew, verify slides against their
files, export the catalogue. Say which deployment it is, before or after the command.""",
        epilog=f"""\
exit codes:
  0    done, and nothing is wrong
  1    something failed, or was found to be wrong
  2    wrong usage
  130  interrupted

examples:
  vsv-admin --stack vsv-prod failed
  export {ENVIRONMENT}=vsv-prod
  vsv-admin retry 204711
  vsv-admin verify --all --json > findings.jsonl
  vsv-admin --stack-file .local/stack.json failed

`vsv-admin COMMAND --help` tells more of each. docs/operations.md says when to use
which, and what a person has to be allowed for it.""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"vsv-admin {__version__}")
    _add_where(parser, None)
    added = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, short: str, description: str, *examples: str) -> argparse.ArgumentParser:
        command = added.add_parser(
            name,
            help=short,
            description=description,
            epilog="\n".join(["examples:", *(f"  vsv-admin {each}" for each in examples)]),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        _add_where(command, argparse.SUPPRESS)
        command.set_defaults(run=commands[name], parser=command)
        return command

    failed = add(
        "failed",
        "list the slides whose import failed",
        """\
List the slides whose import failed, the last one first: when that was, ImageID,
file name and reason.""",
        "failed",
        "failed --limit 20 --json",
    )
    failed.add_argument(
        "--limit", type=_whole(1, 1_000_000), metavar="N", help="so many at the most"
    )
    _add_json(failed)

    retry = add(
        "retry",
        "import slides again whose import failed",
        """\
Import slides again whose import failed, or was stopped from outside, and wait for
the end. Tiles that are there already stay. A slide that is retried twice at once is
imported once. Refused are slides whose import did not fail, and those that are
archived or deleted, or on their way there.""",
        "retry 204711 204712",
        "retry --all --no-wait",
    )
    _add_slides(retry, "each slide whose import failed; what would be refused is left out")
    _add_waiting(retry)

    take_in = add(
        "take-in",
        "import slide files that were copied by other means",
        """\
Look through the slide files on the deployment's file system and import those that
have no record: files that another DataSync task, rsync or a restored backup has
brought. Left alone is what has its record: a file of this name, size and modification
time. Left out is what changed a moment ago, and may still be on its way. It may be
interrupted and repeated; each file is imported once.""",
        "take-in --dry-run",
        "take-in --folder 2026/11 --at-once 8",
        "take-in --no-wait --limit 1000 --json > started.jsonl",
    )
    take_in.add_argument(
        "--folder", default="", metavar="FOLDER", help="only what is in it or below"
    )
    take_in.add_argument(
        "--dry-run", action="store_true", help="say what would be imported, and start nothing"
    )
    take_in.add_argument(
        "--limit", type=_whole(1, 10**9), metavar="N", help="import so many at the most"
    )
    take_in.add_argument(
        "--min-age",
        type=_whole(0, 10**6),
        default=_MIN_AGE_S,
        metavar="SECONDS",
        help=f"leave out what changed since then (default: {_MIN_AGE_S})",
    )
    take_in.add_argument(
        "--per-minute",
        type=_whole(1, 6000),
        default=_PER_MINUTE,
        metavar="N",
        help=f"with --no-wait: start so many a minute (default: {_PER_MINUTE})",
    )
    _add_waiting(take_in)
    _add_json(take_in)
    _add_images_path(take_in)

    rerender = add(
        "rerender",
        "make index, pyramid and associated images anew",
        """\
Remove all that was made of the slides and make it anew from their files: index,
pyramid, label, thumbnail and macro. What technicians edited stays. Nothing is
removed before the file was seen to be the one that was imported.""",
        "rerender 204711",
    )
    _add_slides(rerender)
    _add_waiting(rerender)

    rebuild = add(
        "rebuild-index",
        "write the index anew, and keep rendered tiles",
        """\
Write slide index and tile index anew, and the associated images. Rendered tiles
stay where the slide index says that they are of this very file; where it is lost or
says otherwise, they are rendered again.""",
        "rebuild-index 204711",
    )
    _add_slides(rebuild)
    _add_waiting(rebuild)

    verify = add(
        "verify",
        "hold index and tiles against the slide's file",
        """\
Hold what was made of slides against their files: the file against its checksum, the
index against the file, tiles and associated images against what would be rendered
now. Of an archived slide, see that what stays is there. Nothing is changed. The
deployment's function VerifySlide does it, piece by piece; with --images-path this
machine does.""",
        "verify 204711",
        "verify --all --json > findings.jsonl",
        "verify 204711 --images-path /mnt/images",
    )
    _add_slides(verify, "each slide; those that are just being imported or removed are left out")
    _add_json(verify)
    _add_images_path(verify)
    _add_at_once(verify, "pieces", 8)

    export = add(
        "export",
        "write the catalogue as CSV or JSON lines",
        """\
Write the catalogue, a line for each slide, in no order. These are patients' data: a
file can be read by its owner alone, and appears when all is written or not at all.
In CSV a cell that begins with = + - @, a tab or a carriage return gets an apostrophe
before it, so that no spreadsheet takes it for a formula. JSON lines have all of a
record, as it is.""",
        "export --output slides.csv",
        "export --format jsonl --all | gzip > slides.jsonl.gz",
    )
    export.add_argument("--format", choices=["csv", "jsonl"], default="csv", help="default: csv")
    export.add_argument("--output", type=Path, metavar="FILE", help="default: standard output")
    export.add_argument("--all", action="store_true", help="deleted slides as well")

    history = add(
        "history",
        "show how a slide's record was changed",
        """\
Show each change of a slide's record, the last one first: when it was, which version
of the record it made, what was done and by whom, and what each field was and became.""",
        "history 204711",
        "history 204711 --json",
    )
    history.add_argument("image_id", metavar="IMAGE_ID")
    _add_json(history)

    add(
        "upgrade",
        "bring records of an earlier version up to date",
        """\
Write onto the records of an earlier version what later ones have: where the slide's
IDs come from (IdSource). Until then, slides that nobody has identified are missing
from listUnidentified. Run it once after an update; it may be interrupted and
repeated, and people may work meanwhile. The history has a line for each record.""",
        "upgrade",
    )
    return parser


def _add_where(parser: argparse.ArgumentParser, default: Any) -> None:
    """Options that say which deployment. A command's leave alone what was said before it."""
    where = parser.add_argument_group("which deployment")
    where.add_argument(
        "--stack",
        default=default,
        metavar="NAME",
        help=f"its CloudFormation stack (default: the environment variable {ENVIRONMENT})",
    )
    where.add_argument(
        "--stack-file",
        type=Path,
        default=default,
        metavar="PATH",
        help="or a file that describes it: the local stack's .local/stack.json",
    )
    where.add_argument("--region", default=default, help="AWS region (default: as for AWS CLI)")
    where.add_argument("--profile", default=default, help="AWS profile (default: as for AWS CLI)")


def _add_slides(command: argparse.ArgumentParser, all_of_them: str | None = None) -> None:
    command.add_argument("image_ids", nargs="*" if all_of_them else "+", metavar="IMAGE_ID")
    command.set_defaults(all=False)
    if all_of_them:
        command.add_argument("--all", action="store_true", help=all_of_them)


def _add_waiting(command: argparse.ArgumentParser) -> None:
    command.add_argument("--no-wait", action="store_true", help="start the imports, and no more")
    _add_at_once(command, "slides", 4)


def _add_at_once(command: argparse.ArgumentParser, what: str, default: int) -> None:
    command.add_argument(
        "--at-once",
        type=_whole(1, _MAX_AT_ONCE),
        default=default,
        metavar="N",
        help=f"{what} at a time, 1..{_MAX_AT_ONCE} (default: {default})",
    )


def _add_images_path(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--images-path",
        type=Path,
        metavar="DIR",
        help="where the slides' file system is mounted on this machine",
    )


def _add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="for programs: a JSON object a line")


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(f"{text!r} is not a number in {low}..{high}")
        return int(text)

    return parse
