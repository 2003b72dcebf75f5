"""An imported slide, and what removes it."""

import pytest

from tests.unit.removal.helpers import Removals


@pytest.fixture
def removals(world, s3):
    return Removals(world, s3.client)


@pytest.fixture
def slide(world, small):
    """Return an imported slide that a technician found good."""
    image_id = world.has_imported(small, "day 1/x.svs").image_id
    world.catalogue.change(image_id, "ann", "EDIT", lambda old: {**old, "Status": "GOOD"})
    return image_id
