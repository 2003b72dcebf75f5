"""RemoveImages and the functions that it starts, in one process."""

from tests.s3 import BUCKET
from vsv.catalogue.listings import Listings
from vsv.removal.request import RemovalRequest
from vsv.removal.service import RemovalService
from vsv.removal.steps import Remover
from vsv.storage.archive import Archive


class Removals:
    """RemoveImages, and the functions that it starts: ``work`` runs what is waiting."""

    def __init__(self, world, s3) -> None:
        self.world, self.s3 = world, s3
        self.waiting = []
        self.archive = Archive(BUCKET, "STANDARD_IA")
        self.remover = Remover(world.storage, world.catalogue, lambda: self.archive)
        world.workflow.before = lambda job: job.restore and self.remover.restore(job)
        self.service = RemovalService(
            world.catalogue, world.workflow, lambda *started: self.waiting.append(started)
        )

    def ask(self, operation, *image_ids, by="ann"):
        body = {"Operation": operation, "Images": [{"ImageID": each} for each in image_ids]}
        return self.service.handle(RemovalRequest.parse(body), by)

    def work(self):
        while self.waiting:
            operation, image_id = self.waiting.pop(0)
            getattr(self.remover, operation.lower())(image_id)
        self.world.workflow.proceed()

    def objects(self):
        listed = self.s3.list_objects_v2(Bucket=BUCKET)
        return [each["Key"] for each in listed.get("Contents", [])]


def on_efs(world, image_id):
    """Names of all that there is of a slide, beneath the images path."""
    root = world.storage.root
    names = {path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir()}
    return {name for name in names if name.startswith((image_id, "day 1/"))}


def actions(world, image_id):
    page = Listings(world.catalogue).history(image_id)
    return [(line["Action"], line["By"]) for line in reversed(page.items)]
