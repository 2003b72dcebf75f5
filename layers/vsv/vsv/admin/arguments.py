"""The arguments of ``vsv-admin``, and its help."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from vsv import __version__

__all__ = ["ENVIRONMENT", "Run", "parser_for"]

Run = Callable[[argparse.Namespace], int]

# The stack's name, if no option names it.
ENVIRONMENT: Final = "VSV_STACK"
_MAX_AT_ONCE: Final = 64
# A copy of a file may pause for minutes.
_MIN_AGE_S: Final = 300
# An import runs for some minutes with up to 10 functions at once, of the account's 1,000 that
# viewers need as well.
_PER_MINUTE: Final = 12


def parser_for(commands: Mapping[str, Run]) -> argparse.ArgumentParser:
    """Return the parser. Its result has ``run``, a command, and ``parser``, that command's."""
    parser = argparse.ArgumentParser(
        prog="vsv-admin",
        description="""\
Look after a deployment: list failed imports and retry them, import slides that were
copied by other means, rebuild pyramids and indexes, verify slides against their
files, export the catalogue. Name the deployment before or after the command.""",
        epilog=f"""\
exit codes:
  0    done, and nothing is wrong
  1    something failed, or was found to be wrong
  2    usage error
  130  interrupted

examples:
  vsv-admin --stack vsv-prod failed
  export {ENVIRONMENT}=vsv-prod
  vsv-admin retry 204711
  vsv-admin verify --all --json > findings.jsonl
  vsv-admin --stack-file .local/stack.json failed

`vsv-admin COMMAND --help` describes each command. docs/operations.md says when to use
which, and which permissions each needs.""",
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
List the slides whose import failed, most recent first: time, ImageID, file name and
reason.""",
        "failed",
        "failed --limit 20 --json",
    )
    failed.add_argument(
        "--limit", type=_whole(1, 1_000_000), metavar="N", help="list at most N slides"
    )
    _add_json(failed)

    retry = add(
        "retry",
        "retry failed imports",
        """\
Import slides again whose import failed or was aborted, and wait for the end. Tiles
that exist stay. A slide that is retried twice at the same time is imported once.
Slides whose import did not fail are refused, and so are slides that are archived or
deleted, or that are being archived or deleted.""",
        "retry 204711 204712",
        "retry --all --no-wait",
    )
    _add_slides(retry, "all slides whose import failed; those that would be refused are skipped")
    _add_waiting(retry)

    backfill = add(
        "backfill",
        "import slide files that were copied by other means",
        """\
Import the slide files on the deployment's file system that have no record: files
that another DataSync task, rsync or a restored backup has copied. Files that already
have a record (same name, size and modification time) are skipped, and so are files
that changed a moment ago: they may still be copied. The command may be interrupted
and repeated; each file is imported once.""",
        "backfill --dry-run",
        "backfill --folder 2026/11 --at-once 8",
        "backfill --no-wait --limit 1000 --json > started.jsonl",
    )
    backfill.add_argument(
        "--folder", default="", metavar="FOLDER", help="only files in this folder or below it"
    )
    backfill.add_argument(
        "--dry-run", action="store_true", help="list what would be imported, and start nothing"
    )
    backfill.add_argument(
        "--limit", type=_whole(1, 10**9), metavar="N", help="import at most N files"
    )
    backfill.add_argument(
        "--min-age",
        type=_whole(0, 10**6),
        default=_MIN_AGE_S,
        metavar="SECONDS",
        help=f"skip files that changed in the last SECONDS (default: {_MIN_AGE_S})",
    )
    backfill.add_argument(
        "--per-minute",
        type=_whole(1, 6000),
        default=_PER_MINUTE,
        metavar="N",
        help=f"with --no-wait: start N imports a minute (default: {_PER_MINUTE})",
    )
    _add_waiting(backfill)
    _add_json(backfill)
    _add_images_path(backfill)

    rerender = add(
        "rerender",
        "rebuild index, pyramid and associated images",
        """\
Remove all that was made of the slides and rebuild it from their files: index,
pyramid, label, thumbnail and macro. Technicians' edits stay. Nothing is removed
until the file is found to be the one that was imported.""",
        "rerender 204711",
    )
    _add_slides(rerender)
    _add_waiting(rerender)

    rebuild = add(
        "rebuild-index",
        "rewrite the index, and keep rendered tiles",
        """\
Rewrite the slide index, the tile index and the associated images. Rendered tiles
stay if the slide index says that they were made of this file. If the index is lost
or says otherwise, they are rendered again. The scanner's metadata are read into the
record again; technicians' edits stay.""",
        "rebuild-index 204711",
    )
    _add_slides(rebuild)
    _add_waiting(rebuild)

    verify = add(
        "verify",
        "compare index and tiles with the slide's file",
        """\
Compare what was made of slides with their files: the file with its checksum, the
index with the file, tiles and associated images with what would be rendered now. Of
an archived slide, check that what remains is there. Nothing is changed. The
deployment's function VerifySlide does the work, piece by piece; with --images-path
this machine does it.""",
        "verify 204711",
        "verify --all --json > findings.jsonl",
        "verify 204711 --images-path /mnt/images",
    )
    _add_slides(verify, "all slides; those that are being imported or removed are skipped")
    _add_json(verify)
    _add_images_path(verify)
    _add_at_once(verify, "pieces", 8)

    export = add(
        "export",
        "write the catalogue as CSV or JSON lines",
        """\
Write the catalogue, one line for each slide, in no order. These are patients' data: a
file can be read by its owner only, and it appears when it is complete or not at all.
In CSV, a cell that begins with = + - @, a tab or a carriage return gets a leading
apostrophe, so that spreadsheets do not take it for a formula. JSON lines hold the
whole record as it is.""",
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
Show each change of a slide's record, most recent first: its time, the version of the
record after it, the action, who made it, and each field before and after.""",
        "history 204711",
        "history 204711 --json",
    )
    history.add_argument("image_id", metavar="IMAGE_ID")
    _add_json(history)

    add(
        "upgrade",
        "update the records of an earlier version",
        """\
Add to the records of an earlier version what later ones have: where the slide's IDs
come from (IdSource). Until then, slides that nobody has identified are missing from
listUnidentified. Run it once after an update. It may be interrupted and repeated,
and people may work at the same time. The history gets a line for each record.""",
        "upgrade",
    )
    return parser


def _add_where(parser: argparse.ArgumentParser, default: Any) -> None:
    """Add the options that name the deployment. A command's do not override those before it."""
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
    command.add_argument(
        "--no-wait", action="store_true", help="start the imports and do not wait for their end"
    )
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
        help="path where the slides' file system is mounted on this machine",
    )


def _add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print one JSON object a line")


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(f"{text!r} is not a number in {low}..{high}")
        return int(text)

    return parse
