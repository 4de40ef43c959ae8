"""A Sphinx extension that sets formulas as MathML when the book is built, with a font cut to what they need.

Every builder that writes HTML has them: the site, one long page for the PDF, EPUB. No page runs a script for it.
"""

import functools
import inspect
import re
import shutil
import unicodedata
from html import unescape
from pathlib import Path

from docutils import nodes
from fontTools import subset
from lighten import kept
from math_core import LatexError, LatexToMathML
from sphinx.locale import _
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

FONT = Path(__file__).with_name("fonts") / "stix-two-math.woff2"  # see README.md there
CUT = "_static/formulas.woff2"  # formulas.css asks for it

# A letter that stands alone is set in italics, which are other characters of the font.
ITALIC = {"h": "\N{PLANCK CONSTANT}"}
for code in (*range(0x1D434, 0x1D468), *range(0x1D6E2, 0x1D71C)):
    if upright := unicodedata.decomposition(chr(code)).removeprefix("<font> "):
        ITALIC[chr(int(upright, 16))] = chr(code)

logger = logging.getLogger(__name__)


def whole(node):
    """Return the TeX of a formula's node with the environments that it takes for granted.

    Blank lines part the equations of a block; `split` is amsmath's `aligned`. Numbers are Sphinx's, beside the block.
    """
    tex = node.astext()
    if isinstance(node, nodes.math):
        return tex
    if node.get("nowrap"):
        return re.sub(r"\\(begin|end)\{(equation|align|gather|multline)\}", r"\\\1{\2*}", tex)
    parts = [part.strip() for part in re.sub(r"\\(begin|end)\{split\}", r"\\\1{aligned}", tex).split("\n\n") if part.strip()]
    parts = [rf"\begin{{aligned}}{part}\end{{aligned}}" if r"\\" in part and r"\begin" not in part else part for part in parts]
    if len(parts) > 1:
        return r"\begin{gathered}" + r"\\ ".join(parts) + r"\end{gathered}"
    return rf"\begin{{equation*}}{parts[0]}\end{{equation*}}" if r"\tag" in tex and r"\begin" not in tex else "".join(parts)


@functools.cache
def mathml(tex, display, macros=()):
    """Return a formula as MathML; a `LatexError` says where its mistake is.

    Parameters
    ----------
    tex : str
        The formula, without dollars.
    display : bool
        Whether it stands on a line of its own.
    macros : tuple of (str, str), optional
        Commands of one's own: their names without a backslash, and what they stand for.
    """
    converter = LatexToMathML(macros=dict(macros), xml_namespace=True, fancy_error=False)
    set_formula = converter.convert_with_local_state(tex, displaystyle=display)
    set_formula = re.sub("<mo>([′″‴⁗])</mo>", r'<mo class="prime">\1</mo>', set_formula)  # formulas.css makes it larger
    return set_formula.replace("&ApplyFunction;", "\N{FUNCTION APPLICATION}")  # EPUB is XML, which knows no such entity


def read_formulas(app, doctree):
    """Warn of each formula with a mistake, which stops the build, and note the others."""
    found = formulas_of(app.env)[app.env.docname] = set()
    for node in doctree.findall(lambda node: isinstance(node, (nodes.math, nodes.math_block))):
        try:
            found.add(mathml(*arguments(app, node)))
        except LatexError as error:
            place, _, reason = str(error).partition(": ")
            near = whole(node).encode()[: int(place)].decode("utf-8", "ignore") if place.isdigit() else ""
            logger.warning("formula %s, after %r: %s", node.astext().strip(), near, reason or error, location=node)


def arguments(app, node):
    return whole(node), isinstance(node, nodes.math_block), tuple(sorted(app.config.formula_macros.items()))


def formulas_of(env):
    """Return the dictionary of the formulas of each page, which is kept with the environment."""
    if not hasattr(env, "formulas"):
        env.formulas = {}
    return env.formulas


def merge_formulas(app, env, docnames, other):
    formulas_of(env).update({name: formulas_of(other)[name] for name in docnames if name in formulas_of(other)})


def cut_font(app, env):
    """Write the part of the font that the formulas of the book need, with all sizes of the signs that stretch."""
    if app.builder.format != "html":
        return
    subset.log.setLevel("WARNING")  # else its steps are printed with the build's
    found = "".join(set().union(*formulas_of(env).values()))
    roots = [root[0] for root in re.finditer(r"<(msqrt|mroot)\b.*?</\1>", found)]
    used = set(unescape(re.sub("<[^>]+>", "", found))) | ({"√"} if roots else set())  # which MathML does not write
    used.update([ITALIC[letter] for letter in used if letter in ITALIC])
    small = not re.search('<m(frac|under|over(?! accent="true")|table)', "".join(roots))  # an accent makes no line taller
    text = "".join(sorted(used))
    path = Path(app.outdir) / CUT
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(kept("formulas.woff2", (text, small, FONT.read_bytes(), inspect.getsource(cut)), lambda file: cut(file, text, small)), path)


def cut(file, text, small):
    """Write the part of the font that a text needs; `small` says that no root in it is taller than a line."""
    options = subset.Options(flavor="woff2", layout_features=[], hinting=False, name_IDs=[0, 1, 2, 13, 14])  # with its copyright and licence
    with subset.load_font(FONT, options) as font:
        if small:
            # Chromium keeps room for the widest sign of a root behind each. A line needs the first sign alone.
            variants = font["MATH"].table.MathVariants
            signs = variants.VertGlyphConstruction[variants.VertGlyphCoverage.glyphs.index(font.getBestCmap()[ord("√")])]
            signs.GlyphAssembly, signs.MathGlyphVariantRecord = None, signs.MathGlyphVariantRecord[:1]
        cutter = subset.Subsetter(options)
        cutter.populate(text=text)
        cutter.subset(font)
        # Browsers set the index of a p lower than that of an x, and the power of an h higher. TeX does not, and nor do
        # they with these distances from the bottom and top of what has the index, in thousandths of the font's size.
        constants = font["MATH"].table.MathConstants
        constants.SubscriptBaselineDropMin.Value = -10
        constants.SuperscriptBaselineDropMax.Value = 346
        constants.RadicalVerticalGap.Value = 140  # else the bar of a root lies on a capital
        subset.save_font(font, file, options)


def visit_formula(self, node):
    """Write a formula; TeX goes with it for who copies it (book.js) and for browsers that know no MathML (formulas.css)."""
    tex, display, macros = arguments(self.builder.app, node)
    try:
        body = mathml(tex, display, macros).partition(">")[2].removesuffix("</math>")
    except LatexError:  # told when it was read
        self.body.append(f"<code>{self.encode(tex)}</code>")
        raise nodes.SkipNode from None
    attributes = {"xmlns": "http://www.w3.org/1998/Math/MathML", "alttext": node.astext().strip()}
    if display:
        self.body.append(self.starttag(node, "div", CLASS="math notranslate"))
        if node.get("number"):
            self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
            self.add_permalink_ref(node, _("Link to this equation"))
            self.body.append("</span>")
        self.body.append(self.starttag({}, "math", "", display="block", **attributes) + body + "</math></div>\n")
    else:
        self.body.append(self.starttag(node, "math", "", CLASS="math notranslate", **attributes) + body + "</math>")
    raise nodes.SkipNode


def setup(app):
    app.add_config_value("formula_macros", {}, "env")
    app.add_html_math_renderer("mathml", (visit_formula, None), (visit_formula, None))
    # Sphinx's list of what an EPUB may hold is older than this kind of font.
    app.connect("builder-inited", lambda app: getattr(app.builder, "media_types", {}).setdefault(".woff2", "font/woff2"))
    app.connect("doctree-read", read_formulas)
    app.connect("env-merge-info", merge_formulas)
    app.connect("env-check-consistency", cut_font)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
