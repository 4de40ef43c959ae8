"""Drawings of the helpers, made without pyplot and compared with stored ones."""

import io
import os
from pathlib import Path

import matplotlib.style
import numpy as np
import pytest
from figures import assert_looks_like
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

BOOK = Path(__file__).resolve().parents[1]
BASELINE = Path(__file__).with_name("baseline")


def new_axes():
    """Return an Axes in the book's style on a small figure that pyplot does not know."""
    with matplotlib.style.context(["default", BOOK / "helpers" / "book.mplstyle"]):
        return Figure(figsize=(4, 2.4), dpi=80, layout="constrained").subplots()


def draw_png(ax):
    """Return the PNG of an Axes' figure, as bytes."""
    buffer = io.BytesIO()
    ax.figure.savefig(buffer)
    return buffer.getvalue()


def assert_like_baseline(ax, name):
    """Compare a drawing with the one in tests/baseline.

    With NEW_BASELINE=1 in the environment, store it there instead.
    """
    path = BASELINE / f"{name}.png"
    if os.environ.get("NEW_BASELINE"):
        path.write_bytes(draw_png(ax))
        pytest.skip(f"Stored {path.name}: look at it before you commit it.")
    assert_looks_like(draw_png(ax), path.read_bytes())


def pixel(ax, x, y):
    """Return the (red, green, blue), from 0 to 255, that is drawn at a point in data coordinates."""
    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    picture = np.asarray(canvas.buffer_rgba())
    column, line = ax.transData.transform((x, y)).astype(int)
    return tuple(picture[-1 - line, column, :3].tolist())
