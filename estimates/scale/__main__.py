"""``python -m estimates.scale``: print the tables of ``docs/scale.md``."""

import sys

from estimates.documents import command
from estimates.scale.tables import make
from local.settings import ROOT

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(command(make, ROOT / "docs" / "scale.md"))
