"""What an import leaves behind, for tests that begin there."""

import shutil
import tempfile
from dataclasses import dataclass

from moto.s3 import models

from tests import moto_speed
from vsv.storage.layout import Storage


@dataclass
class Aftermath:
    """What there is on EFS, in the bucket of pyramids and in tables. Each test has copies."""

    folder: tempfile.TemporaryDirectory
    objects: dict[str, tuple[bytes, dict]]
    items: bytes

    @classmethod
    def of(cls, storage: Storage) -> "Aftermath":
        folder = tempfile.TemporaryDirectory()
        shutil.copytree(storage.root, folder.name, symlinks=True, dirs_exist_ok=True)
        keys = _s3().get_bucket(storage._bucket).keys.values() if storage._bucket else ()
        objects = {key.name: (key.value, dict(key.metadata)) for key in keys}
        return cls(folder, objects, moto_speed.items())

    def restore(self, storage: Storage) -> None:
        shutil.copytree(self.folder.name, storage.root, symlinks=True, dirs_exist_ok=True)
        for name, (body, metadata) in self.objects.items():
            _s3().put_object(storage._bucket, name, body).set_metadata(metadata)
        moto_speed.put_items(self.items)


def _s3() -> models.S3Backend:
    """Moto's S3, which takes an object from here in a hundredth of the time."""
    return models.s3_backends["123456789012"]["aws"]
