"""The filter of ``listSlides``, with the rules of DynamoDB's filters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Self

from vsv.catalogue.record import SlideRecord, instant
from vsv.errors import InvalidRequest

__all__ = ["SlideFilter"]

# Texts and numbers compare among themselves, and so do times.
_Comparable = str | Decimal

_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "eq": lambda value, wanted: value == wanted,
    "ne": lambda value, wanted: value != wanted,
    "lt": lambda value, wanted: value < wanted,
    "le": lambda value, wanted: value <= wanted,
    "gt": lambda value, wanted: value > wanted,
    "ge": lambda value, wanted: value >= wanted,
}
# What holds for a record that lacks the attribute, as in DynamoDB.
_NEGATIVE: Final = frozenset({"ne", "notContains"})


@dataclass(frozen=True)
class SlideFilter:
    """Conditions by attribute and operator; a record passes if it meets them all.

    Operators are ``eq``, ``ne``, ``lt``, ``le``, ``gt``, ``ge``, ``contains``, ``notContains``,
    ``between`` (two bounds, both included) and ``beginsWith``. ``ScanDate`` compares as a time,
    whatever zone it is written in, ``MPP`` and ``AppMag`` as numbers.
    """

    conditions: Mapping[str, Mapping[str, Any]]

    @classmethod
    def parse(cls, given: Mapping[str, Any] | None) -> Self:
        """Parse the filter of a GraphQL request. Conditions that are null are ignored."""
        conditions = {
            name: {operator: operand for operator, operand in wanted.items() if operand is not None}
            for name, wanted in (given or {}).items()
            if wanted
        }
        for name, wanted in conditions.items():
            bounds = wanted.get("between")
            if bounds is not None and (len(bounds) != 2 or None in bounds):
                raise InvalidRequest(f"{name}: between takes two bounds")
        return cls(conditions)

    def operand(self, name: str, *operators: str) -> Any:
        """Return the operand of one of these operators on the attribute; None if there is none."""
        wanted = self.conditions.get(name, {})
        return next((wanted[each] for each in operators if each in wanted), None)

    def passes(self, record: SlideRecord) -> bool:
        """Return whether the record meets all conditions."""
        return all(
            _holds(name, operator, record.get(name), operand)
            for name, wanted in self.conditions.items()
            for operator, operand in wanted.items()
        )


def _holds(name: str, operator: str, value: Any, operand: Any) -> bool:
    if value is None:
        return operator in _NEGATIVE
    if operator == "contains":
        return str(operand) in str(value)
    if operator == "notContains":
        return str(operand) not in str(value)
    if operator == "beginsWith":
        return str(value).startswith(str(operand))
    if operator == "between":
        low, high = operand
        return _holds(name, "ge", value, low) and _holds(name, "le", value, high)
    one, other = _comparable(name, value), _comparable(name, operand)
    if type(one) is not type(other):
        # A number and a text that is not one are not equal, and neither comes first.
        return operator == "ne"
    return _COMPARISONS[operator](one, other)


def _comparable(name: str, value: Any) -> _Comparable:
    if name == "ScanDate":
        return instant(str(value)) or str(value)
    if name in ("MPP", "AppMag"):
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            return str(value)
        return number if number.is_finite() else str(value)
    return str(value)
