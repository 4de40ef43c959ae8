"""The mixture of factor analysers: EM that never falls, the densities of full Gaussians, and samples of its own story."""

import warnings

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import FactorAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.utils.estimator_checks import check_estimator

from helpers import MixtureOfFactorAnalysers


def two_groups(n_rows=2000, seed=0):
    """Return rows of two groups in five dimensions, and their true loadings."""
    rng = np.random.default_rng(seed)
    loadings = rng.normal(size=(2, 5, 1)) * 2
    group = (rng.uniform(size=n_rows) < 0.3).astype(int)
    factor = rng.normal(size=(n_rows, 1))
    rows = 8.0 * group[:, None] + (loadings[group] * factor[:, None]).sum(axis=2) + rng.normal(scale=0.5, size=(n_rows, 5))
    return rows, loadings


def test_scikit_learn_accepts_it():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(MixtureOfFactorAnalysers(), on_fail=None)
    assert {result["status"] for result in results} <= {"passed", "skipped"}
    assert len([result for result in results if result["status"] == "passed"]) > 30


def test_one_component_is_factor_analysis():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 1)) * [3, 2, 1, -2, 0] + rng.normal(scale=[1, 2, 1, 0.5, 3], size=(500, 5))
    own = MixtureOfFactorAnalysers(n_factors=1, tol=1e-9, max_iter=5000, random_state=0).fit(X)
    theirs = FactorAnalysis(1, tol=1e-9, max_iter=5000, svd_method="lapack").fit(X)
    assert own.score(X) == pytest.approx(theirs.score(X), abs=1e-5)
    np.testing.assert_allclose(own.means_[0], X.mean(axis=0))


def test_no_factors_is_the_diagonal_mixture():
    X, _ = two_groups()
    own = MixtureOfFactorAnalysers(2, n_factors=0, tol=1e-9, max_iter=2000, random_state=0).fit(X)
    theirs = GaussianMixture(2, covariance_type="diag", tol=1e-9, max_iter=2000, random_state=0).fit(X)
    assert own.score(X) == pytest.approx(theirs.score(X), abs=1e-4)


def test_the_score_never_falls():
    X, _ = two_groups(300)
    fits = [MixtureOfFactorAnalysers(4, n_factors=1, tol=0, max_iter=n, random_state=3).fit(X) for n in range(1, 30)]
    assert np.diff([fit.score(X) for fit in fits]).min() > -1e-9


def test_densities_are_those_of_its_gaussians():
    X, _ = two_groups(200)
    fit = MixtureOfFactorAnalysers(2, n_factors=1, random_state=0).fit(X)
    for W, psi, covariance in zip(fit.loadings_, fit.noise_variances_, fit.covariances_):
        np.testing.assert_allclose(covariance, W @ W.T + np.diag(psi))
    each = zip(fit.weights_, fit.means_, fit.covariances_)
    density = sum(weight * multivariate_normal(mean, covariance).pdf(X) for weight, mean, covariance in each)
    np.testing.assert_allclose(fit.score_samples(X), np.log(density), rtol=1e-9)


def test_finds_the_groups_and_draws_them_again():
    X, loadings = two_groups()
    fit = MixtureOfFactorAnalysers(2, n_factors=1, tol=1e-6, max_iter=1000, random_state=0).fit(X)
    order = np.argsort(fit.means_[:, 0])
    np.testing.assert_allclose(fit.weights_[order], [0.7, 0.3], atol=0.03)
    np.testing.assert_allclose(np.abs(fit.loadings_[order]), np.abs(loadings), atol=0.3)
    np.testing.assert_allclose(fit.noise_variances_, 0.25, atol=0.1)


def test_samples_are_those_of_its_story():
    fit = MixtureOfFactorAnalysers(2, n_factors=1, random_state=0).fit(two_groups()[0])
    drawn = fit.sample(200_000, random_state=0)
    mean = fit.weights_ @ fit.means_
    between = (fit.weights_ * (fit.means_ - mean).T) @ (fit.means_ - mean)
    covariance = np.tensordot(fit.weights_, fit.covariances_, axes=1) + between
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.05)
    np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=0.3)
    np.testing.assert_array_equal(drawn, fit.sample(200_000, random_state=0))
    assert fit.sample().shape == (1, 5)

    noise = MixtureOfFactorAnalysers(n_factors=0).fit(two_groups()[0])
    np.testing.assert_allclose(noise.sample(200_000, random_state=0).var(axis=0), noise.noise_variances_[0], rtol=0.02)


def test_noise_floor_holds_also_for_a_constant_pixel():
    X = load_digits().data[:300]
    fit = MixtureOfFactorAnalysers(3, n_factors=2, noise_floor=0.25, tol=0.01, random_state=0).fit(X)
    assert fit.noise_variances_.min() == 0.25
    assert np.isfinite(fit.score_samples(X)).all()


def test_fit_changes_neither_the_rows_nor_the_settings():
    X, _ = two_groups(100)
    before, model = X.copy(), MixtureOfFactorAnalysers(2, random_state=1)
    settings = model.get_params()
    first = model.fit(X).score_samples(X)
    np.testing.assert_array_equal(clone(model).fit(X).score_samples(X), first)
    np.testing.assert_array_equal(X, before)
    assert model.get_params() == settings


def test_not_converged_warns():
    with pytest.warns(ConvergenceWarning, match=r"The last of 2 steps still gained \d.* nats a row"):
        MixtureOfFactorAnalysers(2, max_iter=2, random_state=0).fit(two_groups(100)[0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_components": 0}, "n_components must be a whole number of at least 1, but is int 0"),
        ({"n_factors": -1}, "n_factors must be a whole number of at least 0"),
        ({"n_factors": 1.5}, "n_factors must be a whole number"),
        ({"max_iter": 0}, "max_iter must be a whole number of at least 1"),
        ({"noise_floor": 0}, "noise_floor must be above 0"),
        ({"noise_floor": "low"}, "noise_floor must be one number, but is str 'low'"),
        ({"tol": -1}, "tol not below"),
        ({"tol": np.nan}, "tol must be finite"),
        ({"n_components": 101}, "minimum of 101 is required"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        MixtureOfFactorAnalysers(**settings).fit(two_groups(100)[0])


def test_bad_rows():
    fit = MixtureOfFactorAnalysers(random_state=0).fit(two_groups(100)[0])
    with pytest.raises(ValueError, match="X has 2 features, but MixtureOfFactorAnalysers is expecting 5"):
        fit.score_samples([[1.0, 2.0]])
    with pytest.raises(ValueError, match="NaN"):
        fit.score_samples([[1.0, 2.0, np.nan, 4.0, 5.0]])
