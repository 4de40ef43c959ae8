"""Checks of arguments that the helpers share."""

from numbers import Integral

import numpy as np
from matplotlib.axes import Axes


def check_axes(ax):
    """Raise a TypeError unless `ax` is one matplotlib Axes."""
    if not isinstance(ax, Axes):
        raise TypeError(
            f"ax must be one matplotlib Axes, as from `fig, ax = plt.subplots()`, but is {describe(ax)}."
        )


def check_numbers(name, value, shape):
    """Return `value` as an array of finite floats.

    Parameters
    ----------
    name : str
        The argument's name, for the error.
    value : array_like
    shape : tuple of int or str
        The expected shape; a letter stands for any length but 0.

    Raises
    ------
    ValueError
        If `value` is not numeric, has another shape, or has a NaN or an infinity.
    """
    wanted = f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
    kind = f"numbers of shape {wanted}" if shape else "one number"
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be {kind}, but is {describe(value)}.") from None
    fits = array.ndim == len(shape) and all(
        got > 0 if isinstance(want, str) else got == want for got, want in zip(array.shape, shape)
    )
    if not fits:
        raise ValueError(f"{name} must be {kind}, but has shape {array.shape}.")
    if not np.isfinite(array).all():
        bad = np.count_nonzero(~np.isfinite(array))
        raise ValueError(f"{name} must be finite, but {bad} of its {array.size} numbers are NaN or infinite.")
    return array


def check_whole(name, value, least):
    """Return `value`, or raise a ValueError unless it is a whole number of at least `least`."""
    if not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, but is {describe(value)}.")
    return value


def describe(value):
    """Return a short text that says what `value` is, for an error message."""
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"
