"""Sizes and rectangles of pixels."""

from typing import NamedTuple

__all__ = ["Box", "Size"]


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int


class Box(NamedTuple):
    """A rectangle of pixels: left and top inside, right and bottom just outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> Size:
        """Width and height of the rectangle."""
        return Size(self.right - self.left, self.bottom - self.top)
