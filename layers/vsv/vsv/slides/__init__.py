"""One slide file: Aperio metadata, levels, associated images. Knows nothing of DeepZoom or AWS."""

from vsv.slides.aperio import Metadata, parse_description
from vsv.slides.slide import ASSOCIATED_IMAGES, FileVersion, Level, Slide

__all__ = ["ASSOCIATED_IMAGES", "FileVersion", "Level", "Metadata", "Slide", "parse_description"]
