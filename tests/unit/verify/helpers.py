"""An imported slide to be damaged, and how it is verified piece by piece."""

import io
import json
import os
from dataclasses import replace

from vsv.imports.verify import RecordedSlide, verify

ID = "204711"


class Subject:
    """An imported slide, and what there is of it to be damaged."""

    def __init__(self, world, image_id=ID) -> None:
        self.world, self.image_id = world, image_id
        self.storage = world.storage
        self.svs = self.storage.root / self.record["Filename"]
        self.files = self.storage.root / f"{image_id}_files"
        self.descriptor = self.storage.root / f"{image_id}.dzi"

    @property
    def record(self):
        return self.world.catalogue.get(self.image_id)

    def tile(self, name):
        return self.files / f"{name}.jpeg"

    def block(self, level, col=0, row=0):
        return self.storage.root / f"{self.image_id}_index" / f"{level}_{col}_{row}"

    def change_index(self, **fields):
        index = self.storage.read_index(self.image_id)
        self.storage.write_index(self.image_id, replace(index, **fields))

    def verify(self):
        """All findings, and how many images are recoded. Questions and answers are JSON."""
        recorded = RecordedSlide.of(self.record).to_dict()
        findings, recoded = [], 0
        waiting = [{"slide": recorded}]
        while waiting:
            answer = json.loads(json.dumps(verify(self.storage, waiting.pop(0))))
            findings += answer["findings"]
            recoded += answer["recoded"]
            waiting += [{"slide": recorded, "piece": piece} for piece in answer["pieces"]]
        return findings, recoded

    @property
    def findings(self):
        return self.verify()[0]


def flip(path, offset):
    """Turn over a byte, and leave no trace of that in the directory."""
    times = path.stat()
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0xFF]))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def jpeg(image, quality=90, **options):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, **options)
    return buffer.getvalue()
