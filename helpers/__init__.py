"""What several chapters share: the book's style, its data, its fits, its densities and its pictures.

``import helpers`` also makes every figure look like the book's.
"""

from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import matplotlib.style

from helpers.ellipses import plot_gaussian, plot_mixture
from helpers.factor_analysers import MixtureOfFactorAnalysers
from helpers.images import plot_gallery, plot_image
from helpers.kernel_density import KernelDensityClassifier, bandwidth_scores, kde_log_density
from helpers.mixtures import collapsed_components, drop_point_masses, fit_all, free_parameters
from helpers.pixels import PixelByPixel
from helpers.tables import load_table
from helpers.texts import load_texts

__all__ = [
    "COLORS",
    "KernelDensityClassifier",
    "MixtureOfFactorAnalysers",
    "PixelByPixel",
    "bandwidth_scores",
    "collapsed_components",
    "drop_point_masses",
    "fit_all",
    "free_parameters",
    "kde_log_density",
    "load_table",
    "load_texts",
    "plot_gallery",
    "plot_gaussian",
    "plot_image",
    "plot_mixture",
]

# Start the notebook's backend now: older versions of matplotlib start it with the first figure, and show that one too late.
plt.switch_backend(matplotlib.get_backend())
if "inline" in matplotlib.get_backend():  # in a notebook: two pixels for each of the page's, sharp on a dense screen
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    set_matplotlib_formats("retina")
matplotlib.style.use(Path(__file__).with_name("book.mplstyle"))

#: The palette, as hex strings in the order in which a plot takes them.
COLORS = list(matplotlib.rcParams["axes.prop_cycle"].by_key()["color"])
