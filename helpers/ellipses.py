"""Ellipses of two-dimensional Gaussians and of their mixtures.

The chapter on Gaussian mixtures explains them.
"""

import warnings

import matplotlib
import numpy as np
from matplotlib import patheffects
from matplotlib.colors import is_color_like, to_rgba
from matplotlib.patches import Ellipse

from helpers._checks import check_axes, check_numbers, describe
from helpers.mixtures import attribute, collapsed_components, full_covariances


def plot_gaussian(mean, covariance, *, ax, n_std=(1, 2, 3), color=None, alpha=0.2, label=None):
    """Draw the ellipses of a two-dimensional Gaussian.

    The n-sigma ellipse is the set of points x at Mahalanobis distance n from
    the mean, (x - mean)^T covariance^-1 (x - mean) = n^2. Its axes point along
    the covariance's eigenvectors; its semi-axes are n times the square roots
    of the eigenvalues.

    It holds a share 1 - exp(-n^2 / 2) of the probability: 39.3 % for n = 1,
    86.5 % for n = 2, 98.9 % for n = 3. That is less than the 68.3, 95.4 and
    99.7 % of an interval in one dimension.

    Parameters
    ----------
    mean : array_like, shape (2,)
        Centre, in the units of the axes.
    covariance : array_like, shape (2, 2)
        Symmetric and positive definite, in those units squared.
    ax : matplotlib.axes.Axes
        Where to draw. Limits that are not set by hand grow to hold the ellipses.
    n_std : float or sequence of float, default (1, 2, 3)
        How many standard deviations each ellipse reaches; all above 0.
    color : color, optional
        Default: the first colour of the palette.
    alpha : float, default 0.2
        Opacity of each ellipse's filling, from 0 to 1. Fillings add up towards
        the mean. The outline is always opaque.
    label : str, optional
        The Gaussian's entry in the legend.

    Returns
    -------
    matplotlib.axes.Axes
        `ax`.

    Raises
    ------
    TypeError
        If `ax` is not an Axes.
    ValueError
        If `ax` is polar, logarithmic or otherwise not linear; if `mean` or
        `covariance` is not numeric, not two-dimensional or not finite; if
        `covariance` is not symmetric or not positive definite; if `n_std` is
        empty or not above 0; if `alpha` is not from 0 to 1; if `color` is no
        colour.

    Notes
    -----
    The squared Mahalanobis distance of a D-dimensional Gaussian follows a
    chi-squared distribution with D degrees of freedom [1]_; with D = 2 its
    distribution function is 1 - exp(-x / 2).

    References
    ----------
    .. [1] T. W. Anderson, *An Introduction to Multivariate Statistical
       Analysis*, third edition, Wiley, 2003, section 3.3.
    """
    check_axes(ax)
    scales = [ax.name] if ax.name != "rectilinear" else [ax.get_xscale(), ax.get_yscale()]
    if scales != ["linear", "linear"]:
        raise ValueError(
            f"ax must have straight axes with linear scales, but is {' and '.join(dict.fromkeys(scales))}: "
            "there the curves of equal density are no ellipses. Draw the logarithms, or whatever the axes show, instead."
        )
    mean = check_numbers("mean", mean, (2,))
    covariance = check_covariance("covariance", covariance)
    n_std = np.sort(check_n_std(n_std))[::-1]  # the largest first, so that the smaller ones lie on it
    check_alpha(alpha)
    color = palette()[0] if color is None else color
    if not is_color_like(color):
        raise ValueError(f'color must be a colour, such as "black" or "#1b4f72", but is {describe(color)}.')

    variances, directions = np.linalg.eigh(covariance)  # in ascending order
    width, height = 2 * np.sqrt(variances[::-1])
    angle = np.degrees(np.arctan2(directions[1, 1], directions[0, 1])) % 180
    for n in n_std:
        ax.add_patch(
            Ellipse(
                mean,
                n * width,
                n * height,
                angle=angle,
                facecolor=to_rgba(color, alpha),
                edgecolor=color,
                linewidth=1.2,
                label=label,
                zorder=2.5,  # over points and lines, under text
            )
        )
        label = None  # one entry in the legend is enough
    ax.autoscale_view()
    return ax


def plot_mixture(mixture, *, ax, n_std=(1, 2, 3), colors=None, alpha=0.3, numbers=False):
    """Draw the ellipses of every component of a fitted two-dimensional mixture.

    Reads what the fit has found, and fits nothing itself.

    Parameters
    ----------
    mixture : object
        Has the attributes of a fitted `sklearn.mixture.GaussianMixture`:
        ``means_`` of shape (K, 2), ``weights_`` of shape (K,), ``covariances_``
        and ``covariance_type``. Without the last one it is taken to be "full".
    ax : matplotlib.axes.Axes
        Where to draw. Limits that are not set by hand grow to hold the ellipses.
    n_std : float or sequence of float, default (1, 2, 3)
        How many standard deviations each ellipse reaches; all above 0.
    colors : color or sequence of color, optional
        One colour for all components, or one for each; fewer are used in turn.
        Default: the palette.
    alpha : float, default 0.3
        Opacity of the filling of the component with the largest weight. The
        others' is smaller in proportion to their weights. Outlines are opaque.
    numbers : bool, default False
        Whether to write each component's number, as in ``mixture.predict``, at
        its mean, so that many components can be told apart without colour.

    Returns
    -------
    matplotlib.axes.Axes
        `ax`.

    Raises
    ------
    AttributeError
        If `mixture` lacks an attribute, as before its fit.
    TypeError
        If `ax` is not an Axes.
    ValueError
        If an attribute of `mixture` has another shape, a number that is not
        finite, an unknown covariance type, a covariance that is not symmetric
        and positive definite, or weights that are negative or do not sum to 1;
        if `n_std`, `colors` or `alpha` is bad as in `plot_gaussian`.

    Warns
    -----
    UserWarning
        If a component has collapsed (see `collapsed_components`), for its ellipse is too thin to be seen.
    """
    check_axes(ax)
    covariances = full_covariances(mixture)
    means = check_numbers("mixture.means_", mixture.means_, (len(covariances), 2))
    covariances = [
        check_covariance(f"mixture.covariances_ of component {k}", covariance)
        for k, covariance in enumerate(covariances)
    ]
    weights = check_numbers("mixture.weights_", attribute(mixture, "weights_"), (len(means),))
    if weights.min() < 0 or not np.isclose(weights.sum(), 1):
        raise ValueError(f"mixture.weights_ must be at least 0 and sum to 1, but is {describe(weights)}.")
    n_std = check_n_std(n_std)
    check_alpha(alpha)
    if colors is None:
        colors = palette()
    colors = check_colors("colors", [colors] if is_color_like(colors) else colors)

    if hasattr(mixture, "reg_covar") and (collapsed := collapsed_components(mixture)).size:
        warnings.warn(
            f"components {collapsed.tolist()} have collapsed: they sit on a point mass, on a line or on a few points, and "
            "only reg_covar keeps their width above 0. Their ellipses are too thin to be seen, and the density there "
            "is an artefact.",
            stacklevel=2,
        )
    for k, weight in enumerate(weights):
        color = colors[k % len(colors)]
        opacity = alpha * weight / weights.max()
        plot_gaussian(means[k], covariances[k], ax=ax, n_std=n_std, color=color, alpha=opacity)
        if numbers:
            ax.text(
                *means[k],
                str(k),
                color=color,
                weight="bold",
                ha="center",
                va="center",
                clip_on=True,
                path_effects=[patheffects.withStroke(linewidth=3, foreground="white")],
            )
    return ax


def palette():
    """Return the colours of the present style's cycle."""
    return matplotlib.rcParams["axes.prop_cycle"].by_key()["color"]


def check_covariance(name, value):
    """Return `value` as a symmetric, positive definite matrix of shape (2, 2)."""
    matrix = check_numbers(name, value, (2, 2))
    if not np.allclose(matrix, matrix.T, atol=1e-8 * np.abs(matrix).max()):
        raise ValueError(f"{name} must be symmetric, but is {matrix.tolist()}.")
    variances = np.linalg.eigvalsh(matrix)
    if variances[0] <= 2 * np.finfo(float).eps * variances[1]:  # nothing but rounding is left of the smaller one
        raise ValueError(
            f"{name} must be positive definite, but {matrix.tolist()} has the eigenvalues {variances.tolist()}."
        )
    return matrix


def check_n_std(value):
    """Return `value` as a non-empty array of positive numbers."""
    n_std = check_numbers("n_std", [value] if np.ndim(value) == 0 else value, ("n",))
    if n_std.min() <= 0:
        raise ValueError(f"n_std must be above 0, but is {describe(value)}.")
    return n_std


def check_alpha(value):
    """Raise a ValueError unless `value` is a number from 0 to 1."""
    if not 0 <= check_numbers("alpha", value, ()) <= 1:
        raise ValueError(f"alpha must be from 0 to 1, but is {describe(value)}.")


def check_colors(name, values):
    """Return `values` as a non-empty list of colours."""
    colors = list(values) if np.iterable(values) else []
    if not colors or not all(map(is_color_like, colors)):
        raise ValueError(f'{name} must be colours, such as "black" or "#1b4f72", but is {describe(values)}.')
    return colors
