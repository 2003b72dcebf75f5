"""What the import's functions work with, made once from their settings when first needed.

Each function pays at its cold start for what it uses only: what reads labels and pixels is imported
where it is made.
"""

from functools import cache
from typing import TYPE_CHECKING

from vsv import aws
from vsv.catalogue import Catalogue
from vsv.settings import CatalogueSettings, DeskSettings, StepSettings, StorageSettings
from vsv.storage import Storage

if TYPE_CHECKING:
    from vsv.imports.decision import ImportDesk
    from vsv.imports.steps import Importer

__all__ = ["catalogue", "desk", "importer", "storage"]


@cache
def storage() -> Storage:
    """The images path, for functions that see EFS, and the bucket of pyramids if there is one."""
    settings = StorageSettings.read()
    return Storage(settings.images_path, settings.pyramid_bucket)


@cache
def catalogue() -> Catalogue:
    """The slide table."""
    return Catalogue(aws.dynamodb(), CatalogueSettings.read().slide_table)


@cache
def importer() -> "Importer":
    """The workflow's steps."""
    from vsv.imports.steps import Importer

    return Importer(storage(), catalogue(), StepSettings.read(), StorageSettings.read().quality)


@cache
def desk() -> "ImportDesk":
    """What ImportSlide asks and starts."""
    from vsv.imports.decision import ImportDesk
    from vsv.imports.files import RemoteFiles
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
