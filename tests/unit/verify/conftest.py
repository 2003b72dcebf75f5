"""A slide that was just imported: levels 12, 10 and 8 are its own."""

import pytest

from tests.unit.verify.helpers import Subject


@pytest.fixture
def subject(world, generated):
    """Levels 12, 10 and 8 are the slide's own, those between are rendered."""
    world.has_imported(generated, "day 1/x.svs")
    return Subject(world)
