"""Data Matrix symbols as libdmtx finds them; runs as a process of its own (``python -m``).

libdmtx aborts its process on some images, can overrun its time limit, and reads invalid symbols as
text. So ``barcode_reader`` starts this as a child that it kills at the deadline, and takes from it
only which modules of a symbol are dark: zxing-cpp decodes them. Imports little: its start counts.
"""

import os.path
import sys
import time
from collections.abc import Iterator
from ctypes import CDLL, byref, c_ubyte
from types import ModuleType
from typing import Any, Final

__all__ = ["find_symbols"]

# Time to report what was found before the parent's deadline.
_REPORT_S: Final = 0.05
# DmtxModuleOnRGB
_MODULE_ON: Final = 0x07


def find_symbols(pixels: bytes, width: int, height: int, limit_ms: int) -> Iterator[list[str]]:
    """Yield the symbols on a grayscale image whose errors can be corrected.

    Each is a list of rows, from the top down; a row is a string of 1 (dark) and 0.
    """
    dmtx = _load_wrapper()
    end = dmtx.dmtxTimeAdd(dmtx.dmtxTimeNow(), limit_ms)
    buffer = (c_ubyte * len(pixels)).from_buffer_copy(pixels)
    image = dmtx.dmtxImageCreate(buffer, width, height, dmtx.DmtxPackOrder.DmtxPack8bppK)
    decoder = dmtx.dmtxDecodeCreate(image, 1)
    # Nothing is released: the process ends with the search.
    while region := dmtx.dmtxRegionFindNext(decoder, byref(end)):
        message = dmtx.dmtxDecodeMatrixRegion(decoder, region, dmtx.DmtxUndefined)
        if message:
            yield _modules(region.contents, message.contents.array)


def _load_wrapper() -> Any:
    """Return pylibdmtx's wrapper of the C functions.

    It asks the system's loader, which does not look where a Lambda layer keeps libraries.
    """
    from pylibdmtx import dmtx_library

    site = os.path.dirname(os.path.dirname(dmtx_library.__file__))
    bundled = os.path.join(site, "pylibdmtx.libs", "libdmtx.so.0")
    if os.path.exists(bundled):
        dmtx_library.load = lambda: CDLL(bundled)
    # The wrapper compares versions with distutils, which Python 3.12 dropped. Elsewhere its import
    # takes longer than most searches.
    version = ModuleType("distutils.version")
    vars(version)["LooseVersion"] = lambda text: [int(number) for number in text.split(".")]
    sys.modules |= {"distutils": ModuleType("distutils"), version.__name__: version}
    from pylibdmtx import wrapper

    return wrapper


def _modules(region: Any, array: Any) -> list[str]:
    """Return the whole symbol: the modules that hold data, and the borders of the data regions.

    ``array`` has the former only, row by row. A symbol consists of one or more data regions; each
    has a border of one module: solid on the left and at the bottom, alternating elsewhere.
    """
    regions_across = (region.symbolCols - region.mappingCols) // 2
    regions_down = (region.symbolRows - region.mappingRows) // 2
    width: int = region.symbolCols // regions_across
    height: int = region.symbolRows // regions_down

    def is_dark(row: int, col: int) -> bool:
        (above, y), (before, x) = divmod(row, height), divmod(col, width)
        if x == 0 or y == height - 1:
            return True
        if y == 0:
            return x % 2 == 0
        if x == width - 1:
            return y % 2 == 1
        place = (row - 2 * above - 1) * region.mappingCols + col - 2 * before - 1
        return bool(array[place] & _MODULE_ON)

    return [
        "".join("01"[is_dark(row, col)] for col in range(region.symbolCols))
        for row in range(region.symbolRows)
    ]


def _main(deadline: float, width: int, height: int) -> None:
    """Print a line for each symbol as soon as it is found; its rows are separated by blanks.

    ``deadline`` is a time of ``time.monotonic``, whose clock all processes share.
    """
    pixels = sys.stdin.buffer.read()
    limit_ms = int((deadline - _REPORT_S - time.monotonic()) * 1000)
    if limit_ms > 0:
        for rows in find_symbols(pixels, width, height, limit_ms):
            print(*rows, flush=True)


if __name__ == "__main__":
    _main(float(sys.argv[1]), *map(int, sys.argv[2:]))
