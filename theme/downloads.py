"""The book's local Sphinx extension for what a reader downloads of a chapter: the notebook, and one to work in.

The theme's menu has the notebook as it is stored. This adds the same without outputs and solutions, and puts before both
a cell for a reader who opens the file alone, on Colab for example, where `import helpers` finds nothing.
"""

from pathlib import Path

import nbformat
import own_table
import solutions
from nbformat.v4 import new_code_cell


OPENER = "opened-alone"  # the id of the cell


def to_work_in(notebook):
    """Return a copy of a notebook without outputs, with an empty cell in the place of each solution."""
    copy = solutions.replaced(notebook, lambda label, cells: [new_code_cell("# Your solution", id=cells[0].id)])
    for cell in copy.cells:
        if cell.cell_type == "code":
            cell.update(outputs=[], execution_count=None)
    copy.metadata.pop("executed_with", None)
    return copy


def opener(repository, branch):
    """Return the first cell of a downloaded notebook: what to do away from the book, and on Colab does it."""
    where = f"get it at {repository}, or on Colab run this cell." if repository else "open this notebook in the book's folder chapters."
    lines = [f"# Opened alone? `helpers` is a folder of the book, not the package of that name on the index: {where}"]
    if repository:
        lines += [
            "import sys",
            "",
            'if "google.colab" in sys.modules:',
            f"    !git clone --quiet --depth 1 --branch {branch} {repository} /content/book",
            "    %cd -q /content/book/chapters",
            '    sys.path.append("/content/book")',
        ]
    return new_code_cell("\n".join(lines), id=OPENER)


def put_opener(app, error):
    """Put the opener before each downloaded notebook that imports the book's helpers."""
    if error or app.builder.name != "html":
        return
    options = app.config.html_theme_options
    for path in (Path(app.outdir) / "_sources").rglob("*.ipynb"):
        if f'"{OPENER}"' in path.read_text("utf-8"):
            continue  # of a page that was not written anew
        notebook = own_table.as_shown(nbformat.read(path, as_version=4))
        if any(cell.cell_type == "code" and "import helpers" in cell.source for cell in notebook.cells):
            notebook.cells.insert(0, opener(options["repository_url"], options["repository_branch"]))
        nbformat.write(notebook, path)


def work_name(source):
    """Return the address of a notebook's copy to work in, next to its own."""
    return source.removesuffix(".ipynb") + "-to-work-in.ipynb"


def put_into_menu(context, after=None, **button):
    """Put a link into a page's menu of downloads: behind the button with this label, or first."""
    for group in context["header_buttons"]:
        if group["label"] == "download-buttons":
            labels = [entry["label"] for entry in group["buttons"]]
            group["buttons"].insert(labels.index(after) + 1 if after else 0, {"type": "link", **button})


def offer(app, pagename, templatename, context, doctree):
    """Write the copy, and put it into the menu of downloads, below the notebook."""
    path = Path(app.env.doc2path(pagename)) if pagename in app.env.all_docs else None
    if doctree is None or path is None or path.suffix != ".ipynb" or app.builder.name != "html":
        return
    notebook = own_table.as_shown(nbformat.read(path, as_version=4))
    if not any(part for _, _, part in solutions.places(notebook)):
        return
    name = work_name(context["sourcename"])
    copy = Path(app.outdir) / "_sources" / name
    copy.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(to_work_in(notebook), copy)
    put_into_menu(
        context,
        after="download-source-button",
        url=f"{context['pathto']('_sources', 1)}/{name}",
        text=".ipynb to work in",
        icon="fas fa-pencil-alt",
        tooltip="Download the notebook without outputs and solutions",
        label="download-work-button",
    )


def setup(app):
    app.connect("html-page-context", offer, priority=502)  # after the theme's own buttons
    app.connect("build-finished", put_opener)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
