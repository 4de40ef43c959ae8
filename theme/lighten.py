"""A Sphinx extension that leaves out of the site what its pages do not use: style, icons, scripts, elements and bytes."""

import base64
import functools
import hashlib
import inspect
import io
import json
import os
import posixpath
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import NamedTemporaryFile

import tinycss2
from fontTools import subset
from PIL import Image
from pygments.formatters import HtmlFormatter
from pygments.styles import get_style_by_name
from pygments.token import Token
from sphinx.errors import ExtensionError

BUNDLE = "_static/site.css"
KEPT = Path(__file__).parents[1] / "_build" / "kept"  # what a build need not make again; `make clean` forgets it
LOSSLESS = {"lossless": True, "method": 1, "quality": 20}  # of a WebP; 25 takes half as long again and saves a tenth
FIGURE = r"_images/([0-9a-f]{64})\.png"  # as myst-nb names them

# Scripts that a page needs only if its text has this.
NEEDED_BY = {
    "clipboard.min.js": '<div class="highlight',
    "copybutton.js": '<div class="highlight',
    "togglebutton.js": " dropdown",
    "design-tabs.js": "sd-tab-set",
}


def kept(name, source, write):
    """Return a file that an earlier build left, or have it written; what it is made of, and how, is part of its name."""
    stem, suffix = posixpath.splitext(name)
    path = KEPT / f"{stem}-{hashlib.sha256(repr(source).encode()).hexdigest()[:20]}{suffix}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, delete=False) as part:  # another build may be at it too
            write(part)
        os.replace(part.name, path)
    return path


def once(site, page, kind, make):
    """Return the text that `make` gives for a page; that of the last build, if the page has not been written since.

    These texts, and the pages as Sphinx wrote them, are kept beside the site: see `lighten`.
    """
    name = page.relative_to(site)
    written, text = site.with_name("raw") / name, site.with_name("light") / f"{name}.{kind}"
    if not text.exists() or text.stat().st_mtime_ns < written.stat().st_mtime_ns:
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_text(make(), "utf-8", newline="\n")
    return text.read_text("utf-8")


# --- code ----------------------------------------------------------------------------------------------------------------


def merge_code(app):
    """Let tokens of code that look the same share an element, and those that look like plain text have none.

    A long chapter has half as many elements then. Token classes stay as they are where the style tells them apart.
    """
    if app.builder.name != "html":
        return
    options = app.builder.theme.get_options(app.config.html_theme_options)
    styles = [get_style_by_name(options[f"pygments_{theme}_style"]) for theme in ("light", "dark")]
    first = {}

    @functools.cache
    def look(kind):
        return tuple(tuple(style.style_for_token(kind).items()) for style in styles)

    class Merging(HtmlFormatter):
        @functools.cache  # noqa: B019  there is one of it, and it lives as long as the build
        def _get_css_class(self, kind):
            if look(kind) == look(Token.Text):
                return ""
            return first.setdefault(look(kind), HtmlFormatter._get_css_class(self, kind))

        _get_css_classes = _get_css_class

    highlighter, formatters = app.builder.highlighter, {}
    highlighter.formatter = Merging
    make = highlighter.get_formatter

    def get_formatter(**options):  # Sphinx makes one for each box of code
        if (key := repr(options)) not in formatters:
            formatters[key] = make(**options)
        return formatters[key]

    highlighter.get_formatter = get_formatter


# --- scripts -------------------------------------------------------------------------------------------------------------


def choose_scripts(app, pagename, templatename, context, doctree):
    """Leave out the scripts that a page does not use."""
    if app.builder.name != "html":
        return
    kept = []
    for script in context["script_files"]:
        name = posixpath.basename(str(script.filename or ""))
        if name in NEEDED_BY and NEEDED_BY[name] not in context.get("body", ""):
            continue
        # Settings of versions and of a search while typing, which this book has not; they would run before what they set.
        if "DOCUMENTATION_OPTIONS." in script.attributes.get("body", ""):
            continue
        kept.append(script)
    context["script_files"] = kept


def defer_scripts(text):
    """Let the browser load all scripts beside the page, not before it; they still run in their order."""
    return re.sub(r"<script (?=[^>]*\bsrc=)(?![^>]*\b(?:defer|async)\b)", "<script defer ", text)


def measure_later(site):
    """Keep the theme from measuring every box of code at once, for which the browser lays out all sections; book.js does it box by box."""
    script = site / "_static/scripts/pydata-sphinx-theme.js"
    text, count = re.subn(r'(function \w+\(\)\{)(?=const \w+=\(\)=>\{document\.querySelectorAll\(\["pre",)', r"\1return;", script.read_text("utf-8"))
    if count != 1:
        raise ExtensionError(f"{script.name}: the function that makes boxes which scroll reachable is not to be found; look how this version does it")
    script.write_text(text, "utf-8", newline="\n")


# --- style and icons -----------------------------------------------------------------------------------------------------


def names_in(text):
    """Return what a selector can name in a page: its classes and ids, and every word of the scripts in it, which add more."""
    names = set()
    for value in re.findall(r'\b(?:class|id)="([^"]*)"', text):
        names.update(value.split())
    for script in re.findall(r"<script[^>]*>(.+?)</script>", text, flags=re.DOTALL):
        names.update(re.findall(r"[\w-]+", script))
    return names


def used_names(site, pages):
    """Return what a selector can name in all pages and in the scripts that they load."""
    names = set().union(*(page["names"] for page in pages.values()))
    loaded = set().union(*(page["scripts"] for page in pages.values()))
    for path in site.glob("_static/**/*.js"):
        if path.name in loaded:
            names.update(re.findall(r"[\w-]+", path.read_text("utf-8")))
    return names


def named(selector):
    """Yield the classes and ids that an element must have; what stands in parentheses, as in :not(), is left open."""
    for before, token in zip([None, *selector], selector):
        if token.type == "hash":
            yield token.value
        elif token.type == "ident" and before is not None and before.type == "literal" and before.value == ".":
            yield token.value


def purge(rules, names):
    """Return the style rules that may match a page, as text; selectors are judged one by one."""
    kept = []
    for rule in rules:
        if rule.type == "qualified-rule":
            selectors = [[]]
            for token in rule.prelude:
                if token.type == "literal" and token.value == ",":
                    selectors.append([])
                else:
                    selectors[-1].append(token)
            matching = [tinycss2.serialize(selector).strip() for selector in selectors if names.issuperset(named(selector))]
            if matching:
                kept.append(f"{','.join(matching)}{{{tinycss2.serialize(rule.content).strip()}}}")
        elif rule.type == "at-rule" and rule.lower_at_keyword in ("media", "supports", "layer", "container"):
            content = rule.content and purge(tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True), names)
            if content:
                kept.append(f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}{{{content}}}")
        elif rule.type == "at-rule" and rule.lower_at_keyword != "charset":
            kept.append(rule.serialize())
    return "\n".join(kept)


def read_style(path, home):
    """Return a style sheet and those that it imports, its addresses seen from the folder `home`."""

    def imported(found):
        return read_style(path.parent / found[1], home)

    def moved(found):
        target = posixpath.normpath(posixpath.join(path.parent.relative_to(home).as_posix(), found[2]))
        return f"url({found[1]}{target}{found[1]})"

    text = re.sub(r"/\*.*?\*/", "", path.read_text("utf-8"), flags=re.DOTALL)
    text = re.sub(r'''url\((["']?)(?!data:|#|\w+:)([^)"']+)\1\)''', moved, text)
    return re.sub(r'@import "([^"]+)";', imported, text)


def cut_icons(style, home):
    """Put into the style the icons that it shows, in place of the fonts that have all of them."""
    # Icons are characters of their own, a few those of ASCII; the theme has some in properties, beside those in `content`.
    shown = "".join(text for text in re.findall('"([^"]*)"', style) if len(text) == 1 or not text.isascii())

    def cut(found):
        source = re.search(r"url\(([^)]*fontawesome[^)]*\.woff2)\)", found[0])
        if not source:
            return found[0]
        options = subset.Options(flavor="woff2", layout_features=[], name_IDs=[0, 1, 2, 13, 14])
        with subset.load_font(home / source[1], options) as font:
            if not set(map(ord, shown)) & set(font.getBestCmap()):
                return ""
            cutter = subset.Subsetter(options)
            cutter.populate(text=shown)
            cutter.subset(font)
            written = io.BytesIO()
            subset.save_font(font, written, options)
        data = base64.b64encode(written.getvalue()).decode()
        return re.sub(r"src:[^;}]*", f'src:url(data:font/woff2;base64,{data}) format("woff2")', found[0])

    subset.log.setLevel("WARNING")  # else its steps are printed with the build's
    return re.sub(r"@font-face\s*\{[^}]*\}", cut, style)


def bundle_style(site, pages):
    """Write one style sheet with what the pages use of theirs, and return the end of its address."""
    sheets = dict.fromkeys(sheet for page in pages.values() for sheet in page["sheets"])  # in the order in which the pages have them
    home = site / "_static"
    whole = "\n".join(read_style(site / sheet, home) for sheet in sheets)
    names = used_names(site, pages)

    def write(file):
        style = purge(tinycss2.parse_stylesheet(whole, skip_comments=True, skip_whitespace=True), names)
        file.write(f"/* What the pages use of {', '.join(sheets)} */\n{cut_icons(style, home)}".encode())

    style = kept("site.css", (whole, sorted(names), [*sheets], Path(__file__).read_text("utf-8")), write).read_text("utf-8")
    (site / BUNDLE).write_text(style, "utf-8", newline="\n")
    return f"?v={hashlib.sha256(style.encode()).hexdigest()[:8]}"


# --- figures -------------------------------------------------------------------------------------------------------------


def on_white(picture):
    """Return a picture without transparency, as paper shows it; Pillow alone would put what is transparent on black."""
    picture = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")


def to_webp(path):
    """Replace a PNG by a WebP, which loses nothing and has half the bytes."""
    with Image.open(path) as picture:
        webp = kept("figure.webp", (path.stem, LOSSLESS, inspect.getsource(on_white)), lambda file: on_white(picture).save(file, "webp", **LOSSLESS))
    shutil.copyfile(webp, path.with_suffix(".webp"))
    path.unlink()


@functools.cache
def size(path):
    with Image.open(path) as picture:
        return picture.size


def light_figures(folder, text):
    """Let a page's figures come as WebP, when the reader comes near, into a place that is kept for them."""
    seen = 0

    def placed(found):
        nonlocal seen
        tag, source = found[0], re.search(r'\bsrc="([^"?]+)', found[0])
        path = folder / source[1]
        if path.suffix in (".svg", ".gif") or not path.is_file():
            return tag
        # MyST-NB writes the size that a notebook gives a figure as its style, which would squeeze it on a narrow page.
        tag = re.sub(r' style="width: (\d+)px; height: (\d+)px;"', r' width="\1" height="\2"', tag)
        if "width=" not in tag:
            width, height = size(path)
            tag = tag.replace("<img", f'<img width="{width}" height="{height}"', 1)
        seen += 1
        if seen > 1 and "loading=" not in tag:  # the first may be in sight
            tag = tag.replace("<img", '<img loading="lazy"', 1)
        return tag

    return re.sub(r"<img\b[^>]*>", placed, re.sub(FIGURE, r"_images/\1.webp", text))


# -------------------------------------------------------------------------------------------------------------------------


def lighter(site, path):
    """Return a page with light figures and one style sheet, whose address has no end yet, and what that sheet is made of."""
    text = defer_scripts(light_figures(path.parent, path.read_text("utf-8")))
    link = r'[ \t]*<link\b(?=[^>]*\brel="stylesheet")[^>]*\bhref="([^"?]+)[^"]*"[^>]*>\n?'
    name = path.relative_to(site).as_posix()
    sheets = [posixpath.normpath(posixpath.join(posixpath.dirname(name), address)) for address in re.findall(link, text)]
    names = sorted(names_in(text))
    scripts = re.findall(r'<script[^>]* src="[^"?]*?([^/"?]+\.js)', text)
    ours = f'    <link rel="stylesheet" href="{"../" * name.count("/")}{BUNDLE}">\n'
    first = re.search(link, text)
    text = re.sub(link, lambda found: ours if found.start() == first.start() else "", text)
    return {"text": text, "names": names, "scripts": scripts, "sheets": sheets}


def lighten(app, error):
    """Go once more over the site when it is complete.

    The pages as Sphinx wrote them are kept beside it, for the next build, and what became of them.
    """
    if error or app.builder.name != "html":
        return
    site = Path(app.outdir)
    shutil.rmtree(site.with_name("raw"), ignore_errors=True)
    shutil.copytree(site, site.with_name("raw"))
    with ThreadPoolExecutor() as pool:
        list(pool.map(to_webp, (path for path in site.glob("_images/*.png") if re.fullmatch(FIGURE, f"_images/{path.name}"))))
    paths = [path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts]
    pages = {path: json.loads(once(site, path, "json", lambda: json.dumps(lighter(site, path)))) for path in paths}
    shown = {name for page in pages.values() for name in re.findall(r'social_previews/([^"]+)', page["text"])}
    for card in site.glob("_images/social_previews/*"):
        if card.name not in shown:
            card.unlink()  # of a page's text in an earlier build
    measure_later(site)
    version = bundle_style(site, pages)
    for path, page in pages.items():
        path.write_text(page["text"].replace(f'{BUNDLE}"', f'{BUNDLE}{version}"', 1), "utf-8", newline="\n")


def setup(app):
    app.connect("builder-inited", merge_code)
    app.connect("html-page-context", choose_scripts, priority=950)  # after those who add
    app.connect("build-finished", lighten, priority=900)  # after those who write
    return {"parallel_read_safe": True, "parallel_write_safe": True}
