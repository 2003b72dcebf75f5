"""Each function may do with the bucket what it does, and nothing else."""

from dataclasses import replace
from fnmatch import fnmatchcase

import pytest

from lint.permissions import roles
from tests.conftest import ROOT, load_template
from tests.unit.image_store.helpers import BUCKET, asked_for_all
from vsv.identifiers import FileVersion
from vsv.imports.steps import Importer
from vsv.imports.workflow import ImportJob
from vsv.settings import ExtractMetadataSettings
from vsv.slides.damage import Damage
from vsv.storage.layout import Storage
from vsv.viewing.images import Images

# What S3 wants for a request. To be told that an object is not there wants ListBucket as well.
ACTIONS = {
    "GetObject": ("s3:GetObject", "s3:ListBucket"),
    "HeadObject": ("s3:GetObject", "s3:ListBucket"),
    "ListObjectsV2": ("s3:ListBucket",),
    "PutObject": ("s3:PutObject",),
    "DeleteObject": ("s3:DeleteObject",),
    "DeleteObjects": ("s3:DeleteObject",),
}


def granted(function: str) -> set[tuple[str, str]]:
    """Return what the template grants the function on the bucket: actions and patterns of keys."""
    resources = load_template(ROOT / "func.template.yaml")["Resources"]
    return {
        (right.action, right.resource.partition("${PyramidBucketName}")[2][1:])
        for right in roles(resources)[f"{function}Function"].rights
        if right.when == "PyramidOnS3"
    }


@pytest.mark.slow
def test_each_function_may_do_with_the_bucket_what_it_does_and_nothing_else(
    s3, storage, catalogue, generated
):
    asked: list[tuple[str, list[str]]] = []
    s3.meta.events.register(
        "before-parameter-build.s3",
        lambda params, model, **_: asked.append(
            (
                model.name,
                [params.get("Key", "")]
                + [each["Key"] for each in params.get("Delete", {}).get("Objects", [])],
            )
        ),
    )

    def used(function, call):
        """Return what the function asked for, each by the pattern that grants it."""
        asked.clear()
        result = call()
        patterns = granted(function)
        found = set()
        for operation, names in asked:
            for action in ACTIONS[operation]:
                for key in names if action != "s3:ListBucket" else [""]:
                    matching = {
                        (granted_action, pattern)
                        for granted_action, pattern in patterns
                        if granted_action == action and fnmatchcase(key, pattern)
                    }
                    assert matching, f"{function}: {action} {key}"
                    found |= matching
        assert found == patterns, function
        return result

    storage = Storage(storage.root, BUCKET)
    path = storage.root / "scan.svs"
    path.write_bytes(generated.read_bytes())
    version = FileVersion.of(path)
    job = ImportJob("204711", path.name, version.size, version.mtime_ns)
    importer = Importer(
        storage, catalogue, ExtractMetadataSettings.read({"BARCODE_SEARCH_MS": "0"}), 90
    )
    # Another file by the same ID, whose import was not finished.
    importer.extract_metadata(job)
    other = path.with_name("other.svs")
    other.write_bytes(b"another slide")
    version = FileVersion.of(other)
    index = replace(
        storage.read_index("204711"),
        filename=other.name,
        size=version.size,
        mtime_ns=version.mtime_ns,
    )
    storage.write_index("204711", index)
    plan = used("ExtractMetadata", lambda: importer.extract_metadata(job))
    used(
        "RenderTiles",
        lambda: [importer.render_tiles(job, **piece) for piece in plan["pieces"]],
    )
    # What shows a tile that turned out to be damaged is rendered once more.
    storage.note_damage("204711", Damage(1, 1, 0, "is damaged"))
    used("FinishImport", lambda: importer.finish_import(job))
    used("ImageRequest", lambda: asked_for_all(Images(storage, 90)))
    for function in ("CheckFile", "SetAside", "FailImport", "ImportSlide", "SlideCatalogue"):
        assert not granted(function)
