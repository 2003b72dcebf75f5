"""One slide file: Aperio metadata, levels, associated images. Knows nothing of DeepZoom or AWS."""

from vsv.slides.aperio import Metadata, parse_description
from vsv.slides.damage import Damage, log_damage
from vsv.slides.file import FileVersion, SlideFile
from vsv.slides.index import BLOCK_TILES, TileBlock, TiledImage, TileEntry
from vsv.slides.level import Level
from vsv.slides.lost_tiles import TileNumber
from vsv.slides.pages import ASSOCIATED_IMAGES
from vsv.slides.slide import MAX_REDUCE, Slide

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
    "TileNumber",
    "TiledImage",
    "log_damage",
    "parse_description",
]
