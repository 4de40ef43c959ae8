"""Images one pixel after another, each by a regression on the pixels before it.

The chapter on autoregressive models explains it.
"""


import numpy as np
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, check_non_negative, validate_data

from helpers._checks import check_numbers, check_whole, describe


class PixelByPixel(DensityMixin, BaseEstimator):
    r"""An autoregressive model of images: a multinomial logistic regression for each pixel, given all before it.

    .. math:: p(x) = \prod_d p(x_d \mid x_1, \dots, x_{d-1})

    The image is read line by line. Grey levels are whole numbers; of a dequantised image the whole part is taken.

    Parameters
    ----------
    n_levels : int, optional
        The number of grey levels, 0 to n_levels − 1. Default: the largest level of the training images, plus one.
    C : float, default 1.0
        As in `sklearn.linear_model.LogisticRegression`: the smaller, the nearer the weights are held to 0.
    smoothing : float, default 0.01
        The share, above 0 and below 1, that all levels get alike, so that one that no training image has at a place
        is rare there, not impossible.

    Attributes
    ----------
    regressions_ : list of classifiers
        One for each pixel; without anything to regress on (the first pixel, or one that never varies) it is the share of
        each level.
    n_levels_ : int
        The number of grey levels.
    n_features_in_ : int
        The number D of pixels.

    Notes
    -----
    Taught in the chapter on autoregressive models. The two-level form is the logistic belief network without hidden units:
    Frey, Hinton and Dayan, Does the Wake-Sleep Algorithm Produce Good Density Estimators? (1996).
    """

    def __init__(self, n_levels=None, *, C=1.0, smoothing=0.01):
        self.n_levels = n_levels
        self.C = C
        self.smoothing = smoothing

    def fit(self, X, y=None):
        """Fit one regression a pixel.

        Parameters
        ----------
        X : array_like, shape (N, D)
            Grey levels, not negative.
        y : ignored

        Returns
        -------
        PixelByPixel
            Itself.

        Raises
        ------
        ValueError
            If `X` has NaN, infinities or levels outside of the range, or if a parameter is out of its range.
        """
        if self.n_levels is not None:
            check_whole("n_levels", self.n_levels, 1)
        if not 0 < check_numbers("smoothing", self.smoothing, ()) < 1:
            raise ValueError(f"smoothing must be above 0 and below 1, but is {describe(self.smoothing)}.")
        X = validate_data(self, X, dtype=float, ensure_min_samples=2)
        self.n_levels_ = int(X.max()) + 1 if self.n_levels is None else self.n_levels
        X = self._whole(X)
        self.regressions_ = [
            (self._regression() if d and np.ptp(X[:, d]) else DummyClassifier()).fit(self._before(X, d), X[:, d])
            for d in range(X.shape[1])
        ]
        return self

    def _regression(self):
        """Return an unfitted regression; its usual accuracy of 1e-4 takes twice as long and changes 0.05 nats an image."""
        return LogisticRegression(C=self.C, max_iter=1000, tol=1e-3)

    def _whole(self, X):
        """Return the levels as whole numbers, or raise a ValueError."""
        check_non_negative(X, "X: the grey levels of PixelByPixel")
        if X.max() >= self.n_levels_:
            raise ValueError(f"X must hold grey levels from 0 to {self.n_levels_ - 1}, but the largest is {X.max():g}.")
        return X.astype(int)

    def _before(self, X, d):
        """Return the pixels before `d`, between 0 and 1; for the first one a column that says nothing."""
        return X[:, :d] / max(self.n_levels_ - 1, 1) if d else np.zeros((len(X), 1))

    def _probabilities(self, X, d):
        """Return the probability of each level at pixel `d` given the pixels before it, shape (M, n_levels)."""
        regression = self.regressions_[d]
        probabilities = np.full((len(X), self.n_levels_), self.smoothing / self.n_levels_)
        probabilities[:, regression.classes_] += (1 - self.smoothing) * regression.predict_proba(self._before(X, d))
        return probabilities

    def score_samples(self, X):
        """Return the log-probability of each image, shape (M,), in nats.

        Parameters
        ----------
        X : array_like, shape (M, D)

        Raises
        ------
        ValueError
            If `X` has NaN, infinities, levels outside of the range or another number of pixels than the training images.
        """
        check_is_fitted(self)
        X = self._whole(validate_data(self, X, dtype=float, reset=False))
        rows = np.arange(len(X))
        return sum(np.log(self._probabilities(X, d)[rows, X[:, d]]) for d in range(X.shape[1]))

    def score(self, X, y=None):
        """Return the mean log-probability of the images, in nats. Errors as `score_samples`."""
        return self.score_samples(X).mean()

    def sample(self, n_samples=1, random_state=None):
        """Draw images, each pixel given those that were drawn before it.

        Parameters
        ----------
        n_samples : int, default 1
        random_state : int, RandomState or None, default None

        Returns
        -------
        ndarray of int, shape (n_samples, D)
        """
        check_is_fitted(self)
        dice = check_random_state(random_state).uniform(size=(self.n_features_in_, n_samples, 1))
        X = np.zeros((n_samples, self.n_features_in_), dtype=int)
        for d, die in enumerate(dice):
            X[:, d] = (self._probabilities(X, d).cumsum(axis=1)[:, :-1] < die).sum(axis=1)
        return X

    def __sklearn_tags__(self):
        """Tell scikit-learn's checks that negative numbers are no grey levels."""
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        return tags
