"""Pictures from rows of pixels, as a table of digits stores them."""

import math
from operator import index

import matplotlib
import numpy as np

from helpers._checks import check_axes, check_numbers, check_whole, describe

FRAME = "#d5dde7"  # between the tiles, and around a picture


def plot_image(row, *, ax, shape=None, vmin=None, vmax=None):
    """Draw one row of pixels as a picture: dark ink on light paper.

    Parameters
    ----------
    row : array_like, shape (P,)
        Pixels, the picture's lines one after another; a larger number is more ink.
    ax : matplotlib.axes.Axes
        Where to draw.
    shape : tuple of int, optional
        The picture's (height, width), height * width = P. Default: the square,
        if P is one.
    vmin, vmax : float, optional
        What is drawn white, and black. Default: the row's smallest and largest
        number. Give both to compare pictures with each other.

    Returns
    -------
    matplotlib.axes.Axes
        `ax`.

    Raises
    ------
    TypeError
        If `ax` is not an Axes.
    ValueError
        If `row` is not numeric, not one-dimensional, empty or not finite; if
        `shape` does not fit it, or is missing for a row that is no square; if
        `vmin` is above `vmax`, or one of them is no finite number.

    See Also
    --------
    plot_gallery : Many pictures at once.
    """
    check_axes(ax)
    row = check_numbers("row", row, ("P",))
    picture = row.reshape(check_shape(shape, row.size))
    return draw(picture, ax, *check_range(row, vmin, vmax))


def plot_gallery(rows, *, ax, columns=10, shape=None, vmin=None, vmax=None):
    """Draw many rows of pixels as one picture of tiles, all on one grey scale.

    Parameters
    ----------
    rows : array_like, shape (N, P)
        One picture a row, its lines one after another; a larger number is more ink.
    ax : matplotlib.axes.Axes
        Where to draw.
    columns : int, default 10
        Tiles side by side. They are filled from left to right, then downwards.
    shape : tuple of int, optional
        Each picture's (height, width), height * width = P. Default: the square,
        if P is one.
    vmin, vmax : float, optional
        What is drawn white, and black. Default: the smallest and the largest
        number of all rows.

    Returns
    -------
    matplotlib.axes.Axes
        `ax`. One pixel is one unit of its axes.

    Raises
    ------
    TypeError
        If `ax` is not an Axes.
    ValueError
        If `rows` is not numeric, not two-dimensional, empty or not finite; if
        `columns` is not a whole number of at least 1; if `shape`, `vmin` or
        `vmax` is bad as in `plot_image`.
    """
    check_axes(ax)
    rows = check_numbers("rows", rows, ("N", "P"))
    columns = min(check_whole("columns", columns, 1), len(rows))
    height, width = check_shape(shape, rows.shape[1])
    lines = math.ceil(len(rows) / columns)

    # Each tile brings the gap to its left and above it; those at the border are cut off.
    tiles = np.full((lines * columns, height + 1, width + 1), np.nan)
    tiles[: len(rows), 1:, 1:] = rows.reshape(-1, height, width)
    picture = tiles.reshape(lines, columns, height + 1, width + 1).swapaxes(1, 2).reshape(lines * (height + 1), -1)
    return draw(picture[1:, 1:], ax, *check_range(rows, vmin, vmax))


def draw(picture, ax, vmin, vmax):
    """Draw a picture, NaN as frame, without ticks, and return its Axes."""
    ink = matplotlib.colormaps["gray_r"].with_extremes(bad=FRAME)
    ax.imshow(picture, cmap=ink, vmin=vmin, vmax=vmax, interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set(visible=True, color=FRAME)
    return ax


def check_shape(shape, n_pixels):
    """Return the height and width of a picture of `n_pixels`."""
    if shape is None:
        side = math.isqrt(n_pixels)
        if side * side != n_pixels:
            raise ValueError(
                f"shape must be given as (height, width), because a row of {n_pixels} pixels is not a square."
            )
        return side, side
    try:
        height, width = map(index, shape)
    except (TypeError, ValueError):
        raise ValueError(f"shape must be two whole numbers (height, width), but is {describe(shape)}.") from None
    if min(height, width) < 1 or height * width != n_pixels:
        raise ValueError(
            f"shape must be (height, width) with height * width = {n_pixels}, a row's pixels, but is {describe(shape)}."
        )
    return height, width


def check_range(pixels, vmin, vmax):
    """Return the numbers to be drawn white and black."""
    low = pixels.min() if vmin is None else check_numbers("vmin", vmin, ())
    high = pixels.max() if vmax is None else check_numbers("vmax", vmax, ())
    if low > high:
        raise ValueError(f"vmin must not be above vmax, but white is {low:g} and black is {high:g}.")
    return float(low), float(high)
