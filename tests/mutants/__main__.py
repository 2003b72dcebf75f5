"""``python -m tests.mutants SEED …``: what becomes of mutants; ``--keep`` writes the slides."""

import argparse
import tempfile
from pathlib import Path

from local.samples import real_slide
from local.settings import CACHE
from tests.mutants.bases import write_all
from tests.mutants.run import prepare, run


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("seeds", nargs="+", type=int, metavar="SEED")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where mutants are left")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as bases:
        write_all(Path(bases), real_slide(CACHE))
        prepare(Path(bases))
        for seed in options.seeds:
            with tempfile.TemporaryDirectory() as scratch:
                folder = options.keep / str(seed) if options.keep else Path(scratch)
                folder.mkdir(parents=True, exist_ok=True)
                print(run(seed, Path(bases), folder))


main()
