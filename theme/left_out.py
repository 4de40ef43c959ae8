"""The book's local Sphinx extension for pages that stand beside the book's but not in `_toc.yml`: what points to them becomes text.

`_toc.yml` alone says which pages the book has, and in which order. A reference to a page, label or term of a file that it
leaves out shows its words, and says that the page is in the full book; a row of a table that is about such a page goes.
A reference to anything else is a mistake, and stops the build as ever. Where the page with the bibliography is left out,
each page lists at its foot the works that it cites.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from docutils import nodes
from nbformat.v4 import new_markdown_cell
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import docname_join

WHERE = " (in the full book)"
WORKS = "```{rubric} Works cited on this page\n```\n\n```{bibliography}\n:filter: docname in docnames\n```\n"
LABEL = re.compile(r"^\(([\w:-]+)\)=|^\s*:(?:label|name): *(\S+)|\$\$ *\(([\w:-]+)\)", re.MULTILINE)


@dataclass
class Page:
    """What can be referred to on a page: its title as plain text, its labels, the terms that it defines, in small letters."""

    title: str
    labels: set = field(default_factory=set)
    terms: set = field(default_factory=set)


def plain(markdown):
    """Return a line of MyST as text: of a role its words, of emphasis and mathematics what is inside."""
    return re.sub(r"[*`$]", "", re.sub(r"\{[\w:]+\}`([^`<]+?)\s*(?:<[^`]*>)?`", r"\1", markdown)).strip()


def read(path):
    """Return the Page of a notebook or a Markdown file."""
    if path.suffix == ".ipynb":
        text = "\n\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown")
    else:
        text = path.read_text("utf-8")
    title = re.search(r"^# (.+)$", text, re.MULTILINE)
    labels = {next(filter(None, found)).lower() for found in LABEL.findall(text)}
    blocks = re.findall(r"^`{3,}\{glossary\}[^\n]*\n(.*?)^`{3,}", text, re.DOTALL | re.MULTILINE)
    terms = {line.strip().lower() for block in blocks for line in block.splitlines() if re.match(r"[^\s:]", line)}
    return Page(plain(title[1]) if title else path.stem, labels, terms)


def pages(env):
    """Return the Page of each file beside the book's pages that `_toc.yml` leaves out, by its docname."""
    if not hasattr(env, "pages_left_out"):
        source = Path(env.srcdir)
        folders = {(source / docname).parent for docname in env.found_docs}
        files = [path for folder in sorted(folders) for path in sorted(folder.glob("*")) if path.suffix in (".ipynb", ".md")]
        names = {path.relative_to(source).with_suffix("").as_posix(): path for path in files}
        env.pages_left_out = {docname: read(path) for docname, path in names.items() if docname not in env.found_docs}
    return env.pages_left_out


def forget(app, env, docnames):
    """Look again in each build."""
    vars(env).pop("pages_left_out", None)
    env.has_bibliography = any("{bibliography}" in Path(env.doc2path(docname)).read_text("utf-8") for docname in env.found_docs)
    if not env.has_bibliography:  # then several pages may list one work; a citation leads to the list of its own page
        app.config.suppress_warnings = [*app.config.suppress_warnings, "bibtex.duplicate_citation", "bibtex.duplicate_label"]


def add_works(app, docname, source):
    """Put the works that a page cites at its foot, if the book has no page for them."""
    if app.env.has_bibliography or "{cite:" not in source[0]:
        return
    if app.env.doc2path(docname).endswith(".ipynb"):
        notebook = nbformat.reads(source[0], as_version=4)
        notebook.cells.append(new_markdown_cell(WORKS, id="works-cited"))
        source[0] = nbformat.writes(notebook)
    else:
        source[0] += f"\n{WORKS}"


def in_the_full_book(words):
    return nodes.inline("", words + WHERE, classes=["left-out"])


def with_label(found, label):
    """Return the Page that has a label; None if there is none."""
    return next((page for page in found.values() if label.lower() in page.labels), None)


def soften(app, env, node, contnode):
    """Return the words of a role into a page that is left out; None for every other, which stays a mistake."""
    kind, target, found = node.get("reftype"), node.get("reftarget", ""), pages(env)
    words = contnode.astext()
    if kind == "term":
        known = target.lower() in set().union(*(page.terms for page in found.values()))
        return nodes.inline(words, words, classes=["left-out"]) if known else None
    if kind == "doc":
        page = found.get(docname_join(node.get("refdoc", env.docname), target))
    else:
        page = with_label(found, target)
    return in_the_full_book(words if node.get("refexplicit") else page.title) if page else None


class SoftenLinks(SphinxPostTransform):
    """Do the same with Markdown's links, of which MyST asks nobody else."""

    default_priority = 8  # before MyST resolves them

    def run(self):
        found, labels = pages(self.env), self.env.domains["std"].anonlabels
        for node in list(self.document.findall(addnodes.pending_xref)):
            target = node.get("reftarget", "")
            if node.get("reftype") == "myst" and target.lower() not in labels:
                page = found.get(target) if node.get("refdomain") == "doc" else with_label(found, target)
                if page:
                    node.replace_self(in_the_full_book(node.astext() or page.title))


def leave_out_rows(app, doctree, docname):
    """Take out the rows of tables whose first cell names nothing but pages that are left out."""
    for row in list(doctree.findall(nodes.row)):
        gone = [node for node in row.children[0].findall(nodes.inline) if "left-out" in node["classes"]]
        rest = row.children[0].astext()
        for node in gone:
            rest = rest.replace(node.astext(), "")
        if gone and not re.search(r"\w", rest):
            row.parent.remove(row)


def setup(app):
    app.connect("env-before-read-docs", forget)
    app.connect("source-read", add_works)
    app.add_post_transform(SoftenLinks)
    app.connect("missing-reference", soften)
    app.connect("doctree-resolved", leave_out_rows)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
