"""Labels and macro images of sample slides, as a scanner's second camera sees them."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import zxingcpp
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from local.sample_slides.encoding import Pixels

__all__ = ["MACRO_UM", "macro", "paper_label", "plain_label"]

Color = tuple[int, int, int]

_INK: Final = (20, 20, 20)
_PAPER: Final = (238, 235, 226)
_DARK: Final = (13, 13, 16)
# A slide is 75 mm × 26 mm. The camera sees a little less of its height, as Aperio's does.
_MACRO_SIZE: Final = (1280, 431)
MACRO_UM: Final = 75_000 / _MACRO_SIZE[0]
_PAPER_SIZE: Final = (372, 392)
_CODE_SCALE: Final = 9
_COVERSLIP: Final = (396, 14, 1236, 417)


def plain_label(text: str) -> Pixels:
    """Return a paper label: the Data Matrix, and its text below it."""
    label = Image.new("RGB", (400, 400), (243, 240, 232))
    matrix = _data_matrix(text, 10)
    label.paste(matrix, ((400 - matrix.width) // 2, 40))
    _draw_text(label, (110, 320), text)
    return np.asarray(label)


def paper_label(lines: Sequence[str], code: str | None) -> Image.Image:
    """Return a printed label on the dark of the scanner: lines of text, and a Data Matrix.

    Without a ``code`` there is a text only, as where the printer has run out of ribbon.
    """
    paper = Image.new("RGB", _PAPER_SIZE, _PAPER)
    for number, line in enumerate(lines):
        _draw_text(paper, (24, 24 + 44 * number), line, 3)
    if code is not None:
        matrix = _data_matrix(code, _CODE_SCALE)
        paper.paste(
            matrix, (_PAPER_SIZE[0] - matrix.width - 18, _PAPER_SIZE[1] - matrix.height - 18)
        )
    turned = paper.rotate(-1.2, Image.Resampling.BICUBIC, expand=True, fillcolor=_DARK)
    label = Image.new("RGB", (404, 424), _DARK)
    label.paste(turned, ((404 - turned.width) // 2, (424 - turned.height) // 2))
    return label.filter(ImageFilter.GaussianBlur(0.6))


def macro(label: Image.Image, scan: Image.Image, glass: Color) -> Pixels:
    """Return the whole slide: its label, the coverslip, and the scanned area in green.

    ``scan`` is that area at ``MACRO_UM`` microns per pixel, and ``glass`` its background.
    """
    width, height = _MACRO_SIZE
    picture = Image.new("RGB", _MACRO_SIZE, _dimmed(glass, 6))
    draw = ImageDraw.Draw(picture)
    left, top, right, bottom = _COVERSLIP
    draw.rounded_rectangle(_COVERSLIP, 8, fill=glass, outline=_dimmed(glass, 34), width=2)
    draw.line((left + 2, bottom + 3, right, bottom + 3), fill=_dimmed(glass, 60), width=2)
    x, y = (left + right - scan.width) // 2, (top + bottom - scan.height) // 2
    picture.paste(scan, (x, y))
    shades = Image.new("L", _MACRO_SIZE, 0)
    ImageDraw.Draw(shades).rectangle((0, 10, width - 12, height - 8), fill=255)
    dark = Image.new("RGB", _MACRO_SIZE, _DARK)
    picture = Image.composite(picture, dark, shades.filter(ImageFilter.GaussianBlur(3)))
    end = label.rotate(90, expand=True)
    end.thumbnail((360, height - 22))
    picture.paste(end, (4, (height - end.height) // 2))
    ImageDraw.Draw(picture).rectangle(
        (x - 3, y - 3, x + scan.width + 2, y + scan.height + 2), outline=(40, 230, 40), width=2
    )
    return np.asarray(picture)


def _data_matrix(text: str, scale: int) -> Image.Image:
    code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.DataMatrix)
    return Image.fromarray(np.asarray(code.to_image(scale=scale)))


def _draw_text(image: Image.Image, position: tuple[int, int], text: str, scale: int = 2) -> None:
    """Draw dark text, 11 px high × scale. The layers' Pillow has only its own bitmap font."""
    font = ImageFont.load_default_imagefont()
    _, _, width, height = map(math.ceil, font.getbbox(text))
    mask = Image.new("L", (width, height))
    ImageDraw.Draw(mask).text((0, 0), text, fill=255, font=font)
    image.paste(_INK, position, mask.resize((scale * width, scale * height)))


def _dimmed(color: Color, by: int) -> Color:
    red, green, blue = color
    return (red - by, green - by, blue - by)
