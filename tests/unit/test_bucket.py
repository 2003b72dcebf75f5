"""A pyramid on S3: the store's contract, and slides that are viewed from it."""

import os
import threading
import time
from dataclasses import replace
from fnmatch import fnmatchcase

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from lint.permissions import roles
from tests.aftermath import Aftermath
from tests.conftest import ROOT, load_template
from tests.handlers import load_handler
from vsv import aws as clients
from vsv.errors import FileChanged, IncompletePyramid, Unavailable
from vsv.identifiers import FileVersion
from vsv.imports.steps import Importer
from vsv.imports.workflow import ImportJob
from vsv.pyramid.deepzoom import TileAddress
from vsv.pyramid.image_store import name
from vsv.pyramid.native import default_pyramid
from vsv.pyramid.plan import check_complete
from vsv.pyramid.render import Renderer
from vsv.pyramid.slide_index import SlideIndex
from vsv.settings import ExtractMetadataSettings, StorageSettings
from vsv.slides.damage import Damage
from vsv.slides.slide import Slide
from vsv.storage.image_bucket import ImageBucket
from vsv.storage.image_folder import ImageFolder
from vsv.storage.layout import Storage
from vsv.viewing.images import Images, TileOptions

BUCKET = "pyramids"


@pytest.fixture
def s3(aws):
    """Moto's S3 with the bucket in it, by a client of the library's."""
    client = clients.s3()
    client.create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    return client


def keys(s3) -> list[str]:
    return [found["Key"] for found in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


@pytest.fixture(params=["efs", "s3"])
def store(request, tmp_path):
    """Each kind of store: what one promises, the other must keep."""
    if request.param == "efs":
        return ImageFolder(tmp_path, "s1")
    request.getfixturevalue("s3")
    return ImageBucket(BUCKET, "s1")


# The contract


def test_what_was_kept_is_found_by_its_name(store):
    assert store.find("3/1_2") is None
    assert store.missing(["3/1_2", "label"]) == {"3/1_2", "label"}
    store.write("3/1_2", b"a tile")
    store.write("label", b"a label")
    assert store.find("3/1_2").read() == b"a tile"
    assert store.find("label").read() == b"a label"
    assert store.missing(["3/1_2", "3/1_3", "label"]) == {"3/1_3"}
    assert store.missing([]) == set()


def test_equal_bytes_have_equal_tags_and_others_do_not(store):
    store.write("3/1_2", b"a tile")
    tag = store.find("3/1_2").tag
    assert store.find("3/1_2").tag == tag
    assert '"' not in tag
    store.write("3/1_2", b"another tile")
    assert store.find("3/1_2").tag != tag


def test_tiles_are_counted_by_level(store):
    for address in ("1/0_0", "11/0_0", "11/1_0"):
        store.write(address, b"x")
    store.write("label", b"x")
    assert [store.count_tiles(level) for level in (0, 1, 11)] == [0, 1, 2]


def test_levels_are_rendered_once_all_of_them_are(store):
    assert store.rendered_levels() == ()
    for address in ("0/0_0", "11/0_0", "11/1_0", "2/0_0", "label"):
        store.write(address, b"x")
    assert store.rendered_levels() == ()
    store.write_descriptor(b"<Image/>")
    assert store.rendered_levels() == (11, 2, 0)


def test_a_pyramid_without_tiles_has_no_levels(store):
    store.write_descriptor(b"<Image/>")
    assert store.rendered_levels() == ()


def test_clearing_leaves_nothing_of_this_slide_and_all_of_others(store, tmp_path):
    other = ImageFolder(tmp_path, "s1_") if isinstance(store, ImageFolder) else None
    other = other or ImageBucket(BUCKET, "s1_")
    for each in (store, other):
        for col in range(3):
            each.write(f"2/{col}_0", b"x")
        each.write_descriptor(b"<Image/>")
        assert each.has_descriptor()
    store.clear()
    store.clear()
    assert not store.has_descriptor()
    assert store.count_tiles(2) == 0
    assert other.has_descriptor()
    assert other.count_tiles(2) == 3


def test_without_its_tiles_a_slide_keeps_its_label(store):
    for each in ("2/0_0", "2/1_0", "11/0_0", "label", "macro"):
        store.write(each, b"x")
    store.write_descriptor(b"<Image/>")
    for _ in range(2):
        store.clear_tiles()
        assert not store.has_descriptor()
        assert store.missing(["2/0_0", "2/1_0", "11/0_0"]) == {"2/0_0", "2/1_0", "11/0_0"}
        assert store.missing(["label", "macro"]) == set()
    store.clear()
    store.clear_tiles()


@pytest.mark.slow
def test_many_images_are_there_once_they_are_reported(store):
    written, reported = [f"5/{col}_0" for col in range(100)], []
    caller = threading.get_ident()

    def on_written():
        assert threading.get_ident() == caller
        reported.append(store.count_tiles(5))

    with store.writing(on_written) as write:
        for each in written:
            write(each, each.encode())
    assert len(reported) == 100
    # The least number that was there when the n-th was reported.
    assert all(there >= number for number, there in enumerate(reported, start=1))
    assert store.find("5/99_0").read() == b"5/99_0"


def test_an_error_of_the_callers_own_passes_through(store):
    def write_and_fail():
        with store.writing(lambda: None) as write:
            write("1/0_0", b"x")
            raise ValueError("of the caller")

    with pytest.raises(ValueError, match="of the caller"):
        write_and_fail()


# What is S3's alone


def test_objects_have_the_names_and_types_of_a_deepzoom_folder(s3):
    store = ImageBucket(BUCKET, "Größe 1")
    store.write("3/1_2", b"x")
    store.write("label", b"x")
    store.write_descriptor(b"<Image/>")
    types = {key: s3.head_object(Bucket=BUCKET, Key=key)["ContentType"] for key in keys(s3)}
    assert types == {
        "Größe 1.dzi": "application/xml",
        "Größe 1_files/3/1_2.jpeg": "image/jpeg",
        "Größe 1_files/label.jpeg": "image/jpeg",
    }


@pytest.mark.slow
def test_more_objects_than_a_page_holds_are_counted_and_cleared(s3):
    store = ImageBucket(BUCKET, "s1")
    with store.writing(lambda: None) as write:
        for number in range(1203):
            write(f"9/{number}_0", b"x")
    assert store.count_tiles(9) == 1203
    store.clear()
    assert keys(s3) == []


@pytest.mark.parametrize("failing", [1, 50, 100])
@pytest.mark.slow
def test_no_failed_write_is_lost_or_reported(s3, monkeypatch, failing):
    store = ImageBucket(BUCKET, "s1")
    put, reported = store.write, []

    def write_or_fail(name, data):
        if name == f"5/{failing}_0":
            raise Unavailable("just this one")
        put(name, data)

    monkeypatch.setattr(store, "write", write_or_fail)

    def write_all():
        with store.writing(lambda: reported.append(1)) as write:
            for col in range(1, 101):
                write(f"5/{col}_0", b"x")

    with pytest.raises(Unavailable, match="just this one"):
        write_all()
    assert len(reported) <= store.count_tiles(5) < 100


def test_writes_do_not_pile_up_in_memory(s3, monkeypatch):
    store, waiting, most = ImageBucket(BUCKET, "s1"), [0], [0]
    lock = threading.Lock()

    def slow(*_):
        time.sleep(0.002)
        with lock:
            waiting[0] -= 1

    monkeypatch.setattr(store, "write", slow)
    with store.writing(lambda: None) as write:
        for number in range(300):
            with lock:
                waiting[0] += 1
                most[0] = max(most[0], waiting[0])
            write(f"1/{number}_0", b"x")
    assert most[0] <= 34


class Refusing:
    """A client that answers every call with the same error."""

    def __init__(self, client, error) -> None:
        self.exceptions, self._error = client.exceptions, error

    def __getattr__(self, name):
        def refuse(**_):
            raise self._error

        return refuse


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (("SlowDown", 503), Unavailable),
        (("InternalError", 500), Unavailable),
        (("AccessDenied", 403), ClientError),
        (("NoSuchBucket", 404), ClientError),
        (ReadTimeoutError(endpoint_url="https://s3"), Unavailable),
    ],
    ids=str,
)
def test_what_may_pass_is_unavailable_and_what_may_not_is_not(s3, monkeypatch, error, expected):
    if isinstance(error, tuple):
        code, status = error
        answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
        error = ClientError(answer, "GetObject")
    monkeypatch.setattr(clients, "s3", lambda: Refusing(s3, error))
    store = ImageBucket(BUCKET, "s1")
    for call in (
        lambda: store.find("1/0_0"),
        lambda: store.missing(["1/0_0"]),
        lambda: store.write("1/0_0", b"x"),
        store.has_descriptor,
        store.rendered_levels,
        store.clear,
        store.clear_tiles,
    ):
        with pytest.raises(expected):
            call()


def test_images_that_s3_has_not_removed_are_told(s3, monkeypatch):
    store = ImageBucket(BUCKET, "s1")
    store.write("2/0_0", b"x")
    kept = {"Errors": [{"Code": "InternalError"}, {"Code": "SlowDown"}]}
    monkeypatch.setattr(store._s3, "delete_objects", lambda **_: kept)
    for clear in (store.clear, store.clear_tiles):
        with pytest.raises(Unavailable, match="2 images were not removed: InternalError"):
            clear()


def test_a_bucket_that_is_not_there_is_no_missing_tile(s3):
    with pytest.raises(ClientError, match="NoSuchBucket"):
        ImageBucket("nowhere", "s1").find("1/0_0")


# Settings


def test_the_store_is_chosen_by_the_environment():
    def bucket(**more):
        return StorageSettings.read({"IMAGES_PATH": "/mnt/images", **more}).pyramid_bucket

    assert bucket() is None
    assert bucket(PYRAMID_STORE="efs", PYRAMID_BUCKET="b") is None
    assert bucket(PYRAMID_STORE="s3", PYRAMID_BUCKET="b") == "b"
    with pytest.raises(ValueError, match="PYRAMID_STORE is 'S3'"):
        bucket(PYRAMID_STORE="S3")
    with pytest.raises(ValueError, match="PYRAMID_BUCKET is not set"):
        bucket(PYRAMID_STORE="s3")


# Permissions

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


# Rendering and viewing


@pytest.mark.slow
def test_a_renderer_resumes_and_writes_the_same_bytes_as_into_a_folder(s3, generated, tmp_path):
    with Slide(generated) as slide:
        pyramid = default_pyramid(slide)
        index = SlideIndex.of(slide, "x.svs", pyramid, quality=90, levels=pyramid.levels)
        folder, bucket = ImageFolder(tmp_path, "s1"), ImageBucket(BUCKET, "s1")
        for store in (folder, bucket):
            Renderer(slide, index, store).render()
            check_complete(index, store)
        lost = [TileAddress(12, 3, 2), TileAddress(9, 0, 0), TileAddress(0, 0, 0)]
        for tile in lost:
            s3.delete_object(Bucket=BUCKET, Key=f"s1_files/{name(tile)}.jpeg")
        with pytest.raises(IncompletePyramid, match="level 12 has"):
            check_complete(index, bucket)
        new = []
        Renderer(slide, index, bucket, new.append).render()
        assert (new.count(True), len(new)) == (3, pyramid.tile_count)
    for tile in pyramid.tiles():
        assert bucket.find(name(tile)).read() == folder.find(name(tile)).read()


@pytest.fixture(params=["efs", "s3"])
def imported(request, storage, catalogue, generated):
    """Return an imported slide, its images in either store.

    Storage and settings of its functions.
    """
    environment = {"IMAGES_PATH": str(storage.root), "PYRAMID_STORE": request.param}
    if request.param == "s3":
        request.getfixturevalue("s3")
        environment["PYRAMID_BUCKET"] = BUCKET
        storage = Storage(storage.root, BUCKET)
    if request.param in _IMPORTED:
        _IMPORTED[request.param].restore(storage)
    else:
        run_import(storage, catalogue, generated)
        _IMPORTED[request.param] = Aftermath.of(storage)
    return storage, environment


_IMPORTED: dict[str, Aftermath] = {}


def run_import(storage, catalogue, slide) -> None:
    path = storage.root / "scan.svs"
    path.write_bytes(slide.read_bytes())
    version = FileVersion.of(path)
    job = ImportJob("204711", path.name, version.size, version.mtime_ns)
    importer = Importer(
        storage,
        catalogue,
        ExtractMetadataSettings.read({"TILES_PER_PIECE": "40", "BARCODE_SEARCH_MS": "0"}),
        90,
    )
    for piece in importer.extract_metadata(job)["pieces"]:
        importer.render_tiles(job, piece["start"], piece["stop"])
    importer.finish_import(job)
    record = catalogue.get("204711")
    assert record["ImportStatus"] == "IMPORTED"
    assert record["TilesRendered"] == record["TilesTotal"]


def asked_for_all(images: Images) -> dict[str, bytes]:
    """All that a viewer asks for by default."""
    pyramid = SlideIndex.from_bytes((images._storage.root / "204711.index").read_bytes()).pyramid
    shown = {"dzi": images.descriptor("204711", TileOptions()).load()}
    for tile in pyramid.tiles():
        shown[name(tile)] = images.tile("204711", tile, TileOptions()).load()
    for each in ("label", "thumbnail", "macro"):
        shown[each] = images.associated("204711", each, "jpeg").load()
    return shown


@pytest.mark.slow
def test_a_slide_that_has_left_efs_stays_viewable(imported):
    storage, _ = imported
    expected = asked_for_all(Images(storage, 90))
    known = Images(storage, 90)
    known.tile("204711", TileAddress(12, 3, 2), TileOptions())
    (storage.root / "scan.svs").unlink()
    assert asked_for_all(Images(storage, 90)) == expected
    assert asked_for_all(known) == expected  # it has the file open still


@pytest.mark.slow
def test_a_file_that_nfs_calls_stale_is_one_that_has_left(imported, monkeypatch):
    """Removed by another machine, it fails where it is open; a local disk would read on."""
    storage, _ = imported
    images = Images(storage, 90)
    address = TileAddress(12, 3, 2)
    expected = images.tile("204711", address, TileOptions()).load()
    monkeypatch.setattr("vsv.slides.file.SlideFile.read", stale)
    assert images.tile("204711", address, TileOptions()).load() == expected
    storage.images("204711").clear()
    with pytest.raises(FileChanged, match="removed"):
        images.tile("204711", address, TileOptions()).load()


def stale(*_):
    raise OSError(116, os.strerror(116))


@pytest.mark.slow
def test_with_s3_nothing_of_the_pyramid_lies_on_efs(imported):
    storage, environment = imported
    on_efs = {path.name for path in storage.root.iterdir()}
    images = {"204711.dzi", "204711_files"}
    assert images & on_efs == (images if environment["PYRAMID_STORE"] == "efs" else set())


@pytest.mark.slow
def test_the_handler_serves_from_either_store(imported, monkeypatch):
    storage, environment = imported
    (storage.root / "scan.svs").unlink()
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    handler = load_handler("ImageRequest")

    def get(path, **headers):
        return handler({"path": f"/DeepZoom/204711{path}", "headers": headers}, None)

    answer = get("_files/12/3_2.jpeg")
    assert answer["statusCode"] == 200
    assert answer["isBase64Encoded"]
    again = get("_files/12/3_2.jpeg", **{"If-None-Match": answer["headers"]["ETag"]})
    assert again["statusCode"] == 304
    assert get(".dzi")["statusCode"] == get("_files/label.jpeg")["statusCode"] == 200


def test_the_handler_says_try_again_when_s3_is_too_busy(s3, storage, monkeypatch):
    answer = {"Error": {"Code": "SlowDown"}, "ResponseMetadata": {"HTTPStatusCode": 503}}
    error = ClientError(answer, "GetObject")
    monkeypatch.setattr(clients, "s3", lambda: Refusing(s3, error))
    for variable, value in (
        ("IMAGES_PATH", str(storage.root)),
        ("PYRAMID_STORE", "s3"),
        ("PYRAMID_BUCKET", BUCKET),
    ):
        monkeypatch.setenv(variable, value)
    event = {"path": "/DeepZoom/s1_files/11/0_0.jpeg", "headers": {}}
    response = load_handler("ImageRequest")(event, None)
    assert response["statusCode"] == 503
    assert response["headers"]["Retry-After"]


def test_an_import_of_other_bytes_clears_what_is_there(imported):
    storage, _ = imported
    store = storage.images("204711")
    index = storage.read_index("204711")
    storage.begin_pyramid("204711", index)
    assert store.has_descriptor()
    storage.begin_pyramid("204711", SlideIndex(**{**vars(index), "quality": 50}))
    assert not store.has_descriptor()
    assert store.count_tiles(12) == 0
    assert store.missing(["label"])
