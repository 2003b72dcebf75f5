"""The documentation's site: documents as MkDocs reads them, and pages made from the code."""

import pytest
import yaml

from docs.site import __main__ as site
from docs.site.pages import for_mkdocs
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Return the folder of pages, as ``make docs`` writes it."""
    folder = tmp_path_factory.mktemp("docs")
    site.main(folder)
    return folder / "pages"


@pytest.mark.parametrize(
    ("github", "mkdocs"),
    [
        ("You need:\n- a\n- b", "You need:\n\n- a\n- b"),
        ("Text\n| a | b |\n| - | - |", "Text\n\n| a | b |\n| - | - |"),
        (r"| `a\|b` | c\|d |", r"| `a|b` | c\|d |"),
        ("* a\n  * b", "* a\n    * b"),
        ("1. a\n\n   b\n\n   ```\n   c\n   ```", "1. a\n\n    b\n\n    ```\n    c\n    ```"),
        ("1. a\n\n    ```\n    c\n    ```", "1. a\n\n    ```\n    c\n    ```"),
        ("```\nx\n- y\n| z |\n```", "```\nx\n- y\n| z |\n```"),
        ("[all](decisions/)", "[all](decisions/README.md)"),
    ],
)
def test_pages_read_as_on_github(github, mkdocs):
    assert for_mkdocs(github) == mkdocs + "\n"


def test_each_page_of_the_navigation_is_there(pages):
    settings = (ROOT / "docs/site/mkdocs.yml").read_text()
    (nav,) = (yaml.safe_load("nav:" + part) for part in settings.partition("\nnav:")[2:])

    def names(entry):
        if isinstance(entry, str):
            yield entry
        for each in entry if isinstance(entry, list) else ():
            yield from names(each)
        for each in entry.values() if isinstance(entry, dict) else ():
            yield from names(each)

    missing = [name for name in names(nav["nav"]) if not (pages / name).is_file()]
    assert not missing


def test_reference_pages_are_made_from_the_code(pages):
    reference = pages / "docs" / "reference"
    assert "### vsv prerender" in (reference / "cli.md").read_text()
    assert "### vsv-admin retry" in (reference / "cli.md").read_text()
    record = (reference / "record.md").read_text()
    assert "| `MPP` | `Number | None` | microns per pixel at full resolution |" in record
    assert "| `BARCODE` | the code on the label image |" in record
    graphql = (reference / "graphql.md").read_text()
    assert "| `getSlide(ImageID: String!)` | `Slide` | One slide, or null. |" in graphql
    library = (reference / "library.md").read_text()
    assert "## vsv.pyramid.deepzoom" in library


def test_what_documents_link_to_comes_along(pages):
    assert (pages / "docs/images/viewer.jpg").is_file()
    assert (pages / "graphql/schema.graphql").is_file()
