"""Kernel densities without shortcuts: exact log-densities, scores of bandwidths, and Bayes' rule with one density a class.

The chapters on kernel density estimation and on not-so-naive Bayes explain them. scikit-learn's own `KernelDensity` takes
a tree to be fast, and is off by hundreds of nats on the digits at small bandwidths; here every pair is counted.
"""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import check_cv
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import ThreadpoolController

from helpers._checks import check_numbers, describe
from helpers._cluster import ALONE, WORKER, cluster, spread

#: Finding the linear algebra libraries takes longer than a small product, so it is done once.
BLAS = ThreadpoolController()

#: So many squared distances are held at a time, 8 bytes each: enough for fast matrix products, few enough for the cache.
BLOCK = 2**17

#: Exponents end here: beside a group's nearest kernel, exp(0), one of exp(-50) is lost in rounding, and exp is slow further down.
NEGLIGIBLE = -50

#: The largest error in nats that the expanded square may bring into a log-density.
TOLERANCE = 1e-9

#: So many pairs make a task for a cluster: work for about half a second.
TASK = 2**25


def kde_log_density(points, data, bandwidth):
    r"""Return the exact log-density of a Gaussian kernel density estimate.

    .. math:: \log p(x) = \log \frac{1}{N} \sum_n \mathcal{N}(x \mid x_n, h^2 I)

    Parameters
    ----------
    points : array_like, shape (M, D)
        Where the density is wanted.
    data : array_like, shape (N, D)
        The observations, each the mean of one kernel.
    bandwidth : float or array_like of shape (H,)
        The standard deviation h of the kernels, in the unit of the data, above 0; or several at once, which is faster
        than one after the other.

    Returns
    -------
    ndarray, shape (M,) or (H, M)
        In nats.

    Raises
    ------
    ValueError
        If an argument has NaN or infinities, if the shapes do not fit, if a bandwidth is not above 0, or is so small that
        a log-density is below what a float can hold.

    Notes
    -----
    Taught in the chapter on kernel density estimation. Silverman, Density Estimation for Statistics and Data Analysis
    (1986), chapter 4.
    """
    bandwidths = _check_bandwidths("bandwidth", bandwidth, ("H",) if np.ndim(bandwidth) else ())
    data = check_numbers("data", data, ("N", "D"))
    points = check_numbers("points", points, ("M", data.shape[1]))
    log_density = _log_densities(points, data, bandwidths, starts=[0])[:, :, 0]
    return log_density if np.ndim(bandwidth) else log_density[0]


def bandwidth_scores(data, bandwidths, *, labels=None, cv=5):
    """Return how well each bandwidth does on the rows that are held out, fold by fold.

    Parameters
    ----------
    data : array_like, shape (N, D)
    bandwidths : array_like, shape (H,)
        The bandwidths to try, in the unit of the data, each above 0.
    labels : array_like of shape (N,), optional
        The class of each row. Without labels the score is the mean log-density of the held-out rows; with labels it is the
        mean log-posterior of their true class, with one density a class, that is, the log loss times −1.
    cv : int or splitter of scikit-learn, default 5
        As in `sklearn.model_selection.cross_val_score`; folds of an int are contiguous blocks, or stratified by the labels.

    Returns
    -------
    ndarray, shape (number of folds, H)
        In nats; higher is better.

    Raises
    ------
    ValueError
        If `data` or `bandwidths` are not as above, if there are not as many labels as rows, or if a class of a held-out row
        is missing in the rows that are left for the fit.

    Notes
    -----
    Taught in the chapters on kernel density estimation and on not-so-naive Bayes.
    """
    bandwidths = _check_bandwidths("bandwidths", bandwidths, ("H",))
    data = check_numbers("data", data, ("N", "D"))
    if labels is None:
        folds = check_cv(cv).split(data)
        return np.array([kde_log_density(data[held_out], data[rest], bandwidths).mean(axis=1) for rest, held_out in folds])

    labels = np.asarray(labels)
    if labels.shape != data.shape[:1]:
        raise ValueError(f"labels must have shape {data.shape[:1]}, one for each row of data, but has shape {labels.shape}.")
    scores = []
    for rest, held_out in check_cv(cv, labels, classifier=True).split(data, labels):
        missing = np.setdiff1d(labels[held_out], labels[rest])
        if missing.size:
            raise ValueError(
                f"labels has too few rows of class {describe(missing.tolist()[0])} for these folds: "
                "all of them are held out at once, so that none is left for the fit."
            )
        classes, counts, starts, order = _by_class(labels[rest])
        joint = _log_densities(data[held_out], data[rest[order]], bandwidths, starts) + np.log(counts / rest.size)
        log_posterior = joint - logsumexp(joint, axis=2, keepdims=True)
        true = np.searchsorted(classes, labels[held_out])
        scores.append(log_posterior[:, np.arange(held_out.size), true].mean(axis=1))
    return np.array(scores)


class KernelDensityClassifier(ClassifierMixin, BaseEstimator):
    r"""Bayes' rule with a Gaussian kernel density for each class, in log space throughout.

    .. math:: p(y = c \mid x) \propto \pi_c \, \frac{1}{N_c} \sum_{n : y_n = c} \mathcal{N}(x \mid x_n, h^2 I)

    Parameters
    ----------
    bandwidth : float, default 1.0
        The standard deviation h of the kernels, in the unit of the data, above 0.

    Attributes
    ----------
    classes_ : ndarray, shape (C,)
        The labels, sorted.
    class_log_prior_ : ndarray, shape (C,)
        The logarithm of the share of each class in the training rows.
    data_ : ndarray, shape (N, D)
        The training rows, sorted by class.
    n_features_in_ : int
        The number D of columns.

    Notes
    -----
    Taught in the chapter on not-so-naive Bayes. With a single class every point belongs to it; a class with one example has
    a single kernel.
    """

    def __init__(self, bandwidth=1.0):
        self.bandwidth = bandwidth

    def fit(self, X, y):
        """Keep the training rows, sorted by class.

        Parameters
        ----------
        X : array_like, shape (N, D)
        y : array_like, shape (N,)
            The class of each row.

        Returns
        -------
        KernelDensityClassifier
            Itself.

        Raises
        ------
        ValueError
            If the bandwidth is not one number above 0, if `X` has NaN or infinities, or if `y` is no list of classes.
        """
        _check_bandwidths("bandwidth", self.bandwidth, ())
        X, y = validate_data(self, X, y, dtype=float)
        check_classification_targets(y)
        self.classes_, counts, self._starts, order = _by_class(y)
        self.class_log_prior_ = np.log(counts / len(y))
        self.data_ = X[order]
        return self

    def predict_joint_log_proba(self, X):
        """Return log p(x, y): the log prior plus the log-density of each class.

        Parameters
        ----------
        X : array_like, shape (M, D)

        Returns
        -------
        ndarray, shape (M, C)
            In nats.

        Raises
        ------
        ValueError
            If `X` has NaN, infinities or another number of columns than the training rows, if `bandwidth` was set to a
            number that is not above 0, or if a log-density is below what a float can hold.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=float, reset=False)
        bandwidths = _check_bandwidths("bandwidth", self.bandwidth, ())
        log_densities = _log_densities(X, self.data_, bandwidths, self._starts)
        return self.class_log_prior_ + log_densities[0]

    def predict_log_proba(self, X):
        """Return log p(y | x), shape (M, C).

        Errors as `predict_joint_log_proba`.
        """
        joint = self.predict_joint_log_proba(X)
        return joint - logsumexp(joint, axis=1, keepdims=True)

    def predict_proba(self, X):
        """Return p(y | x), shape (M, C).

        Errors as `predict_joint_log_proba`.
        """
        return np.exp(self.predict_log_proba(X))

    def predict(self, X):
        """Return the most probable class of each row, shape (M,).

        Errors as `predict_joint_log_proba`.
        """
        joint = self.predict_joint_log_proba(X)
        return self.classes_[joint.argmax(axis=1)]


def _by_class(labels):
    """Return the classes, their counts, where each one starts in the sorted rows, and the order that sorts them."""
    classes, counts = np.unique(labels, return_counts=True)
    return classes, counts, np.cumsum(counts) - counts, np.argsort(labels, kind="stable")


def _check_bandwidths(name, bandwidth, shape):
    """Return one bandwidth, of the shape (), or several, ("H",), as an array of shape (H,), or raise a ValueError."""
    bandwidths = np.atleast_1d(check_numbers(name, bandwidth, shape))
    if (bandwidths <= 0).any():
        raise ValueError(f"{name} must be above 0, but has {bandwidths.min()}.")
    return bandwidths


def _log_densities(points, data, bandwidths, starts):
    """Return the log-density of each group of kernels, shape (H, M, number of groups).

    A group is a run of rows of `data` and begins at one of the `starts`. The squared distances are computed once, a block of
    points at a time, so that memory stays bounded; from each group its smallest one is set aside before the exponential
    (log-sum-exp), so that nothing underflows, however far away a group is. The blocks are shared out among threads, each of
    which needs no more threads for its products; the result does not depend on their number. A Dask cluster, where joblib is
    configured for one, shares out larger tasks among its workers, and comes to the same result.
    """
    with np.errstate(over="ignore", divide="ignore"):
        factors = -0.5 / bandwidths**2
    expanded = _may_expand(points, data, np.abs(factors).max())
    step = max(1, BLOCK // len(data))
    task = step * max(1, TASK // (step * len(data)))  # whole blocks, so that a cluster multiplies the same matrices
    tasks = [points[start : start + task] for start in range(0, len(points), task)]
    if len(tasks) > 1 and (client := cluster()):
        kernels = data, factors, starts, expanded, step
        name, need = f"the density of {task} of {len(points)} points", WORKER + 3 * data.nbytes
        parts = dict(spread(client, _one_task, tasks, kernels, name=lambda _: name, need=lambda _: need))
        log_density = np.concatenate([parts[number] for number in range(len(tasks))], axis=1)
    else:
        log_density = _unnormalised(points, data, factors, starts, expanded, step, os.cpu_count())

    bad = np.count_nonzero(~np.isfinite(log_density).all(axis=(0, 2)))
    if bad:
        raise ValueError(
            f"bandwidth must be large enough for log-densities that a float can hold, but with "
            f"{describe(bandwidths.min().item())} those of {bad} of {len(points)} points are too low: "
            "take a larger bandwidth, or bring the data to a common scale."
        )
    log_normaliser = np.log(np.diff([*starts, len(data)])) + data.shape[1] * np.log(bandwidths * np.sqrt(2 * np.pi))[:, None, None]
    return log_density - log_normaliser


def _unnormalised(points, data, factors, starts, expanded, step, n_threads):
    """Return the logarithm of the sum of the kernels of each group, shape (H, M, number of groups), `step` points at a time."""
    squared_distances = _squared_distances(points, data, expanded)
    counts = np.diff([*starts, len(data)])
    log_sums = np.empty((len(factors), len(points), len(starts)))

    @np.errstate(over="ignore", invalid="ignore")
    def fill(rows):
        block = squared_distances(rows)
        nearest = np.minimum.reduceat(block, starts, axis=1)
        block -= np.repeat(nearest, counts, axis=1)
        kernels = np.empty_like(block)
        for h, factor in enumerate(factors):
            np.multiply(block, factor, out=kernels)
            np.maximum(kernels, NEGLIGIBLE, out=kernels)
            sums = np.add.reduceat(np.exp(kernels, out=kernels), starts, axis=1)
            log_sums[h, rows] = np.log(sums) + factor * nearest

    blocks = [slice(start, start + step) for start in range(0, len(points), step)]
    with BLAS.limit(limits=1), ThreadPoolExecutor(n_threads) as threads:
        list(threads.map(fill, blocks))
    return log_sums


def _one_task(points, kernels):
    """Return the same for a few points, on a cluster's worker, which has one processor for it."""
    with ALONE:
        return _unnormalised(points, *kernels, n_threads=1)


def _may_expand(points, data, factor):
    """Return whether the squared distances may come from expanded squares.

    The expanded square |x|² + |y|² − 2xy is one matrix product, several times as fast as the differences, but for points that
    are closer to each other than to the mean it takes a small number from large ones. Where the error, multiplied by the
    `factor` of the exponent, could exceed the tolerance, the differences have to be taken instead.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        centre = data.mean(axis=0)
        size = max(((each - centre) ** 2).sum(axis=1).max() for each in (points, data))
        return 4 * data.shape[1] * np.finfo(float).eps * size * factor <= TOLERANCE


def _squared_distances(points, data, expanded):
    """Return a function that gives the squared distances of a slice of the points to all data."""
    if not expanded:
        return lambda rows: cdist(points[rows], data, "sqeuclidean")
    centre = data.mean(axis=0)
    centred_points, centred_data = points - centre, data - centre
    points_squared, data_squared = ((each**2).sum(axis=1) for each in (centred_points, centred_data))
    doubled = -2 * centred_data.T

    def from_products(rows):
        block = centred_points[rows] @ doubled
        block += points_squared[rows, None]
        block += data_squared
        return block

    return from_products
