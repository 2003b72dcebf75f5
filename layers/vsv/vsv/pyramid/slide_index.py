"""What the library keeps about a slide, so that opening it costs next to nothing.

The *slide index* tells which file and which bytes an ImageID stands for, how its levels are cut and
coded, and what of its pyramid is rendered. Where the tiles lie is in ``tile_blocks``.
"""

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from typing import TYPE_CHECKING, Final, Self

from vsv.geometry import Size
from vsv.identifiers import FileVersion
from vsv.pyramid.deepzoom import DeepZoom
from vsv.pyramid.native import default_pyramid
from vsv.slides.damage import TileNumber
from vsv.slides.level import whole_downsample
from vsv.slides.pages import MAX_TILE_PIXELS
from vsv.slides.tile_index import TiledImage

if TYPE_CHECKING:
    from vsv.slides.slide import Slide

__all__ = ["SlideIndex"]

# Sizes and times in TIFF and of files.
_MAX_LENGTH: Final = 2**32
_MAX_NUMBER: Final = 2**64


@dataclass(frozen=True)
class SlideIndex:
    """Which file an ImageID stands for, and what its pyramid is.

    It binds an ImageID to the bytes of one file: pixels of a file that has taken that name since
    are never shown under this ID. Lengths are in pixels, ``size`` in bytes, ``mtime_ns`` in
    nanoseconds since 1970; ``levels`` are the DeepZoom levels that are pre-rendered. ``images`` are
    the slide's own levels; there are none where an older version of this library wrote the index.
    ``lost`` are tiles (level of the slide, column, row) that the import found to be damaged.
    ``imported`` is False where no import has confirmed the file. ``archived`` is True where the
    file has left EFS, so that what is not in ``levels`` cannot be shown.
    """

    filename: str
    size: int
    mtime_ns: int
    sha256: str
    width: int
    height: int
    tile_width: int
    tile_height: int
    quality: int
    levels: tuple[int, ...]
    overlap: int
    imported: bool
    images: tuple[TiledImage, ...]
    archived: bool = False
    lost: tuple[TileNumber, ...] = ()

    _FORMAT = 4
    # Of version 0.1, which had other rules as to what is a level.
    _OLDER_FORMATS = (2, 3)

    @classmethod
    def of(
        cls,
        slide: "Slide",
        filename: str,
        pyramid: DeepZoom,
        *,
        quality: int,
        levels: tuple[int, ...],
        sha256: str = "",
        imported: bool = True,
        lost: tuple[TileNumber, ...] = (),
    ) -> Self:
        """Return the index of an open slide whose pyramid is, or will be, rendered like this."""
        return cls(
            filename,
            slide.version.size,
            slide.version.mtime_ns,
            sha256,
            *pyramid.size,
            *pyramid.tile,
            quality,
            levels,
            pyramid.overlap,
            imported,
            tuple(level.image for level in slide.levels),
            lost=lost,
        )

    @classmethod
    def seen(
        cls, slide: "Slide", filename: str, levels: tuple[int, ...], *, imported: bool
    ) -> Self:
        """Return the index of a slide whose import left none, or that was never imported.

        ``levels`` are those that have tiles nevertheless.
        """
        pyramid = default_pyramid(slide)
        levels = tuple(level for level in levels if level < pyramid.level_count)
        return cls.of(slide, filename, pyramid, quality=0, levels=levels, imported=imported)

    @property
    def version(self) -> FileVersion:
        """The version of the file that was imported."""
        return FileVersion(self.size, self.mtime_ns)

    @property
    def pyramid(self) -> DeepZoom:
        """The pyramid that is pre-rendered."""
        tile = Size(self.tile_width, self.tile_height)
        return DeepZoom(Size(self.width, self.height), tile, self.overlap)

    def to_bytes(self) -> bytes:
        """Return the index file's content."""
        images = [
            {**asdict(image), "jpeg_tables": base64.b64encode(image.jpeg_tables).decode()}
            for image in self.images
        ]
        fields = {**asdict(self), "images": images}
        return json.dumps({"format": self._FORMAT, "crc32": _checksum(fields), **fields}).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self | None:
        """Read an index file; None where it is damaged or of another format: rebuild it then."""
        try:
            fields = json.loads(data)
            form = fields.pop("format")
            if form in cls._OLDER_FORMATS:
                # It alone tells which file the ImageID stands for. The file has the rest.
                fields = {**fields, "imported": fields.get("imported", True), "images": []}
            elif form != cls._FORMAT or fields.pop("crc32") != _checksum(fields):
                return None
            images = tuple(
                TiledImage(**{**image, "jpeg_tables": base64.b64decode(image["jpeg_tables"])})
                for image in fields["images"]
            )
            lost = tuple(TileNumber(*tile) for tile in fields.get("lost", ()))
            levels = tuple(fields["levels"])
            index = cls(**{**fields, "levels": levels, "images": images, "lost": lost})
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None
        return index if index._is_sound() else None

    def _is_sound(self) -> bool:
        """Whether the fields are what an index of a slide has. A checksum only tells accidents."""
        numbers = (self.size, self.mtime_ns, self.quality, self.overlap, *self.levels)
        lengths = (self.width, self.height, self.tile_width, self.tile_height)
        full = self.images[:1]
        return (
            (type(self.filename), type(self.sha256)) == (str, str)
            and (type(self.imported), type(self.archived)) == (bool, bool)
            and all(type(number) is int and 0 <= number < _MAX_NUMBER for number in numbers)
            and all(type(length) is int and 1 <= length < _MAX_LENGTH for length in lengths)
            and max(self.levels, default=0) < self.pyramid.level_count
            and all(image.size == (self.width, self.height) for image in full)
            and all(_is_level(image) and whole_downsample(image, *full) for image in self.images)
            and all(_is_tile_of(self.images, tile) for tile in self.lost)
        )


def _is_level(image: TiledImage) -> bool:
    """Whether a slide's level can be cut and coded so."""
    *numbers, jpeg_tables, samples, predictor = astuple(image)
    return (
        type(jpeg_tables) is bytes
        and all(type(number) is int for number in (*numbers, samples, predictor))
        and min(image.width, image.height, image.tile_width, image.tile_height) >= 1
        and image.tile_width * image.tile_height <= MAX_TILE_PIXELS
        and samples in (1, 3, 4)
    )


def _is_tile_of(images: Sequence[TiledImage], tile: TileNumber) -> bool:
    level, col, row = tile
    return (
        all(type(number) is int and number >= 0 for number in tile)
        and level < len(images)
        and col < images[level].cols
        and row < images[level].rows
    )


def _checksum(fields: Mapping[str, object]) -> int:
    return zlib.crc32(json.dumps(fields).encode())
