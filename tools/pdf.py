"""Print the manuscript into one PDF with Chromium: tagged, with outline, running heads, and page numbers where they help."""

import copy
import os
import re
import shutil
import tempfile
from pathlib import Path

import jinja2
import lxml.html
import matplotlib
import pikepdf
from playwright.sync_api import Error, sync_playwright
from pygments.formatters import HtmlFormatter

import chapters
import manuscript

PAPER = chapters.BOOK / "theme" / "paper"
# They come with matplotlib, so that every machine prints the same pages.
FONTS = [
    (f"{file}.ttf", family, weight, style)
    for family, names in {
        "Paper Serif": ["STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta"],
        "Paper Mono": ["DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSansMono-Oblique", "DejaVuSansMono-BoldOblique"],
    }.items()
    for file, (weight, style) in zip(names, [("normal", "normal"), ("bold", "normal"), ("normal", "italic"), ("bold", "italic")])
]


def find_chromium():
    """Return the path of Chromium: the one that CHROMIUM names, or the system's; None leaves Playwright to its own.

    Debian's package without windows comes first, which has less to do.
    """
    names = (os.environ.get("CHROMIUM"), "chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if name and (path := shutil.which(name))), None)


def place(name, identifier=""):
    """Return the identifier, in the one page of the whole book, of a page or of a place on it."""
    return f"{name}--{identifier}".replace("/", "-") if identifier else name.replace("/", "-")


def in_css(text):
    """Return a text as a string of a style sheet within HTML, where nothing in it ends the one or the other."""
    return '"' + re.sub(r'[\\"<&\n]', lambda found: f"\\{ord(found[0]):x} ", text) + '"'


def body(page, part, site):
    """Return a page's HTML for the one page of all: below its part's heading, identifiers and links unique, pictures found."""
    article = copy.deepcopy(page.article)
    for node in article.iter(lxml.html.etree.Element):
        if node.tag in ("h1", "h2", "h3", "h4"):
            node.attrib["class"] = f"level-{node.tag[1]}"
            node.tag = f"h{int(node.tag[1]) + bool(part.caption)}"
        if node.tag in ("figure", "figcaption"):  # the picture alone is a figure for screen readers, with its alternative text
            node.attrib["class"], node.tag = node.tag, "div"
        if node.get("id"):
            node.attrib["id"] = place(page.name, node.get("id"))
        if node.tag == "a" and ":" not in node.get("href", ":"):
            node.attrib["href"] = "#" + place(*manuscript.locate(page, node.get("href")))
        if node.tag == "img":
            node.attrib["src"] = (site / page.name).parent.joinpath(node.get("src")).resolve().as_uri()
    return lxml.html.tostring(article, encoding="unicode")


def write(book, site, path, facts):
    """Print a manuscript.

    Parameters
    ----------
    book : manuscript.Manuscript
        What to print.
    site : pathlib.Path
        The folder of the site that it was read from, which has the pictures.
    path : pathlib.Path
        The file to write.
    facts : dict
        What else the title page says: version, date, solutions.

    Raises
    ------
    ValueError
        If there is no Chromium.
    """
    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    heads = [{"page": place(page.name), "left": in_css(part.caption or book.title), "right": in_css(page.title)} for part in book.parts for page in part.pages]
    html = jinja2.Environment(loader=jinja2.FileSystemLoader(PAPER), autoescape=True).get_template("book.html").render(
        **facts, book=book, heads=heads, place=place,
        styles=[file.as_uri() for file in (site / "_static" / "formulas.css", PAPER / "paper.css", PAPER / "print.css")],
        highlighting=HtmlFormatter(style="a11y-high-contrast-light").get_style_defs(".highlight"),
        fonts=[((fonts / file).as_uri(), *rest) for file, *rest in FONTS],
        bodies={page.name: body(page, part, site) for part in book.parts for page in part.pages},
    )
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        source, printed = Path(folder, "book.html"), Path(folder, "book.pdf")
        source.write_text(html, "utf-8")
        try:
            browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        except Error as error:
            raise ValueError(f"no Chromium to print with: install one, or name it in CHROMIUM ({str(error).strip().splitlines()[0]})") from error
        page = browser.new_page()
        page.goto(source.as_uri())
        numbers = None
        while (found := page_numbers(printed) if printed.exists() else {}) != numbers:  # until the pages are those of the numbers on them
            numbers = found
            page.evaluate(NUMBER, numbers)
            page.pdf(path=printed, prefer_css_page_size=True, print_background=True, tagged=True, outline=True)
        browser.close()
        with pikepdf.open(printed) as document:
            document.docinfo["/Author"] = book.author
            document.Root.PageMode = pikepdf.Name.UseOutlines
            document.save(path, object_stream_mode=pikepdf.ObjectStreamMode.generate)  # else the tags weigh more than the pictures


def page_numbers(path):
    """Return the number of the page on which each place of a PDF is that a link leads to."""
    with pikepdf.open(path) as document:
        numbers = {page.objgen: number for number, page in enumerate(document.pages, start=1)}
        return {name.removeprefix("/"): numbers[place[0].objgen] for name, place in document.Root.get("/Dests", {}).items()}


# Write the number of the page behind the links that a reader on paper follows.
NUMBER = """(numbers) => {
  for (const link of document.querySelectorAll(".contents a, .part a, .to-solution a, .solution > .admonition-title a")) {
    const number = link.querySelector(".number") ?? link.appendChild(document.createElement("span"));
    number.className = "number";
    number.textContent = numbers[decodeURIComponent(link.hash.slice(1))] ?? "000";
  }
}"""
