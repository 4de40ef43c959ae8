"""One fit of many: alone with its thread, and for a Gaussian mixture by EM steps that suit small arrays."""

import math
import warnings
from numbers import Integral

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.utils import check_random_state
from threadpoolctl import threadpool_limits

#: Up to so many columns the steps here are the faster ones; digits, with 30 and 64, took far longer in a browser with them.
FEW = 16

#: A responsibility below this is none: it changes no digit of a mean or a covariance, but with 30 columns the products of
#: numbers that small took ten times as long as those of others.
NOTHING = 1e-200


def make_fit():
    """Return the function that fits, for a process of its own.

    Made here, it is sent there by value: by name a worker would import this package with it, pandas and matplotlib too.
    """

    def fit(estimator, X):
        """Fit with one thread; return the estimator and the texts of its warnings, which a worker would swallow."""
        # After this the C library keeps the memory of large arrays at hand; else it gives each back to the system and asks
        # for it again in every step, which takes a new process a sixth of its time.
        np.empty(2**25 - 2**16, np.uint8)
        with threadpool_limits(1), warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            plain = type(estimator) is GaussianMixture and not (estimator.warm_start or estimator.verbose)
            # Other numbers of steps or starts are scikit-learn's to take or to refuse.
            counts = plain and all(isinstance(each, Integral) and each > 0 for each in (estimator.max_iter, estimator.n_init))
            if counts and estimator.covariance_type == "full" and X.shape[1] <= FEW:
                fit_full(estimator, X)
            else:
                estimator.fit(X)
        return estimator, [str(warning.message) for warning in told]

    def fit_full(mixture, X):
        """Fit a Gaussian mixture with full covariances as its own `fit` does, several times as fast in few dimensions.

        The starts are scikit-learn's, and so are the steps and their end; only the rounding differs. scikit-learn holds a
        table of shape (N, D), where a sum over two or three columns takes longer than all else; here the rows lie side by
        side, (D, N). The formulas are those of the chapter on expectation-maximisation.

        Parameters
        ----------
        mixture : GaussianMixture
        X : numpy.ndarray of float, shape (N, D)

        Raises
        ------
        ValueError
            If a covariance becomes singular, or what scikit-learn raises at the start.

        Warns
        -----
        ConvergenceWarning
            If the best start has not converged after `max_iter` steps.
        """
        random_state, best = check_random_state(mixture.random_state), None
        for _ in range(mixture.n_init):
            start = clone(mixture).set_params(max_iter=0, n_init=1, random_state=random_state)
            start.covariances_ = None  # with `precisions_init` scikit-learn makes none, and misses them where no step follows
            climb(start.fit(X), X, mixture.tol, mixture.max_iter)
            if best is None or start.lower_bound_ > best.lower_bound_:
                best = start
        vars(mixture).update({name: value for name, value in vars(best).items() if name.endswith("_")})
        if not mixture.converged_:
            warnings.warn(
                f"EM did not converge in {mixture.max_iter} steps from its best start: allow more (max_iter), accept a larger "
                "change of the score (tol), or look for rows that no density fits",
                ConvergenceWarning,
                stacklevel=2,
            )

    def climb(mixture, X, tol, max_iter):
        """Take EM steps from a mixture's parameters until the score changes by less than `tol`, and set what a fit sets."""
        weights, means, factors = mixture.weights_, mixture.means_, mixture.precisions_cholesky_
        columns, (n_components, n_dims) = np.ascontiguousarray(X.T), means.shape
        resp, covariances = np.empty((n_components, len(X))), np.empty((n_components, n_dims, n_dims))
        apart, weighted = np.empty((2, *columns.shape))  # made once: they are as large as the data
        scores, converged = [], False
        while len(scores) < max_iter and not converged:
            # E-step. A precision is factor @ factor.T, so the distance of Mahalanobis is the length of factor.T @ (x - mean).
            for k, factor in enumerate(factors):
                np.matmul(factor.T, columns, out=apart)
                np.subtract(apart, (means[k] @ factor)[:, None], out=apart)
                np.einsum("dn,dn->n", apart, apart, out=resp[k])
            log_scale = np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1) - n_dims / 2 * math.log(2 * math.pi)
            resp *= -0.5
            resp += (np.log(weights) + log_scale)[:, None]
            highest = resp.max(axis=0)
            resp -= highest
            np.exp(resp, out=resp)
            total = resp.sum(axis=0)
            resp /= total
            resp[resp < NOTHING] = 0
            scores.append(float(np.mean(highest + np.log(total))))

            # M-step; a component that no row belongs to is divided by a little more than nothing, as in scikit-learn.
            counts = resp.sum(axis=1) + 10 * np.finfo(float).eps
            means = resp @ X / counts[:, None]
            for k in range(n_components):
                np.subtract(columns, means[k][:, None], out=apart)
                np.multiply(apart, resp[k], out=weighted)
                np.matmul(weighted, apart.T, out=covariances[k])
            covariances /= counts[:, None, None]
            covariances += mixture.reg_covar * np.eye(n_dims)
            weights = counts / counts.sum()
            try:
                factors = np.linalg.inv(np.linalg.cholesky(covariances)).transpose(0, 2, 1)
            except np.linalg.LinAlgError:
                raise ValueError(
                    f"in step {len(scores)} the covariance of a component became singular: take fewer components than "
                    f"{n_components}, a larger reg_covar than {mixture.reg_covar:g}, or columns of a like scale"
                ) from None
            converged = len(scores) > 1 and abs(scores[-1] - scores[-2]) < tol
        mixture.weights_, mixture.means_, mixture.covariances_ = weights, means, covariances
        mixture.precisions_cholesky_, mixture.precisions_ = factors, factors @ factors.transpose(0, 2, 1)
        mixture.converged_, mixture.n_iter_ = converged, len(scores)
        mixture.lower_bound_, mixture.lower_bounds_ = scores[-1], scores

    return fit
