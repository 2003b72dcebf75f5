"""One slide file: Aperio metadata, levels, associated images. Knows no pyramid but its own."""

from vsv.slides.aperio import Metadata, parse_description
from vsv.slides.averaging import averaged_region
from vsv.slides.budget import UNLIMITED, PixelBudget, cost_of_tiles
from vsv.slides.damage import EMPTY, Damage, TileNumber, log_damage
from vsv.slides.file import FileVersion, SlideFile
from vsv.slides.index import BLOCK_TILES, TileBlock, TiledImage, TileEntry
from vsv.slides.level import Level
from vsv.slides.lost_tiles import LostTiles
from vsv.slides.pages import ASSOCIATED_IMAGES
from vsv.slides.slide import Slide

__all__ = [
    "ASSOCIATED_IMAGES",
    "BLOCK_TILES",
    "EMPTY",
    "UNLIMITED",
    "Damage",
    "FileVersion",
    "Level",
    "LostTiles",
    "Metadata",
    "PixelBudget",
    "Slide",
    "SlideFile",
    "TileBlock",
    "TileEntry",
    "TileNumber",
    "TiledImage",
    "averaged_region",
    "cost_of_tiles",
    "log_damage",
    "parse_description",
]
