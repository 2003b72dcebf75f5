"""The words that slides are searched by: what a word is, and where it is found."""

import re
import unicodedata
from typing import Final

from vsv.catalogue.record import SlideRecord

__all__ = ["has_words", "starts_of", "starts_of_record", "word_of", "words_of"]

# What separates the parts of an ID and of a file name, folders among them.
_SEPARATORS: Final = r"\s\-_./\\"
_FIRST_OF_PART: Final = re.compile(rf"(?<![^{_SEPARATORS}])[^{_SEPARATORS}]")
_LEADING: Final = re.compile(rf"^[{_SEPARATORS}]+")
# Limits of what of a record is searched: its rows in the term table fit into one transaction.
_MAX_STARTS: Final = 15
_MAX_CHARS: Final = 200
# The fields that are searched by words.
_FIELDS: Final = ("SlideID", "CaseID", "Filename")


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a search, each once, without separators before them."""
    words = map(word_of, text.split())
    return tuple(dict.fromkeys(word for word in words if word))


def word_of(text: str) -> str:
    """Return the text in the form in which texts are compared, without separators before it."""
    return _LEADING.sub("", _folded(text))[:_MAX_CHARS]


def starts_of(text: str) -> list[str]:
    """Return the text from the beginning of each of its parts on, for example
    ``s24-17-a1``, ``17-a1`` and ``a1``.
    """
    folded = _folded(text)
    return [folded[found.start() :] for found in _FIRST_OF_PART.finditer(folded)]


def starts_of_record(record: SlideRecord) -> list[str]:
    """Return ``starts_of`` the record's IDs and its file's name, those that begin a field first.

    A start that another one begins with is left out: it has no word that the other lacks. There are
    at most 15, of at most 200 characters each.
    """
    texts = (record.get(name) for name in _FIELDS)
    by_field = [starts_of(str(text)) for text in texts if text]
    first = [start for starts in by_field for start in starts[:1]]
    others = [start for starts in by_field for start in starts[1:]]
    unique = list(dict.fromkeys(start[:_MAX_CHARS] for start in (*first, *others)))
    longest = [each for each in unique if not any(_goes_on(other, each) for other in unique)]
    return longest[:_MAX_STARTS]


def _goes_on(text: str, start: str) -> bool:
    return len(text) > len(start) and text.startswith(start)


def has_words(record: SlideRecord, words: tuple[str, ...]) -> bool:
    """Return whether each word begins a part of the record's IDs or of its file's name."""
    starts = starts_of_record(record)
    return all(any(start.startswith(word) for start in starts) for word in words)


def _folded(text: str) -> str:
    """Return the text in the form in which texts are compared, whatever their case."""
    return unicodedata.normalize("NFC", text).casefold()
