"""``vsv-admin``, for operators of a deployment; also ``python -m vsv.admin``."""

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``vsv-admin``; return the exit code: see ``vsv.admin.cli``."""
    try:
        from vsv.admin import cli
    except ModuleNotFoundError as error:
        print(f"vsv-admin: {error.name} is missing: pip install 'vsv[admin]'", file=sys.stderr)
        return 1
    return cli.main(arguments)
