"""The book's local Sphinx extension that makes a deck of slides of each chapter, from the chapter's own page.

What is on a slide is the page's: its figures, knobs, formulas and sentences, so it changes with them. Which of them are
shown is a rule (`choose`), and an author steers it by `slideshow` in the metadata of a code cell. The paragraphs around
are the speaker's notes. reveal.js shows the deck: see the folder slides.
"""

import copy
import functools
import math
import re
import shutil
from dataclasses import dataclass, field
from html import escape
from itertools import accumulate
from pathlib import Path

import jinja2
import lxml.html
from docutils import nodes
from downloads import put_into_menu
from lighten import once
from lxml.html import builder
from markupsafe import Markup
from sphinx.errors import ExtensionError

FOLDER = Path(__file__).with_suffix("")
MOST = 28  # slides of a deck
KINDS = ["knob", "figure", "formula", "table", "text", "code"]  # what a slide shows, the likeliest first
STEERED = ["slide", "skip", "notes"]  # a cell's part in a slide show, in Jupyter's words; "notes" leaves it to the speaker
LINES, COLUMNS, ROWS = 12, 88, 10  # of code, of code, and of a table
ITEMS = 8  # of a list
WIDEST = 64  # a formula in letters
CHARACTERS, SHORTEST = 640, 120  # of a text: what is longer is split or cut, what is shorter has no slide to itself
BESIDE = {"figure": 1.4, "knob": 2.6}  # a picture that is not wider than so many times its height has the text at its side
CLOSING = ["check-yourself", "summary", "symbols", "where-to-go-next"]  # sections that every chapter ends with


@dataclass
class Slide:
    """A slide, or what may become one; `part` and `heading` count the headings above it, of second level and of any."""

    kind: str
    nodes: list
    title: str
    part: int = 0
    heading: int = 0
    steered: bool = False
    said: list = field(default_factory=list)

    @property
    def size(self):
        """How many characters its text has."""
        return sum(length(node) for node in self.nodes if not list(node.iter("img")))

    @property
    def beside(self):
        """Whether its text stands beside its picture, not above."""
        images = [image for node in self.nodes for image in node.iter("img")]
        return self.kind in BESIDE and (self.kind == "knob" or len(images) == 1) and ratio(images[0]) < BESIDE[self.kind]


# --- the page ------------------------------------------------------------------------------------------------------------


def together(elements):
    """Return elements as HTML."""
    return Markup("\n".join(lxml.html.tostring(node, encoding="unicode", with_tail=False) for node in elements))


def inner(node):
    """Return what is in an element as HTML."""
    return Markup(together([node]).partition(">")[2].rpartition("<")[0].strip())


def length(node):
    """Return how many characters of text an element has."""
    return len(" ".join(node.text_content().split()))


def ratio(image):
    """Return how many times as wide as high an image is: lighten.py has written its size, but for a drawing."""
    width, height = image.get("width", ""), image.get("height", "")
    return int(width) / int(height) if width.isdigit() and height.isdigit() else 1.5


def width(formula):
    """Return about how many letters a formula is wide."""
    parts = [width(part) for part in formula]
    if formula.tag in ("mfrac", "munder", "mover", "munderover", "mtable"):
        return max(parts)
    if formula.tag in ("msub", "msup", "msubsup"):
        return parts[0] + 0.7 * max(parts[1:])
    if formula.tag == "mspace":
        return 2 * float(formula.get("width", "0em").removesuffix("em"))
    return sum(parts) or len((formula.text or "").strip()) + (formula.tag == "mo")


def with_class(node, *names):
    """Return the elements at and below `node` that have one of the classes."""
    return node.xpath("|".join(f'descendant-or-self::*[contains(concat(" ", @class, " "), " {name} ")]' for name in names))


def wrap(tag, kind, *content):
    """Return an element of a class around copies of others."""
    return getattr(builder, tag)(*map(copy.deepcopy, content), **{"class": kind})


def clean(article, page):
    """Take from a page's article what a slide does not need, and let its links lead back to the book."""
    for node in [*with_class(article, "headerlink", "section-number", "meaning", "solution-number"), *article.iter("script")]:
        node.drop_tree()
    for link in with_class(article, "image-reference"):
        link.drop_tag()
    for image in article.iter("img"):
        image.set("style", f"--ratio: {ratio(image):.3f}")
    for image in article.xpath(".//img[not(ancestor::figure) or ancestor::figure[contains(@class, 'shown')]]"):
        image.attrib.pop("loading", None)  # a browser cannot know when a slide comes near
    turned = {node for knob in with_class(article, "knob") for node in knob.iter()}
    for node in article.iter(lxml.html.etree.Element):
        node.attrib.pop("aria-describedby", None)
        if node not in turned and node.tag != "section" and "exercise" not in node.get("class", ""):
            node.attrib.pop("id", None)
        if not re.match(r"\w+:|\.\./", href := node.get("href", "../")):
            node.set("href", f"../chapters/{page if href.startswith('#') else ''}{href}")


def sentences(paragraph):
    """Return the sentences of a paragraph, which stand one on a line."""
    lines = re.split(r"\n(?![^<]*>)", inner(paragraph))  # but not within a tag
    return [lxml.html.fragment_fromstring(f"<span>{line} </span>") for line in lines if line.strip()]


def cut(node, most, last=False):
    """Return the first sentences of a paragraph or items of a list, or the last, that have so many characters; one at the least."""
    found = (list(node) if node.tag in ("ul", "ol") else sentences(node))[:: -1 if last else 1]
    sums = accumulate(map(length, found))
    kept = [sentence for number, (sentence, sum_of) in enumerate(zip(found, sums)) if not number or sum_of <= most]
    return wrap(node.tag.upper(), "lede", *kept[:: -1 if last else 1])


# --- what may be shown ---------------------------------------------------------------------------------------------------


def of_cell(cell):
    """Return what a code cell has for a slide, as its kind and its elements; None if nothing."""
    classes = cell.get("class").split()
    output = with_class(cell, "cell_output")
    if "slideshow-skip" in classes:
        return None
    if "slideshow-notes" in classes:
        return "notes", with_class(cell, "highlight")
    if knobs := with_class(cell, "knob"):
        return "knob", knobs
    if output and (images := list(output[0].iter("img"))):
        return "figure", [wrap("DIV", "figures", *images)]
    if output and output[0].find(".//table") is not None:
        return of_table(output[0])
    code = [node for node in with_class(cell, "highlight") if not with_class(node.getparent(), "stderr")]
    text = [line for node in code for line in node.text_content().splitlines()]
    short = len(text) <= LINES and all(len(line) <= COLUMNS for line in text)
    folded = "tag_hide-input" in classes or any(line.startswith(("import ", "from ")) for line in text)
    return ("code", code) if short and not folded else None


def of_table(node):
    """Return the first table in an element for a slide; None if there is none, or it is too large."""
    tables = list(node.iter("table"))[:1]
    small = all(len(table.findall(".//tr")) <= ROWS and length(table) <= CHARACTERS for table in tables)
    return ("table", [wrap("DIV", "table", *tables)]) if tables and small else None


def of_node(node):
    """Return what an element of the page has for a slide, as its kind and its elements; None if nothing."""
    classes = node.get("class", "").split()
    if "cell" in classes:
        return of_cell(node)
    if "exercise" in classes:
        return "exercise", [node]
    if "math" in classes:
        node.set("style", f"font-size: {min(1.15, WIDEST / width(node)):.2f}em")
        return "formula", [node]
    if node.tag in ("p", "ul", "ol", "blockquote"):
        return "notes", [node]
    return of_table(node) if not {"admonition", "solution"} & set(classes) and node.tag != "details" else None


def flow(section):
    """Yield the elements of a section and of those in it, in the order of the page."""
    for node in section.iterchildren(lxml.html.etree.Element):
        if node.tag != "section":
            yield node
        elif node.get("id") not in CLOSING:
            yield from flow(node)


def blocks(article):
    """Return all that a chapter has, in its order: exercises, what may be shown, and paragraphs as the kind "notes"."""
    found, part, heading, title = [], 0, 0, ""
    for node in flow(article.find("section")):
        if node.tag in ("h2", "h3"):
            part, heading, title = part + (node.tag == "h2"), heading + 1, inner(node)
        elif seen := of_node(node):
            found.append(Slide(*seen, title, part, heading, "slideshow-slide" in node.get("class", "")))
    for at in reversed(range(heading + 1)):  # a text that has nothing else to show is shown itself
        group = [number for number, block in enumerate(found) if block.heading == at]
        said = [found[number].nodes[0] for number in group if found[number].kind == "notes"][at == 1 :]  # the first opens the deck
        if said and all(found[number].kind in ("notes", "code", "exercise") for number in group) and sum(map(length, said)) >= SHORTEST:
            first = found[group[0]]
            found.insert(group[-1] + 1, Slide("text", shortened(said), first.title, first.part, at))
    return found


def shortened(said):
    """Return the paragraphs that fit on a slide; if three or more open with bold words, a list of their first sentences."""
    if sum(bool(node.xpath("self::p[node()[1][self::strong]]")) for node in said) >= 3:
        return split(lines(said))[:1]
    kept, left = [], CHARACTERS
    for node in said:
        if length(node) > left and (left < SHORTEST or node.tag not in ("p", "ul", "ol")):
            break
        kept.append(node if length(node) <= left else cut(node, left))
        left -= length(kept[-1])
    return kept or [cut(said[0], left)]


def lines(said):
    """Return the first sentence of each paragraph and all items of each list, as the items of a list."""
    found = []
    for node in said:
        found += map(copy.deepcopy, node) if node.tag in ("ul", "ol") else [wrap("LI", "", *sentences(node)[:1])]
    return found


def split(items):
    """Return the items of a list as lists of about the same length that fit on a slide each."""
    total = sum(map(length, items))
    lists = [builder.UL() for _ in range(math.ceil(max(total / CHARACTERS, len(items) / ITEMS)))]
    before = 0
    for item in items:
        lists[int(len(lists) * (before + length(item) / 2) / total)].append(item)
        before += length(item)
    return lists


# --- what is shown -------------------------------------------------------------------------------------------------------


def choose(found, most):
    """Return which blocks are shown, `most` of them at the most: exercises, then what an author marked.

    Then the best of each part of the chapter, and then what is left, in the order of `KINDS`.
    """
    shown = [number for number, block in enumerate(found) if block.kind == "exercise"]
    rank = {number: KINDS.index(block.kind) for number, block in enumerate(found) if block.kind in KINDS}
    best = {}
    for number in sorted(rank, key=lambda number: (rank[number], number)):
        best.setdefault(found[number].part, number)
    order = sorted(rank, key=lambda number: (not found[number].steered, number not in best.values(), rank[number], number))
    return sorted(shown + order[: max(0, most - len(shown))])


def dress(found, shown):
    """Return the slides of the blocks that are shown, each with the sentence that leads to it and the paragraphs around as notes."""
    slides, before = [], 0
    for number in shown:
        block = found[number]
        if block.kind == "exercise":
            slides.append(exercise(block))
            continue

        def paragraph(at):
            near = found[at] if 0 <= at < len(found) else block
            return near.nodes[0] if near.kind == "notes" and near.heading == block.heading and near.nodes[0].tag == "p" else None

        lead, after = paragraph(number - 1), paragraph(number + 1)
        said = [node for each in found[before:number] if each.kind == "notes" and each.part == block.part for node in each.nodes]
        slide = Slide(block.kind, list(block.nodes), block.title, said=[*said, *([after] if after is not None else [])])
        if lead is not None and block.kind != "text":
            slide.nodes.insert(0, cut(lead, CHARACTERS // 3, last=block.kind in ("formula", "code")))
        if after is not None and block.kind == "formula" and number + 2 not in shown and not after.text_content().endswith(":"):  # what leads on
            slide.nodes.append(cut(after, CHARACTERS // 3))
        slides.append(slide)
        before = number + 1
    return slides


def exercise(block):
    """Return the slide of an exercise; the speaker has all of it, and the solution's sentences."""
    node, solution = block.nodes[0], block.nodes[0].getnext()
    told = node.xpath("section/*")
    solved = solution.iter("p") if solution is not None and "solution" in solution.get("class", "") else []
    return Slide("exercise", shortened(told), with_class(node, "admonition-title")[0].text_content().strip(), said=[*told, *solved])


def question(asked):
    """Return the slide of a self-check: the question, its answers, and what is said to each as a fragment."""
    answers, node = builder.OL({"class": "answers", "type": "a"}), asked.getnext()
    while node is not None and node.tag == "details":
        told = wrap("DIV", "fragment", *with_class(node, "sd-card-body")[0])
        answers.append(builder.LI(copy.deepcopy(with_class(node, "sd-summary-text")[0]), told))
        node = node.getnext()
    return Slide("question", [asked, answers], "Check yourself")


def deck(path):
    """Return the facts of a chapter's deck, from its page: {"title", "opening", "slides", ...}."""
    page = lxml.html.parse(path, lxml.html.HTMLParser(encoding="utf-8")).getroot()
    article = page.find(".//article")
    clean(article, path.name)
    found = blocks(article)
    goals = [Slide("goals", [each], "You will be able to") for each in split(article.xpath(".//div[@class='note admonition'][1]/ul/li"))]
    by_name = {section.get("id"): section for section in article.iter("section")}
    questions = [question(node) for node in by_name["check-yourself"].iter("p") if node.getnext() is not None and node.getnext().tag == "details"]
    summary = [Slide("summary", [each], "Summary") for each in split(lines(by_name["summary"].xpath("p | ul | ol")))]
    shown = choose(found, MOST - 1 - len(goals) - len(questions) - len(summary))
    opening = next(block.nodes[0] for block in found if block.kind == "notes" and block.nodes[0].tag == "p")
    return {
        "chapter": path.stem,
        "title": inner(article.find(".//h1")),
        "opening": inner(cut(opening, CHARACTERS // 3)),
        "policy": page.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")[0],
        "slides": [*goals, *dress(found, shown), *questions, *summary],
    }


def render(facts, **more):
    """Return a deck as HTML."""
    return template().render(facts, together=together, **more)


@functools.cache
def template():
    return jinja2.Environment(autoescape=True).from_string((FOLDER / "deck.html").read_text("utf-8"))


# --- the build -----------------------------------------------------------------------------------------------------------


def has_deck(app, docname):
    """Return whether a page has a deck: one of the table of contents with questions and a summary."""
    if app.builder.name != "html" or docname not in app.env.toctree_includes.get(app.config.root_doc, []):
        return False
    return {link["anchorname"] for link in app.env.tocs[docname].findall(nodes.reference)} >= {"#check-yourself", "#summary"}


def decks(app):
    """Return the pages that have a deck, in the order of the book."""
    return [name for name in app.env.toctree_includes.get(app.config.root_doc, []) if has_deck(app, name)]


def mark_cells(app, doctree, docname):
    """Give a code cell the part that its author gave it in a slide show as a class; put links to all decks where the page wants them."""
    for cell in doctree.findall(nodes.container):
        if "decks" in cell["classes"]:
            links = [f'<li><a href="../slides/{Path(name).name}.html">{escape(app.env.titles[name].astext())}</a></li>' for name in decks(app)]
            cell += nodes.raw("", f"<ul>{''.join(links)}</ul>", format="html")
        if kind := cell.get("cell_metadata", {}).get("slideshow", {}).get("slide_type"):
            if kind not in STEERED:
                raise ExtensionError(f"{docname}, cell {cell['cell_index'] + 1}: its slide_type is {kind!r}, which is not one of {', '.join(STEERED)}")
            cell["classes"].append(f"slideshow-{kind}")


def offer(app, pagename, templatename, context, doctree):
    """Put a chapter's deck into its menu of downloads."""
    if doctree is None or not has_deck(app, pagename):
        return
    url = f"{context['pathto']('slides', 1)}/{Path(pagename).name}.html"
    put_into_menu(context, url=url, text="Slides", icon="fas fa-chalkboard-teacher", tooltip="Show this chapter as slides", label="slides-button")


def make(app, error):
    """Write the decks beside the pages when all else is written."""
    if error or app.builder.name != "html":
        return
    site = Path(app.outdir)
    shutil.copytree(FOLDER, site / "slides", ignore=shutil.ignore_patterns("README.md", "deck.html"), dirs_exist_ok=True)
    for docname in decks(app):
        page = site / f"{docname}.html"
        text = once(site, page, "deck", lambda: render(deck(page), book=app.config.html_title, language=app.config.language))
        (site / "slides" / page.name).write_text(text, "utf-8", newline="\n")


def setup(app):
    app.connect("doctree-resolved", mark_cells)
    app.connect("html-page-context", offer, priority=503)  # after the other downloads
    app.connect("build-finished", make, priority=950)  # after lighten.py, which names the figures
    return {"parallel_read_safe": True, "parallel_write_safe": True}
