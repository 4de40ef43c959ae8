"""A mixture in which each component is a factor analyser: groups, each with a few hidden numbers of its own.

The chapter on latent factors explains it; scikit-learn has factor analysis and mixtures, but not the two in one.
"""

import warnings
from numbers import Integral

import numpy as np
from scipy.special import logsumexp
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from helpers._checks import check_numbers, check_whole


class MixtureOfFactorAnalysers(DensityMixin, BaseEstimator):
    r"""A Gaussian mixture whose covariances are those of factor analysis, fitted by EM.

    .. math:: p(x) = \sum_k \pi_k \, \mathcal{N}(x \mid \mu_k, W_k W_k^\top + \Psi_k), \quad \Psi_k \text{ diagonal}

    Parameters
    ----------
    n_components : int, default 1
        The number K of components.
    n_factors : int, default 1
        The number q of factors of each component; 0 leaves the diagonal covariances.
    noise_floor : float, default 1e-6
        The lowest noise variance allowed, in the square of the data's unit, above 0. Integers that were dequantised by
        uniform noise cannot have less than 1/12.
    tol : float, default 1e-3
        EM stops when a step raises the mean log-density by less, in nats; with 0, when a step lowers it.
    max_iter : int, default 200
        The largest number of steps.
    random_state : int, RandomState or None, default None
        Chooses the start: the clusters of k-means, and random loadings.

    Attributes
    ----------
    weights_ : ndarray, shape (K,)
    means_ : ndarray, shape (K, D)
    loadings_ : ndarray, shape (K, D, q)
        The matrices W.
    noise_variances_ : ndarray, shape (K, D)
        The diagonals of Ψ.
    covariances_ : ndarray, shape (K, D, D)
    n_iter_ : int
        The number of steps taken.
    n_features_in_ : int
        The number D of columns.

    Notes
    -----
    Taught in the chapter on latent factors. Ghahramani and Hinton, The EM Algorithm for Mixtures of Factor Analyzers
    (1996), with a noise matrix for each component instead of one for all.
    """

    def __init__(self, n_components=1, *, n_factors=1, noise_floor=1e-6, tol=1e-3, max_iter=200, random_state=None):
        self.n_components = n_components
        self.n_factors = n_factors
        self.noise_floor = noise_floor
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, X, y=None):
        """Fit by EM from the clusters of k-means.

        Parameters
        ----------
        X : array_like, shape (N, D)
        y : ignored

        Returns
        -------
        MixtureOfFactorAnalysers
            Itself.

        Raises
        ------
        ValueError
            If `X` has NaN or infinities or fewer rows than components, or if a parameter is out of its range.

        Warns
        -----
        ConvergenceWarning
            If `max_iter` steps were not enough for `tol`.
        """
        for name, least in (("n_components", 1), ("n_factors", 0), ("max_iter", 1)):
            check_whole(name, getattr(self, name), least)
        if check_numbers("noise_floor", self.noise_floor, ()) <= 0 or check_numbers("tol", self.tol, ()) < 0:
            raise ValueError(f"noise_floor must be above 0 and tol not below, but they are {self.noise_floor} and {self.tol}.")
        X = validate_data(self, X, dtype=float, ensure_min_samples=max(2, self.n_components))
        seed = self.random_state
        if not isinstance(seed, Integral):
            seed = check_random_state(seed).randint(2**31)
        clusters = KMeans(self.n_components, n_init=1, random_state=seed).fit_predict(X)
        responsibilities = np.eye(self.n_components)[clusters]
        start = (self.n_components, X.shape[1], self.n_factors)
        self.loadings_ = np.random.default_rng(seed).standard_normal(start)
        self.noise_variances_ = np.tile(np.maximum(X.var(axis=0), self.noise_floor), (self.n_components, 1))
        score = -np.inf
        for self.n_iter_ in range(1, self.max_iter + 1):
            self._update(X, responsibilities)
            joint = self._joint_log_density(X)
            log_density = logsumexp(joint, axis=1)
            responsibilities = np.exp(joint - log_density[:, None])
            gain, score = log_density.mean() - score, log_density.mean()
            if gain < self.tol:
                break
        else:
            if self.tol > 0:
                warnings.warn(
                    f"The last of {self.max_iter} steps still gained {gain:.2g} nats a row: raise max_iter or tol.",
                    ConvergenceWarning,
                    stacklevel=2,
                )
        self.covariances_ = self.loadings_ @ self.loadings_.swapaxes(1, 2)
        self.covariances_ += self.noise_variances_[:, :, None] * np.eye(X.shape[1])
        return self

    def _update(self, X, responsibilities):
        """Take the weights and means of any mixture, and for each component one step of EM for factor analysis."""
        counts = responsibilities.sum(axis=0) + np.finfo(float).eps
        self.weights_ = counts / counts.sum()
        self.means_ = responsibilities.T @ X / counts[:, None]
        for k, (W, psi) in enumerate(zip(self.loadings_, self.noise_variances_)):
            shares = responsibilities[:, k]
            near = shares > 1e-30  # the others, most of all rows, would be lost in rounding
            centred = X[near] - self.means_[k]
            S = (shares[near] * centred.T) @ centred / counts[k]
            scaled = W.T / psi
            posterior = np.linalg.inv(np.eye(self.n_factors) + scaled @ W)  # the factors' covariance: q × q, not D × D
            cross = S @ scaled.T @ posterior  # of the columns with the factors
            W = cross @ np.linalg.inv(posterior + posterior @ scaled @ cross)
            self.loadings_[k] = W
            self.noise_variances_[k] = np.maximum(np.diag(S) - (W * cross).sum(axis=1), self.noise_floor)

    def _joint_log_density(self, X):
        """Return log π_k + log N(x | μ_k, Σ_k), shape (N, K)."""
        joint, centred = np.empty((len(X), self.n_components)), np.empty_like(X)
        for k, (W, psi) in enumerate(zip(self.loadings_, self.noise_variances_)):
            # In units of the noise, what the factors explain is taken off the distance: q × q matrices instead of D × D.
            scaled = W / np.sqrt(psi)[:, None]
            L = np.linalg.cholesky(np.eye(self.n_factors) + scaled.T @ scaled)
            np.subtract(X, self.means_[k], out=centred)
            centred /= np.sqrt(psi)
            explained = centred @ (scaled @ np.linalg.inv(L).T)
            distance = np.einsum("nd,nd->n", centred, centred) - np.einsum("nq,nq->n", explained, explained)
            constant = X.shape[1] * np.log(2 * np.pi) + np.log(psi).sum() + 2 * np.log(np.diag(L)).sum()
            joint[:, k] = np.log(self.weights_[k]) - 0.5 * (constant + distance)
        return joint

    def score_samples(self, X):
        """Return the log-density of each row, shape (M,), in nats.

        Parameters
        ----------
        X : array_like, shape (M, D)

        Raises
        ------
        ValueError
            If `X` has NaN, infinities or another number of columns than the training rows.
        """
        check_is_fitted(self)
        return logsumexp(self._joint_log_density(validate_data(self, X, dtype=float, reset=False)), axis=1)

    def score(self, X, y=None):
        """Return the mean log-density of the rows, in nats. Errors as `score_samples`."""
        return self.score_samples(X).mean()

    def sample(self, n_samples=1, random_state=None):
        """Draw from the mixture: a component, its factors, its noise.

        Parameters
        ----------
        n_samples : int, default 1
        random_state : int, RandomState or None, default None

        Returns
        -------
        ndarray, shape (n_samples, D)
        """
        check_is_fitted(self)
        random_state = check_random_state(random_state)
        component = random_state.choice(self.n_components, size=n_samples, p=self.weights_)
        factors = random_state.standard_normal((n_samples, self.n_factors))
        noise = random_state.standard_normal((n_samples, self.n_features_in_)) * np.sqrt(self.noise_variances_[component])
        return self.means_[component] + np.einsum("ndq,nq->nd", self.loadings_[component], factors) + noise
