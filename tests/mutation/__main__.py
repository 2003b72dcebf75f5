"""``make mutation``: how many small changes to the library do a module's own unit tests notice?

Each change is made in memory, in a process of its own, in which pytest runs the module's tests up
to the first that fails. What no test notices survives: nothing holds it. Which changes are tried is
drawn by a seed, so that a run can be repeated. Why this is not a tool of others:
docs/decisions/0022-mutation.md.
"""

import argparse
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from local import samples
from tests.mutation.judge import ROOT, examine, watch
from tests.mutation.unit_tests import TESTS

WANTED = 0.92


def _once(make: Callable[..., Path], scratch: Path) -> Callable[..., Path]:
    """Let tests that want a slide like one that another process has made have a copy of it."""

    def made(path: Path, tissue: Path, **options: object) -> Path:
        kept = scratch / hashlib.sha256(repr(sorted(options.items())).encode()).hexdigest()
        if not kept.exists():
            os.replace(make(kept.with_suffix(f".{os.getpid()}"), tissue, **options), kept)
        shutil.copyfile(kept, path)
        return path

    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code: 0 if enough was noticed."""
    parser = argparse.ArgumentParser(prog="make mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="default: all there are")
    parser.add_argument("--most", type=int, default=25, help="changes of each module; 0: all")
    parser.add_argument("--seed", type=int, default=1, help="which ones")
    options = parser.parse_args(arguments)
    os.chdir(ROOT)
    tried = noticed = 0
    with tempfile.TemporaryDirectory() as scratch:
        samples.generated_slide = _once(samples.generated_slide, Path(scratch))
        modules = options.modules or [*TESTS]
        seen = watch(modules, Path(scratch, "notes"))
        for module in modules:
            count, survivors = examine(module, seen, options.most, options.seed)
            tried, noticed = tried + count, noticed + count - len(survivors)
            print(f"{module}: {count - len(survivors)} of {count} noticed", flush=True)
    print(f"{noticed} of {tried} changes noticed: {noticed / tried:.0%} (seed {options.seed})")
    return int(noticed < WANTED * tried)


if __name__ == "__main__":
    # What tests import and no change touches is imported once.
    import boto3  # noqa: F401
    import hypothesis  # noqa: F401
    import imagecodecs  # noqa: F401
    import moto.dynamodb.models
    import moto.s3.models  # noqa: F401
    import numpy  # noqa: F401
    import playwright.sync_api  # noqa: F401
    import tifffile  # noqa: F401

    from tests import binaries

    binaries.foreign = dict  # what is loaded does not matter here
    sys.exit(main())
