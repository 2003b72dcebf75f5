"""Make what the functions work with, once, from their settings, when it is first needed.

Imports stand in the functions: a cold start then loads only what its function uses.
"""

from functools import cache
from typing import TYPE_CHECKING

from vsv import aws
from vsv.catalogue.table import Catalogue
from vsv.settings import (
    ArchiveSettings,
    CatalogueSettings,
    ExtractMetadataSettings,
    ImportSlideSettings,
    RemovalSettings,
    RetrySettings,
    SessionSettings,
    StorageSettings,
)

if TYPE_CHECKING:
    from vsv.imports.retry import ImportRetries
    from vsv.imports.service import ImportService
    from vsv.imports.steps import Importer
    from vsv.removal.service import RemovalService
    from vsv.removal.steps import Remover
    from vsv.storage.archive import Archive
    from vsv.storage.layout import Storage
    from vsv.viewing.image_cookies import ImageCookies

__all__ = [
    "catalogue",
    "image_cookies",
    "import_retries",
    "import_service",
    "importer",
    "removal_service",
    "remover",
    "storage",
]


@cache
def storage() -> "Storage":
    """Return the slide store on EFS, with the bucket of pyramids if there is one."""
    from vsv.storage.layout import Storage

    settings = StorageSettings.read()
    return Storage(settings.images_path, settings.pyramid_bucket)


@cache
def catalogue() -> Catalogue:
    """Return the slide table with its history and its terms."""
    settings = CatalogueSettings.read()
    return Catalogue(
        aws.dynamodb(), settings.slide_table, settings.history_table, settings.term_table
    )


@cache
def importer() -> "Importer":
    """Return the steps of the import workflow."""
    from vsv.imports.steps import Importer

    return Importer(
        storage(), catalogue(), ExtractMetadataSettings.read(), StorageSettings.read().quality
    )


@cache
def import_service() -> "ImportService":
    """Return what decides for ImportSlide."""
    from vsv.imports.remote_files import RemoteFiles
    from vsv.imports.service import ImportService
    from vsv.imports.transfers import Transfers
    from vsv.imports.workflow import StepFunctions

    settings = ImportSlideSettings.read()
    return ImportService(
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
def import_retries() -> "ImportRetries":
    """Return what starts failed imports again for SlideCatalogue."""
    from vsv.imports.remote_files import RemoteFiles
    from vsv.imports.retry import ImportRetries
    from vsv.imports.workflow import StepFunctions

    settings = RetrySettings.read()
    return ImportRetries(
        catalogue(),
        RemoteFiles(aws.client("lambda"), settings.check_file_function),
        StepFunctions(aws.client("stepfunctions"), settings.state_machine_arn),
    )


@cache
def removal_service() -> "RemovalService":
    """Return what decides for RemoveImages."""
    from vsv.catalogue.record import Operation
    from vsv.imports.workflow import StepFunctions
    from vsv.removal.service import RemovalService

    settings = RemovalSettings.read()
    functions = {
        Operation.DELETE: settings.delete_image_function,
        Operation.TRANSFER: settings.transfer_image_function,
    }

    def invoke(operation: Operation, image_id: str) -> None:
        aws.start(aws.client("lambda"), functions[operation], {"ImageID": image_id})

    workflow = StepFunctions(aws.client("stepfunctions"), settings.state_machine_arn)
    return RemovalService(catalogue(), workflow, invoke)


@cache
def remover() -> "Remover":
    """Return what deletes, archives and restores slides."""
    from vsv.removal.steps import Remover

    return Remover(storage(), catalogue(), _archive)


@cache
def _archive() -> "Archive":
    from vsv.storage.archive import Archive

    settings = ArchiveSettings.read()
    return Archive(settings.bucket, settings.storage_class)


@cache
def image_cookies() -> "ImageCookies":
    """Return what makes the cookies of viewers."""
    from vsv.viewing.image_cookies import ImageCookies, kms_signature

    settings = SessionSettings.read()
    sign = kms_signature(aws.client("kms"), settings.cookie_key_arn)
    return ImageCookies(settings.cookie_key_pair_id, sign)
