"""Documents as MkDocs wants them: its Markdown is stricter than GitHub's, and its links as well."""

import re
from collections.abc import Iterator
from pathlib import Path

from lint.markdown import Document

_FENCE = re.compile(r" *```")
_ITEM = re.compile(r" *([*-]|\d+\.) ")


def for_mkdocs(text: str) -> str:
    """Return the text so that Python-Markdown reads it as GitHub does.

    A list or table begins after an empty line; what belongs to an item is indented by four spaces;
    a bar in a table's code needs no backslash; a folder's page is its README.
    """
    lines: list[str] = []
    fenced, moved = False, ""
    for line in text.splitlines():
        shown = re.sub(r"^ {2,3}(?=\S)", "    ", line) if _in_a_list(lines) else line
        if _FENCE.match(line):
            # A block within an item moves with it.
            fenced, moved = not fenced, " " * (len(shown) - len(line))
        elif fenced:
            shown = f"{moved}{line}"
        else:
            if _begins(line, "|") or (_ITEM.match(line) and not _in_a_list(lines)):
                previous = lines[-1] if lines else ""
                if previous.strip() and not _begins(previous, "|") and not _ITEM.match(previous):
                    lines.append("")
            if _begins(line, "|"):
                shown = re.sub(r"`[^`]*`", lambda code: code[0].replace(r"\|", "|"), shown)
            shown = re.sub(r"\]\(((?:[\w.-]+/)+)\)", r"](\1README.md)", shown)
        lines.append(shown)
    return "\n".join(lines) + "\n"


def _begins(line: str, mark: str) -> bool:
    return line.lstrip().startswith(mark)


def _in_a_list(lines: list[str]) -> bool:
    """Return whether the last block of lines belongs to an item of a list."""
    for line in reversed(lines):
        if _ITEM.match(line):
            return True
        if line.strip() and not line.startswith(" "):
            return False
    return False


def linked_files(document: Document) -> Iterator[Path]:
    """Yield the files that the document links to and that are not documents themselves."""
    for target in document.links:
        file = (document.folder / target.partition("#")[0]).resolve()
        if file.is_file() and file.suffix != ".md":
            yield file
