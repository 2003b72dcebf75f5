"""What the functions work with, made once from their settings when first needed.

Each function pays at its cold start for what it uses only: what reads labels and pixels is imported
where it is made.
"""

import json
from functools import cache
from typing import TYPE_CHECKING

from vsv import aws
from vsv.catalogue.table import Catalogue
from vsv.settings import (
    ArchiveSettings,
    CatalogueSettings,
    DeskSettings,
    RemovalSettings,
    SessionSettings,
    StepSettings,
    StorageSettings,
)

if TYPE_CHECKING:
    from vsv.imports.service import ImportDesk
    from vsv.imports.steps import Importer
    from vsv.removal.service import RemovalDesk
    from vsv.removal.steps import Remover
    from vsv.storage.archive import Archive
    from vsv.storage.layout import Storage
    from vsv.viewing.image_cookies import Sessions

__all__ = ["catalogue", "desk", "importer", "removal_desk", "remover", "sessions", "storage"]


@cache
def storage() -> "Storage":
    """The images path, for functions that see EFS, and the bucket of pyramids if there is one."""
    from vsv.storage.layout import Storage

    settings = StorageSettings.read()
    return Storage(settings.images_path, settings.pyramid_bucket)


@cache
def catalogue() -> Catalogue:
    """The slide table and its history."""
    settings = CatalogueSettings.read()
    return Catalogue(aws.dynamodb(), settings.slide_table, settings.history_table)


@cache
def importer() -> "Importer":
    """The workflow's steps."""
    from vsv.imports.steps import Importer

    return Importer(storage(), catalogue(), StepSettings.read(), StorageSettings.read().quality)


@cache
def desk() -> "ImportDesk":
    """What ImportSlide asks and starts."""
    from vsv.imports.remote_files import RemoteFiles
    from vsv.imports.service import ImportDesk
    from vsv.imports.transfers import Transfers
    from vsv.imports.workflow import StepFunctions

    settings = DeskSettings.read()
    return ImportDesk(
        RemoteFiles(
            aws.client("lambda"), settings.check_file_function, settings.set_aside_function
        ),
        Catalogue(aws.dynamodb(), settings.slide_table),
        Transfers(
            aws.dynamodb().Table(settings.transfer_table),
            aws.client("datasync"),
            settings.datasync_task_arn,
        ),
        StepFunctions(aws.client("stepfunctions"), settings.state_machine_arn),
    )


@cache
def removal_desk() -> "RemovalDesk":
    """What RemoveImages asks and starts."""
    from vsv.catalogue.record import Operation
    from vsv.imports.workflow import StepFunctions
    from vsv.removal.service import RemovalDesk

    settings = RemovalSettings.read()
    functions = {
        Operation.DELETE: settings.delete_image_function,
        Operation.TRANSFER: settings.transfer_image_function,
    }

    def invoke(operation: Operation, image_id: str) -> None:
        aws.client("lambda").invoke(
            FunctionName=functions[operation],
            InvocationType="Event",
            Payload=json.dumps({"ImageID": image_id}).encode(),
        )

    workflow = StepFunctions(aws.client("stepfunctions"), settings.state_machine_arn)
    return RemovalDesk(catalogue(), workflow, invoke)


@cache
def remover() -> "Remover":
    """What deletes, archives and brings back."""
    from vsv.removal.steps import Remover

    return Remover(storage(), catalogue(), _archive)


@cache
def _archive() -> "Archive":
    from vsv.storage.archive import Archive

    settings = ArchiveSettings.read()
    return Archive(settings.bucket, settings.storage_class)


@cache
def sessions() -> "Sessions":
    """What opens viewers' sessions."""
    from vsv.viewing.image_cookies import Sessions, kms_signature

    settings = SessionSettings.read()
    sign = kms_signature(aws.client("kms"), settings.cookie_key_arn)
    return Sessions(settings.cookie_key_pair_id, sign)
