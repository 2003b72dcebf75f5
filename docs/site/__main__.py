"""Write what MkDocs builds the site of: documents, reference pages from the code, settings.

Usage: python -m docs.site FOLDER
"""

import shutil
import sys
from pathlib import Path

from docs.site import reference
from docs.site.pages import for_mkdocs, linked_files
from lint.markdown import documents

ROOT = Path(__file__).parents[2]


def main(folder: Path) -> None:
    """Write ``mkdocs.yml`` and ``pages/`` to the folder, in place of what is there."""
    shutil.rmtree(folder, ignore_errors=True)
    target = folder / "pages"
    for document in documents(ROOT):
        page = target / document.name
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(for_mkdocs(document.text), encoding="utf-8")
        for file in linked_files(document):
            copy = target / file.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
    shutil.copyfile(Path(__file__).with_name("mkdocs.yml"), folder / "mkdocs.yml")
    for name, text in reference.pages(ROOT).items():
        (target / "docs" / "reference" / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
