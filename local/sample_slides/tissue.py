"""Pieces of the real slide's tissue: sections, cores, other stains, out of focus."""

import math
from typing import Final, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from local.sample_slides.encoding import Pixels

__all__ = ["GLASS", "Piece", "blurred", "core", "keratin", "section"]

# The real slide's background.
GLASS: Final = (246, 243, 243)

_EDGE_PX: Final = 90
_TEAR_PX: Final = 130
_CORE_PX: Final = 1120
# Optical densities of haematoxylin and DAB in red, green and blue, and how much haematoxylin there
# is for each of them (Ruifrok and Johnston 2001, as in scikit-image's hed_from_rgb).
_HAEMATOXYLIN: Final = (0.65, 0.70, 0.29)
_DAB: Final = (0.27, 0.57, 0.78)
_UNMIX_HAEMATOXYLIN: Final = (1.878, -0.066, -0.602)


class Piece(NamedTuple):
    """Tissue and what of it is there: 255 where it is, 0 where the glass shows."""

    image: Image.Image
    mask: Image.Image

    def turned(self, degrees: float, mirror: bool = False) -> "Piece":
        """Return the piece turned counter-clockwise, after it was mirrored."""
        image, mask = self
        if mirror:
            flip = Image.Transpose.FLIP_LEFT_RIGHT
            image, mask = image.transpose(flip), mask.transpose(flip)
        cubic, linear = Image.Resampling.BICUBIC, Image.Resampling.BILINEAR
        return Piece(
            image.rotate(degrees, cubic, expand=True, fillcolor=GLASS),
            # The mask is smooth: half the time is enough for it.
            mask.rotate(degrees, linear, expand=True, fillcolor=0),
        )

    def on_glass(self, size: tuple[int, int], offset: tuple[int, int] = (0, 0)) -> Pixels:
        """Return the piece in the middle of glass of this size, moved by ``offset``."""
        glass = Image.new("RGB", size, GLASS)
        x, y = ((a - b) // 2 + c for a, b, c in zip(size, self.image.size, offset, strict=True))
        glass.paste(self.image, (x, y), self.mask)
        return np.asarray(glass)


def section(tissue: Pixels) -> Piece:
    """Return the real slide's tissue as a whole section: it ends where its picture does.

    Its lower end, which the picture cuts off in a straight line, is torn.
    """
    height, width = tissue.shape[:2]
    mask = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(mask)
    draw.rectangle((_EDGE_PX, _EDGE_PX, width - _EDGE_PX, height), fill=255)
    mask = mask.filter(ImageFilter.GaussianBlur(_EDGE_PX / 3))
    tear = [(x, height - round(_TEAR_PX * _roughness(x))) for x in range(0, width + 8, 8)]
    torn = Image.new("L", (width, height), 0)
    ImageDraw.Draw(torn).polygon([(0, 0), *tear, (width, 0)], fill=255)
    torn = torn.filter(ImageFilter.GaussianBlur(2))
    # Far from tissue there is this glass. The picture's is a little brighter in places.
    darkness = Image.fromarray(230 - tissue.min(axis=-1).clip(0, 230).astype(np.uint8))
    near = darkness.filter(ImageFilter.GaussianBlur(24)).point(lambda value: min(255, 60 * value))
    near = near.filter(ImageFilter.GaussianBlur(12))
    whole = np.minimum.reduce([np.asarray(each) for each in (mask, torn, near)])
    return Piece(Image.fromarray(tissue), Image.fromarray(whole))


def core(tissue: Pixels, center: tuple[int, int], seed: int) -> Piece:
    """Return a punched core, half a millimetre wide, of the tissue around ``center``."""
    left, top = (value - _CORE_PX // 2 for value in center)
    image = Image.fromarray(tissue).crop((left, top, left + _CORE_PX, top + _CORE_PX))
    mask = Image.new("L", image.size, 0)
    rim = []
    for degree in range(0, 360, 2):
        angle = math.radians(degree)
        # Three, five and more waves around the rim, so that it closes.
        waves = sum(math.sin(n * angle + seed * n * n) / n for n in (3, 5, 11, 23))
        radius = (_CORE_PX / 2 - 34) * (1 + 0.022 * waves)
        rim.append(
            (_CORE_PX / 2 + radius * math.cos(angle), _CORE_PX / 2 + radius * math.sin(angle))
        )
    ImageDraw.Draw(mask).polygon(rim, fill=255)
    return Piece(image, mask.filter(ImageFilter.GaussianBlur(2.5)))


def blurred(piece: Piece, radius_px: float = 7) -> Piece:
    """Return the piece as the scanner sees it out of focus."""
    image = piece.image.filter(ImageFilter.GaussianBlur(radius_px))
    return Piece(image, piece.mask.filter(ImageFilter.GaussianBlur(radius_px)))


def keratin(tissue: Pixels) -> Pixels:
    """Return H&E tissue as if stained for keratin: brown where epithelium is, nuclei in blue.

    Epithelium is where there is much haematoxylin, nuclei and cytoplasm together.
    """
    densities = -np.log10((np.arange(256, dtype=np.float32) + 1) / 256)
    unmix = np.stack([densities * factor for factor in _UNMIX_HAEMATOXYLIN])
    nuclei = sum(unmix[band][tissue[..., band]] for band in range(3)).clip(0, 2)
    # Brown is smooth over some cells.
    around = _smoothed(nuclei, 22)
    close = _smoothed(nuclei, 2)
    brown = 1 / (1 + np.exp(-(around - 0.30) * 28)) * (0.12 + 0.75 * close)
    blue = (nuclei - 0.18).clip(0, 2) * 0.62 + 0.06 * densities[tissue[..., 1]].clip(0, 1)
    stained = [
        GLASS[band] * 10 ** -(_DAB[band] * brown + _HAEMATOXYLIN[band] * blue) for band in range(3)
    ]
    pixels: Pixels = np.stack(stained, axis=-1).round().clip(0, 255).astype(np.uint8)
    return pixels


def _smoothed(values: np.ndarray, radius_px: float) -> np.ndarray:
    scaled = Image.fromarray((values * 127).round().clip(0, 255).astype(np.uint8))
    return np.asarray(scaled.filter(ImageFilter.GaussianBlur(radius_px)), np.float32) / 127


def _roughness(x: int) -> float:
    """Return 0.2 to 1: waves of some lengths, as tissue tears."""
    waves = ((1900, 1.0), (530, 0.6), (140, 0.25), (47, 0.12))
    total = sum(height * math.sin(2 * math.pi * x / length + length) for length, height in waves)
    return 0.6 + 0.4 * total / 1.97
