"""What ``/RemoveImages`` does: note the operation on the slide's record, and start it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from vsv.catalogue.accessors import (
    image_id_of,
    is_archived,
    is_deleted,
    is_imported,
    is_importing,
    is_named,
    is_removal_requested,
    removal_of,
    with_failed_removal,
)
from vsv.catalogue.history import Action
from vsv.catalogue.record import Operation, Removal, RemovalState, SlideRecord, changed, now
from vsv.catalogue.table import Catalogue
from vsv.errors import Conflict, NotFound, Unavailable, VsvError
from vsv.failures import named
from vsv.imports.workflow import ImportJob, Workflow
from vsv.logs import log_unexpected
from vsv.removal.request import NamedImage, RemovalRequest

__all__ = ["RemovalService", "Result"]

_IN_PROGRESS: Final = {
    Operation.DELETE: "the slide is being deleted",
    Operation.TRANSFER: "the slide is being archived",
    Operation.RESTORE: "the slide is being restored",
}
# For how long operations are started although a service fails. API Gateway waits 29 s.
_DEADLINE_S: Final = 8.0
_NOT_STARTED: Final = Unavailable("a required service fails; nothing was started, try again later")
_COMPLETE: Final = {
    Operation.DELETE: "the slide is deleted",
    Operation.TRANSFER: "the slide is archived",
    Operation.RESTORE: "the slide is not archived",
}


@dataclass(frozen=True)
class Result:
    """The result for one slide; ``error`` is None if the request was accepted."""

    image: NamedImage
    detail: str
    error: VsvError | None = None


def _is_unavailable(result: Result) -> bool:
    return isinstance(result.error, Unavailable)


class RemovalService:
    """Notes requests on records, and starts the work.

    ``invoke`` starts a function for an ImageID and does not wait for it.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        workflow: Workflow,
        invoke: Callable[[Operation, str], None],
    ) -> None:
        self._catalogue = catalogue
        self._workflow = workflow
        self._invoke = invoke

    def handle(self, request: RemovalRequest, by: str) -> list[Result]:
        """Return a result for each slide of the request, which the person ``by`` made.

        Once a service has failed, nothing is started after the deadline: boto3 tries each call for
        seconds, and the caller would not wait that long.
        """
        end = time.monotonic() + _DEADLINE_S
        results: list[Result] = []
        for image in request.images:
            if time.monotonic() > end and any(_is_unavailable(each) for each in results):
                results.append(Result(image, str(_NOT_STARTED), _NOT_STARTED))
            else:
                results.append(self._request(request.operation, image, by))
        return results

    def _request(self, operation: Operation, image: NamedImage, by: str) -> Result:
        def decide(old: SlideRecord | None) -> SlideRecord:
            return _requested(old, operation, image, by)

        try:
            record = self._catalogue.change(image.image_id, by, Action(operation), decide)
            if record is None or removal_of(record) != operation:
                return Result(image, _COMPLETE[operation])
            self._start(operation, record)
        except Exception as error:
            failure = named(error)
            if failure is None:
                raise
            if failure is not error:
                log_unexpected(error)
            return Result(image, str(failure), failure)
        return Result(image, _IN_PROGRESS[operation])

    def _start(self, operation: Operation, record: SlideRecord) -> None:
        """Start the work, again if it was started before. Raises Unavailable."""
        image_id = image_id_of(record)
        try:
            if operation is Operation.RESTORE:
                job = ImportJob.again(record, restore=True)
                self._workflow.ensure(job, lambda: self._is_finished(image_id))
            else:
                self._invoke(operation, image_id)
        except Exception as error:
            fail(self._catalogue, image_id, operation, "it could not be started")
            raise Unavailable("it could not be started; try again later") from error

    def _is_finished(self, image_id: str) -> bool:
        record = self._catalogue.get(image_id)
        return record is None or not is_removal_requested(record)


def fail(catalogue: Catalogue, image_id: str, operation: Operation, reason: str) -> None:
    """Note on the record that the operation failed, and why. It may be requested again."""

    def decide(old: SlideRecord | None) -> SlideRecord | None:
        if old is None or removal_of(old) != operation:
            return old
        return with_failed_removal(old, reason)

    catalogue.change(image_id, "removal", Action(operation), decide)


def _requested(
    old: SlideRecord | None, operation: Operation, image: NamedImage, by: str
) -> SlideRecord:
    """Return the record with the request; unchanged if that is complete or in progress.

    Raises NotFound or Conflict.
    """
    if old is None:
        raise NotFound("there is no slide with this ImageID")
    if image.filename is not None and not is_named(old, image.filename):
        raise Conflict("the slide's file has another name")
    if _is_done(old, operation):
        return old
    if removal_of(old) == operation and is_removal_requested(old):
        return old
    _check(old, operation)
    removal = Removal(Operation=operation, State=RemovalState.REQUESTED, By=by, At=now())
    return changed(old, Removal=removal)


def _is_done(record: SlideRecord, operation: Operation) -> bool:
    if operation is Operation.DELETE:
        return is_deleted(record)
    if operation is Operation.TRANSFER:
        return is_archived(record) and removal_of(record) is None
    return False


def _check(record: SlideRecord, operation: Operation) -> None:
    """Raise Conflict if the slide's state does not allow the operation."""
    if is_deleted(record):
        raise Conflict("the slide is deleted")
    other = removal_of(record)
    if is_importing(record) and other != operation:
        raise Conflict("the slide is being imported")
    if other and other != operation:
        # After a failed operation a slide may only be deleted.
        if is_removal_requested(record) or operation is not Operation.DELETE:
            raise Conflict(f"a {other} of this slide is not complete")
    elif operation is Operation.TRANSFER and not is_imported(record):
        raise Conflict("the slide's import is not complete; it cannot be archived")
    elif operation is Operation.RESTORE and not is_archived(record):
        raise Conflict("the slide is not archived")
