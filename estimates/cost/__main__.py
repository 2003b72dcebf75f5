"""``python -m estimates.cost``: print the tables of ``docs/cost.md``."""

import sys

from estimates.cost.tables import make
from estimates.documents import command
from local.settings import ROOT

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(command(make, ROOT / "docs" / "cost.md"))
