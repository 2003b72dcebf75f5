"""``vsv``: the library without AWS, for one machine."""

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from vsv import __version__
from vsv.errors import FileChanged, InvalidRequest, Unavailable, VsvError
from vsv.geometry import Size
from vsv.identifiers import parse_image_id
from vsv.progress import bars
from vsv.pyramid.deepzoom import DeepZoom
from vsv.pyramid.native import default_pyramid
from vsv.pyramid.plan import Work, check_complete
from vsv.pyramid.render import Renderer
from vsv.pyramid.slide_index import SlideIndex
from vsv.pyramid.tile import DEFAULT_QUALITY
from vsv.slides.damage import Damage
from vsv.slides.slide import Slide
from vsv.storage.layout import Storage
from vsv.workers import completed

__all__ = ["main"]

# A fraction of a second's work: little enough for a lively progress bar and an even end, enough to
# outweigh its way to another process.
_TILES_PER_PIECE: Final = 1024
_OK, _FAILED, _INTERRUPTED = 0, 1, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``vsv``; return the exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (VsvError, OSError) as error:
        subject = getattr(error, "filename", None) or getattr(options, "slide", "serve")
        print(f"vsv: {subject}: {_reason(error)}", file=sys.stderr)
        return _FAILED
    except KeyboardInterrupt:
        print("vsv: interrupted; the same command goes on from here", file=sys.stderr)
        return _INTERRUPTED
    return _OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vsv", description=__doc__)
    parser.add_argument("--version", action="version", version=f"vsv {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    info = commands.add_parser("info", help="describe a slide")
    info.add_argument("slide", type=Path, metavar="SLIDE")
    info.add_argument("--json", action="store_true", help="for programs")
    info.set_defaults(run=_info)

    prerender = commands.add_parser(
        "prerender",
        help="write a slide's DeepZoom pyramid",
        description="Write OUTDIR/NAME.dzi and OUTDIR/NAME_files, NAME being the slide's file name "
        "without its ending: a DeepZoom pyramid that any web server can serve. The descriptor is "
        "written last. Repeated, it goes on where it was interrupted; with other options it "
        "starts from the beginning.",
    )
    prerender.add_argument("slide", type=Path, metavar="SLIDE")
    prerender.add_argument("outdir", type=Path, metavar="OUTDIR")
    prerender.add_argument(
        "--tile-size",
        type=_whole(1, 8192),
        metavar="PIXELS",
        help="default: the slide's own, whose tiles are then copied without loss",
    )
    prerender.add_argument(
        "--overlap",
        type=_whole(0, 512),
        default=0,
        metavar="PIXELS",
        help="pixels that a tile takes from each neighbour (default: 0)",
    )
    prerender.set_defaults(run=_prerender)

    serve = commands.add_parser(
        "serve",
        help="show the slides of a folder in a browser",
        description="Serve DIR/*.svs on this machine: a page with all slides and a viewer, and the "
        "DeepZoom addresses of the API. Slides may be added and removed while it runs. There is no "
        "authentication: only this machine is listened to, unless --host says otherwise.",
    )
    serve.add_argument("folder", type=Path, metavar="DIR")
    serve.add_argument("--port", type=_whole(0, 65535), default=8080, help="default: 8080; 0: any")
    serve.add_argument(
        "--host",
        default="127.0.0.1",
        help="address or name to listen on (default: 127.0.0.1, this machine only)",
    )
    serve.add_argument(
        "--openseadragon",
        metavar="FILE|URL",
        help="the viewer, openseadragon.min.js (default: the copy in a checkout's web/, else the "
        "published one from the network)",
    )
    serve.set_defaults(run=_serve)

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    for command in (prerender, serve):
        command.add_argument(
            "--quality",
            type=_whole(1, 95),
            default=DEFAULT_QUALITY,
            help=f"JPEG quality, 1..95, of tiles that are rendered (default: {DEFAULT_QUALITY})",
        )
        command.add_argument(
            "--workers",
            type=_whole(1, 1024),
            default=cores or 1,
            metavar="N",
            help=f"processes (default: one a core, here {cores})",
        )
    return parser


def _whole(low: int, high: int) -> Any:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(f"{text!r} is not a number in {low}..{high}")
        return int(text)

    return parse


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


# info


def _info(options: argparse.Namespace) -> None:
    with Slide(options.slide) as slide:
        facts = _facts(slide)
    if options.json:
        print(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    from vsv.standalone.terminal import show

    levels = facts.pop("levels")
    show(
        {name: _in_words(value) for name, value in facts.items()},
        levels[0],
        [map(str, level.values()) for level in levels],
    )


def _in_words(value: Any) -> str:
    text = ", ".join(value) if isinstance(value, list) else value
    return "-" if text in (None, "") else str(text)


def _facts(slide: Slide) -> dict[str, Any]:
    metadata = slide.metadata()
    pyramid = default_pyramid(slide)
    return {
        "file": slide.path.name,
        "bytes": slide.version.size,
        "ImageID": metadata.image_id,
        "size": f"{slide.width} × {slide.height}",
        "MPP (µm)": metadata.mpp_um and str(metadata.mpp_um),
        "objective power": metadata.app_mag and str(metadata.app_mag),
        "scan date": metadata.scan_date and metadata.scan_date.isoformat(),
        "scanner": metadata.scanner,
        "associated images": list(slide.associated_images),
        "DeepZoom": f"{pyramid.level_count} levels, {pyramid.tile_count} tiles of "
        f"{pyramid.tile.width} × {pyramid.tile.height}",
        "warnings": [*slide.notices, *metadata.warnings],
        "notes": list(metadata.notes),
        "levels": [
            {
                "level": level.index,
                "size": f"{level.image.width} × {level.image.height}",
                "downsample": level.downsample,
                "tile": f"{level.image.tile_width} × {level.image.tile_height}",
                "compression": slide.compression(level.index),
            }
            for level in slide.levels
        ],
    }


# prerender


# How many tiles of a piece are there now, and what was wrong with the slide's.
_Rendered = tuple[int, list[Damage]]


def _prerender(options: argparse.Namespace) -> None:
    name = parse_image_id(options.slide.stem)
    storage = Storage(options.outdir)
    with Slide(options.slide) as slide:
        index = _index_of(slide, options)
        pieces = Work.of(slide, index.pyramid, index.levels).pieces(_TILES_PER_PIECE)
    options.outdir.mkdir(parents=True, exist_ok=True)
    storage.begin_pyramid(name, index)
    damages: list[Damage] = []
    done = 0
    with (
        bars("tiles", keep=True) as shown,
        ProcessPoolExecutor(options.workers, initializer=_ignore_ctrl_c) as pool,
    ):
        shown.show(options.slide.name, 0, index.pyramid.tile_count)
        piece = partial(_render_piece, options.slide, options.outdir, name, index)
        for tiles, found in completed(pool, piece, pieces, 2 * options.workers):
            done += tiles
            shown.show(options.slide.name, done, index.pyramid.tile_count)
            damages += found
    store = storage.images(name)
    # Found by this run or by one before it.
    damaged = storage.damages(name)
    if damaged:
        with Slide(options.slide) as slide:
            Renderer(slide, index, store).render_what_shows(damaged)
    check_complete(index, store)
    store.write_descriptor(index.pyramid.descriptor().encode())
    storage.clear_damages(name)
    for damage in damages:
        print(f"vsv: {options.slide.name}: {damage}: something else stands in", file=sys.stderr)


def _index_of(slide: Slide, options: argparse.Namespace) -> SlideIndex:
    own = default_pyramid(slide).tile
    tile = Size(options.tile_size, options.tile_size) if options.tile_size else own
    if options.overlap >= min(tile):
        raise InvalidRequest(f"overlap {options.overlap} is not less than the tile size")
    pyramid = DeepZoom(Size(slide.width, slide.height), tile, options.overlap)
    return SlideIndex.of(
        slide, slide.path.name, pyramid, quality=options.quality, levels=pyramid.levels
    )


def _ignore_ctrl_c() -> None:
    """Ignore Ctrl-C, which the terminal sends to workers too: they finish their piece."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _render_piece(
    path: Path, outdir: Path, name: str, index: SlideIndex, piece: tuple[int, int]
) -> _Rendered:
    slide, damages = _opened(path, outdir, name)
    if slide.version != index.version:
        raise FileChanged("the slide file was replaced while it was rendered")
    tiles = 0

    def on_tile(_: bool) -> None:
        nonlocal tiles
        tiles += 1

    damages.clear()
    Renderer(slide, index, Storage(outdir).images(name), on_tile).render(*piece)
    slide.file.check_unchanged()
    return tiles, list(damages)


@cache
def _opened(path: Path, outdir: Path, name: str) -> tuple[Slide, list[Damage]]:
    """Return the slide, opened once in each worker: a large one's offsets take time to read."""
    damages: list[Damage] = []

    def on_damage(damage: Damage) -> None:
        Storage(outdir).note_damage(name, damage)
        damages.append(damage)

    return Slide(path, on_damage), damages


# serve


def _serve(options: argparse.Namespace) -> None:
    try:
        from vsv.standalone.server import OpenSeadragon, ServeSettings, serve
    except ImportError as error:
        raise Unavailable(f"{error.name} is missing: pip install 'vsv[serve]'") from error
    serve(
        ServeSettings(
            options.folder,
            options.host,
            options.port,
            options.workers,
            options.quality,
            OpenSeadragon.find(options.openseadragon),
        )
    )


if __name__ == "__main__":
    sys.exit(main())
