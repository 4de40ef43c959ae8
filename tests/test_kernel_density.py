"""Kernel densities and the classifier made of them: exact everywhere, in little memory, and never an arbitrary answer."""

import subprocess
import sys

import numpy as np
import pytest
from bench import exact_densities
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import KFold, LeaveOneOut, StratifiedKFold, cross_val_score, train_test_split
from sklearn.neighbors import KernelDensity
from sklearn.utils.estimator_checks import check_estimator
from threadpoolctl import threadpool_limits

import helpers
from helpers import KernelDensityClassifier, bandwidth_scores, kde_log_density, kernel_density


def exact(points, data, bandwidth):
    """Return the log-density from differences, which lose nothing, and scipy's log-sum-exp."""
    exponents = -0.5 * cdist(points, data, "sqeuclidean") / bandwidth**2
    return logsumexp(exponents, axis=1) - np.log(len(data)) - data.shape[1] * np.log(bandwidth * np.sqrt(2 * np.pi))


@pytest.fixture(scope="module")
def digits():
    data, target = load_digits(return_X_y=True)
    return train_test_split(data, target, test_size=0.3, random_state=1)


@pytest.mark.parametrize("dimensions", [1, 2, 64])
@pytest.mark.parametrize("bandwidth", [0.01, 0.3, 1, 30])
def test_densities_are_exact(dimensions, bandwidth):
    rng = np.random.default_rng(dimensions)
    data, points = rng.normal(3, 1, size=(300, dimensions)), rng.normal(3, 2, size=(70, dimensions))
    np.testing.assert_allclose(
        kde_log_density(points, data, bandwidth), exact(points, data, bandwidth), rtol=1e-12, atol=1e-8
    )


def test_densities_integrate_to_one():
    grid = np.linspace(-20, 20, 4001)[:, None]
    density = np.exp(kde_log_density(grid, [[-3.0], [0.0], [5.0]], 0.7))
    assert density.sum() * 0.01 == pytest.approx(1, abs=1e-9)


def test_several_bandwidths_at_once_are_the_single_ones(digits):
    train, test, *_ = digits
    bandwidths = np.array([10, 0.25, 2])
    several = kde_log_density(test, train, bandwidths)
    assert several.shape == (3, 540)
    for row, bandwidth in zip(several, bandwidths):
        np.testing.assert_allclose(row, kde_log_density(test, train, bandwidth), rtol=1e-12, atol=1e-8)


@pytest.mark.parametrize("bandwidth", [0.01, 0.25, 1, 2, 10])
def test_exact_on_digits_where_the_tree_is_not(digits, bandwidth):
    train, test, *_ = digits
    truth = exact(test, train, bandwidth)
    np.testing.assert_allclose(kde_log_density(test, train, bandwidth), truth, rtol=1e-12, atol=1e-8)
    tree = KernelDensity(bandwidth=bandwidth).fit(train).score_samples(test)
    brute = KernelDensity(bandwidth=bandwidth, leaf_size=len(train)).fit(train).score_samples(test)
    assert (np.abs(tree - truth).max() > 50) == (bandwidth <= 2)
    np.testing.assert_allclose(brute, truth, rtol=1e-10, atol=1e-8)


@pytest.mark.parametrize(
    ("where", "spread", "bandwidth"),
    [([0, 1e4], 1e-4, 1e-4), ([-1e6, 1e6], 1e-3, 1e-3), ([1e9], 1e-2, 1e-2), ([0, 300], 1e-3, 1e-3)],
)
def test_near_identical_points_far_from_the_mean(where, spread, bandwidth):
    rng = np.random.default_rng(0)
    data = np.concatenate([rng.normal(centre, spread, size=(40, 8)) for centre in where])
    points = data[::7] + rng.normal(0, bandwidth, size=data[::7].shape)
    truth = exact(points, data, bandwidth)
    np.testing.assert_allclose(kde_log_density(points, data, bandwidth), truth, rtol=1e-12, atol=1e-8)


def test_the_expanded_square_would_have_been_wrong_there(monkeypatch):
    rng = np.random.default_rng(0)
    data = np.concatenate([rng.normal(centre, 1e-3, size=(40, 8)) for centre in (0, 300)])
    monkeypatch.setattr(kernel_density, "TOLERANCE", np.inf)
    assert np.abs(kde_log_density(data, data, 1e-3) - exact(data, data, 1e-3)).max() > 1e-5


@pytest.mark.parametrize(("bandwidth", "expanded"), [(1, True), (1e-6, False)])
def test_the_faster_way_is_taken_wherever_it_is_near_enough(bandwidth, expanded):
    data = np.random.default_rng(0).normal(size=(40, 8))
    assert kernel_density._may_expand(data, data, 0.5 / bandwidth**2) == expanded


def test_copies_of_a_point():
    data = np.full((5, 3), 7.5)
    at_the_point, far_away = kde_log_density([[7.5] * 3, [1e4] * 3], data, 0.1)
    assert at_the_point == pytest.approx(-3 * np.log(0.1 * np.sqrt(2 * np.pi)))
    assert far_away == pytest.approx(at_the_point - 1.5 * (1e4 - 7.5) ** 2 / 0.01)


def test_same_to_the_last_bit_for_any_number_of_threads(digits, monkeypatch):
    train, test, y_train, _ = digits
    results = []
    for cores, blas in [(1, 1), (2, 1), (7, 2)]:
        monkeypatch.setattr(kernel_density.os, "cpu_count", lambda: cores)
        with threadpool_limits(blas):
            results.append(KernelDensityClassifier(3).fit(train, y_train).predict_joint_log_proba(test))
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_blocks_do_not_show(digits, monkeypatch):
    train, test, *_ = digits
    whole = kde_log_density(test, train, 2)
    for block in (1, 5000):
        monkeypatch.setattr(kernel_density, "BLOCK", block)
        np.testing.assert_allclose(kde_log_density(test, train, 2), whole, rtol=1e-12)


def test_memory_stays_bounded():
    program = """
import resource, numpy as np, helpers
rng = np.random.default_rng(0)
points, data = rng.normal(size=(2, 20_000, 16))
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if __import__("sys").platform == "darwin" else 1024)
before = peak()
helpers.KernelDensityClassifier().fit(data, rng.integers(10, size=20_000)).predict(points)
print(peak() - before)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 100e6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[0.0]], [[0.0]], 0), r"bandwidth must be above 0, but has 0\.0"),
        (([[0.0]], [[0.0]], -1.5), r"bandwidth must be above 0, but has -1\.5"),
        (([[0.0]], [[0.0]], [1, 2, 0]), "bandwidth must be above 0"),
        (([[0.0]], [[0.0]], np.nan), "bandwidth must be finite"),
        (([[0.0]], [[0.0]], "silverman"), "bandwidth must be one number, but is str 'silverman'"),
        (([[0.0]], [[0.0]], []), r"bandwidth must be numbers of shape \(H,\)"),
        (([[0.0]], [[0.0]], [[1.0]]), "bandwidth must be numbers of shape"),
        (([[0.0]], [[np.nan]], 1), "data must be finite, but 1 of its 1 numbers"),
        (([[np.inf]], [[0.0]], 1), "points must be finite"),
        (([[0.0, 1.0]], [[0.0]], 1), r"points must be numbers of shape \(M, 1\), but has shape \(1, 2\)"),
        (([0.0], [[0.0]], 1), "points must be numbers of shape"),
        (([[0.0]], [0.0], 1), r"data must be numbers of shape \(N, D\), but has shape \(1,\)"),
        (([[0.0]], np.empty((0, 1)), 1), "data must be numbers of shape"),
        (([[1.0]], [[0.0]], 1e-170), "bandwidth must be large enough .* of 1 of 1 points are too low"),
        (([[1e200], [0.0]], [[0.0]], 1), "bandwidth must be large enough .* of 1 of 2 points are too low"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        kde_log_density(*arguments)


@pytest.mark.parametrize("cv", [4, KFold(3, shuffle=True, random_state=0), LeaveOneOut()])
def test_scores_are_held_out_log_densities(cv):
    rng = np.random.default_rng(0)
    data = rng.normal(size=(60, 3))
    scores = bandwidth_scores(data, [0.1, 1], cv=cv)
    folds = list((KFold(4) if cv == 4 else cv).split(data))
    expected = [[exact(data[out], data[rest], h).mean() for h in (0.1, 1)] for rest, out in folds]
    np.testing.assert_allclose(scores, expected, rtol=1e-12)


@pytest.mark.parametrize("cv", [4, KFold(3, shuffle=True, random_state=0)])
def test_scores_with_labels_are_the_log_loss_of_the_classifier(cv):
    rng = np.random.default_rng(0)
    labels = np.array(["b", "a", "c"])[rng.integers(3, size=90)]
    data = rng.normal(size=(90, 3)) + (labels == "a")[:, None]
    scores = bandwidth_scores(data, [0.1, 1], labels=labels, cv=cv)
    folds = list((StratifiedKFold(4) if cv == 4 else cv).split(data, labels))
    for fold, (rest, out) in enumerate(folds):
        for column, h in enumerate((0.1, 1)):
            joint = exact_densities(data[out], data[rest], labels[rest], h)
            log_posterior = joint - logsumexp(joint, axis=1, keepdims=True)
            assert scores[fold, column] == pytest.approx(log_posterior[np.arange(len(out)), np.searchsorted(["a", "b", "c"], labels[out])].mean())
    loss = cross_val_score(KernelDensityClassifier(1), data, labels, cv=cv, scoring="neg_log_loss")
    np.testing.assert_allclose(scores[:, 1], loss, rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([[0.0], [1.0]], 1.0), {"cv": 2}, r"bandwidths must be numbers of shape \(H,\)"),
        (([[0.0], [1.0]], [1.0, -1.0]), {"cv": 2}, r"bandwidths must be above 0, but has -1\.0"),
        (([[0.0], [np.nan]], [1.0]), {"cv": 2}, "data must be finite"),
        (([[0.0], [1.0]], [1.0]), {"cv": 2, "labels": [1, 2, 3]}, r"labels must have shape \(2,\)"),
        (([[0.0], [1.0], [2.0]], [1.0]), {"cv": KFold(3), "labels": [1, 1, 2]}, "labels has too few rows of class int 2"),
        (([[0.0], [1.0], [2.0]], [1.0]), {"cv": KFold(3), "labels": np.array(["a", "a", "b"], object)}, "labels has too few rows of class str 'b'"),
    ],
)
def test_bad_input_of_the_scores_is_named(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        bandwidth_scores(*arguments, **options)


@pytest.mark.filterwarnings("ignore:Skipping check check_array_api_input")
def test_scikit_learns_contract():
    check_estimator(KernelDensityClassifier())


def test_digits_as_in_the_syllabus(digits):
    train, test, y_train, y_test = digits
    classifier = KernelDensityClassifier(10).fit(train, y_train)
    assert round(classifier.score(test, y_test), 4) == 0.9907
    trees = np.stack([KernelDensity(bandwidth=10).fit(train[y_train == c]).score_samples(test) for c in range(10)], axis=1)
    np.testing.assert_array_equal(classifier.predict(test), (trees + classifier.class_log_prior_).argmax(axis=1))
    np.testing.assert_allclose(classifier.predict_joint_log_proba(test), exact_densities(test, train, y_train, 10), rtol=1e-12)
    np.testing.assert_allclose(classifier.predict_proba(test).sum(axis=1), 1)


def test_right_where_every_density_underflows(digits):
    train, test, y_train, y_test = digits
    classifier = KernelDensityClassifier(0.25).fit(train, y_train)
    joint = exact_densities(test, train, y_train, 0.25)
    assert (np.exp(joint) == 0).all(axis=1).sum() > 400
    np.testing.assert_allclose(classifier.predict_joint_log_proba(test), joint, rtol=1e-12, atol=1e-8)
    assert round(classifier.score(test, y_test), 3) == 0.991
    assert np.isfinite(log_loss(y_test, classifier.predict_proba(test)))


def test_no_answer_where_even_logarithms_overflow():
    classifier = KernelDensityClassifier(1e-160).fit([[0.0], [1.0]], ["a", "b"])
    with pytest.raises(ValueError, match="bandwidth must be large enough"):
        classifier.predict([[0.2]])


def test_one_class_gets_everything():
    classifier = KernelDensityClassifier().fit([[0.0], [1.0]], ["only", "only"])
    assert list(classifier.predict([[0.5], [1e6]])) == ["only", "only"]
    np.testing.assert_array_equal(classifier.predict_proba([[0.5], [1e6]]), [[1], [1]])


def test_a_class_with_one_example():
    classifier = KernelDensityClassifier(1).fit([[0.0], [5.0], [1.0]], [1, 2, 1])
    np.testing.assert_allclose(classifier.predict_joint_log_proba([[5.0]])[0, 1], np.log(1 / 3) - 0.5 * np.log(2 * np.pi))
    assert list(classifier.predict([[4.0], [0.0]])) == [2, 1]


def test_rows_in_any_order_give_the_same():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 2)), rng.integers(3, size=50)
    shuffled = rng.permutation(50)
    one, other = (KernelDensityClassifier(0.5).fit(X[rows], y[rows]).predict_log_proba(X) for rows in (slice(None), shuffled))
    np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_rows_in_single_precision_are_computed_with_in_double():
    rng = np.random.default_rng(0)
    X, y = rng.normal(3, 1, size=(50, 8)).astype(np.float32), rng.integers(3, size=50)
    single, double = (KernelDensityClassifier(0.1).fit(rows, y).predict_joint_log_proba(rows) for rows in (X, X.astype(float)))
    np.testing.assert_array_equal(single, double)


def test_nothing_that_it_is_given_changes():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 2)), rng.integers(3, size=30)
    before = X.copy(), y.copy()
    original = KernelDensityClassifier(0.5)
    fitted = clone(original).fit(X, y)
    log_posterior = fitted.predict_log_proba(X)
    fitted.predict(X + 1)
    np.testing.assert_array_equal(fitted.predict_log_proba(X), log_posterior)
    np.testing.assert_array_equal(X, before[0])
    np.testing.assert_array_equal(y, before[1])
    assert vars(original) == {"bandwidth": 0.5}
    X[:] = 0
    assert fitted.data_.any()


@pytest.mark.parametrize("bandwidth", [0, -1, np.nan, "scott", [1, 2]])
def test_bad_bandwidth_of_the_classifier(bandwidth):
    rows = [[0.0], [1.0]]
    with pytest.raises(ValueError, match="^bandwidth must be"):
        KernelDensityClassifier(bandwidth).fit(rows, [0, 1])
    with pytest.raises(ValueError, match="^bandwidth must be"):  # set later, as a search does
        KernelDensityClassifier().fit(rows, [0, 1]).set_params(bandwidth=bandwidth).predict_proba(rows)


def test_bad_rows_of_the_classifier():
    classifier = KernelDensityClassifier().fit([[0.0, 1.0], [1.0, 1.0]], [0, 1])
    with pytest.raises(ValueError, match="X has 3 features, but KernelDensityClassifier is expecting 2"):
        classifier.predict([[0.0, 1.0, 2.0]])
    with pytest.raises(ValueError, match="NaN"):
        classifier.predict([[0.0, np.nan]])
    with pytest.raises(ValueError, match="NaN"):
        KernelDensityClassifier().fit([[0.0], [np.nan]], [0, 1])
    with pytest.raises(ValueError, match="Unknown label type"):
        KernelDensityClassifier().fit([[0.0], [1.0]], [0.5, 1.5])


def test_exported():
    assert {"KernelDensityClassifier", "bandwidth_scores", "kde_log_density"} <= set(helpers.__all__)
