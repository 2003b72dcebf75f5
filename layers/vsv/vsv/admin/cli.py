"""The commands of ``vsv-admin``."""

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from vsv import aws
from vsv.admin.arguments import ENVIRONMENT, Run, parser_for
from vsv.admin.backfill import Backfill, BackfillResult, CheckFile, State
from vsv.admin.deployment import Deployment, Verify
from vsv.admin.executions import ImportWatcher, Outcome, StateMachine
from vsv.admin.export import all_records, whole_file, write_csv, write_json_lines
from vsv.admin.reimport import ReimportReason, Reimports
from vsv.admin.reimport import check as check_reimport
from vsv.admin.upgrade import upgraded
from vsv.admin.verification import VerificationResult, verified
from vsv.admin.verification import check as check_verifiable
from vsv.catalogue.accessors import image_id_of, is_deleted
from vsv.catalogue.history import changes_of, summary_of
from vsv.catalogue.listings import Listings
from vsv.catalogue.pages import Page
from vsv.catalogue.projections import failure_fields
from vsv.catalogue.record import SlideRecord, to_json
from vsv.catalogue.table import Catalogue
from vsv.errors import NotFound, VsvError
from vsv.imports.check_file import check_file
from vsv.imports.listing import ListSlides, all_slides, list_slides
from vsv.imports.verify import verify
from vsv.imports.workflow import ImportJob, StepFunctions
from vsv.progress import Bars, bars
from vsv.storage.layout import Storage

__all__ = ["main"]

_OK, _FAILED, _INTERRUPTED = 0, 1, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``vsv-admin``; return the exit code.

    0: done, nothing wrong; 1: something failed or is wrong; 2: wrong usage; 130: interrupted.
    """
    options = parser_for(_COMMANDS).parse_args(arguments)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader of the output has closed it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILED
    except (VsvError, OSError, BotoCoreError, ClientError) as error:
        _complain(error)
        return _FAILED
    except KeyboardInterrupt:
        goes_on = "; imports that were started go on" if "no_wait" in options else ""
        print(f"vsv-admin: interrupted{goes_on}", file=sys.stderr)
        return _INTERRUPTED


def _deployment(options: argparse.Namespace) -> Deployment:
    """Return the deployment that the options name. Exits on a usage error."""
    parser: argparse.ArgumentParser = options.parser
    if options.stack and options.stack_file:
        parser.error("give --stack or --stack-file, not both")
    if options.stack_file:
        return Deployment.of_file(options.stack_file, options.region, options.profile)
    stack = options.stack or os.environ.get(ENVIRONMENT)
    if not stack:
        parser.error(f"say which deployment: --stack NAME, --stack-file PATH, or set {ENVIRONMENT}")
    return Deployment.of_stack(stack, options.region, options.profile)


def _image_ids(options: argparse.Namespace) -> list[str]:
    """Return the slides that were named, each once; none for --all. Exits on a usage error."""
    parser: argparse.ArgumentParser = options.parser
    if bool(options.image_ids) == options.all:
        parser.error("name slides by their ImageIDs, or give --all")
    return list(dict.fromkeys(options.image_ids))


def _failed(options: argparse.Namespace) -> int:
    listings = Listings(_deployment(options).catalogue)
    for record in islice(_pages(listings.failed), options.limit):
        if options.json:
            _print_json(failure_fields(record))
        else:
            image_id, filename, failed_at, error = failure_fields(record).values()
            print(f"{failed_at}  {image_id}  {filename}: {_line(error)}")
    return _OK


def _reimport(options: argparse.Namespace, reason: ReimportReason) -> int:
    image_ids = _image_ids(options)
    deployment = _deployment(options)
    catalogue = deployment.catalogue
    workflow, executions = _imports(deployment)
    reimports = Reimports(catalogue, workflow, executions)

    def start(image_id: str) -> ImportJob:
        return reimports.start(image_id, reason)

    if options.all:
        image_ids = [image_id_of(each) for each in _retriable(catalogue)]
    code = _OK
    if options.no_wait:
        for image_id in image_ids:
            try:
                start(image_id)
                print(f"{image_id}: the import was started")
            except VsvError as error:
                code = _complain(error, image_id)
        return code
    with bars("tiles") as shown:
        watcher = ImportWatcher(catalogue, executions)
        for image_id, outcome in watcher.run(image_ids, start, options.at_once, shown):
            if isinstance(outcome, Outcome) and outcome.error is None:
                print(f"{image_id}: imported, {outcome.tiles} tiles")
            else:
                code = _complain(
                    f"the import failed: {_line(outcome.error)}"
                    if isinstance(outcome, Outcome)
                    else outcome,
                    image_id,
                )
    return code


def _imports(deployment: Deployment) -> tuple[StepFunctions, StateMachine]:
    """Return the workflow, and what reads its executions."""
    client, arn = aws.client("stepfunctions"), deployment.name("ImportStateMachineArn")
    return StepFunctions(client, arn), StateMachine(client, arn)


def _backfill(options: argparse.Namespace) -> int:
    deployment = _deployment(options)
    workflow, executions = _imports(deployment)
    ask, check = _files(deployment, options.images_path)
    backfill = Backfill(check, deployment.catalogue, workflow, options.min_age)
    states: Counter[State] = Counter()
    new: list[str] = []
    with bars("files") as shown:
        for number, file in enumerate(all_slides(ask, options.folder), 1):
            result = backfill.examine(file)
            shown.show("examined", number, None)
            if result.state is State.NEW and not options.dry_run:
                new.append(result.filename)
            else:
                states[result.state] += 1
                _print_result(result, options.json)
            if options.limit in (len(new), states[State.NEW]):
                break
    with bars("tiles") as shown:
        watcher = ImportWatcher(deployment.catalogue, executions)
        for result in (
            backfill.started(new, options.per_minute)
            if options.no_wait
            else backfill.imported(new, watcher, options.at_once, shown)
        ):
            states[result.state] += 1
            _print_result(result, options.json)
    counts = ", ".join(f"{count} {state}" for state, count in states.items())
    print(f"vsv-admin: {states.total()} slide files: {counts or 'none'}", file=sys.stderr)
    return _FAILED if states[State.FAILED] or states[State.REFUSED] else _OK


def _files(deployment: Deployment, images_path: Path | None) -> tuple[ListSlides, CheckFile]:
    """Return what lists files and checks each: functions, or this machine."""
    if images_path is None:
        return deployment.function("ListSlides"), deployment.function("CheckFile")
    storage = _mounted(deployment, images_path)
    return partial(list_slides, storage), lambda request: check_file(storage, request["filename"])


def _print_result(result: BackfillResult, as_json: bool) -> None:
    if result.state is State.KNOWN:
        return
    if as_json:
        fields = {"Filename": result.filename, "ImageID": result.image_id, "state": result.state}
        _print_json({**fields, "tiles": result.tiles, "detail": result.detail})
    elif result.detail is not None:
        _complain(f"{result.state}: {result.detail}", result.filename)
    else:
        known_as = f" as {result.image_id}" if result.image_id else ""
        tiles = "" if result.tiles is None else f", {result.tiles} tiles"
        print(f"{result.filename}: {result.state}{known_as}{tiles}")


def _retriable(catalogue: Catalogue) -> Iterator[SlideRecord]:
    for record in _pages(Listings(catalogue).failed):
        try:
            yield check_reimport(record, ReimportReason.RETRY)
        except VsvError as error:
            _complain(f"skipped: {error}", image_id_of(record))


def _verify(options: argparse.Namespace) -> int:
    image_ids = _image_ids(options)
    deployment = _deployment(options)
    verifier = _verifier(deployment, options.images_path)
    wrong: set[str] = set()

    def complain(error: Exception | str, image_id: str) -> None:
        if options.json:
            _print_json({"ImageID": image_id, "error": str(error)})
        else:
            _complain(error, image_id)

    def records() -> Iterator[SlideRecord]:
        """Yield the records of slides that can be verified; report the others."""
        catalogue = deployment.catalogue
        named = ((image_id, catalogue.get(image_id)) for image_id in image_ids)
        for image_id, record in _undeleted(catalogue) if options.all else named:
            try:
                yield check_verifiable(record)
            except VsvError as error:
                if options.all:
                    _complain(f"skipped: {error}", image_id)
                else:
                    wrong.add(image_id)
                    complain(error, image_id)

    with bars("pieces") as shown:
        for image_id, result in verified(records(), verifier, options.at_once, shown):
            if isinstance(result, VsvError):
                wrong.add(image_id)
                complain(result, image_id)
            else:
                if result.findings:
                    wrong.add(image_id)
                _print_verification(image_id, result, options.json)
    return _FAILED if wrong else _OK


def _verifier(deployment: Deployment, images_path: Path | None) -> Verify:
    """Return what verifies: VerifySlide, or this machine if it mounts the file system."""
    if images_path is None:
        return deployment.function("VerifySlide")
    return partial(verify, _mounted(deployment, images_path))


def _mounted(deployment: Deployment, images_path: Path) -> Storage:
    """Return the slide store that is mounted on this machine."""
    if not images_path.is_dir():
        raise NotFound(f"{images_path} is not a folder")
    return Storage(images_path, deployment.pyramid_bucket)


def _undeleted(catalogue: Catalogue) -> Iterator[tuple[str, SlideRecord]]:
    for record in all_records(catalogue):
        if not is_deleted(record):
            yield image_id_of(record), record


def _print_verification(image_id: str, result: VerificationResult, as_json: bool) -> None:
    if as_json:
        _print_json(
            {
                "ImageID": image_id,
                "archived": result.archived,
                "sound": not result.findings,
                "findings": list(result.findings),
                "recoded": result.recoded,
            }
        )
        return
    archived = "archived, " if result.archived else ""
    recoded = (
        f" ({result.recoded} images look right, but would be encoded differently now)"
        if result.recoded
        else ""
    )
    if not result.findings:
        print(f"{image_id}: {archived}sound{recoded}")
    for finding in result.findings:
        print(f"{image_id}: {archived}{_line(finding)}")


def _export(options: argparse.Namespace) -> int:
    catalogue = _deployment(options).catalogue
    write = {"csv": write_csv, "jsonl": write_json_lines}[options.format]
    written = 0

    def counted(shown: Bars) -> Iterator[SlideRecord]:
        nonlocal written
        for record in all_records(catalogue):
            if options.all or not is_deleted(record):
                yield record
                written += 1
                shown.show("catalogue", written, None)

    with bars("slides") as shown:
        if options.output is None:
            write(counted(shown), sys.stdout)
        else:
            with whole_file(options.output) as file:
                write(counted(shown), file)
    print(f"vsv-admin: {written} slides", file=sys.stderr)
    return _OK


def _history(options: argparse.Namespace) -> int:
    catalogue = _deployment(options).catalogue
    known = catalogue.get(options.image_id) is not None
    for line in _pages(partial(Listings(catalogue).history, options.image_id)):
        known = True
        if options.json:
            _print_json(line)
            continue
        print(summary_of(line))
        for field, old, new in changes_of(line):
            print(f"    {field}: {_line(old, 'nothing')} → {_line(new, 'nothing')}")
    return _OK if known else _complain("there is no slide with this ImageID", options.image_id)


def _upgrade(options: argparse.Namespace) -> int:
    catalogue = _deployment(options).catalogue
    changed = 0
    with bars("slides") as shown:
        for changed, _ in enumerate(upgraded(catalogue, all_records(catalogue)), 1):
            shown.show("upgraded", changed, None)
    print(f"vsv-admin: {changed} slides upgraded", file=sys.stderr)
    return _OK


_T = TypeVar("_T")


class _Listing(Protocol[_T]):
    """Returns a page of items; ``token`` is where to go on."""

    def __call__(self, *, token: str | None) -> Page[_T]: ...


def _pages(listing: _Listing[_T]) -> Iterator[_T]:
    """Yield all items of a listing, page by page."""
    token = None
    while True:
        items, token = listing(token=token)
        yield from items
        if token is None:
            return


def _print_json(value: Any) -> None:
    print(json.dumps(to_json(value), ensure_ascii=False), flush=True)


def _line(value: Any, missing: str = "") -> str:
    """Return the value in one line."""
    if value is None:
        return missing
    structured = isinstance(value, dict | list)
    text = json.dumps(to_json(value), ensure_ascii=False) if structured else str(value)
    return " ".join(text.split())


def _complain(error: Exception | str, image_id: str | None = None) -> int:
    """Print in one line on standard error what is wrong; return the exit code."""
    if isinstance(error, OSError) and error.strerror:
        text = ": ".join(str(part) for part in (error.filename, error.strerror) if part)
    else:
        text = _line(error)
    print(": ".join(filter(None, ("vsv-admin", image_id, text))), file=sys.stderr)
    return _FAILED


_COMMANDS: Final[Mapping[str, Run]] = {
    "failed": _failed,
    "backfill": _backfill,
    "retry": partial(_reimport, reason=ReimportReason.RETRY),
    "rerender": partial(_reimport, reason=ReimportReason.RENDER),
    "rebuild-index": partial(_reimport, reason=ReimportReason.INDEX),
    "verify": _verify,
    "export": _export,
    "history": _history,
    "upgrade": _upgrade,
}
