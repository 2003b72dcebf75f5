"""The words that documents and code do not use: found wherever they stand."""

import json
import re
import tomllib

import pytest

from lint import words
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("# It begins anew.", '1: "anew": say again'),
        ('x = 1\n"""Told to whoever asks."""\n', '2: "whoever": say anyone who'),
        ("# One tile in so\n    # many of them\n", '1: "so # many": say that number of'),
        ('raise ValueError("x is no slide")', '1: "is no": say is not a'),
        ("from vsv.imports.service import ImportDesk", '1: "ImportDesk": say service'),
    ],
)
def test_words_are_found_in_comments_texts_and_names(text, problem):
    (found,) = words.problems(text)
    assert found.startswith(problem)


@pytest.mark.parametrize(
    "text",
    ["if value is None:", "if value is not there:", "There is no slide.", "It is no longer."],
)
def test_what_only_looks_like_one_is_left_alone(text):
    assert not list(words.problems(text))


def test_a_word_fails_the_check_and_is_told_with_its_place(tmp_path, capsys):
    file = tmp_path / "x.py"
    file.write_text("\n# It begins anew.\n")
    assert words.main([str(file)]) == 1
    assert capsys.readouterr().out == f'{file}:2: "anew": say again\n'


def test_sources_are_all_languages_and_nothing_that_was_installed():
    found = set(words.sources())
    assert {"Makefile", "lint/words.py", "web/src/index.html", "graphql/schema.graphql"} <= found
    assert not any("node_modules" in name for name in found)


def test_every_run_checks_words_docstrings_and_the_site():
    """``make test`` begins with ``make lint``, which fails without the linter."""
    makefile = (ROOT / "Makefile").read_text()
    (parts,) = re.findall(r"^lint: (.*?) ##", makefile, re.MULTILINE)
    assert {"lint-python", "lint-prose", "docs"} <= set(parts.split())
    assert (
        "D401"
        in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]["select"]
    )


def test_documents_and_sources_share_one_list_of_words():
    rules = json.loads((ROOT / "lint/prose/.textlintrc.json").read_text())["rules"]
    assert rules["words"]
    assert "./words.json" in (ROOT / "lint/prose/words/index.js").read_text()
    assert all(
        re.compile(each["pattern"]) and each["say"]
        for each in json.loads((ROOT / "lint/prose/words/words.json").read_text())
    )
