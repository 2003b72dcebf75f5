"""Records of slides and of failed imports as values, and a catalogue of them in memory."""

from vsv.identifiers import FileVersion
from vsv.imports.naming import unique_image_id
from vsv.imports.workflow import ImportJob

VERSION = FileVersion(7, 1000)
LATER, EARLIER = FileVersion(7, 1001), FileVersion(9, 999)


BEFORE, AFTER = "2026-03-14T11:59:59+00:00", "2026-03-14T12:00:01+00:00"


def record(image_id="1", *, filename="x.svs", version=VERSION, status="IMPORTED", **fields):
    """Return the record of a slide: of a failure, without ``width``."""
    return {
        "ImageID": image_id,
        "Filename": filename,
        "FileVersion": str(version),
        "ImportStatus": status,
        "Status": "NEW",
        "width": 300,
    } | fields


def failure(image_id="1", **fields):
    failed = record(image_id, **{"status": "FAILED", **fields})
    del failed["width"]
    return failed


class Records:
    """The catalogue: its records by ImageID, and the history of each."""

    def __init__(self, *known, history=()) -> None:
        self.by_id = {each["ImageID"]: each for each in known}
        self.lines = list(history)

    def get(self, image_id):
        return self.by_id.get(image_id)

    def get_many(self, image_ids):
        return [self.by_id.get(each) for each in image_ids]

    def by_filename(self, filename):
        return [each for each in self.by_id.values() if each["Filename"] == filename]

    def by_sha256(self, sha256):
        return [each for each in self.by_id.values() if each.get("Sha256") == sha256]

    def history(self, image_id, limit):
        return self.lines[:limit], None

    def change(self, image_id, by, action, decide):
        assert (by, action) == ("import", "IMPORT")
        new = decide(self.by_id.get(image_id))
        if new is not None:
            kept = {name: value for name, value in new.items() if value is not None}
            self.by_id[image_id] = {**kept, "ImageID": image_id}


OWN_ID = unique_image_id("1", "x.svs", VERSION)

JOB = ImportJob("1", "x.svs", 7, 1000)
