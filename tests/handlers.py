"""Functions' handlers, by name. Loading one needs nothing that only tests have."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

_FUNCTIONS = Path(__file__).parents[1] / "functions"


def load_handler(name: str) -> Callable[..., Any]:
    """Return the handler of a function, in a fresh execution environment."""
    spec = importlib.util.spec_from_file_location(f"app_{name}", _FUNCTIONS / name / "app.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.lambda_handler
