"""Fold notebooks for JupyterLab as the site folds its pages: solutions below their exercise, code that only draws.

    python tools/fold.py FOLDER         write folded copies of the chapters to FOLDER, for JupyterLab at home
    python tools/fold.py                fold them where they are, for Binder (.binder/postBuild)

JupyterLab shows MyST's directives with the extension jupyterlab-myst, but a solution stands in cells of its own, which
that does not fold; headings do.
"""

import sys
from pathlib import Path

import nbformat

sys.path.append(str(Path(__file__).resolve().parents[1] / "theme"))
import own_table
import solutions

CHAPTERS = Path(__file__).resolve().parents[1] / "chapters"  # not from chapters.py: on Binder there is no Sphinx

#: What stands in place of the cells that begin and end a solution.
HEADING = {"start": "#### Solution", "end": "#### Back to the chapter"}


def fold(notebook):
    """Fold a notebook's solutions under a heading, and its drawing code; return it."""
    for cell, _, part in list(solutions.places(notebook)):
        if part in HEADING:
            cell.source = solutions.MARK.sub(HEADING[part], cell.source)  # its text may begin in the same cell
            if part == "start":
                cell.metadata["jp-MarkdownHeadingCollapsed"] = True
        elif "hide-input" in cell.metadata.get("tags", []):
            cell.metadata["jupyter"] = {"source_hidden": True}
    return notebook


if __name__ == "__main__":
    folder = Path(sys.argv[1]).resolve() if sys.argv[1:] else CHAPTERS
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(CHAPTERS.glob("*.ipynb")):
        nbformat.write(fold(own_table.as_shown(nbformat.read(path, as_version=4))), folder / path.name)
    print(f"The folded chapters are in {folder}")
