"""SlideID and CaseID of a slide, from the label's code or the scanner."""

from dataclasses import dataclass

from vsv.catalogue import record
from vsv.catalogue.identity import case_of
from vsv.catalogue.record import IdSource, SlideRecord
from vsv.slides.barcode import Barcode, is_slide_id

__all__ = ["Identity", "identify"]


@dataclass(frozen=True)
class Identity:
    """The record's ID fields, and warnings for technicians."""

    fields: SlideRecord
    warnings: tuple[str, ...] = ()


def identify(image_id: str, label: Barcode, scanner: str | None, pattern: str) -> Identity:
    """Return the slide's IDs. ``scanner`` is what the scanner itself read from the label.

    The label's code comes first: it can be read again. The scanner's text counts where it matches
    ``pattern``, too. Without either, the ImageID replaces the IDs.
    """
    read = record.Barcode(text=label.text) if label.text else record.Barcode(reason=label.reason)
    scanned = scanner if scanner and is_slide_id(scanner, pattern) else None
    if label.text:
        differs = scanned not in (None, label.text)
        warning = f"the scanner read another slide ID from the label: {scanned}"
        return _identity(label.text, IdSource.BARCODE, read, warning if differs else None)
    if scanned:
        warning = f"the slide ID was read by the scanner, not by the import ({label.reason})"
        return _identity(scanned, IdSource.SCANNER, read, warning)
    warning = "what the scanner read from the label does not match the pattern"
    return Identity(
        SlideRecord(SlideID=image_id, CaseID=image_id, IdSource=IdSource.NONE, Barcode=read),
        (warning,) if scanner else (),
    )


def _identity(
    slide_id: str, source: IdSource, read: record.Barcode, warning: str | None
) -> Identity:
    ids = SlideRecord(SlideID=slide_id, CaseID=case_of(slide_id), IdSource=source, Barcode=read)
    return Identity(ids, (warning,) if warning else ())
