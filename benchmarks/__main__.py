"""``python -m benchmarks``: run benchmarks, print their tables, write their numbers as JSON."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from rich.console import Console

from benchmarks.report import NotMeasured, libraries, machine, save, show
from benchmarks.slides import CODINGS, SPECS

__all__ = ["BENCHMARKS", "main"]

# Modules of this package, in the order in which they run. Each has ``run(size) -> Report``.
BENCHMARKS: Final = {
    "tile_service": "tiles of a viewer's trace, in one process, beside other libraries",
    "prerender": "a whole pyramid, beside dzsave and openslide-python",
    "efs": "tiles on storage where each call takes a millisecond, beside other libraries",
    "http_servers": "vsv serve beside other tile servers, under load",
    "settings_table": "Lambda or a server, SVS or pyramid, on EFS, S3 or a disk: every setting",
    "growth": "tiles and imports of slides of 64 megapixels to 8 gigapixels",
}
# As wide as the widest table: output that goes to a file has no terminal to ask.
_WIDTH: Final = 140


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks that are named, or all; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure the project beside its peers, in one run on one machine.",
        epilog="\n".join(["benchmarks:", *(f"  {n:14} {what}" for n, what in BENCHMARKS.items())]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    parser.add_argument(
        "--size",
        choices=SPECS,
        default="cmu1",
        help="of the slide: "
        + ", ".join(f"{name} {spec.size[0]} × {spec.size[1]}" for name, spec in SPECS.items())
        + " (default: cmu1)",
    )
    parser.add_argument(
        "--coding",
        choices=CODINGS,
        default="RGB",
        help="of the slide's tiles: RGB, as the real sample's, or YCbCr by its chroma subsampling",
    )
    parser.add_argument(
        "--slide-quality",
        type=int,
        metavar="Q",
        help="JPEG quality of the slide's tiles (default: 30 with RGB, as the sample's; else 70)",
    )
    options = parser.parse_args(arguments)
    SPECS[options.size] = replace(
        SPECS[options.size],
        coding=options.coding,
        quality=options.slide_quality or (30 if options.coding == "RGB" else 70),
    )
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")

    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    facts = machine()
    console.print(
        f"{facts['cores']} cores, {facts['processor']}, {facts['system']}, "
        f"Python {facts['python']}",
        ", ".join(f"{name} {version}" for name, version in libraries().items() if version),
        sep="\n",
        highlight=False,
    )
    exit_code = 0
    for name in options.names or BENCHMARKS:
        try:
            report = importlib.import_module(f"benchmarks.{name}").run(options.size)
        except NotMeasured as reason:
            console.print(f"{name} was skipped: {reason}\n", highlight=False)
            # Who asks for all gets what there is; who asks for this one does not get it.
            exit_code = 1 if options.names else exit_code
            continue
        show(report, console)
        console.print(f"  numbers: {save(report)}\n", highlight=False)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
