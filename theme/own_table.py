"""What the book's pages say when another table than the wind farm is the book's: a file `own_table` in `data/`.

A line of Markdown, or the alternative text of a figure, that holds for the wind farm alone ends with the mark, of which
Jupyter shows nothing; a cell of code that asks for the wind farm alone has the tag. With a table of its own the book
leaves both out, on its pages as in the notebooks to download and in worksheets; such code is kept there without its
outputs, where a page would hide it, so that the cells keep their numbers.
"""

from pathlib import Path

import nbformat

MARK = "<!-- wind farm -->"
TAG = "wind-farm"
UNTOLD = "A figure of this book's own table, drawn by the code above it; what it shows nobody has put into words yet."
DATA = Path(__file__).resolve().parents[1] / "data"


def in_use():
    """Return whether the book has a table of its own: see helpers/tables.py."""
    return any(DATA.glob("own_table.*"))


def marked(notebook):
    """Yield (number, text) of each line, alternative text and cell of code that holds for the wind farm alone; cells are counted from 1."""
    for number, cell in enumerate(notebook.cells, start=1):
        if TAG in cell.metadata.get("tags", []):
            yield number, f"the code that begins with `{cell.source.splitlines()[0]}`"
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        lines = cell.source.splitlines() if cell.cell_type == "markdown" else [alt]
        yield from ((number, line.removesuffix(MARK).strip()) for line in lines if line.endswith(MARK))


def text_as_shown(markdown, own=None):
    """Return what Markdown says with the book's table, its own one or the wind farm."""
    own = in_use() if own is None else own
    return "\n".join(line.removesuffix(MARK).rstrip() if line.endswith(MARK) else line for line in markdown.split("\n") if not (own and line.endswith(MARK)))


def as_shown(notebook, own=None):
    """Change a notebook into what the book says with its table, its own one or the wind farm; return it."""
    own = in_use() if own is None else own
    for cell in notebook.cells:
        image = cell.metadata.get("mystnb", {}).get("image", {})
        if image.get("alt", "").endswith(MARK):
            image["alt"] = UNTOLD if own else image["alt"].removesuffix(MARK).strip()
        if own and TAG in cell.metadata.get("tags", []):
            cell.metadata["tags"] = list(dict.fromkeys([*cell.metadata["tags"], "remove-cell"]))  # what checks an exercise has it already
            cell.outputs = []
        if cell.cell_type == "markdown" and MARK in cell.source:
            cell.source = text_as_shown(cell.source, own)
            if "given" in cell.metadata:
                cell.metadata["given"] = [number for number in cell.metadata["given"] if number in cell.source]
    return notebook


def show(app, docname, source):
    """Give Sphinx the notebook as it is to be shown."""
    if (MARK in source[0] or TAG in source[0]) and app.env.doc2path(docname).endswith(".ipynb"):
        source[0] = nbformat.writes(as_shown(nbformat.reads(source[0], as_version=4)))
    elif MARK in source[0]:
        source[0] = text_as_shown(source[0])


def setup(app):
    app.connect("source-read", show)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
