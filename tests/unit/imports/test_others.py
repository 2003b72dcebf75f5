"""Other slides that an import meets: copies, rescans, and parts of its file."""

import pytest

from tests.unit.imports.records import EARLIER, JOB, LATER, VERSION, Records, failure, record
from vsv.errors import DuplicateSlide, FileChanged
from vsv.identifiers import FileVersion
from vsv.imports.others import OtherSlides
from vsv.imports.workflow import ImportJob


class Files:
    """The slide files on EFS, by name and version; each is a file of its own in a folder."""

    def __init__(self, folder, *there) -> None:
        self.folder, self.there, self.removed = folder, set(there), []

    def locate(self, filename, version):
        if (filename, version) not in self.there:
            raise FileChanged("gone")
        path = self.folder / f"{version}-{filename}"
        path.touch()
        return path

    def remove_slide(self, filename, version):
        self.removed.append((filename, version))


ORIGINAL = record("2", filename="y.svs", version=LATER, Sha256="ab")


@pytest.mark.parametrize("archived", [False, True])
@pytest.mark.parametrize("sha256", [None, "ab"])
def test_a_copy_of_a_slide_is_refused_and_goes_if_the_workstation_knows(tmp_path, archived, sha256):
    original = {**ORIGINAL, "Archive": {}} if archived else ORIGINAL
    files = Files(tmp_path, ("x.svs", VERSION), *([] if archived else [("y.svs", LATER)]))
    catalogue = Records(original, failure())
    job = ImportJob("1", "x.svs", 7, 1000, sha256)
    with pytest.raises(DuplicateSlide, match=r"same bytes as 'y.svs', which is slide 2; delete"):
        OtherSlides(files, catalogue).check_original(job, "ab")
    assert files.removed == ([("x.svs", VERSION)] if sha256 else [])
    assert catalogue.get("1")["Status"] == ("DELETED" if sha256 else "NEW")


@pytest.mark.parametrize(
    ("known", "there"),
    [
        ([ORIGINAL], []),  # its file is gone, and this one takes its place
        ([{**ORIGINAL, "ImportStatus": "FAILED"}], [("y.svs", LATER)]),
        ([{**ORIGINAL, "Status": "DELETED"}], [("y.svs", LATER)]),
        ([{**ORIGINAL, "Removal": {"Operation": "DELETE"}}], [("y.svs", LATER)]),
        ([{**ORIGINAL, "Filename": "x.svs", "FileVersion": str(VERSION)}], []),
        ([ORIGINAL, record(Sha256="ab")], [("y.svs", LATER)]),  # it was imported before
        ([], []),
    ],
)
def test_what_is_no_copy_of_a_slide_that_stays_is_imported(tmp_path, known, there):
    files = Files(tmp_path, ("x.svs", VERSION), *there)
    job = ImportJob("1", "x.svs", 7, 1000, "ab")
    OtherSlides(files, Records(*known)).check_original(job, "ab")
    assert files.removed == []


def test_a_copy_that_is_the_slides_own_file_stays(tmp_path):
    files = Files(tmp_path, ("x.svs", VERSION))
    files.locate = lambda *_: tmp_path
    job = ImportJob("1", "x.svs", 7, 1000, "ab")
    with pytest.raises(DuplicateSlide):
        OtherSlides(files, Records(ORIGINAL)).check_original(job, "ab")
    assert files.removed == []


def test_records_tell_where_an_image_id_comes_from_and_which_scans_share_a_name():
    def notes(*known, tag="1"):
        return OtherSlides(None, Records(*known)).notes(JOB, tag)

    assert notes() == notes(tag=None) == notes(tag="") == []
    assert notes(tag="S/1") == [
        "the ImageID 'S/1' cannot be used in addresses: the file's name stands for the ImageID"
    ]
    assert notes(tag="7") == ["the ImageID 7 is another slide's, too: this one has its own"]
    later = "scanned again under the same file name: see slide 2"
    earlier = "an earlier scan has the same file name: see slide 2"
    assert notes(record("2", version=LATER)) == [later]
    assert notes(record("2", version=EARLIER)) == [earlier]
    assert notes(record("2", version=FileVersion(9, 1000))) == [earlier]
    for other in (
        record("2"),
        record("1", version=LATER),
        failure("2", version=LATER),
        record("2", version=LATER, Status="DELETED"),
        record("2", version=LATER, filename="y.svs"),
    ):
        assert notes(other) == []


def test_an_imported_slide_is_named_by_other_scans_and_ends_its_files_failures(tmp_path):
    catalogue = Records(
        record("1"),
        record("2", version=EARLIER),
        failure("3"),
        record("4", status="FAILED"),
        failure("5", version=LATER),
        record("6", version=LATER, status="FAILED"),
    )
    OtherSlides(Files(tmp_path), catalogue).note_import(JOB)
    told = {number: catalogue.get(number).get("ImportWarnings") for number in "123456"}
    assert told == {
        "1": None,
        "2": ["scanned again under the same file name: see slide 1"],
        "3": ["the file was imported as 1"],
        "4": ["the file was imported as 1"],
        "5": ["the file was imported as 1"],
        "6": ["an earlier scan has the same file name: see slide 1"],
    }
    deleted = {each for each in "123456" if catalogue.get(each)["Status"] == "DELETED"}
    assert deleted == {"3", "4", "5"}


@pytest.mark.parametrize(
    ("content", "size", "goes"), [("a part", 6, True), ("a p@rt", 6, False), ("another", 7, False)]
)
def test_a_part_of_the_imported_file_goes_if_it_is_one(tmp_path, content, size, goes):
    part = FileVersion(size, 900)
    change = {"Field": "FileVersion", "From": str(part), "To": str(VERSION)}
    lines = [{"Changes": [{"Field": "Status", "From": "NEW"}, change]}]
    files = Files(tmp_path, ("x.svs", VERSION), ("x.svs", part))
    files.locate("x.svs", VERSION).write_text("a part.")
    files.locate("x.svs", part).write_text(content)
    OtherSlides(files, Records(record(), history=lines)).note_import(JOB)
    assert files.removed == ([("x.svs", part)] if goes else [])
    # It is not gone where it is a slide's.
    files.removed.clear()
    slide = record("2", version=part)
    OtherSlides(files, Records(record(), slide, history=lines)).note_import(JOB)
    assert files.removed == []
