"""Images pixel by pixel: probabilities that sum to one, and samples with the same distribution."""

import itertools
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import check_estimator

from helpers import PixelByPixel


def small_images(n_images=400, seed=0):
    """Return images of three pixels with three levels; the second follows the first, the third is always 1."""
    rng = np.random.default_rng(seed)
    first = rng.integers(3, size=n_images)
    second = np.where(rng.uniform(size=n_images) < 0.8, first, rng.integers(3, size=n_images))
    return np.column_stack([first, second, np.ones(n_images, dtype=int)])


def all_images():
    return np.array(list(itertools.product(range(3), repeat=3)))


def test_scikit_learn_accepts_it():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(PixelByPixel(), on_fail=None)
    assert {result["status"] for result in results} <= {"passed", "skipped"}
    assert len([result for result in results if result["status"] == "passed"]) > 30


def test_probabilities_of_all_images_sum_to_one():
    assert np.exp(PixelByPixel().fit(small_images()).score_samples(all_images())).sum() == pytest.approx(1)


def test_samples_come_as_often_as_the_model_says():
    fit = PixelByPixel().fit(small_images())
    drawn = fit.sample(50_000, random_state=0)
    shares = np.bincount(drawn @ [9, 3, 1], minlength=27) / 50_000
    np.testing.assert_allclose(shares, np.exp(fit.score_samples(all_images())), atol=0.01)
    np.testing.assert_array_equal(drawn, fit.sample(50_000, random_state=0))
    assert fit.sample(3).shape == (3, 3) and fit.sample().shape == (1, 3)


def test_the_score_is_the_sum_of_the_regressions():
    images = load_digits().data[:300]
    fit = PixelByPixel(17, C=0.1, smoothing=0.02).fit(images)
    expected = np.zeros(300)
    for d in range(64):
        levels, probability = images[:, d].astype(int), np.zeros((300, 17))
        if d and np.ptp(levels):
            regression = LogisticRegression(C=0.1, max_iter=1000, tol=1e-3).fit(images[:, :d] / 16, levels)
            probability[:, regression.classes_] = regression.predict_proba(images[:, :d] / 16)
        else:
            probability[:] = np.bincount(levels, minlength=17) / 300
        expected += np.log(0.98 * probability[np.arange(300), levels] + 0.02 / 17)
    np.testing.assert_allclose(fit.score_samples(images), expected)
    assert fit.score(images) == pytest.approx(expected.mean())


def test_a_dequantised_image_is_its_whole_part():
    images = small_images()
    noise = np.random.default_rng(1).uniform(size=images.shape)
    fit = PixelByPixel().fit(images)
    np.testing.assert_array_equal(fit.score_samples(images + noise), fit.score_samples(images))
    np.testing.assert_array_equal(PixelByPixel().fit(images + noise).score_samples(images), fit.score_samples(images))


def test_a_level_never_seen_is_rare_and_not_impossible():
    fit = PixelByPixel(3, smoothing=0.03).fit(small_images())
    image, usual = fit.score_samples([[0, 0, 2], [0, 0, 1]])
    assert usual - image == pytest.approx(np.log(0.98 / 0.01))


def test_fit_changes_neither_the_images_nor_the_settings():
    images = small_images()
    before, model = images.copy(), PixelByPixel()
    model.fit(images).sample(5)
    np.testing.assert_array_equal(images, before)
    assert model.get_params() == {"C": 1.0, "n_levels": None, "smoothing": 0.01} and model.n_levels_ == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_levels": 0}, "n_levels must be a whole number of at least 1, but is int 0"),
        ({"n_levels": 2.5}, "n_levels must be a whole number"),
        ({"n_levels": 2}, "X must hold grey levels from 0 to 1, but the largest is 2"),
        ({"smoothing": 0}, "smoothing must be above 0 and below 1, but is int 0"),
        ({"smoothing": 1}, "smoothing must be above 0 and below 1"),
        ({"C": 0}, "'C' parameter"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        PixelByPixel(**settings).fit(small_images())


def test_bad_images():
    fit = PixelByPixel().fit(small_images())
    for image, message in [
        ([[0, 1]], "X has 2 features"),
        ([[0, -1, 1]], "Negative values in data passed to X: the grey levels"),
        ([[0, 3, 1]], "from 0 to 2, but the largest is 3"),
        ([[0, np.nan, 1]], "NaN"),
    ]:
        with pytest.raises(ValueError, match=message):
            fit.score_samples(image)
