"""The book's local Sphinx extension for pages that show other pages: cards, paths, all figures, all exercises.

All of it is read from the notebooks when the book is built, so it follows when a chapter is added, changed or dropped.
What the notebooks do not say of themselves stands in the metadata of their cells: see CONTRIBUTING.md.
"""

import base64
import hashlib
import io
import os
import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from urllib.parse import quote

import left_out
import nbformat
import own_table
import solutions
from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from lighten import kept, on_white
from PIL import Image
from sphinx import addnodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

LEVELS = {
    "chapter": ["first steps", "core", "further"],
    "exercise": ["warm-up", "practice", "challenge"],
}
WIDTH = 480  # of a thumbnail, in pixels: sharp on a dense screen at half of that

logger = logging.getLogger(__name__)


# --- what notebooks hold -------------------------------------------------------------------------------------------------


@dataclass
class Figure:
    """A figure of a notebook's text, `cell` being the number of its cell, counted from 1."""

    cell: int
    png: bytes
    alt: str
    section: str
    turns: bool
    card: dict | None


@dataclass
class Exercise:
    """An exercise: its label, its name or first sentence in MyST, its level and how many minutes it takes, if it is said."""

    label: str
    name: str
    level: str | None
    minutes: int | None


@dataclass
class Chapter:
    """What a notebook says of itself."""

    docname: str
    title: str
    minutes: int | None
    goals: str
    figures: list[Figure]
    exercises: list[Exercise]

    @property
    def card(self):
        """The figure that stands for the chapter: the marked one, or its first."""
        marked = [figure for figure in self.figures if figure.card]
        return next(iter(marked or self.figures), None)


def reading_minutes(text):
    """Return the minutes of a chapter's line ``**Time:** … minutes to read, …``; None if there is none."""
    told = re.search(r"\*\*Time:\*\* (\d+) minutes to read", text)
    return int(told[1]) if told else None


def goals(opening):
    """Return the goals of a chapter's opening in one line of MyST, "" if there are none."""
    stated = re.search(r"^You will be able to\n(.*?)^\*\*Time", opening, re.DOTALL | re.MULTILINE)
    return " ".join(re.findall(r"^- (.+)$", stated[1], re.MULTILINE)) if stated else ""


def without_code(text):
    """Return Markdown without its blocks of code; directives stay."""
    return re.sub(r"^(`{3,}|~{3,})(?![`~{])[^\n]*\n.*?^\1[`~]*\s*$", "", text, flags=re.DOTALL | re.MULTILINE)


def exercise_name(title, body):
    """Return what names an exercise in a list: its first sentence, with the title or the words in bold that stand above it."""
    lines = [line for line in body.strip().splitlines() if line.strip() and not re.match(r":[\w-]+:", line)]
    name = " ".join(lines[:2]) if re.fullmatch(r"\*\*.+\*\*", lines[0].strip()) else lines[0]
    return without_links(f"**{title}** {name}" if title else name)


def without_links(text):
    """Return MyST that can stand in a link: of each role only its words."""
    return re.sub(r"\{(?!math)[\w:]+\}`([^`<]+?)\s*(?:<[^`]*>)?`", r"\1", text.strip())


def figure_of(cell):
    """Return the PNG of a cell that shows one; of a knob, the one at which it starts."""
    pictures = [output.data["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})]
    start = cell.metadata.get("knob", {}).get("start", 0)
    return base64.b64decode(pictures[min(start, len(pictures) - 1)]) if pictures else None


@lru_cache(maxsize=None)
def read(docname, path, changed):
    """Return the Chapter that a notebook holds; figures of solutions are left out. `changed` is the file's time."""
    notebook = own_table.as_shown(nbformat.read(path, as_version=4))
    name = re.search(r"^# (.+)$", "\n".join(cell.source for cell in notebook.cells), re.MULTILINE)
    section, minutes = "", None
    figures, exercises = [], []
    for number, (cell, _, solution) in enumerate(solutions.places(notebook), start=1):
        if cell.cell_type == "markdown":
            text = without_code(cell.source)
            minutes = minutes or reading_minutes(text)
            section = (re.findall(r"^#{1,6} (.+)$", text, re.MULTILINE) or [section])[-1]
            told = cell.metadata.get("exercise", {})
            for title, body in re.findall(r"^`{3,}\{exercise\} *([^\n]*)\n(.*?)^`{3,}", text, re.DOTALL | re.MULTILINE):
                label = re.search(r"^:label: (\S+)", body, re.MULTILINE)
                exercises.append(Exercise(label[1] if label else "", exercise_name(title, body), told.get("level"), told.get("minutes")))
        elif cell.cell_type == "code" and not solution and (png := figure_of(cell)):
            alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
            figures.append(Figure(number, png, alt, without_links(section), "knob" in cell.metadata, cell.metadata.get("card")))
    stated = goals(notebook.cells[0].source) if notebook.cells else ""
    return Chapter(docname, name[1] if name else docname, minutes, stated, figures, exercises)


def chapter(env, docname):
    """Return the Chapter of a page; None if it is no notebook."""
    path = os.path.join(env.srcdir, f"{docname}.ipynb")  # `env.doc2path` guesses at those that are left out of the book
    return read(docname, path, os.stat(path).st_mtime_ns) if os.path.exists(path) else None


def digest(chapter):
    return hashlib.sha256(repr(chapter).encode()).hexdigest()


def outdated(app, env, added, changed, removed):
    """Return the pages that show something of a chapter that it no longer says; not those whose chapter has other words alone."""
    now = {docname: digest(chapter(env, docname)) for docname in changed | removed}
    shown = {page: told["shows"] for page, told in env.metadata.items() if "shows" in told}
    return [page for page, facts in shown.items() if added or any(now[name] != facts[name] for name in now.keys() & facts.keys())]


def figure_id(docname, cell):
    """Return the anchor of a cell with a figure."""
    return f"figure-{docname.rpartition('/')[2]}-{cell}"


def spoken(minutes):
    """Return a time as one says it, to five minutes if it is longer than an hour."""
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(5 * round(minutes / 5), 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


# --- nodes ---------------------------------------------------------------------------------------------------------------


class thumbnail(nodes.image):
    """A small picture with its size, fetched when the reader comes near."""


def visit_thumbnail(self, node):
    source = f"{self.builder.imgpath}/{quote(self.builder.images[node['uri']])}"
    size = 'width="{}" height="{}"'.format(*node["pixels"])  # not "width" and "height", or Sphinx links the file
    self.body.append(f'<img src="{source}" alt="{escape(node["alt"])}" {size} loading="lazy" decoding="async" />')


def depart_thumbnail(self, node):
    pass


class place(nodes.reference):
    """A link to an anchor of another page, whose address is known when that page is written."""


def find_places(app, doctree, docname):
    """Give each `place` its address."""
    for node in list(doctree.findall(place)):
        docname_there, anchor = node["place"]
        address = f"{app.builder.get_relative_uri(docname, docname_there)}#{anchor}"
        node.replace_self(nodes.reference("", "", *node.children, internal=True, refuri=address))


def mark_figures(app, doctree):
    """Give each cell with a figure the anchor to which the gallery leads."""
    for cell in doctree.findall(nodes.container):
        if cell.get("nb_element") == "cell_code" and next(cell.findall(nodes.image), None):
            cell["ids"].append(figure_id(app.env.docname, cell["cell_index"] + 1))


def block(kind, *children):
    return nodes.container("", *children, classes=[kind])


def words(kind, text):
    return nodes.inline(text, text, classes=[kind])


# --- directives ----------------------------------------------------------------------------------------------------------


class Gallery(SphinxDirective):
    """What the directives share: they read the notebooks of the table of contents."""

    def notebooks(self, numbered=False):
        """Return (caption, [Chapter, …]) for each part of the book that holds notebooks; if asked, of numbered parts alone."""
        toc = self.env.external_site_map
        parts = []
        for tree in toc.root.subtrees:
            if not numbered or tree.numbered:
                found = [self.chapter(docname) for docname in self.below(toc, tree)]
                parts.append((tree.caption or "", [chapter for chapter in found if chapter]))
        return [(caption, found) for caption, found in parts if found]

    def below(self, toc, tree):
        for item in map(str, tree.items):
            if item in toc:
                yield item
                for deeper in toc[item].subtrees:
                    yield from self.below(toc, deeper)

    def chapter(self, docname):
        """Return what a page holds; None if it is no notebook."""
        found = chapter(self.env, docname)
        if found:
            self.env.metadata[self.env.docname].setdefault("shows", {})[docname] = digest(found)
        return found

    def to_page(self, docname, *content):
        """Return a link to a page; without content, by its title."""
        options = {"refdomain": "std", "reftype": "doc", "reftarget": f"/{docname}", "refdoc": self.env.docname, "refwarn": True}
        return addnodes.pending_xref("", *(content or [nodes.inline()]), refexplicit=bool(content), **options)

    def to_place(self, docname, anchor, *content):
        return place("", "", *content, place=(docname, anchor))

    def inline(self, text):
        """Return the nodes of a line of MyST."""
        paragraph = nodes.Element()
        self.state.nested_parse(StringList([text], self.env.docname), 0, paragraph)
        return paragraph.children[0].children if paragraph.children else []

    def picture(self, figure, alt):
        """Return a figure's thumbnail; its file stands outside of the source, as those of MyST-NB do."""

        def write(file):
            with Image.open(io.BytesIO(figure.png)) as picture:
                small = on_white(picture)
            small.thumbnail((WIDTH, WIDTH), Image.Resampling.LANCZOS)
            small.save(file, "webp", quality=60, method=6)

        file = kept("small.webp", (WIDTH, figure.png), write)
        with Image.open(file) as picture:
            width, height = picture.size
        # Windows has no relative path from one drive to another.
        uri = file.as_posix() if os.name == "nt" else f"/{os.path.relpath(file, self.env.srcdir)}"
        return thumbnail(uri=uri, alt=alt, pixels=(width // 2, height // 2))

    def section(self, chapter, prefix, *content):
        """Return a section on a chapter, with its title as heading."""
        identifier = f"{prefix}-{chapter.docname.rpartition('/')[2]}"
        title = nodes.title("", "", self.to_page(chapter.docname, nodes.inline("", *self.inline(chapter.title))))
        return nodes.section("", title, *content, ids=[identifier], names=[identifier])

    def leave_out_of_search(self):
        """Keep the page's words out of the index of the search: they are those of other pages."""
        self.env.metadata[self.env.docname]["nosearch"] = "true"

    def level(self, kind, level, where):
        """Return how a level is shown."""
        if level not in LEVELS[kind]:
            logger.warning(f"the level must be one of {LEVELS[kind]}, but is {level!r}", location=where)
        return words("level", level)


class ChapterCards(Gallery):
    """A card for each chapter, by parts: its figure, a line, its level and its minutes."""

    def run(self):
        shown = []
        for caption, chapters in self.notebooks(numbered=True):
            cards = nodes.bullet_list("", *(nodes.list_item("", *self.card(chapter)) for chapter in chapters), classes=["cards"])
            shown += [nodes.paragraph(caption, caption, classes=["cards-part"]), cards]
        return shown

    def card(self, chapter):
        figure, told = chapter.card, (chapter.card and chapter.card.card) or {}
        facts = [self.level("chapter", told["level"], chapter.docname)] if "level" in told else []
        facts += [words("minutes", spoken(chapter.minutes))] if chapter.minutes else []
        return [
            *([self.picture(figure, figure.alt)] if figure else []),
            nodes.paragraph("", "", self.to_page(chapter.docname), classes=["card-title"]),
            *([nodes.paragraph("", "", *self.inline(told["line"]))] if "line" in told else []),
            nodes.paragraph("", "", *facts, classes=["facts"]),
        ]


class ChapterPath(Gallery):
    """A way through the book: a name, a sentence, its chapters in order, and how long they take together.

    Chapters that `_toc.yml` leaves out are passed over; a path of fewer than two is none.
    """

    required_arguments = 1
    final_argument_whitespace = True
    option_spec = {"chapters": directives.unchanged_required}
    has_content = True

    def run(self):
        folder = self.env.docname.rpartition("/")[0]
        walked = [f"{folder}/{name}".lstrip("/") for name in self.options["chapters"].split()]
        walked = [docname for docname in walked if docname not in left_out.pages(self.env)]
        if len(walked) < 2:
            return []  # nowhere to go
        items, total = [], 0
        for docname in walked:
            chapter = self.chapter(docname)
            minutes = chapter and chapter.minutes or 0
            total += minutes
            told = [nodes.Text(" "), words("minutes", spoken(minutes))] if minutes else []
            items.append(nodes.list_item("", nodes.paragraph("", "", self.to_page(docname), *told)))
        text = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, text)
        return [
            block(
                "path",
                nodes.paragraph("", "", *self.inline(self.arguments[0]), classes=["card-title"]),
                *text.children,
                nodes.enumerated_list("", *items, enumtype="arabic", prefix="", suffix="."),
                nodes.paragraph("", "", words("minutes", f"{spoken(total)} to read"), classes=["facts"]),
            )
        ]


class ChapterGuide(Gallery):
    """A section on a chapter for those who teach it: the goals that the chapter itself states, and below them the text given here."""

    required_arguments = 1
    has_content = True

    def run(self):
        docname = f"{self.env.docname.rpartition('/')[0]}/{self.arguments[0]}".lstrip("/")
        chapter = self.chapter(docname)
        if chapter and docname not in self.env.external_site_map:
            return []  # left out of the book: see left_out.py
        if not (chapter and chapter.goals):
            logger.warning(f"chapter-guide: {self.arguments[0]} is no notebook that opens with what the reader will be able to do", location=self.get_location())
            return []
        text = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, text)
        return [self.section(chapter, "guide", nodes.paragraph("", "", nodes.strong("Goals.", "Goals."), nodes.Text(" To "), *self.inline(chapter.goals)), *text.children)]


class FigureGallery(Gallery):
    """All figures of the book's text, each a link to its place, with its alternative text as text."""

    def run(self):
        self.leave_out_of_search()
        return [
            self.section(chapter, "figures", nodes.bullet_list("", *(self.item(chapter, figure) for figure in chapter.figures), classes=["cards", "figures"]))
            for _, chapters in self.notebooks()
            for chapter in chapters
            if chapter.figures
        ]

    def item(self, chapter, figure):
        return nodes.list_item(
            "",
            self.picture(figure, ""),  # what there is to see stands below
            nodes.paragraph("", "", self.to_place(chapter.docname, figure_id(chapter.docname, figure.cell), *self.inline(figure.section)), classes=["card-title"]),
            nodes.raw("", "<details><summary>In words</summary>", format="html"),
            nodes.paragraph(figure.alt, figure.alt),
            nodes.raw("", "</details>", format="html"),
            *([nodes.paragraph("", "", words("level", "turns"), classes=["facts"])] if figure.turns else []),
        )


class ExerciseList(Gallery):
    """All exercises of the book, by chapters, each a link to its place, with its level and how long it takes."""

    def run(self):
        self.leave_out_of_search()
        found = [chapter for _, chapters in self.notebooks() for chapter in chapters if chapter.exercises]
        every = [exercise for chapter in found for exercise in chapter.exercises]
        counts = Counter(exercise.level for exercise in every)
        levels = ", ".join(f"{level}: {counts[level]}" for level in LEVELS["exercise"] if counts[level])
        total = sum(exercise.minutes or 0 for exercise in every)
        told = f"{len(every)} exercises ({levels}), {round(total / 60)} hours in all."
        lists = (nodes.bullet_list("", *(self.item(chapter, exercise) for exercise in chapter.exercises), classes=["exercises"]) for chapter in found)
        return [nodes.paragraph(told, told), *(self.section(chapter, "exercises", items) for chapter, items in zip(found, lists))]

    def item(self, chapter, exercise):
        where = f"{chapter.docname}, exercise {exercise.label}"
        facts = [self.level("exercise", exercise.level, where)] if exercise.level else []
        facts += [words("minutes", spoken(exercise.minutes))] if exercise.minutes else []
        link = self.to_place(chapter.docname, nodes.make_id(exercise.label), *self.inline(exercise.name))
        return nodes.list_item("", nodes.paragraph("", "", link), nodes.paragraph("", "", *facts, classes=["facts"]))


def setup(app):
    app.add_node(thumbnail, html=(visit_thumbnail, depart_thumbnail))
    app.add_node(place)
    app.add_directive("chapter-cards", ChapterCards)
    app.add_directive("chapter-path", ChapterPath)
    app.add_directive("chapter-guide", ChapterGuide)
    app.add_directive("figure-gallery", FigureGallery)
    app.add_directive("exercise-list", ExerciseList)
    app.connect("env-get-outdated", outdated)
    app.connect("doctree-read", mark_figures)
    app.connect("doctree-resolved", find_places)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
