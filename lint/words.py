"""Find the words of lint/prose/words/words.json in source code: comments, texts and names.

Usage: python -m lint.words [FILE…]. Without files, all source files of the repository are read.
Exits with 1 if a word is found.
"""

import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
_LIST = ROOT / "lint" / "prose" / "words" / "words.json"
_SOURCES = {".py", ".pyi", ".c", ".h", ".js", ".mjs", ".html", ".css", ".graphql", ".yaml", ".sh"}
_SOURCES |= {".toml", ".mk", ".in", ".ini"}
_NAMES = {"Makefile"}
_QUOTES_THEM = "tests/unit/test_words.py"
_FOREIGN = {"node_modules", "dist", "build", "__pycache__"}
# Between two words of a phrase: blanks, and the line break and mark of a comment.
_GAP = r"[\\s#/*]+"


@cache
def _words() -> list[tuple[re.Pattern[str], str]]:
    words = json.loads(_LIST.read_text())
    return [
        (re.compile(rf"\b(?:{re.sub(' ', _GAP, word['pattern'])})\b", re.IGNORECASE), word["say"])
        for word in words
    ]


def problems(text: str) -> Iterator[str]:
    """Yield the line number of each word, the word, and what to say instead."""
    for pattern, say in _words():
        for found in pattern.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            yield f'{line}: "{" ".join(found[0].split())}": say {say}'


def sources(root: Path = ROOT) -> Iterator[str]:
    """Yield the paths of all source files from the root, without what was installed or built."""
    for folder, names, files in os.walk(root):
        names[:] = sorted(each for each in names if each not in _FOREIGN and each[0] != ".")
        for file in sorted(files):
            path = Path(folder, file)
            name = path.relative_to(root).as_posix()
            if (path.suffix in _SOURCES or file in _NAMES) and name != _QUOTES_THEM:
                yield name


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what is found; return the exit status."""
    found = [
        f"{name}:{line}"
        for name in arguments or sources()
        for line in problems((ROOT / name).read_text(encoding="utf-8"))
    ]
    print("\n".join(found), end="\n" if found else "")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
