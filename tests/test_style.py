"""The style: applied by the import, readable on a phone, and a palette that every reader can tell apart."""

import base64
import io
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from PIL import Image

import helpers

STYLE = Path(helpers.__file__).with_name("book.mplstyle")
RC = matplotlib.rc_params_from_file(STYLE, use_default_template=False)

# Linear RGB as a reader without one kind of cone sees it: G. M. Machado, M. M. Oliveira and L. A. F. Fernandes,
# "A physiologically-based model for simulation of color vision deficiency", IEEE Transactions on Visualization
# and Computer Graphics 15 (2009) 1291-1298, doi:10.1109/TVCG.2009.113, the matrices of severity 1.
VISIONS = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
# From linear sRGB to CIE XYZ, white D65: IEC 61966-2-1:1999.
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(color):
    """Return a colour's linear RGB (IEC 61966-2-1)."""
    rgb = np.array(to_rgb(color))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(color, vision="normal"):
    """Return a colour's CIE L*a*b* (CIE 15:2004) as a kind of vision sees it."""
    seen = np.clip(VISIONS[vision] @ linear(color), 0, 1)
    t = TO_XYZ @ seen / TO_XYZ.sum(axis=1)
    x, y, z = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def smallest_distance(colors, vision):
    """Return the distance of the two closest colours in L*a*b*, where about 2.3 is just noticeable."""
    return min(np.linalg.norm(lab(a, vision) - lab(b, vision)) for a, b in combinations(colors, 2))


def contrast_with_white(color):
    """Return the contrast ratio of WCAG 2.1."""
    return 1.05 / (TO_XYZ[1] @ linear(color) + 0.05)


def test_the_measures_of_colour_are_right():
    assert lab("red") == pytest.approx([53.2, 80.1, 67.2], abs=0.1)  # known values of sRGB's red
    assert lab("white") == pytest.approx([100, 0, 0], abs=0.1)
    assert contrast_with_white("black") == pytest.approx(21)
    for matrix in VISIONS.values():  # grey stays grey for everyone
        assert np.sum(matrix, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    assert smallest_distance(["#c00000", "#5c7000"], "normal") > 60  # red and green are far apart
    assert smallest_distance(["#c00000", "#5c7000"], "protanopia") < 35


def test_import_applies_the_style_without_a_word():
    program = (
        "import matplotlib; matplotlib.use('agg'); import helpers; "
        "assert matplotlib.rcParams['axes.prop_cycle'].by_key()['color'] == helpers.COLORS; "
        "import matplotlib.pyplot as plt; fig, ax = plt.subplots(); "
        "print(matplotlib.rcParams['figure.dpi'], *fig.get_size_inches(), fig.get_facecolor())"
    )
    run = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True)
    assert (run.stdout.strip(), run.stderr) == ("96.0 6.0 3.6 (1.0, 1.0, 1.0, 1.0)", "")


def test_a_notebooks_figures_have_two_pixels_for_each_of_the_pages():
    cell = new_code_cell("%matplotlib inline\nimport helpers\nimport matplotlib.pyplot as plt\nplt.figure(figsize=(3, 2)).add_subplot()\nplt.show()")
    notebook = NotebookClient(new_notebook(cells=[cell]), kernel_name="python3").execute()
    output = notebook.cells[0].outputs[-1]
    width, height = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"]))).size
    shown = output.metadata["image/png"]
    assert (width // 2, height // 2) == (shown["width"], shown["height"])
    assert 0.9 * 288 < shown["width"] < 1.1 * 288  # three inches of 96


def test_colors_are_the_cycle():
    assert helpers.COLORS == [to_hex(color) for color in RC["axes.prop_cycle"].by_key()["color"]]
    assert len(set(helpers.COLORS)) == 8


def test_the_background_is_solid_white():
    assert to_hex(RC["figure.facecolor"], keep_alpha=True) == "#ffffffff"
    assert to_hex(RC["savefig.facecolor"], keep_alpha=True) == "#ffffffff"


def test_letters_can_be_read_on_a_phone():
    on_phone = 350 / (RC["figure.figsize"][0] * 72)  # CSS pixels a point, when a figure is 350 wide
    assert RC["font.size"] * on_phone >= 9
    assert RC["lines.linewidth"] * on_phone >= 1


@pytest.mark.parametrize("color", helpers.COLORS)
def test_each_colour_stands_out_from_white(color):
    assert contrast_with_white(color) >= 3  # WCAG 2.1, criterion 1.4.11


@pytest.mark.parametrize("vision", VISIONS)
def test_colours_differ_for_every_eye(vision):
    assert smallest_distance(helpers.COLORS, vision) >= 19
    assert smallest_distance(helpers.COLORS[:3], vision) >= 30


def test_the_first_three_colours_differ_in_print():
    lightness = [lab(color)[0] for color in helpers.COLORS[:3]]
    assert np.diff(sorted(lightness)).min() >= 10


def test_what_nobody_asks_for_is_not_imported():
    program = """
import sys, helpers
before = "sklearn" in sys.modules
found = [getattr(helpers, name) for name in helpers.__all__]
print(before, "sklearn" in sys.modules, len(found) > 10, {*helpers.__all__, "mixtures"} <= {*dir(helpers)}, helpers.mixtures.__name__)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("False True True True helpers.mixtures\n", "")
    with pytest.raises(AttributeError, match="module 'helpers' has no attribute 'load_tabel'"):
        _ = helpers.load_tabel
