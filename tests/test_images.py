"""Pictures from rows: every pixel at its place, on one grey scale, ink dark."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from drawings import assert_like_baseline, new_axes, pixel
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.datasets import load_digits

import helpers

DIGITS = load_digits().data
PIXELS = st.floats(-1e6, 1e6)
quick = settings(max_examples=40, deadline=None)


@st.composite
def galleries(draw):
    """Rows of pixels, and the shape of a row's picture."""
    height, width, n_rows = (draw(st.integers(1, 5)) for _ in range(3))
    return draw(arrays(float, (n_rows, height * width), elements=PIXELS)), (height, width)


def drawn(ax):
    """Return the numbers of the one image of an Axes, NaN where it has none."""
    (image,) = ax.images
    return np.ma.filled(image.get_array(), np.nan)


# One picture


@quick
@given(galleries())
def test_a_row_is_drawn_line_by_line(gallery):
    rows, (height, width) = gallery
    ax = helpers.plot_image(rows[0], ax=new_axes(), shape=(height, width))
    assert drawn(ax).shape == (height, width)
    assert drawn(ax).ravel().tolist() == rows[0].tolist()
    assert ax.images[0].get_clim() == (rows[0].min(), rows[0].max())


def test_more_is_darker():
    ax = helpers.plot_image([0, 4, 8, 12, 14, 16], ax=new_axes(), shape=(2, 3))
    shades = [pixel(ax, x, y) for y in range(2) for x in range(3)]
    expected = [255 * (1 - ink / 16) for ink in [0, 4, 8, 12, 14, 16]]
    assert [red for red, _, _ in shades] == pytest.approx(expected, abs=1)
    assert all(red == green == blue for red, green, blue in shades)


def test_white_and_black_can_be_set():
    ax = helpers.plot_image([-5, 0, 16, 30], ax=new_axes(), vmin=0, vmax=16)
    assert [pixel(ax, x, y)[0] for y in range(2) for x in range(2)] == [255, 255, 0, 0]
    ax = helpers.plot_image([8, 8, 8, 8], ax=new_axes(), vmin=0, vmax=16)
    assert pixel(ax, 0, 0)[0] == pytest.approx(127, abs=1)


def test_one_shade_is_drawn_as_paper():
    assert pixel(helpers.plot_image(np.zeros(64), ax=new_axes()), 3, 3) == (255, 255, 255)


def test_squares_need_no_shape():
    assert drawn(helpers.plot_image(DIGITS[0], ax=new_axes())).shape == (8, 8)
    assert drawn(helpers.plot_gallery(DIGITS[:1], ax=new_axes())).shape == (8, 8)


@pytest.mark.parametrize(
    "draw",
    [lambda ax: helpers.plot_image(DIGITS[0], ax=ax), lambda ax: helpers.plot_gallery(DIGITS[:9], ax=ax)],
    ids=["image", "gallery"],
)
def test_no_ticks_square_pixels_and_no_new_figure(draw):
    ax, figures, before = new_axes(), plt.get_fignums(), DIGITS.copy()
    assert draw(ax) is ax
    assert plt.get_fignums() == figures
    assert not ax.get_xticks().size and not ax.get_yticks().size
    assert ax.get_aspect() == 1
    assert (DIGITS == before).all()


# Galleries


@quick
@given(galleries(), st.integers(1, 7))
def test_tiles_stand_in_reading_order_with_gaps_between(gallery, columns):
    rows, (height, width) = gallery
    picture = drawn(helpers.plot_gallery(rows, ax=new_axes(), columns=columns, shape=(height, width)))
    for n, row in enumerate(rows):
        line, column = divmod(n, columns)
        top, left = line * (height + 1), column * (width + 1)
        assert picture[top : top + height, left : left + width].ravel().tolist() == row.tolist()
        # The gap below and to the right, or the border of the picture.
        assert np.isnan(picture[top + height : top + height + 1, left : left + width]).all()
        assert np.isnan(picture[top : top + height, left + width : left + width + 1]).all()
    used = min(columns, len(rows))
    n_lines = -(-len(rows) // columns)
    assert picture.shape == (n_lines * (height + 1) - 1, used * (width + 1) - 1)
    assert np.count_nonzero(~np.isnan(picture)) == rows.size


@quick
@given(galleries())
def test_all_tiles_share_one_grey_scale(gallery):
    rows, shape = gallery
    ax = helpers.plot_gallery(rows, ax=new_axes(), shape=shape)
    assert ax.images[0].get_clim() == (rows.min(), rows.max())
    ax = helpers.plot_gallery(rows, ax=new_axes(), shape=shape, vmin=-2e6, vmax=2e6)
    assert ax.images[0].get_clim() == (-2e6, 2e6)


def test_a_gap_is_neither_ink_nor_paper():
    ax = helpers.plot_gallery([[0] * 4, [9] * 4], ax=new_axes())
    assert pixel(ax, 0, 0) == (255, 255, 255)
    assert pixel(ax, 3, 0) == (0, 0, 0)
    red, green, blue = pixel(ax, 2, 0)
    assert 180 < red < green < blue < 250


# Bad input

NAN = float("nan")
BAD_OPTIONS = [
    ({"ax": None}, TypeError, "ax must be one matplotlib Axes, .* but is NoneType None"),
    ({"shape": (3, 5)}, ValueError, r"height \* width = 64, a row's pixels, but is tuple \(3, 5\)"),
    ({"shape": (-8, -8)}, ValueError, r"height \* width = 64, a row's pixels, but is tuple \(-8, -8\)"),
    ({"shape": 8}, ValueError, r"shape must be two whole numbers \(height, width\), but is int 8"),
    ({"shape": (8, 8.0)}, ValueError, r"shape must be two whole numbers \(height, width\), but is tuple \(8, 8.0\)"),
    ({"shape": (8, 8, 1)}, ValueError, r"shape must be two whole numbers .* but is tuple \(8, 8, 1\)"),
    ({"vmin": 5, "vmax": 4}, ValueError, "vmin must not be above vmax, but white is 5 and black is 4"),
    ({"vmin": 99}, ValueError, "vmin must not be above vmax, but white is 99 and black is 1"),
    ({"vmin": "white"}, ValueError, r"vmin must be one number, but is str 'white'"),
    ({"vmax": NAN}, ValueError, "vmax must be finite"),
]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        *BAD_OPTIONS,
        ({"row": DIGITS[:2]}, ValueError, r"row must be numbers of shape \(P,\), but has shape \(2, 64\)"),
        ({"row": []}, ValueError, r"row must be numbers of shape \(P,\), but has shape \(0,\)"),
        ({"row": [1, NAN, NAN, 4]}, ValueError, "row must be finite, but 2 of its 4 numbers are NaN or infinite"),
        ({"row": ["a"]}, ValueError, r"row must be numbers of shape \(P,\), but is list \['a'\]"),
        ({"row": range(6)}, ValueError, r"shape must be given as \(height, width\), because a row of 6 pixels"),
    ],
)
def test_bad_images_are_refused(arguments, error, message):
    ax = new_axes()
    with pytest.raises(error, match=message):
        helpers.plot_image(**{"row": DIGITS[0], "ax": ax} | arguments)
    assert not ax.images


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        *BAD_OPTIONS,
        ({"rows": DIGITS[0]}, ValueError, r"rows must be numbers of shape \(N, P\), but has shape \(64,\)"),
        ({"rows": DIGITS[:0]}, ValueError, r"rows must be numbers of shape \(N, P\), but has shape \(0, 64\)"),
        ({"rows": [[1, np.inf]]}, ValueError, "rows must be finite, but 1 of its 2 numbers are NaN or infinite"),
        ({"rows": [[1, 2], [3]]}, ValueError, r"rows must be numbers of shape \(N, P\), but is list"),
        ({"rows": np.eye(3, 6)}, ValueError, "shape must be given .* because a row of 6 pixels is not a square"),
        ({"columns": 0}, ValueError, "columns must be a whole number of at least 1, but is int 0"),
        ({"columns": 2.0}, ValueError, "columns must be a whole number of at least 1, but is float 2.0"),
        ({"columns": None}, ValueError, "columns must be a whole number of at least 1, but is NoneType None"),
    ],
)
def test_bad_galleries_are_refused(arguments, error, message):
    ax = new_axes()
    with pytest.raises(error, match=message):
        helpers.plot_gallery(**{"rows": DIGITS[:4], "ax": ax} | arguments)
    assert not ax.images


# What it looks like


def test_an_image_looks_as_before():
    assert_like_baseline(helpers.plot_image(DIGITS[5], ax=new_axes()), "image")


def test_a_gallery_looks_as_before():
    assert_like_baseline(helpers.plot_gallery(DIGITS[:14], ax=new_axes(), columns=6), "gallery")
