"""``python -m benchmarks.capacity``: print the tables of ``docs/scale.md``."""

import sys

from benchmarks.capacity.tables import make
from benchmarks.documents import command
from local.settings import ROOT

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(command(make, ROOT / "docs" / "scale.md"))
