"""Small slides, each of other bytes."""

from itertools import count

import pytest

from local.samples import generated_slide


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Yield the small slides that tests have had made. No test changes one."""
    folder, made = tmp_path_factory.mktemp("made"), {}
    yield folder, made
    assert all(path.read_bytes() == data for path, data in made.values())


@pytest.fixture
def slide_like(real, made):
    """Make small slides, each of other bytes; without an ImageID unless one is given."""
    (folder, kept), numbers = made, count(1)

    def make(image_id=None):
        number = next(numbers)
        if (number, image_id) not in kept:
            path = generated_slide(
                folder / f"made-{len(kept)}.svs",
                real,
                size=(300, 200 + 4 * number),
                downsamples=(1,),
                properties={"ImageID": image_id},
            )
            kept[number, image_id] = path, path.read_bytes()
        return kept[number, image_id][0]

    return make


@pytest.fixture
def slide_with(real, tmp_path):
    """Make small slides that differ in what a test needs."""

    def make(name="other.svs", size=(300, 200), label_text=None, describe_pages=True, **properties):
        return generated_slide(
            tmp_path / name,
            real,
            size=size,
            downsamples=(1,),
            label_text=label_text,
            describe_pages=describe_pages,
            properties=properties,
        )

    return make
