"""Who the project is measured beside: other ways to get a DeepZoom tile out of a slide file.

Each peer does what its documentation or its example server does, in its own tile grid. Where one
may choose a JPEG quality, it is that of the project's own tiles. Making a peer imports what it
needs, which this module does not: that is timed too. ``answer`` is what most of the timing is of.
"""

import base64
import importlib.util
import json
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar, Final

from benchmarks.places import pyramid_files
from local.settings import ROOT
from vsv.geometry import Size
from vsv.pyramid.deepzoom import DeepZoom, TileAddress

__all__ = ["PEERS", "QUALITY", "Handler", "Peer", "Unserved", "event"]

# The JPEG quality that ImageRequest and vsv prerender use unless told otherwise.
QUALITY: Final = 90
# That of openslide-python's example server, and of Pillow.
_STOCK_QUALITY: Final = 75


class Unserved(Exception):
    """The peer has no such level."""


class Peer(ABC):
    """One way to get tiles.

    ``name`` is for tables. ``tile_size`` is in pixels (None: the slide's own), and so is
    ``overlap``. ``quality`` is what tiles are encoded at, None where there is no saying.
    """

    name: ClassVar[str]
    tile_size: ClassVar[int | None] = None
    overlap: ClassVar[int] = 0
    quality: ClassVar[int | None] = QUALITY

    @abstractmethod
    def open(self, path: Path) -> None:
        """Open the slide."""

    def request(self, address: TileAddress) -> Any:
        """Return what ``answer`` is asked; raise Unserved for a level that the peer lacks."""
        return address

    @abstractmethod
    def answer(self, request: Any) -> Any:
        """Get the tile."""

    def jpeg(self, answer: Any) -> bytes:
        """Return the tile as a JPEG file, taken out of the answer."""
        return bytes(answer)

    def tile(self, level: int, col: int, row: int) -> bytes:
        """Return the tile as a JPEG file."""
        return self.jpeg(self.answer(self.request(TileAddress(level, col, row))))

    @classmethod
    def grid(cls, size: tuple[int, int], native_tile: int) -> DeepZoom:
        """Return the tile grid that the peer serves, for a slide of that size and tile size."""
        tile = cls.tile_size or native_tile
        return DeepZoom(Size(*size), Size(tile, tile), cls.overlap)


class Handler(Peer):
    """The slide itself through ImageRequest's ``lambda_handler``, base64 included."""

    name = "vsv lambda_handler, SVS"

    def __init__(self) -> None:
        path = ROOT / "functions" / "ImageRequest" / "app.py"
        spec = importlib.util.spec_from_file_location("app_ImageRequest", path)
        if spec is None or spec.loader is None:
            raise ImportError(f"{path} cannot be imported")
        # A module of its own, that is a fresh execution environment.
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self._handle: Callable[[Any, Any], dict[str, Any]] = module.lambda_handler

    def open(self, path: Path) -> None:
        """Nothing is opened before the first request; IMAGES_PATH is the slide's folder."""
        os.environ.update(IMAGES_PATH=str(path.parent), CLIENT_ID="viewer")
        self._files = f"{path.stem}_files"

    def request(self, address: TileAddress) -> dict[str, Any]:
        """Return API Gateway's event."""
        level, col, row = address
        return event(f"{self._files}/{level}/{col}_{row}.jpeg")

    def answer(self, request: Any) -> Any:
        """Return the function's answer, for API Gateway."""
        return self._handle(request, None)

    def jpeg(self, answer: Any) -> bytes:
        """Return the body, which the gateway would decode.

        Raises RuntimeError unless it is a 200.
        """
        if answer["statusCode"] != 200:
            raise RuntimeError(f"status {answer['statusCode']}: {answer['body']}")
        return base64.b64decode(answer["body"])


def event(path: str) -> dict[str, Any]:
    """Return what API Gateway (REST, proxy integration) sends for a GET beneath ``/DeepZoom/``."""
    return {
        "resource": "/DeepZoom/{path+}",
        "path": f"/DeepZoom/{path}",
        "httpMethod": "GET",
        "headers": {"Accept": "image/avif,image/webp,*/*", "Host": "viewer.example"},
        "queryStringParameters": None,
        "pathParameters": {"path": path},
        "requestContext": {
            "requestId": "00000000-0000-0000-0000-000000000000",
            "authorizer": {
                "claims": {"aud": "viewer", "cognito:username": "pathologist", "token_use": "id"}
            },
        },
        "body": None,
        "isBase64Encoded": False,
    }


class HandlerOnPyramid(Handler):
    """A file of the finished pyramid through the same handler: what the slide is to come up to."""

    name = "vsv lambda_handler, pyramid"

    def open(self, path: Path) -> None:
        """Return the pyramid's folder: the slide's own, under its ImageID."""
        super().open(path)
        self._files = pyramid_files(path).name


class PyramidFile(Peer):
    """A file of the finished pyramid, opened and read: the limit."""

    name = "open and read the pyramid's file"

    def open(self, path: Path) -> None:
        """Nothing is kept open."""
        self._files = pyramid_files(path)

    def request(self, address: TileAddress) -> str:
        """Return the file's path."""
        level, col, row = address
        return f"{self._files}/{level}/{col}_{row}.jpeg"

    def answer(self, request: Any) -> bytes:
        """Return the file's bytes."""
        with open(request, "rb", buffering=0) as file:
            return file.read()


class Original(Peer):
    """The way of this system's first version, with a tile that nobody has asked for before.

    OpenSlide and Pillow, tiles of 254 pixels with an overlap of 1; the level is the coarsest whose
    rounded downsample is not above the tile's, so that 4.0001 counts as 4. The tile is kept as a
    file (here in a folder of its own, on a local disk) and encoded once more for the answer, in
    base64, which is also made a line for the log. A kept tile was then answered as
    ``HandlerOnPyramid`` answers it.
    """

    name = "first version (OpenSlide, 254/1)"
    tile_size = 254
    overlap = 1
    quality = 70

    def __init__(self) -> None:
        import openslide
        from openslide.deepzoom import DeepZoomGenerator
        from PIL import Image

        class Rounded(openslide.OpenSlide):
            """OpenSlide with downsamples as whole numbers."""

            @property
            def level_downsamples(self) -> tuple[float, ...]:
                return tuple(round(value) for value in super().level_downsamples)

            def get_best_level_for_downsample(self, downsample: float) -> int:
                below = [value for value in self.level_downsamples if value <= downsample]
                return max(len(below) - 1, 0)

        self._open = Rounded
        self._image = Image
        self._generator = DeepZoomGenerator

    def open(self, path: Path) -> None:
        """Open it with OpenSlide."""
        self._slide = self._open(path)
        self._tiles = self._generator(self._slide, self.tile_size, self.overlap)
        self._kept = tempfile.TemporaryDirectory(prefix="vsv-bench-kept-")

    def answer(self, request: Any) -> Any:
        """Look for the kept tile; read the region, shrink it, keep it; encode it, answer."""
        level, col, row = request
        file = Path(self._kept.name, str(level), f"{col}_{row}.jpeg")
        if file.exists():
            raise RuntimeError(f"{file.name} was asked for before")
        region = self._tiles.get_tile_coordinates(level, (col, row))
        pixels = self._slide.read_region(*region)
        image = self._image.composite(
            pixels, self._image.new("RGB", pixels.size, "#ffffff"), pixels
        )
        size = self._tiles.get_tile_dimensions(level, (col, row))
        if image.size != size:
            image.thumbnail(size, self._image.Resampling.LANCZOS)
        file.parent.mkdir(exist_ok=True)
        image.save(file, "JPEG", quality=self.quality)
        buffer = BytesIO()
        image.save(buffer, "JPEG", quality=self.quality)
        answer = {
            "statusCode": 200,
            "headers": {"Content-Type": "image/jpeg"},
            "body": base64.b64encode(buffer.getvalue()).decode(),
            "isBase64Encoded": True,
        }
        json.dumps(answer)
        return answer

    def jpeg(self, answer: Any) -> bytes:
        """Return the body, decoded."""
        return base64.b64decode(answer["body"])


class DeepZoomGenerator254(Peer):
    """openslide-python's DeepZoomGenerator with its defaults, saved as its example server does."""

    name = "openslide DeepZoomGenerator 254/1"
    tile_size = 254
    overlap = 1
    quality = _STOCK_QUALITY

    def __init__(self) -> None:
        import openslide
        from openslide.deepzoom import DeepZoomGenerator

        self._open = openslide.OpenSlide
        self._generator = DeepZoomGenerator

    def open(self, path: Path) -> None:
        """Open it with OpenSlide."""
        self._tiles = self._generator(self._open(path), self.tile_size, self.overlap)

    def answer(self, request: Any) -> bytes:
        """Get the image and encode it."""
        level, col, row = request
        image = self._tiles.get_tile(level, (col, row))
        buffer = BytesIO()
        image.save(
            buffer, "JPEG", quality=_STOCK_QUALITY, icc_profile=image.info.get("icc_profile")
        )
        return buffer.getvalue()


class DeepZoomGenerator256(DeepZoomGenerator254):
    """The same on the slide's own grid."""

    name = "openslide DeepZoomGenerator 256/0"
    tile_size = None  # type: ignore[assignment]
    overlap = 0

    def open(self, path: Path) -> None:
        """Open it with OpenSlide, with tiles of the slide's own size."""
        slide = self._open(path)
        size = int(slide.properties["openslide.level[0].tile-width"])
        self._tiles = self._generator(slide, size, self.overlap)


class TiffSlide(Peer):
    """tiffslide's MinimalComputeAperioDZGenerator: native tiles as they are, others from those."""

    name = "tiffslide MinimalCompute"
    quality = _STOCK_QUALITY
    # It refuses coarser levels.
    _COARSEST: Final = 8

    def __init__(self) -> None:
        from tiffslide.deepzoom import MinimalComputeAperioDZGenerator

        self._generator = MinimalComputeAperioDZGenerator

    def open(self, path: Path) -> None:
        """Read the slide's directories."""
        self._tiles = self._generator(str(path))

    def request(self, address: TileAddress) -> TileAddress:
        """Return the address."""
        if address.level < self._COARSEST:
            raise Unserved
        return address

    def answer(self, request: Any) -> bytes:
        """Get the JPEG."""
        data: bytes = self._tiles.get_tile(*request)
        return data


class LargeImage(Peer):
    """large_image's tiff source, encoded like the project's tiles; colors as they are stored."""

    name = "large_image tiff, no ICC"
    _STYLE: ClassVar[dict[str, Any] | None] = {"icc": False}

    def __init__(self) -> None:
        import large_image_source_tiff

        self._source_of = large_image_source_tiff.open

    def open(self, path: Path) -> None:
        """Open it again: large_image would keep sources and tiles of earlier ones."""
        self._source = self._source_of(
            str(path),
            noCache=True,
            encoding="JPEG",
            jpegQuality=QUALITY,
            jpegSubsampling=0,
            edge="crop",
            style=self._STYLE,
        )
        size = max(self._source.sizeX, self._source.sizeY)
        # Its level 0 is the first that is a single tile.
        self._coarsest = (size - 1).bit_length() + 1 - self._source.levels

    def request(self, address: TileAddress) -> tuple[int, int, int]:
        """Column, row and large_image's number of the level."""
        level, col, row = address
        if level < self._coarsest:
            raise Unserved
        return col, row, level - self._coarsest

    def answer(self, request: Any) -> bytes:
        """Get the JPEG."""
        data: bytes = self._source.getTile(*request)
        return data


class LargeImageIcc(LargeImage):
    """The same with its default: colors corrected by the slide's ICC profile."""

    name = "large_image tiff, ICC"
    _STYLE = None


class Vips(Peer):
    """libvips: ``tiffload`` of the best level's page, crop, shrink by averaging, ``jpegsave``."""

    name = "libvips tiffload"

    def __init__(self) -> None:
        # One thread, as all here have; read when libvips is loaded.
        os.environ.setdefault("VIPS_CONCURRENCY", "1")
        import pyvips

        self._vips = pyvips

    def open(self, path: Path) -> None:
        """Open the pages that are levels: those in tiles."""
        load = self._vips.Image.tiffload
        full = load(str(path), access="random")
        self._levels = {1: full}
        for number in range(1, full.get("n-pages")):
            page = load(str(path), page=number, access="random")
            # The thumbnail is in strips.
            if "tile-width" in page.get_fields():
                self._levels[round(full.width / page.width)] = page
        self._pyramid = self.grid((full.width, full.height), full.get("tile-width"))

    def answer(self, request: Any) -> bytes:
        """Crop from the coarsest level that has the resolution, and shrink."""
        downsample = self._pyramid.downsample(request.level)
        level = max(each for each in self._levels if each <= downsample)
        page, factor = self._levels[level], downsample // level
        box = self._pyramid.tile_at(request).box
        left, top = box.left * factor, box.top * factor
        # Where Aperio rounded down, DeepZoom has one more column or row: the last is repeated.
        left, top = min(left, page.width - 1), min(top, page.height - 1)
        image = page.crop(
            left,
            top,
            min(box.size.width * factor, page.width - left),
            min(box.size.height * factor, page.height - top),
        )
        if factor > 1:
            image = image.shrink(factor, factor, ceil=True)
        if (image.width, image.height) != box.size:
            image = image.embed(0, 0, *box.size, extend="copy")
        data: bytes = image.jpegsave_buffer(Q=QUALITY, subsample_mode="off", keep="none")
        return data


# The project first: what the others are compared with.
PEERS: Final[Sequence[type[Peer]]] = (
    Handler,
    HandlerOnPyramid,
    PyramidFile,
    Original,
    DeepZoomGenerator254,
    DeepZoomGenerator256,
    TiffSlide,
    LargeImage,
    LargeImageIcc,
    Vips,
)
