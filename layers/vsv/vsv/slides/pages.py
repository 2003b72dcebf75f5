"""Which images of a slide's TIFF file are its levels, and which its label, thumbnail and macro.

A file says so in several ways, and each scanner, converter and de-identification tool leaves others
out: by the description's first words (Aperio), by NewSubfileType (1 label, 9 macro: Aperio, and all
that a GT 450 writes), by sizes, by order.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from vsv.errors import UnreadableSlide
from vsv.slides.aperio import parse_properties
from vsv.slides.level import whole_downsample
from vsv.slides.tiff import Directory

__all__ = [
    "ASSOCIATED_IMAGES",
    "MAX_TILE_PIXELS",
    "Pages",
    "check_size",
    "why_pixels_unsupported",
]

ASSOCIATED_IMAGES: Final = ("label", "thumbnail", "macro")

_SUBFILE_TYPES: Final = {1: "label", 9: "macro"}
# Properties that tell the planes of a stack apart, and the channels of a fluorescence slide.
_FOCUS: Final = "OffsetZ"
_CHANNELS: Final = ("DisplayColor", "Dye")

# Scanners write tiles of 240 to 1,024 pixels. A tile is decoded whole.
MAX_TILE_PIXELS: Final = 4 * 2**20
# 26 cm at 0.25 µm.
_MAX_SIDE: Final = 2**20
# Ten times what scanners take of a label or of a whole slide; more would not fit into memory.
_MAX_ASSOCIATED_PIXELS: Final = 32 * 2**20
# What a JPEG file can show.
_MAX_ASSOCIATED_SIDE: Final = 65_500
# White is zero, black is zero, RGB, YCbCr; or the file does not say.
_PHOTOMETRIC: Final = frozenset({0, 1, 2, 6, -1})
_SEPARATE_PLANES: Final = 2
# How far the sides of a thumbnail are from the slide's proportions, by rounding.
_MAX_SKEW: Final = 0.02


@dataclass(frozen=True)
class Pages:
    """What the file's images are.

    ``levels`` begin with the finest. ``associated`` has the images that there are, by name.
    ``notices`` say, in sentences for technicians, what of the file is not shown.
    """

    levels: tuple[Directory, ...]
    associated: Mapping[str, Directory]
    notices: tuple[str, ...]

    @classmethod
    def of(cls, directories: Sequence[Directory]) -> "Pages":
        """Sort the images. Raises UnreadableSlide where the first one is not a level."""
        full = directories[0]
        if not full.is_tiled:
            raise UnreadableSlide("the file is a TIFF file, but its first image is not tiled")
        reason = _why_unsupported(full)
        if reason:
            raise UnreadableSlide(reason)
        others = directories[1:]
        levels = [full, *_coarser_levels(full, others)]
        rest = [page for page in others if not any(page is level for level in levels)]
        associated = _associated(full, rest)
        return cls(tuple(levels), associated, tuple(_notices(full, others)))


def _coarser_levels(full: Directory, others: Iterable[Directory]) -> Iterator[Directory]:
    """Yield the first image of each whole downsample that is of the first plane."""
    plane = _plane(full)
    found = {1}
    for page in others:
        downsample = whole_downsample(page, full) if page.is_tiled else None
        if (
            downsample is not None
            and downsample not in found
            and not _named(page)
            and not _why_unsupported(page)
            and (page.samples, page.planar) == (full.samples, full.planar)
            and all(plane.get(name, text) == text for name, text in _plane(page).items())
        ):
            found.add(downsample)
            yield page


def why_pixels_unsupported(page: Directory) -> str | None:
    """Say why the image's kind of pixels cannot be shown; None if they can."""
    odd_bits = [bits for bits in page.bits if bits != 8]
    if odd_bits:
        return f"{odd_bits[0]} bits per sample are not supported, only 8"
    if page.samples not in (1, 3, 4):
        return f"{page.samples} samples per pixel are not supported, only 1 or 3"
    if page.planar == _SEPARATE_PLANES and page.samples > 1:
        return "colours in separate planes are not supported"
    if page.photometric not in _PHOTOMETRIC:
        return f"photometric interpretation {page.photometric} is not supported"
    return None


def _why_unsupported(page: Directory) -> str | None:
    """Say why an image cannot be a level of a slide that is shown; None if it can."""
    reason = why_pixels_unsupported(page)
    if reason:
        return reason
    if not 1 <= page.width <= _MAX_SIDE or not 1 <= page.height <= _MAX_SIDE:
        return f"an image of {page.width} × {page.height} pixels"
    if min(page.tile_width, page.tile_height) < 1:
        return "a tiled image with tiles of no size"
    if page.tile_width * page.tile_height > MAX_TILE_PIXELS:
        return f"tiles of {page.tile_width} × {page.tile_height} pixels are not supported"
    return None


def _plane(page: Directory) -> dict[str, str | float]:
    """Return which plane or channel the image is of, as far as its description says."""
    properties = parse_properties(page.description)
    return {
        name: _number_or_text(properties[name])
        for name in (_FOCUS, *_CHANNELS)
        if properties.get(name) is not None
    }


def _number_or_text(text: str) -> str | float:
    """Return what a property says, as a number if it is one: 0 and 0.0 are the same."""
    try:
        return float(text)
    except ValueError:
        return text


def _notices(full: Directory, others: Sequence[Directory]) -> Iterator[str]:
    same_size = [
        page
        for page in others
        if page.is_tiled and (page.width, page.height) == (full.width, full.height)
    ]
    count = 1 + len(same_size) if same_size else full.depth
    if count > 1:
        by_channel = any(name in _plane(page) for page in same_size for name in _CHANNELS)
        kind = "channels" if by_channel else "focal planes"
        yield f"the slide has {count} {kind}; only the first is shown"


def _named(page: Directory) -> str | None:
    """Return which associated image the description names at the beginning of a line."""
    for line in page.description.splitlines():
        word = line.partition(" ")[0].lower()
        if word in ASSOCIATED_IMAGES:
            return word
    return None


def _associated(full: Directory, pages: Sequence[Directory]) -> dict[str, Directory]:
    """Find label, thumbnail and macro: by description, by NewSubfileType, by order."""
    found: dict[str, Directory] = {}
    unnamed = []
    for page in pages:
        name = _named(page)
        if name:
            found.setdefault(name, page)
        elif min(page.width, page.height) > 0:
            unnamed.append(page)
    # Unless a description says so, what is left of those marked may be the label: no thumbnail.
    suspect = () if "label" in found else _SUBFILE_TYPES
    found |= _marked(full, unnamed, found)
    rest = [
        page
        for page in unnamed
        if not page.is_tiled and not any(page is other for other in found.values())
    ]
    for page in list(rest):
        if (
            "thumbnail" not in found
            and page.subfile_type not in suspect
            and _has_proportions(page, full)
        ):
            found["thumbnail"] = page
            rest.remove(page)
    # Aperio's order. With fewer images than names nobody can tell which one is missing.
    missing = [name for name in ("label", "macro") if name not in found]
    if len(rest) == len(missing):
        found.update(zip(missing, rest, strict=True))
    return found


def _marked(
    full: Directory, unnamed: Iterable[Directory], named: Collection[str]
) -> dict[str, Directory]:
    """Find macro, label and thumbnail by NewSubfileType, as far as no description names them.

    TIFF's 1 is any smaller image. Where several are marked so, and none of them can be the macro,
    the label is the first that does not show the whole slide, and one that does is the thumbnail.
    """
    found: dict[str, Directory] = {}
    candidates = {
        name: [page for page in unnamed if _is_marked(page, number, full)]
        for number, name in _SUBFILE_TYPES.items()
    }
    if candidates["macro"] and "macro" not in named:
        found["macro"] = candidates["macro"][0]
    labels = candidates["label"]
    if labels and "label" not in named:
        whole = [page for page in labels if _has_proportions(page, full)]
        others = [page for page in labels if not any(page is each for each in whole)]
        if whole and others and ("macro" in named or "macro" in found):
            found["label"] = others[0]
            if "thumbnail" not in named:
                found["thumbnail"] = whole[0]
        else:
            found["label"] = labels[0]
    return found


def _is_marked(page: Directory, subfile_type: int, full: Directory) -> bool:
    """Whether NewSubfileType says so. (Of an image in tiles it may mean a level.)"""
    return page.subfile_type == subfile_type and not (
        page.is_tiled and _has_proportions(page, full)
    )


def _has_proportions(page: Directory, full: Directory) -> bool:
    """Whether the image can show the whole slide at a smaller size."""
    ratio = page.width * full.height / (page.height * full.width)
    # A side of a few pixels is rounded by much.
    slack = _MAX_SKEW + 1 / page.width + 1 / page.height
    return abs(ratio - 1) <= slack and page.width <= full.width and page.height <= full.height


def check_size(name: str, width: int, height: int) -> None:
    """Raise UnreadableSlide for an image too large for memory, or for a JPEG file."""
    if width * height > _MAX_ASSOCIATED_PIXELS or max(width, height) > _MAX_ASSOCIATED_SIDE:
        raise UnreadableSlide(f"the {name} image has {width} × {height} pixels: too many")
