"""One slide file: Aperio metadata, levels, associated images. Knows nothing of DeepZoom or AWS."""

from vsv.slides.aperio import Metadata, parse_description
from vsv.slides.file import FileVersion, SlideFile
from vsv.slides.index import BLOCK_TILES, TileBlock, TiledImage, TileEntry
from vsv.slides.slide import (
    ASSOCIATED_IMAGES,
    MAX_REDUCE,
    Damage,
    Level,
    Slide,
    log_damage,
)

__all__ = [
    "ASSOCIATED_IMAGES",
    "BLOCK_TILES",
    "MAX_REDUCE",
    "Damage",
    "FileVersion",
    "Level",
    "Metadata",
    "Slide",
    "SlideFile",
    "TileBlock",
    "TileEntry",
    "TiledImage",
    "log_damage",
    "parse_description",
]
