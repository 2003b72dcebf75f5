"""The Data Matrix on the label image.

zxing-cpp finds it in milliseconds; where it does not, libdmtx searches longer, within a time limit
(on a label without a code it would search for ten seconds and more).
"""

import re
from collections.abc import Iterable
from ctypes import CDLL
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import zxingcpp
from PIL import Image
from pylibdmtx import dmtx_library

__all__ = ["Barcode", "read_barcode"]

_LIBDMTX_TIMEOUT_MS: Final = 3000

# pylibdmtx asks the system's loader, which does not look where a Lambda layer keeps libraries.
_BUNDLED_LIBDMTX: Final = Path(dmtx_library.__file__).parents[1] / "pylibdmtx.libs" / "libdmtx.so.0"
if _BUNDLED_LIBDMTX.exists():
    dmtx_library.load = lambda: CDLL(str(_BUNDLED_LIBDMTX))

from pylibdmtx import pylibdmtx  # noqa: E402  it loads the library on import


@dataclass(frozen=True)
class Barcode:
    """What was read from a label: the text, or the reason why there is none."""

    text: str | None
    reason: str | None = None


def read_barcode(label: Image.Image, pattern: str) -> Barcode:
    """Read the label's Data Matrix whose whole text matches ``pattern`` (a regular expression).

    Two different matching codes are as bad as none: either could be the slide's.
    """
    gray = label.convert("L")
    texts = _matching(_read_zxing(gray), pattern) or _matching(_read_libdmtx(gray), pattern)
    if len(texts) == 1:
        return Barcode(texts.pop())
    if texts:
        return Barcode(None, f"{len(texts)} different barcodes on the label")
    return Barcode(None, "no barcode that is a slide ID on the label")


def _matching(texts: Iterable[str], pattern: str) -> set[str]:
    return {text.strip() for text in texts if re.fullmatch(pattern, text.strip())}


def _read_zxing(gray: Image.Image) -> list[str]:
    codes = zxingcpp.read_barcodes(
        gray, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.DataMatrix)
    )
    return [code.text for code in codes if code.valid]


def _read_libdmtx(gray: Image.Image) -> list[str]:
    codes = pylibdmtx.decode(gray, timeout=_LIBDMTX_TIMEOUT_MS, max_count=1)
    return [code.data.decode("utf-8", "replace") for code in codes]
