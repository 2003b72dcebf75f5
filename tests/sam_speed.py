"""SAM reads the template twice for each command, which takes longer than all else in a test."""

import copy
from functools import cache

from samcli.commands._utils import template


@cache
def read_templates_once() -> None:
    """Have SAM parse a text once in this process, and copy the result."""
    parsed = cache(template.yaml_parse)
    template.yaml_parse = lambda text: copy.deepcopy(parsed(text))
