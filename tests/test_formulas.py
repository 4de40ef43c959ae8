"""Formulas: what TeX becomes, how a mistake is told, and that the site, the PDF's one long page and EPUB have them."""

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import formulas
import pytest
from docutils import nodes
from fontTools.ttLib import TTFont
from math_core import LatexError

THEME = Path(formulas.__file__).parent
SETTINGS = f"""
import sys
sys.path.insert(0, {str(THEME)!r})
project, copyright, version, html_title = "A book", "2026", "1", "A book"
extensions = ["myst_parser", "formulas"]
myst_enable_extensions = ["amsmath", "dollarmath"]
html_math_renderer = "mathml"
formula_macros = {{"R": r"\\mathbb{{R}}"}}
html_static_path = [{str(THEME / "static")!r}]
html_css_files = ["formulas.css"]
"""
PAGE = r"""
# About $\theta$

On a line, $\hat\theta \in \R$ and $a < b$.

$$
\ln p(x) = \sum_n x_n
$$ (sum)

Its roots are $\sqrt{2}$.

See {eq}`sum`.

\begin{align}
a &= b \\
&= c \tag{*}
\end{align}
"""


def leaves(tex, display=False):
    return [leaf.text for leaf in ElementTree.fromstring(formulas.mathml(tex, display)).iter() if leaf.text]


@pytest.mark.parametrize("builder", ["html", "singlehtml", "epub"])
def test_every_builder_sets_numbers_and_links_formulas(tmp_path, builder):
    (tmp_path / "conf.py").write_text(SETTINGS, "utf-8")
    (tmp_path / "index.md").write_text(PAGE, "utf-8")
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-b", builder, "-d", tmp_path / "read", tmp_path, tmp_path / "built"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
    page = next((tmp_path / "built").glob("index.*html")).read_text("utf-8")
    found = re.findall(r"<math\b.*?</math>", page, flags=re.DOTALL)
    told = [ElementTree.fromstring(formula).get("alttext") for formula in found]
    assert {r"\theta", r"\hat\theta \in \R", "a < b", r"\ln p(x) = \sum_n x_n"} <= set(told)
    assert "ℝ" in page and ">(*)<" in page
    assert re.search(r'<span class="eqno">\(1\)<a class="headerlink" href="[^"]*#(equation-sum)"|<span class="eqno">\(1\)</span>', page)
    assert re.search(r'<div class="math [^"]*" id="equation-sum">', page)
    assert re.search(r'<a class="reference internal" href="[^"]*#equation-sum">\(1\)</a>', page)
    assert set(map(ord, "ℝ∑*(<√")) <= set(TTFont(tmp_path / "built" / formulas.CUT).getBestCmap())


@pytest.mark.parametrize(("tex", "sizes"), [(r"\sqrt{N}", 1), (r"\sqrt{N} + \frac{1}{2}", 1), (r"\sqrt{\frac{1}{N}}", 4)])
def test_the_font_has_the_sizes_of_a_root_that_are_used(tmp_path, tex, sizes):
    env = SimpleNamespace(formulas={"page": {formulas.mathml(tex, False)}})
    formulas.cut_font(SimpleNamespace(builder=SimpleNamespace(format="html"), outdir=tmp_path), env)
    font = TTFont(tmp_path / formulas.CUT)
    variants = font["MATH"].table.MathVariants
    signs = variants.VertGlyphConstruction[variants.VertGlyphCoverage.glyphs.index(font.getBestCmap()[ord("√")])]
    assert len(signs.MathGlyphVariantRecord) == sizes
    assert bool(signs.GlyphAssembly) == (sizes > 1)


@pytest.mark.parametrize(
    ("tex", "found"),
    [
        (r"\mathcal{N}(x \mid \mu, \sigma^2)", ["(", "x", "∣", "μ", ",", "σ", "2", ")"]),
        ("f'(x)", ["f", "′", "(", "x", ")"]),
        (r"\operatorname{KL}(q \,\|\, p)", ["KL", "(", "q", "‖", "p", ")"]),
    ],
)
def test_what_tex_becomes(tex, found):
    assert [leaf for leaf in leaves(tex) if leaf in found] == found


@pytest.mark.parametrize(
    ("tex", "whole"),
    [
        ("a = b", "a = b"),
        (r"a &= b \\ c &= d", r"\begin{aligned}a &= b \\ c &= d\end{aligned}"),
        (r"\begin{split}a &= b \\ c &= d\end{split}", r"\begin{aligned}a &= b \\ c &= d\end{aligned}"),
        ("a = b\n\nc = d", r"\begin{gathered}a = b\\ c = d\end{gathered}"),
        (r"a = b \tag{1}", r"\begin{equation*}a = b \tag{1}\end{equation*}"),
        (r"\begin{pmatrix}1 \\ 2\end{pmatrix}", r"\begin{pmatrix}1 \\ 2\end{pmatrix}"),
    ],
)
def test_environments_that_are_taken_for_granted(tex, whole):
    assert formulas.whole(nodes.math_block(tex, tex)) == whole
    formulas.mathml(whole, True)


@pytest.mark.parametrize("tex", [r"\frac{1", r"\unheard", r"\left( x", "a & b", r"x_", r"\begin{aligned} a"])
def test_a_mistake_is_an_error(tex):
    with pytest.raises(LatexError):
        formulas.mathml(tex, False)
