"""The grammar of /DeepZoom requests."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from vsv.errors import InvalidRequest, quoted
from vsv.identifiers import parse_image_id
from vsv.pyramid.deepzoom import TileAddress
from vsv.pyramid.encoding import MEDIA_TYPES
from vsv.viewing.images import Images, Resource, TileOptions

__all__ = ["ImageRequest"]

# A tile must fit Lambda's 6 MB response, as PNG and in base64: 1,024² pixels do at their worst.
MAX_TILE_SIZE: Final = 1024


MAX_OVERLAP: Final = 64


_IMAGE_PATH = re.compile(
    r".*?/DeepZoom/(?P<image_id>[^/]+?)"
    r"(?:\.dzi|_files/(?:(?P<address>[^/]+/[^/]+)|(?P<associated>[^/]+))\.(?P<format>[^/.]+))",
    re.DOTALL,
)


@dataclass(frozen=True)
class ImageRequest:
    """What a viewer asked for: the descriptor unless a tile or an associated image is named."""

    image_id: str
    options: TileOptions
    tile: TileAddress | None = None
    associated: str | None = None

    @classmethod
    def parse(cls, path: str, query: Mapping[str, str]) -> "ImageRequest":
        """Parse decoded path and query of a ``/DeepZoom/…`` request; raise InvalidRequest."""
        match = _IMAGE_PATH.fullmatch(path)
        if match is None:
            raise InvalidRequest("the path is neither a descriptor's nor an image's")
        image_format = (match["format"] or query.get("fmt") or "jpeg").lower()
        if image_format not in MEDIA_TYPES:
            raise InvalidRequest(f"{quoted(image_format)} is not one of {', '.join(MEDIA_TYPES)}")
        options = TileOptions(
            _number(query, "tilesize", 1, MAX_TILE_SIZE),
            _number(query, "overlap", 0, MAX_OVERLAP),
            image_format,
        )
        address = match["address"]
        return cls(
            parse_image_id(match["image_id"]),
            options,
            TileAddress.parse(address) if address else None,
            match["associated"],
        )

    def resource(self, images: Images) -> Resource:
        """Return what was asked for."""
        if self.tile:
            return images.tile(self.image_id, self.tile, self.options)
        if self.associated:
            return images.associated(self.image_id, self.associated, self.options.image_format)
        return images.descriptor(self.image_id, self.options)


def _number(query: Mapping[str, str], name: str, low: int, high: int) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10 and low <= int(text) <= high):
        raise InvalidRequest(f"{name} is {quoted(text)}, not a number in {low}..{high}")
    return int(text)
