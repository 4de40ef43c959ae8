"""What the book's pages say when another table than the wind farm is the book's: a file `own_table` in `data/`.

A line of Markdown, or the alternative text of a figure, that holds for the wind farm alone ends with the mark. Jupyter
shows nothing of it. With a table of its own the book leaves such lines out, on its pages as in the notebooks to download.
"""

import re
from pathlib import Path

import nbformat

MARK = "<!-- wind farm -->"
UNTOLD = "A figure of this book's own table, drawn by the code above it; what it shows nobody has put into words yet."
DATA = Path(__file__).resolve().parents[1] / "data"


def in_use():
    """Return whether the book has a table of its own: see helpers/tables.py."""
    return any(DATA.glob("own_table.*"))


def marked(notebook):
    """Yield (number, text) of each line and alternative text that holds for the wind farm alone; cells are counted from 1."""
    for number, cell in enumerate(notebook.cells, start=1):
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        lines = cell.source.splitlines() if cell.cell_type == "markdown" else [alt]
        yield from ((number, line.removesuffix(MARK).strip()) for line in lines if line.endswith(MARK))


def as_shown(notebook, own=None):
    """Change a notebook into what the book says with its table, its own one or the wind farm; return it."""
    own = in_use() if own is None else own
    for cell in notebook.cells:
        image = cell.metadata.get("mystnb", {}).get("image", {})
        if image.get("alt", "").endswith(MARK):
            image["alt"] = UNTOLD if own else image["alt"].removesuffix(MARK).strip()
        if cell.cell_type == "markdown" and MARK in cell.source:
            lines = cell.source.splitlines()
            cell.source = "\n".join(line.removesuffix(MARK).rstrip() for line in lines if not (own and line.endswith(MARK)))
            if "given" in cell.metadata:
                cell.metadata["given"] = [number for number in cell.metadata["given"] if number in cell.source]
    return notebook


def show(app, docname, source):
    """Give Sphinx the notebook as it is to be shown."""
    if MARK in source[0] and app.env.doc2path(docname).endswith(".ipynb"):
        source[0] = nbformat.writes(as_shown(nbformat.reads(source[0], as_version=4)))
    elif MARK in source[0]:
        kept = [line for line in source[0].splitlines() if not (in_use() and line.endswith(MARK))]
        source[0] = re.sub(rf" *{MARK}$", "", "\n".join(kept), flags=re.MULTILINE) + "\n"


def setup(app):
    app.connect("source-read", show)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
