"""What the chapters on mixtures share: rows that can have a density, many fits at once, and a look for collapsed ones.

The chapter on Gaussian mixtures explains point masses and collapsed components.
"""

import contextlib
import math
import re
import sys
import warnings
from numbers import Integral
from pathlib import Path

import numpy as np
import pandas as pd
from IPython import get_ipython
from joblib import Parallel, cpu_count, delayed
from joblib.parallel import LokyBackend, get_active_backend
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from tqdm import tqdm

from helpers._checks import check_numbers, check_whole, describe
from helpers._cluster import ALONE, WORKER, cluster, spread
from helpers._fit import make_fit

MEMINFO, CGROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")  # what Linux and its containers say of memory


def drop_point_masses(table, *, share=0.01, warn_from=0.05):
    """Drop the rows in which a column holds a value that comes suspiciously often.

    A sensor that measures a continuous quantity hardly ever shows the same number twice, unless it rounds; then the
    neighbours on its grid come about as often. A value that fills more than a `share` of the rows and stands out from its
    neighbours, or from what its column would show anywhere, is a point mass: a stopped instrument, a clipped range, a
    filled gap. No density exists there, and a mixture would score without limit by putting a component of no width on it.

    Parameters
    ----------
    table : DataFrame, shape (N, D)
        Numeric columns without missing values.
    share : float, default 0.01
        The share of all rows, above 0 and below 1, that one value of a column may fill at most.
    warn_from : float, default 0.05
        The share of rows, above 0 and up to 1, from which on a warning tells what one column took away; 1 for none.

    Returns
    -------
    DataFrame
        The other rows, as a new table; ``attrs["point_masses"]`` says what was dropped, ``{column: {value: count}}``.

    Raises
    ------
    TypeError
        If `table` is no DataFrame.
    ValueError
        If `table` has no column or fewer than two rows, a cell that is no finite number, a column that is constant or made of point
        masses alone, or columns of which one follows from the others, such as a copy; if `share` or `warn_from` is
        out of its range.

    Warns
    -----
    UserWarning
        If a column's point masses fill `warn_from` of the rows or more.
    """
    if not isinstance(table, pd.DataFrame):
        raise TypeError(f"table must be a pandas DataFrame, but is {describe(table)}.")
    if not 0 < check_numbers("share", share, ()) < 1:
        raise ValueError(f"share must be above 0 and below 1, but is {describe(share)}.")
    if not 0 < check_numbers("warn_from", warn_from, ()) <= 1:
        raise ValueError(f"warn_from must be above 0 and at most 1, but is {describe(warn_from)}.")
    if not len(table.columns):
        raise ValueError(f"table must have at least one column, but has shape {table.shape}.")
    if len(table) < 2:
        raise ValueError(f"table must have at least two rows, but has {len(table)}: nothing can be learned from it.")
    for name, column in table.items():
        try:
            check_numbers(f"column {name!r}", column, ("N",))
        except ValueError as error:
            raise ValueError(f"{error} Leave the column out, or drop such rows.") from None

    found = {}
    stuck = pd.Series(False, index=table.index)
    for name, column in table.items():
        counts = column.value_counts()
        often = counts[_stands_out(counts, share * len(table))]
        others = len(counts) - len(often)
        if others <= 5 and others < (len(table) - often.sum()) / 2:
            raise ValueError(
                f"column {name!r} is constant or has so few values ({len(counts)}) that it is no continuous "
                "quantity, and no density can be fitted to it: leave the column out."
            )
        if not often.empty:
            found[name] = often.to_dict()
            stuck |= column.isin(often.index)
    rest = table[~stuck]
    scaled = (rest - rest.mean()) / rest.std(ddof=0).replace(0, np.nan)
    if len(rest) < 2 or scaled.isna().any(axis=None):
        raise ValueError(f"no column varies any more once the point masses {found} are dropped: leave their columns out.")
    if np.linalg.eigvalsh(scaled.T.to_numpy() @ scaled.to_numpy() / len(rest))[0] < 1e-10:
        raise ValueError(
            f"of the columns {list(table.columns)} one follows from the others (a copy, a sum, the same in another "
            "unit), so every covariance is singular: leave one of them out."
        )
    for name, often in found.items():
        gone = sum(often.values())
        if gone >= warn_from * len(table) and warn_from < 1:
            value, times = next(iter(often.items()))
            warnings.warn(
                f"column {name!r} takes {gone} of {len(table)} rows away ({gone / len(table):.0%}): {len(often)} of its values "
                f"come too often for a continuous quantity, most of all {value:g}, {times} times",
                stacklevel=2,
            )
    rest.attrs = {**table.attrs, "point_masses": found}
    return rest


def _stands_out(counts, limit):
    """Return which values of a column come more than `limit` times, and more often than a smooth density, rounded, would show.

    Parameters
    ----------
    counts : Series
        How often each value comes.
    limit : float

    Returns
    -------
    Series of bool, in the order of `counts`
    """
    ordered = counts.sort_index()
    values, n = ordered.index.to_numpy(float), ordered.to_numpy(float)
    # First against its neighbours. A side that falls steeply towards the neighbour and beyond, as at the end of an
    # exponential density, is continued by the same factor, once there are enough rows to tell.
    expected = np.zeros(len(n))
    for side in (ordered, ordered[::-1]):
        next_one, after = (side.shift(step).sort_index().to_numpy(float) for step in (1, 2))
        steep = np.where(after >= 5, next_one**2 / after, 0)
        expected = np.fmax(expected, np.fmax(next_one, steep))
    stands = (n > 2 * expected + 4 * np.sqrt(2 * expected)) & (expected > 0)  # a factor of 2, and four times chance
    # Then against the whole column, for a heap of a few neighbours: where the grid is fine, 18 times as many as an even
    # spread of the column's width would show. 3.3 standard deviations of a normal density lie between the two quantiles.
    if len(n) > 1:
        width = max(
            np.subtract(*np.quantile(np.repeat(values[kind], n[kind].astype(int)), [0.95, 0.05])) if kind.any() else 0
            for kind in (n > 0, n <= limit)
        )
        if width > 0:
            stands |= n > 18 * n.sum() * np.quantile(np.diff(values), 0.1) / (width / 3.3) + 5
    return pd.Series(stands & (n > limit), index=ordered.index).reindex(counts.index)


def fit_all(estimators, X, *, n_jobs=-1):
    """Fit many estimators to the same data, in parallel; the numbers are the same however many work at it.

    The fits are spread by joblib: over the cores of this machine or, inside ``joblib.parallel_config(backend=…)``,
    over whatever that backend offers; inside ``joblib.parallel_config("dask")`` over the workers of a Dask cluster, of
    which some may be lost on the way. Each fit has a single BLAS thread, because threads inside small fits only wait for
    each other, and because the number of threads could change the last digits. Gaussian mixtures with full covariances
    of at most 16 columns take scikit-learn's steps from its starts in arrays that suit them, several times as fast;
    only the rounding differs from their own ``fit``.
    Whoever waits at a terminal or in a live notebook sees a progress bar, which then disappears.

    Parameters
    ----------
    estimators : iterable of estimators
        Unfitted, as of scikit-learn; they are cloned, never changed. Each one that draws random numbers needs a whole
        number as its `random_state`.
    X : array_like, shape (N, D)
        The observations.
    n_jobs : int, default -1
        How many fits run at a time; -1 for as many as processors and free memory allow, both as this machine or its
        container limits them. A Dask cluster has its own number of workers, whatever is asked here.

    Returns
    -------
    list of estimators
        The fitted clones, in the order of `estimators`.

    Raises
    ------
    TypeError
        If `estimators` is no list, or one of them has no `fit`.
    ValueError
        If `X` is not a table of finite numbers, if a `random_state` is no whole number, or what a fit itself raises,
        such as for fewer rows than components.
    MemoryError, RuntimeError
        If a fit needs more memory than a cluster's workers may take, or they die of it for another reason.

    Warns
    -----
    ConvergenceWarning
        If any of the fits warned, most often because it did not converge; one warning for all of them, in which the
        first is quoted.
    """
    if not np.iterable(estimators):
        raise TypeError(f"estimators must be a list of estimators, but is {describe(estimators)}.")
    estimators = list(estimators)
    X = check_numbers("X", X, ("N", "D"))
    for estimator in estimators:
        if not hasattr(estimator, "fit"):
            raise TypeError(f"estimators must each have a fit method, but one is {describe(estimator)}.")
        if not isinstance(getattr(estimator, "random_state", 0), Integral):
            raise ValueError(
                f"random_state must be a whole number in each of the estimators, so that a re-run gives the same fit, "
                f"but is {describe(estimator.random_state)} in {estimator!r}."
            )

    if not estimators:
        return []
    # The longest first: a long fit that starts last would be waited for alone.
    order = sorted(range(len(estimators)), key=lambda i: -_cost(estimators[i]))
    tasks = [clone(estimators[i]) for i in order]
    if client := cluster():
        running = spread(client, _fit, tasks, X, name=lambda each: f"the fit of {each!r}", need=lambda each: _memory(each, X))
    else:
        processes = isinstance(get_active_backend()[0], LokyBackend)
        if n_jobs == -1 and processes:
            n_jobs = _n_workers(X, estimators)
        fit = make_fit() if processes else _fit
        running = enumerate(Parallel(n_jobs=n_jobs, return_as="generator")(delayed(fit)(each, X) for each in tasks))
    shown = tqdm(running, total=len(order), unit="fit", leave=False, disable=not _someone_waits())
    done = {order[number]: result for number, result in shown}
    fits, told = zip(*(done[i] for i in range(len(order))))
    if any(told):
        first = next(i for i, messages in enumerate(told) if messages)
        warnings.warn(
            f"{sum(map(bool, told))} of {len(fits)} fits warned. The first is {fits[first]!r}: {told[first][0]}",
            ConvergenceWarning,
            stacklevel=2,
        )
    return list(fits)


def _n_workers(X, estimators):
    """Return how many processes fit into the free memory: at least one, at most one for each processor and fit."""
    largest = max(_memory(estimator, X) for estimator in estimators)
    return int(max(1, min(cpu_count(), len(estimators), _free_memory() // largest)))


def _memory(estimator, X):
    """Return roughly how many bytes a process takes that fits an estimator."""
    # A fit holds a few numbers for each row and component: its distances, its responsibilities, what they are made of.
    columns = _cost(clone(estimator).set_params(n_init=1)) if "n_init" in estimator.get_params() else 1
    return WORKER + X.nbytes + 4 * 8 * len(X) * (columns + X.shape[1])


def _free_memory():
    """Return how many bytes may still be taken on this machine and in its container, infinite where neither says."""
    free = [math.inf]
    with contextlib.suppress(OSError, TypeError):  # other systems than Linux have no such file, old ones no such line
        free.append(1024 * int(re.search(r"MemAvailable:\s+(\d+)", MEMINFO.read_text())[1]))
    # The second version of control groups, and the first, which calls a limit that is none a very large number.
    for folder, limit, used, cache in (
        (".", "memory.max", "memory.current", "inactive_file"),
        ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        with contextlib.suppress(OSError, ValueError):  # not this version; the word max
            group = CGROUP / folder
            given_back = re.search(rf"^{cache} (\d+)", (group / "memory.stat").read_text(), re.MULTILINE)
            taken = int((group / used).read_text()) - (int(given_back[1]) if given_back else 0)
            free.append(int((group / limit).read_text()) - taken)
    return max(0, min(free))


def _someone_waits():
    """Return whether a person sees what is printed now: a front end that could ask one something says so in its request.

    nbclient, nbconvert and nbval, which store or compare what a cell prints, say that they could not.
    """
    shell = get_ipython()
    if hasattr(shell, "get_parent"):
        return bool(shell.get_parent().get("content", {}).get("allow_stdin"))
    return sys.stderr.isatty()


def _cost(estimator):
    """Return a rough measure of how long a fit takes, to order fits by."""
    settings = estimator.get_params()
    n_init = settings.get("n_init", 1)
    return settings.get("n_components", settings.get("n_clusters", 1)) * (n_init if isinstance(n_init, Integral) else 1)


def _fit(estimator, X):
    """Fit in a process that may have other threads at work."""
    with ALONE:
        return make_fit()(estimator, X)


def collapsed_components(mixture):
    """Find the components that have no width of their own.

    A component that sits on a point mass, on a few points or on a line would shrink without end, and the likelihood
    would grow without end. What stops it is `reg_covar`, which scikit-learn adds to every variance; the density there
    says nothing but how small that number was chosen.

    Parameters
    ----------
    mixture : sklearn.mixture.GaussianMixture
        Fitted.

    Returns
    -------
    numpy.ndarray of int
        The numbers of the components whose variance, in their narrowest direction, is less than ten times `reg_covar`.

    Raises
    ------
    AttributeError
        If `mixture` is not fitted.
    """
    narrowest = np.linalg.eigvalsh(full_covariances(mixture))[:, 0]
    return np.flatnonzero(narrowest < 10 * mixture.reg_covar)


def free_parameters(n_components, n_dims, covariance_type="full"):
    """Count the free parameters of a Gaussian mixture.

    Taught in the chapter on choosing K. The weights sum to 1, so one of them follows from the others.

    Parameters
    ----------
    n_components : int
        The number K of components.
    n_dims : int
        The number D of dimensions.
    covariance_type : {"full", "tied", "diag", "spherical"}, default "full"
        As in `sklearn.mixture.GaussianMixture`.

    Returns
    -------
    int
        K − 1 weights, K D means and the numbers of the covariances: D (D + 1) / 2 for each matrix of "full" or the one of
        "tied", D for each component of "diag", 1 for each of "spherical".

    Raises
    ------
    ValueError
        If a number is no whole number of at least 1, or the covariance type is unknown.
    """
    check_whole("n_components", n_components, 1)
    check_whole("n_dims", n_dims, 1)
    matrix = n_dims * (n_dims + 1) // 2
    covariances = {"full": n_components * matrix, "tied": matrix, "diag": n_components * n_dims, "spherical": n_components}
    if covariance_type not in covariances:
        raise ValueError(f"covariance_type must be one of {', '.join(covariances)}, but is {describe(covariance_type)}.")
    return int(n_components - 1 + n_components * n_dims + covariances[covariance_type])


def full_covariances(mixture):
    """Return the covariances of a mixture's components, one matrix each.

    Parameters
    ----------
    mixture : object
        Has ``means_`` of shape (K, D), ``covariances_`` and, unless that is
        "full", ``covariance_type``, as `sklearn.mixture.GaussianMixture` has.

    Returns
    -------
    numpy.ndarray, shape (K, D, D)
        A new array. Of the types, "full" gives each component its own matrix,
        "tied" (D, D) one matrix to all, "diag" (K, D) each its own variances
        and "spherical" (K,) each a single variance.

    Raises
    ------
    AttributeError
        If `mixture` has no ``means_`` or no ``covariances_``.
    ValueError
        If the covariance type is unknown, or an attribute is not numeric, not
        finite or has another shape.
    """
    n_components, n_dims = check_numbers("mixture.means_", attribute(mixture, "means_"), ("K", "D")).shape
    shapes = {
        "full": (n_components, n_dims, n_dims),
        "tied": (n_dims, n_dims),
        "diag": (n_components, n_dims),
        "spherical": (n_components,),
    }
    kind = getattr(mixture, "covariance_type", "full")
    if kind not in shapes:
        raise ValueError(f"mixture.covariance_type must be one of {', '.join(shapes)}, but is {describe(kind)}.")
    covariances = check_numbers(
        f'mixture.covariances_ of type "{kind}"', attribute(mixture, "covariances_"), shapes[kind]
    )
    if kind == "full":
        return covariances.copy()
    if kind == "tied":
        return np.tile(covariances, (n_components, 1, 1))
    if kind == "diag":
        return covariances[:, :, None] * np.eye(n_dims)
    return covariances[:, None, None] * np.eye(n_dims)


def attribute(mixture, name):
    """Return an attribute of `mixture`, or say that it should have been fitted."""
    try:
        return getattr(mixture, name)
    except AttributeError:
        raise AttributeError(
            f"mixture must be a fitted mixture with the attribute {name}, "
            f"but this {type(mixture).__name__} has none: call its fit method first."
        ) from None
