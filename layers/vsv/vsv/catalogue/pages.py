"""Pages of a list: their size, and the tokens by which the next page goes on."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, Final, Generic, NamedTuple, TypeVar

from vsv.errors import InvalidRequest

__all__ = ["FOREIGN_TOKEN", "MAX_PAGE", "Page", "from_token", "page_size", "to_token", "whole"]

MAX_PAGE: Final = 1000
_DEFAULT_PAGE: Final = 100
FOREIGN_TOKEN: Final = "nextToken is not one of this query's"  # noqa: S105  no password

_T = TypeVar("_T")


class Page(NamedTuple, Generic[_T]):
    """Some items, and the ``token`` of the next page; None on the last page."""

    items: list[_T]
    token: str | None


def page_size(limit: int | None) -> int:
    """Return how many items a page has. Raises InvalidRequest for an invalid limit."""
    size = _DEFAULT_PAGE if limit is None else limit
    if not 1 <= size <= MAX_PAGE:
        raise InvalidRequest(f"limit {size} is not in 1..{MAX_PAGE}")
    return size


def whole(text: str | None) -> int:
    """Return the number that a token holds. Raises InvalidRequest if it is not one."""
    if text is None or not (text.isascii() and text.isdigit() and len(text) < 16):
        raise InvalidRequest(FOREIGN_TOKEN)
    return int(text)


def to_token(key: Mapping[str, Any] | None) -> str | None:
    """Return the token of a place in a list; None if there is none."""
    if not key:
        return None
    return base64.urlsafe_b64encode(json.dumps(dict(key)).encode()).decode()


def from_token(token: str) -> dict[str, str]:
    """Return the place that a token holds. Raises InvalidRequest."""
    try:
        key = json.loads(base64.urlsafe_b64decode(token.encode()))
        if not isinstance(key, dict) or not all(isinstance(text, str) for text in key.values()):
            raise InvalidRequest(FOREIGN_TOKEN)
        "".join(key.values()).encode()
    except (ValueError, binascii.Error, RecursionError) as error:
        raise InvalidRequest(FOREIGN_TOKEN) from error
    return key
