"""What a Markdown file holds: prose, blocks of commands, code in the prose, links and headings."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

_FENCE = re.compile(r"^( *)```(\S*)[^\n]*\n(.*?)^\1```[ \t]*$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(`+)(.+?)\1", re.DOTALL)
_LINK = re.compile(r"\]\(([^()\s]+(?:\([^()\s]*\))?)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
_FOREIGN = {"node_modules", "dist", "__pycache__"}


@dataclass(frozen=True)
class Document:
    """One Markdown file. ``name`` is its path from the repository's root, with slashes."""

    name: str
    text: str
    folder: Path = field(default=Path())

    @cached_property
    def blocks(self) -> list[str]:
        """Blocks of commands: those marked as shell, and those without a mark."""
        return [
            body
            for _, language, body in _FENCE.findall(self.text)
            if language in ("", "sh", "bash")
        ]

    @cached_property
    def prose(self) -> str:
        """The text without blocks of any kind."""
        return _FENCE.sub("", self.text)

    @cached_property
    def spans(self) -> list[str]:
        """Code within the prose, on one line each; a table's escaped bar is a bar."""
        return [" ".join(body.split()).replace(r"\|", "|") for _, body in _SPAN.findall(self.prose)]

    @cached_property
    def links(self) -> list[str]:
        """Where links and images lead, within the repository."""
        targets = _LINK.findall(_SPAN.sub("", self.prose))
        return [each for each in targets if not re.match(r"[a-z]+:", each)]

    @cached_property
    def anchors(self) -> set[str]:
        """What headings are called in addresses, as GitHub makes it of them."""
        found: set[str] = set()
        for title in _HEADING.findall(self.prose):
            shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).replace("`", "")
            name = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
            number = 0
            while (name if not number else f"{name}-{number}") in found:
                number += 1
            found.add(name if not number else f"{name}-{number}")
        return found


def documents(root: Path) -> Iterator[Document]:
    """All Markdown files of the repository, without what was installed or built."""
    for folder, names, files in os.walk(root):
        names[:] = [each for each in names if each not in _FOREIGN and not each.startswith(".")]
        for file in sorted(files):
            if file.endswith(".md"):
                path = Path(folder) / file
                name = path.relative_to(root).as_posix()
                yield Document(name, path.read_text(encoding="utf-8"), path.parent)
