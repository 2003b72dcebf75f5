"""What a renderer writes to and a viewer reads from: a slide's images by name."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from vsv.pyramid.deepzoom import TileAddress

__all__ = ["SUFFIX", "ImageStore", "StoredImage", "Write", "name"]

SUFFIX: Final = ".jpeg"


Write = Callable[[str, bytes], None]


def name(tile: TileAddress) -> str:
    """Return the name that a tile is kept by."""
    return f"{tile.level}/{tile.col}_{tile.row}"


@dataclass(frozen=True)
class StoredImage:
    """An image that is there. Equal tags stand for equal bytes; ``read`` gets them."""

    tag: str
    read: Callable[[], bytes]


class ImageStore(Protocol):
    """The images of one slide, by name. An image appears whole or not at all."""

    def find(self, name: str) -> StoredImage | None:
        """Return the image, or None if it is missing."""

    def missing(self, names: Collection[str]) -> set[str]:
        """Return those of the names that have no image."""

    def write(self, name: str, data: bytes) -> None:
        """Keep the image."""

    def writing(self, on_written: Callable[[], None]) -> AbstractContextManager[Write]:
        """Keep many images: what comes is used like ``write``, but may return sooner.

        ``on_written`` is called, in the caller's thread, for each image that is there. Leaving the
        context waits for all of them; the first error is raised then, or by a call before that.
        """

    def count_tiles(self, level: int) -> int:
        """Return how many tiles the level has, and remove what killed writers left behind."""

    def write_descriptor(self, document: bytes) -> None:
        """Keep the ``.dzi`` document: it says that the pyramid is complete."""

    def has_descriptor(self) -> bool:
        """Whether the pyramid is complete."""

    def rendered_levels(self) -> tuple[int, ...]:
        """Return the DeepZoom levels that have tiles, finest first, if the pyramid is complete."""

    def clear(self) -> None:
        """Remove the descriptor, then all images."""

    def clear_tiles(self) -> None:
        """Remove the descriptor, then all tiles; the associated images stay."""
