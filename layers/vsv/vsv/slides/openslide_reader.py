"""What needs OpenSlide: compressions that this library does not decode.

Imported when first needed: most tiles of most slides never do, and loading the library is a good
part of a cold start.
"""

from pathlib import Path
from threading import Lock
from typing import Final

import openslide
from PIL import Image

from vsv.errors import NotFound, UnreadableSlide
from vsv.slides.pages import check_size

__all__ = ["OpenSlideReader"]

# Decoded tiles, of all slides together: OpenSlide would keep 32 MB for each.
_CACHE: Final = openslide.OpenSlideCache(16 * 2**20)


class OpenSlideReader:
    """One slide, opened by OpenSlide. Transparency (outside the scan) becomes ``background``."""

    def __init__(self, path: Path, background: tuple[int, int, int]) -> None:
        """Open the file. Raises UnreadableSlide where OpenSlide cannot."""
        self._path = path
        self._background = background
        self._lock = Lock()
        self._slide: openslide.OpenSlide | None = None
        self._opened()

    def read(self, size: tuple[int, int], box: tuple[int, int, int, int]) -> Image.Image:
        """Return the pixels in ``box`` of the level of ``size``, as an RGB image.

        OpenSlide has its own opinion of which images are levels. Raises UnreadableSlide where it
        has none of that size, or cannot read it.
        """
        left, top, right, bottom = box
        slide = self._opened()
        if size not in slide.level_dimensions:
            raise UnreadableSlide(f"OpenSlide has no level of {size[0]} × {size[1]} pixels")
        level = slide.level_dimensions.index(size)
        downsample = slide.level_downsamples[level]
        location = (round(left * downsample), round(top * downsample))
        try:
            return self._flat(slide.read_region(location, level, (right - left, bottom - top)))
        except openslide.OpenSlideError as error:
            # OpenSlide refuses all further reads after the first failed one.
            with self._lock:
                self._slide = None
            raise UnreadableSlide(f"a region of level {level} is damaged") from error

    def associated_image(self, name: str) -> Image.Image:
        """Return an associated image as an RGB image. Raises NotFound or UnreadableSlide."""
        slide = self._opened()
        try:
            # Asking the images themselves whether there is one would decode it.
            width, height = (
                int(slide.properties[f"openslide.associated.{name}.{axis}"])
                for axis in ("width", "height")
            )
            check_size(name, width, height)
            return self._flat(slide.associated_images[name])
        except KeyError:
            raise NotFound(f"the slide has no {name} image") from None
        except openslide.OpenSlideError as error:
            raise UnreadableSlide(f"the {name} image cannot be read") from error

    def _opened(self) -> openslide.OpenSlide:
        with self._lock:
            if self._slide is None:
                try:
                    self._slide = openslide.OpenSlide(self._path)
                    self._slide.set_cache(_CACHE)
                except openslide.OpenSlideError as error:
                    raise UnreadableSlide("OpenSlide cannot read the file") from error
            return self._slide

    def _flat(self, image: Image.Image) -> Image.Image:
        if image.mode != "RGBA":
            return image.convert("RGB")
        flat = Image.new("RGB", image.size, self._background)
        flat.paste(image, mask=image.getchannel("A"))
        return flat
