"""Where the benchmarks keep things. Imports next to nothing: what peers import is timed."""

from pathlib import Path
from typing import Final

from local.settings import STATE

__all__ = ["BENCH", "IMAGES", "pyramid_files", "pyramid_twin"]

BENCH: Final = STATE / "bench"
# The slides and their pyramids: what lies at IMAGES_PATH.
IMAGES: Final = BENCH / "images"


def pyramid_twin(slide: Path) -> Path:
    """Return the slide under the ImageID that has a finished pyramid.

    Two ImageIDs, so that one images path has the slide with a pyramid and without.
    """
    return slide.with_name(f"{slide.stem}-pyramid{slide.suffix}")


def pyramid_files(slide: Path) -> Path:
    """Return the folder of the slide's finished pyramid, which ``slides.make_pyramid`` makes."""
    twin = pyramid_twin(slide)
    return twin.with_name(f"{twin.stem}_files")
