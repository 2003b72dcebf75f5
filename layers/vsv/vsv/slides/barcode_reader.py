"""The slide ID in a code on the label image.

zxing-cpp finds most codes in milliseconds. Where it finds no slide ID, it looks again at the label
enlarged, smoothed, sharpened and thickened; then libdmtx searches for Data Matrix symbols, in a
process of its own (``vsv.slides.libdmtx``).
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import ceil
from typing import Final

import zxingcpp
from PIL import Image, ImageFilter

from vsv.slides.barcode import Barcode, is_slide_id

__all__ = ["read_barcode"]

# Scanners of labels append a line break; blanks around an ID are nobody's intention. No others: GS
# (U+001D) is white space to str.strip, and a character of the code.
_BLANKS: Final = " \t\r\n"
# Labels are photographs of a square inch: larger ones are reduced, and once more for the search.
_MAX_PIXELS: Final = 4_000_000
_MAX_SEARCH_PIXELS: Final = 1_000_000
# Of 125 damaged codes that zxing-cpp missed these found 48 in a sixth of the time that libdmtx
# takes, which found 16. In order of success: for small, noisy, blurred and faint modules.
_RETRIES: Final[Sequence[Callable[[Image.Image], Image.Image]]] = (
    lambda gray: gray.resize((2 * gray.width, 2 * gray.height), Image.Resampling.BICUBIC),
    lambda gray: gray.filter(ImageFilter.GaussianBlur(2)),
    lambda gray: gray.filter(ImageFilter.UnsharpMask(3, 200, 0)),
    lambda gray: gray.filter(ImageFilter.MinFilter(3)),
)
# The smallest Data Matrix symbol is 8 modules high; libdmtx needs two pixels a module.
_MIN_LIBDMTX_PIXELS: Final = 16
# A clean drawing of a symbol: pixels a module, and modules of white around it.
_MODULE_PIXELS: Final = 4
_QUIET_MODULES: Final = 2

_NO_CODE: Final = "no code on the label"
_NO_MATCH: Final = "a code was read, but its text does not match the pattern"


def read_barcode(
    label: Image.Image, pattern: str, formats: Sequence[str], search_s: float
) -> Barcode:
    """Read the label's code whose whole text matches ``pattern`` (a regular expression).

    ``formats`` are zxing-cpp's names of them. ``search_s``: how long to search more thoroughly
    where no slide ID was found at once, in seconds. Two different matching codes are as bad as
    none, whatever their formats: either could be the slide's.
    """
    texts: set[str] = set()
    for found in _readings(_at_most(label.convert("L"), _MAX_PIXELS), formats, search_s):
        texts |= set(found)
        matching = [text for text in texts if is_slide_id(text, pattern)]
        if len(matching) == 1:
            return Barcode(matching[0])
        if matching:
            return Barcode(None, f"{len(matching)} different codes on the label")
    return Barcode(None, _NO_MATCH if texts else _NO_CODE)


def _readings(
    gray: Image.Image, formats: Sequence[str], search_s: float
) -> Iterator[Iterable[str]]:
    """Yield the texts of one reading after the other, as long as there is time."""
    deadline = time.monotonic() + search_s
    yield _read_zxing(gray, formats)
    gray = _at_most(gray, _MAX_SEARCH_PIXELS)
    for change in _RETRIES:
        if time.monotonic() < deadline:
            yield _read_zxing(change(gray), formats)
    if "DataMatrix" in formats:
        yield _read_libdmtx(gray, deadline - time.monotonic())


def _at_most(gray: Image.Image, pixels: int) -> Image.Image:
    """Return the image, reduced by a whole number where it has more pixels."""
    excess = gray.width * gray.height / pixels
    return gray.reduce(ceil(excess**0.5)) if excess > 1 else gray


def _read_zxing(gray: Image.Image, formats: Sequence[str]) -> list[str]:
    """Return the texts of valid codes: their own characters, decoded as the code says.

    A GS1 code's text is its element string: no parentheses, GS where its code has FNC1.
    """
    wanted = zxingcpp.barcode_formats_from_str(",".join(formats))
    codes = zxingcpp.read_barcodes(gray, formats=wanted, text_mode=zxingcpp.TextMode.Plain)
    return [code.text.strip(_BLANKS) for code in codes if code.valid]


def _read_libdmtx(gray: Image.Image, limit_s: float) -> list[str]:
    """Return the texts of the Data Matrix symbols that libdmtx finds within ``limit_s`` seconds.

    libdmtx finds the symbols, zxing-cpp decodes them: the former reads invalid ones as well.
    """
    symbols = _find_symbols(gray, limit_s)
    return [text for rows in symbols for text in _read_zxing(_draw(rows), ["DataMatrix"])]


def _find_symbols(gray: Image.Image, limit_s: float) -> Iterable[list[str]]:
    """Return the symbols that ``vsv.slides.libdmtx`` has found by the time it ends or is killed."""
    if min(gray.size) < _MIN_LIBDMTX_PIXELS or limit_s <= 0:
        return []
    deadline = time.monotonic() + limit_s
    command = [sys.executable, "-m", "vsv.slides.libdmtx", str(deadline), *map(str, gray.size)]
    try:
        found = subprocess.run(  # noqa: S603  the arguments are ours
            command,
            input=gray.tobytes(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=limit_s,
            check=False,
            # An interpreter that Lambda has not started itself does not know where layers are.
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        ).stdout
    except subprocess.TimeoutExpired as expired:
        found = expired.stdout or b""
    # Whole lines: the process may have been killed within one.
    lines = found.decode("ascii").split("\n")[:-1]
    return [line.split() for line in lines]


def _draw(rows: list[str]) -> Image.Image:
    """Return the symbol as a clean image. Each row is a string of 1 (dark) and 0."""
    size = (len(rows[0]) + 2 * _QUIET_MODULES, len(rows) + 2 * _QUIET_MODULES)
    image = Image.new("L", size, 255)
    for y, row in enumerate(rows, _QUIET_MODULES):
        for x, module in enumerate(row, _QUIET_MODULES):
            if module == "1":
                image.putpixel((x, y), 0)
    pixels = (size[0] * _MODULE_PIXELS, size[1] * _MODULE_PIXELS)
    return image.resize(pixels, Image.Resampling.NEAREST)
