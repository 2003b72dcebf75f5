"""The workflow's steps: progress, lost tissue, and pyramids of another slide."""

from types import SimpleNamespace

import pytest

from tests.unit.imports.records import JOB, LATER, VERSION
from vsv.errors import FileChanged, ImageIdConflict, UnreadableSlide
from vsv.imports import steps
from vsv.slides.damage import Damage, TileNumber

# ─── Progress ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("new", "before", "told"),
    [(250, 30, [100, 100, 50]), (200, 0, [100, 100]), (1, 1, [1]), (0, 300, [])],
)
def test_progress_is_told_once_for_a_hundred_tiles(monkeypatch, new, before, told):
    """Of tiles that are new: what a killed worker has rendered was counted by it."""
    counted = []

    def add_rendered(*progress):
        counted.append(progress)

    class OpenSlide(SimpleNamespace):
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    class Rendering(SimpleNamespace):
        def render(self, start, stop):
            for is_new in [True] * new + [False] * before:
                self.on_tile(is_new)

    whole = SimpleNamespace(check_unchanged=lambda: None)
    slide = OpenSlide(levels=(), file=whole, lose=lambda tiles: None)
    monkeypatch.setattr(steps, "_open", lambda *_: slide)
    monkeypatch.setattr(steps, "slide_levels", lambda _: {})
    monkeypatch.setattr(steps, "Renderer", lambda *given: Rendering(on_tile=given[-1]))
    own = SimpleNamespace(version=VERSION, lost=())
    storage = SimpleNamespace(read_index=lambda _: own, images=lambda _: None)
    importer = steps.Importer(storage, SimpleNamespace(add_rendered=add_rendered), None, 90)
    assert importer.render_tiles(JOB, 0, 1) == {"rendered": new}
    assert counted == [("1", str(VERSION), tiles) for tiles in told]


# ─── Damage ──────────────────────────────────────────────────────────────────────────────────────


def test_lost_tissue_fails_the_import_and_coarser_levels_are_a_warning():
    finest, coarser = Damage(0, 3, 4, "is damaged"), Damage(2, 0, 0, "is damaged")
    steps._check_finest([])
    steps._check_finest([coarser])
    for damages, told in (
        ([finest], "tile 3_4 of level 0 is damaged"),
        ([coarser, finest, coarser], "tile 3_4 of level 0 is damaged"),
        ([finest, finest, coarser], "tile 3_4 of level 0 is damaged, and 1 more are"),
        ([finest] * 3, "tile 3_4 of level 0 is damaged, and 2 more are"),
    ):
        with pytest.raises(UnreadableSlide) as raised:
            steps._check_finest(damages)
        assert str(raised.value) == told
    one = "a tile of coarser levels cannot be read; finer levels are shown"
    assert steps._damage_warnings([]) == steps._damage_warnings([TileNumber(0, 1, 1)]) == []
    assert steps._damage_warnings([TileNumber(0, 1, 1), TileNumber(1, 0, 0)]) == [one]
    two = [TileNumber(1, 0, 0), TileNumber(2, 0, 0)]
    assert steps._damage_warnings(two) == [one.replace("a tile", "2 tiles")]
    assert steps._damage_warnings(two, more=True) == [one.replace("a tile", "2 more tiles")]
    assert steps._damage_warnings(two[:1], more=True) == [one.replace("a tile", "one more tile")]
    assert steps._damage_warnings([], more=True) == []


def index(version=VERSION, *, filename="x.svs", imported=True, archived=False):
    return SimpleNamespace(filename=filename, version=version, imported=imported, archived=archived)


@pytest.mark.parametrize(
    ("found", "there", "complete", "refused"),
    [
        (None, False, False, False),
        (index(), True, True, False),
        (index(LATER), True, True, True),
        (index(filename="y.svs"), True, True, True),
        (index(LATER, imported=False), True, True, False),
        (index(LATER), False, True, False),
        (index(LATER), True, False, False),
        (index(LATER, archived=True), False, False, True),
    ],
)
def test_a_pyramid_of_another_slide_is_not_taken_over(found, there, complete, refused):
    def locate(filename, version):
        assert (filename, version) == (found.filename, found.version)
        if not there:
            raise FileChanged("gone")

    images = SimpleNamespace(has_descriptor=lambda: complete)
    storage = SimpleNamespace(
        read_index=lambda _: found, locate=locate, images=lambda image_id: images
    )
    if refused:
        with pytest.raises(ImageIdConflict, match="ImageID 1 belongs to another slide"):
            steps._check_owner(JOB, storage)
    else:
        steps._check_owner(JOB, storage)


def test_an_index_of_other_bytes_is_no_index_of_the_import():
    def read(found):
        return steps._index(JOB, SimpleNamespace(read_index=lambda image_id: found))

    own = index()
    assert read(own) is own
    for other in (None, index(LATER)):
        with pytest.raises(FileChanged, match="of another file"):
            read(other)
