"""Verifying slides: what is damaged is found, what is sound is not, and nothing is touched."""

import io
import json
import os
import shutil
from dataclasses import replace

import pytest
from PIL import Image

from lint.permissions import roles
from local.samples import generated_slide
from tests.conftest import ROOT, load_template
from tests.handlers import load_handler
from tests.unit.test_import_damage import spoil
from vsv import aws as clients
from vsv.geometry import Box
from vsv.imports import verify as module
from vsv.imports.verify import RecordedSlide, verify
from vsv.pyramid.tile_blocks import BlockAddress
from vsv.settings import ExtractMetadataSettings
from vsv.slides.regions import RegionReader
from vsv.slides.slide import Slide
from vsv.storage.atomic_files import read_note, write_note
from vsv.storage.layout import Storage

ID = "204711"
LABEL = "the label image"


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


@pytest.fixture
def subject(world, generated):
    """Levels 12, 10 and 8 are the slide's own, those between are rendered."""
    world.has_imported(generated, "day 1/x.svs")
    return Subject(world)


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


# Sound slides


@pytest.mark.parametrize("levels", ["all", "derived", "none"])
@pytest.mark.slow
def test_what_was_just_imported_is_sound_and_is_not_touched(world, generated, levels):
    world.importer._settings = ExtractMetadataSettings.read(
        {"PRERENDER_LEVELS": levels, "BARCODE_SEARCH_MS": "0"}
    )
    world.bring_in(world.scan(generated, "x.svs"))
    subject = Subject(world)
    before = {path: path.lstat().st_mtime_ns for path in world.storage.root.rglob("*")}
    assert subject.verify() == ([], 0)
    assert {path: path.lstat().st_mtime_ns for path in world.storage.root.rglob("*")} == before


def test_a_slide_of_one_level_is_sound(world, real):
    answer = world.has_imported(real, "x.svs")
    assert Subject(world, answer.image_id).verify() == ([], 0)


@pytest.mark.parametrize("options", [{"jpeg2000": "YCbCr"}, {"tile": (256, 192)}])
@pytest.mark.slow
def test_a_slide_whose_tiles_are_all_rendered_is_sound(world, real, tmp_path, options):
    path = generated_slide(tmp_path / "x.svs", real, size=(1100, 700), label_text=None, **options)
    answer = world.bring_in(world.scan(path, "x.svs"))
    assert Subject(world, answer.image_id).verify() == ([], 0)


def test_a_damaged_tile_that_others_stand_in_for_is_sound(world, generated, tmp_path):
    """The import took it out of the index, and rendered something else in its place."""
    path = shutil.copy(generated, tmp_path / "x.svs")
    spoil(tmp_path / "x.svs", 1, 1, 0)
    world.bring_in(world.scan(path, "x.svs"))
    assert Subject(world).verify() == ([], 0)


def test_tiles_that_another_encoder_made_look_the_same_and_are_counted(subject):
    for name in ("11/1_1", "label"):
        with Image.open(subject.tile(name)) as image:
            subject.tile(name).write_bytes(jpeg(image, subsampling="4:4:4", optimize=True))
    assert subject.verify() == ([], 2)


def test_a_slide_that_was_set_aside_is_sound(subject):
    subject.svs.rename(
        subject.svs.with_name(f"x.{RecordedSlide.of(subject.record).version}{subject.svs.suffix}")
    )
    assert subject.verify() == ([], 0)


def test_all_tiles_are_looked_at_in_pieces_of_a_bounded_size(subject, monkeypatch):
    monkeypatch.setattr(module, "_TILES_PER_PIECE", 30)
    plan = verify(subject.storage, {"slide": RecordedSlide.of(subject.record).to_dict()})
    assert plan["pieces"][0] == {"part": "file"}
    assert len(plan["pieces"]) > 4
    for path in subject.files.glob("*/*.jpeg"):
        path.unlink()
    monkeypatch.setattr(module, "_MAX_FINDINGS", 1000)
    pyramid = subject.storage.read_index(ID).pyramid
    assert sorted(subject.findings) == sorted(
        f"tile {level}/{col}_{row} is missing" for level, col, row in pyramid.tiles()
    )


# The slide file


def test_a_flipped_byte_of_the_slide_file_is_found_and_where_it_is(subject):
    with Slide(subject.svs) as slide:
        offset = slide.locate(0, 3, 2).offset
    flip(subject.svs, offset + 900)
    findings = subject.findings
    assert "the slide file has SHA-256" in findings[0]
    assert f"not {subject.record['Sha256']}" in findings[0]
    assert "tile 3_2 of level 0 is not what the tile index says" in findings
    assert "tile 12/3_2 is not the slide's own" in findings


def test_tissue_that_cannot_be_decoded_any_more_is_found(subject):
    times = subject.svs.stat()
    spoil(subject.svs, 0, 3, 2)
    os.utime(subject.svs, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert any(text.startswith("tile 3_2 of level 0 is damaged: ") for text in subject.findings)


@pytest.mark.parametrize("how", ["replaced", "removed", "cut"])
def test_a_slide_file_that_is_not_the_imported_one_is_found(subject, real, how):
    if how == "replaced":
        shutil.copy(real, subject.svs)
    elif how == "removed":
        subject.svs.unlink()
    else:
        os.truncate(subject.svs, subject.svs.stat().st_size - 1)
    assert subject.findings == ["the slide file was replaced or removed since it was imported"]


def test_a_slide_file_that_vanishes_meanwhile_is_found(subject):
    recorded = RecordedSlide.of(subject.record).to_dict()
    plan = verify(subject.storage, {"slide": recorded})
    subject.svs.unlink()
    for piece in plan["pieces"]:
        answer = verify(subject.storage, {"slide": recorded, "piece": piece})
        assert answer["findings"] == [
            "the slide file was replaced or removed since it was imported"
        ]


# The index


def test_a_slide_index_that_is_missing_is_found(subject):
    (subject.storage.root / f"{ID}.index").unlink()
    assert subject.findings == ["the slide index is missing or damaged"]


@pytest.mark.parametrize("fields", [{"filename": "y.svs"}, {"mtime_ns": 1}])
def test_a_foreign_index_is_found(subject, fields):
    subject.change_index(**fields)
    assert subject.findings == ["the slide index is another file's"]


def test_an_index_that_no_slide_has_is_found(subject):
    subject.change_index(width=2310)
    assert subject.findings[0] == "the slide index is missing or damaged"


def test_an_index_that_no_import_wrote_is_found(subject):
    subject.change_index(imported=False, quality=0)
    assert "not the import's" in subject.findings[0]


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"sha256": "0" * 64}, "sha256"),
        ({"overlap": 1}, "overlap"),
        ({"levels": (12, 3)}, "levels"),
        ({"archived": True}, "archived"),
        ({"images": ()}, "images"),
        ({"sha256": "0" * 64, "tile_width": 512}, "sha256, tile_width"),
    ],
)
@pytest.mark.slow
def test_an_index_that_is_wrong_about_the_file_is_found(subject, fields, wrong):
    subject.change_index(**fields)
    assert subject.findings == [f"the slide index is wrong about {wrong}"]


def test_blocks_of_the_tile_index_that_are_missing_or_cut_are_found(subject):
    subject.block(10).unlink()
    text = read_note(subject.block(8))
    subject.block(8).unlink()
    write_note(subject.block(8), text[:200])
    assert subject.findings == [
        "block 10_0_0 of the tile index is missing or damaged",
        "block 8_0_0 of the tile index is missing or damaged",
    ]


def change_entry(subject, level, col, row, **fields):
    address = BlockAddress.holding(level, col, row)
    block = subject.storage.read_block(ID, address)
    entry = block.entry(col, row)._replace(**fields)
    number = (row % 12) * 12 + col % 12
    packed = (entry.offset << 24 | entry.length).to_bytes(8, "little")
    entries = bytearray(block.entries)
    entries[12 * number : 12 * number + 12] = packed + entry.crc32.to_bytes(4, "little")
    subject.storage.write_block(ID, address, replace(block, entries=bytes(entries)))


@pytest.mark.parametrize(
    ("fields", "finding"),
    [
        ({"crc32": 7}, "is not what the tile index says"),
        ({"offset": 7}, "is not where the tile index says"),
        ({"length": 7}, "is not where the tile index says"),
        ({"offset": 0, "length": 0, "crc32": 0}, "is not where the tile index says"),
    ],
)
@pytest.mark.slow
def test_an_entry_of_the_tile_index_that_is_wrong_is_found(subject, fields, finding):
    change_entry(subject, 10, 1, 1, **fields)
    assert subject.findings == [f"tile 1_1 of level 1 {finding}"]


def test_blocks_of_another_file_or_another_level_are_found(subject):
    address = BlockAddress(12, 0, 0)
    block = subject.storage.read_block(ID, address)
    subject.storage.write_block(ID, address, replace(block, filename="y.svs"))
    subject.storage.write_block(ID, BlockAddress(10, 0, 0), replace(block, whole_cols=3))
    assert subject.findings == [
        "block 12_0_0 of the tile index is another file's",
        "block 10_0_0 of the tile index is wrong about the level's tiles",
    ]


# The pyramid


@pytest.mark.parametrize("name", ["12/3_2", "11/1_1", "0/0_0"])
def test_a_missing_tile_is_found(subject, name):
    subject.tile(name).unlink()
    assert subject.findings == [f"tile {name} is missing"]


@pytest.mark.parametrize("name", ["12/3_2", "10/1_0"])
def test_a_native_tile_has_the_slides_own_bytes_or_is_found(subject, name):
    flip(subject.tile(name), 1200)
    assert subject.findings == [f"tile {name} is not the slide's own"]


@pytest.mark.parametrize("name", ["11/1_1", "9/0_0", "10/1_1"])
def test_a_tile_of_another_slide_is_found(subject, real, name):
    with Image.open(subject.tile(name)) as tile, Slide(real) as other:
        box = Box(700, 700, 700 + tile.width, 700 + tile.height)
        region = RegionReader(other).read(other.levels[0], box)
        subject.tile(name).write_bytes(jpeg(region))
    assert subject.findings == [f"tile {name} does not show what the slide does"]


def test_a_tile_of_another_place_is_found(subject):
    shutil.copy(subject.tile("11/1_2"), subject.tile("11/1_1"))
    assert subject.findings == ["tile 11/1_1 does not show what the slide does"]


def test_a_tile_that_is_damaged_in_a_corner_is_found(subject):
    with Image.open(subject.tile("11/1_1")) as tile:
        tile.paste((0, 160, 0), (240, 240, 256, 256))
        subject.tile("11/1_1").write_bytes(jpeg(tile))
    assert subject.findings == ["tile 11/1_1 does not show what the slide does"]


def test_a_tile_of_another_size_is_found(subject):
    with Image.open(subject.tile("9/1_0")) as tile:
        width, height = tile.size
        subject.tile("9/1_0").write_bytes(jpeg(tile.crop((0, 0, width - 1, height))))
    assert subject.findings == [
        f"tile 9/1_0 measures {width - 1} × {height} pixels, not {width} × {height}"
    ]


@pytest.mark.parametrize("content", [b"", b"text", "half", "png"])
@pytest.mark.slow
def test_what_is_no_jpeg_image_is_found(subject, content):
    path = subject.tile("11/1_1")
    if content == "half":
        content = path.read_bytes()[: path.stat().st_size // 2]
    elif content == "png":
        buffer = io.BytesIO()
        Image.open(path).save(buffer, "PNG")
        content = buffer.getvalue()
    path.write_bytes(content)
    assert subject.findings == ["tile 11/1_1 cannot be decoded"]


@pytest.mark.slow
def test_a_missing_descriptor_is_found(subject):
    subject.descriptor.unlink()
    assert subject.findings == ["the descriptor is missing"]


def test_of_many_findings_the_first_are_told_and_the_rest_is_counted(subject):
    shutil.rmtree(subject.files / "12")
    findings = subject.findings
    assert len(findings) == 21
    assert findings[-1] == "… and 50 more of these"


# Associated images


def test_a_changed_label_is_found(subject):
    """Another patient's, say."""
    with Image.open(subject.tile("label")) as label:
        subject.tile("label").write_bytes(jpeg(label.rotate(90)))
    assert subject.findings == [f"{LABEL} does not show what the slide does"]


def test_associated_images_that_are_missing_or_broken_are_found(subject):
    subject.tile("thumbnail").unlink()
    subject.tile("macro").write_bytes(b"text")
    assert subject.findings == [
        "the thumbnail image is missing",
        "the macro image cannot be decoded",
    ]


def test_a_label_of_a_slide_that_has_none_is_found(world, real, tmp_path):
    path = generated_slide(tmp_path / "x.svs", real, size=(300, 200), label_text=None)
    world.bring_in(world.scan(path, "x.svs"))
    subject = Subject(world)
    assert subject.findings == []
    shutil.copy(subject.tile("macro"), subject.tile("label"))
    assert subject.findings == ["there is a label image, but the slide has none"]


# Slides whose import failed


def test_of_a_failed_import_the_file_is_verified(world, tmp_path, generated):
    path = shutil.copy(generated, tmp_path / "x.svs")
    spoil(tmp_path / "x.svs", 0, 3, 2)
    world.bring_in(world.scan(path, "x.svs"))
    subject = Subject(world)
    assert subject.findings == []
    subject.descriptor.write_text("")
    flip(subject.svs, 5000)
    first, second = subject.findings
    assert first == "there is a descriptor, although the import is not complete"
    assert "the slide file has SHA-256" in second


def test_of_what_was_no_slide_its_reason_is_told(world, tmp_path):
    (tmp_path / "text.svs").write_text("text")
    world.bring_in(world.scan(tmp_path / "text.svs", "text.svs"))
    assert Subject(world, "text").findings == ["the file is not a TIFF file"]


def test_a_slide_whose_tag_is_another_slides_is_sound(world, real, tmp_path):
    world.has_imported(real, "x.svs")
    other = generated_slide(
        tmp_path / "y.svs", real, size=(300, 200), properties={"ImageID": "1004486"}
    )
    world.bring_in(world.scan(other, "day 1/y.svs"))
    (record,) = world.catalogue.by_filename("day 1/y.svs")
    assert record["ImageID"] != "1004486"
    assert Subject(world, record["ImageID"]).findings == []


# Archived slides


@pytest.fixture
def archived(subject):
    """As TransferImage leaves it."""
    version = RecordedSlide.of(subject.record).version
    subject.storage.archive_images(ID, version)
    subject.storage.remove_slide(subject.record["Filename"], version)
    subject.world.catalogue.change(
        ID, "ann", "TRANSFER", lambda old: {**old, "Status": "TRANSFERRED"}
    )
    return subject


def test_of_an_archived_slide_what_stays_is_verified(archived):
    assert archived.verify() == ([], 0)
    archived.tile("label").unlink()
    archived.tile("thumbnail").write_bytes(b"text")
    archived.change_index(archived=False)
    archived.descriptor.write_text("")
    archived.svs.touch()
    assert archived.findings == [
        "the slide index does not say that the slide is archived",
        "the label image is missing",
        "the thumbnail image cannot be decoded",
        "there is a descriptor, although the slide is archived",
    ]


def test_an_archived_slide_whose_file_is_still_there_is_found(archived, generated):
    shutil.copy(generated, archived.svs)
    os.utime(archived.svs, (1_700_000_000, 1_700_000_000))
    assert archived.findings == ["the slide file is still on the file system"]


def test_an_archived_slide_needs_no_image_that_it_never_had(world, real, tmp_path):
    path = generated_slide(tmp_path / "x.svs", real, size=(300, 200), label_text=None)
    world.bring_in(world.scan(path, "x.svs"))
    recorded = RecordedSlide.of(world.catalogue.get(ID))
    assert recorded.images == ("thumbnail", "macro")
    world.storage.archive_images(ID, recorded.version)
    world.storage.remove_slide("x.svs", recorded.version)
    request = {"slide": replace(recorded, archived=True).to_dict()}
    assert verify(world.storage, request)["findings"] == []


# Pyramids in a bucket


@pytest.fixture
def in_bucket(subject):
    """Return the same slide, its images as objects."""
    s3 = clients.s3()
    s3.create_bucket(
        Bucket="pyramids", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    for path in (subject.descriptor, *subject.files.rglob("*.jpeg")):
        key = path.relative_to(subject.storage.root).as_posix()
        s3.put_object(Bucket="pyramids", Key=key, Body=path.read_bytes())
        path.unlink()
    subject.storage = Storage(subject.storage.root, "pyramids")
    subject.lose = lambda name: s3.delete_object(Bucket="pyramids", Key=name)
    return subject


@pytest.mark.slow
def test_a_pyramid_in_a_bucket_is_verified_as_well(in_bucket):
    assert in_bucket.verify() == ([], 0)
    in_bucket.lose(f"{ID}_files/12/3_2.jpeg")
    in_bucket.lose(f"{ID}_files/label.jpeg")
    assert in_bucket.findings == ["the label image is missing", "tile 12/3_2 is missing"]


@pytest.mark.slow
def test_the_pyramid_that_an_archived_slide_keeps_in_a_bucket_is_verified(in_bucket, monkeypatch):
    monkeypatch.setattr(module, "_TILES_PER_PIECE", 50)
    version = RecordedSlide.of(in_bucket.record).version
    in_bucket.storage.archive_images(ID, version)
    in_bucket.storage.remove_slide(in_bucket.record["Filename"], version)
    in_bucket.world.catalogue.change(
        ID, "ann", "TRANSFER", lambda old: {**old, "Status": "TRANSFERRED"}
    )
    assert in_bucket.verify() == ([], 0)
    in_bucket.lose(f"{ID}_files/0/0_0.jpeg")
    in_bucket.storage.images(ID).write("12/3_2", b"text")
    assert in_bucket.findings == ["tile 12/3_2 cannot be decoded", "tile 0/0_0 is missing"]
    in_bucket.lose(f"{ID}.dzi")
    assert in_bucket.findings[0] == "the descriptor is missing"


# The function


def test_the_function_answers_piece_by_piece(subject, monkeypatch):
    monkeypatch.setenv("IMAGES_PATH", str(subject.storage.root))
    handler = load_handler("VerifySlide")
    request = {"slide": RecordedSlide.of(subject.record).to_dict()}
    plan = handler(request, None)
    assert plan["findings"] == []
    subject.tile("12/3_2").unlink()
    answers = [handler({**request, "piece": piece}, None) for piece in plan["pieces"]]
    findings = [finding for answer in answers for finding in answer["findings"]]
    assert findings == ["tile 12/3_2 is missing"]


def test_the_function_may_read_and_nothing_else():
    resources = load_template(ROOT / "func.template.yaml")["Resources"]
    actions = {right.action for right in roles(resources)["VerifySlideFunction"].rights}
    assert actions == {"elasticfilesystem:ClientMount", "s3:GetObject", "s3:ListBucket"}
    assert "Events" not in resources["VerifySlideFunction"]["Properties"]


def test_a_record_is_not_believed_about_paths(subject):
    recorded = {**RecordedSlide.of(subject.record).to_dict(), "filename": "../../etc/passwd.svs"}
    with pytest.raises(Exception, match="starts with a dot"):
        verify(subject.storage, {"slide": recorded})
