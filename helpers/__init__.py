"""What several chapters share: the book's style, its data, its fits, its densities and its pictures.

``import helpers`` also makes every figure look like the book's.
"""

from importlib import import_module
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import matplotlib.style

#: The modules and what chapters take from each: imported when it is first asked for, because scikit-learn, which most of
#: them need, takes longer to come than all else together.
HOMES = {
    "ellipses": ["plot_gaussian", "plot_mixture"],
    "factor_analysers": ["MixtureOfFactorAnalysers"],
    "images": ["plot_gallery", "plot_image"],
    "kernel_density": ["KernelDensityClassifier", "bandwidth_scores", "kde_log_density"],
    "mixtures": ["collapsed_components", "drop_point_masses", "fit_all", "free_parameters"],
    "pixels": ["PixelByPixel"],
    "tables": ["load_table"],
    "texts": ["load_texts"],
}

__all__ = sorted(["COLORS", *(name for names in HOMES.values() for name in names)])


def __getattr__(name):
    if name in HOMES:
        return import_module(f"helpers.{name}")
    for module, names in HOMES.items():
        if name in names:
            return globals().setdefault(name, getattr(import_module(f"helpers.{module}"), name))
    raise AttributeError(f"module 'helpers' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *HOMES, *__all__})


# Start the notebook's backend now: older versions of matplotlib start it with the first figure, and show that one too late.
plt.switch_backend(matplotlib.get_backend())
if "inline" in matplotlib.get_backend():  # in a notebook: two pixels for each of the page's, sharp on a dense screen
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    set_matplotlib_formats("retina")
matplotlib.style.use(Path(__file__).with_name("book.mplstyle"))

#: The palette, as hex strings in the order in which a plot takes them.
COLORS = list(matplotlib.rcParams["axes.prop_cycle"].by_key()["color"])
