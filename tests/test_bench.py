"""The benchmark compares the same fits; how fast they are is for `make bench` to say, not for a test."""

import re
from types import SimpleNamespace

import bench
import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

MODELS = [GaussianMixture(K, random_state=seed) for K in (1, 2, 3) for seed in (0, 1)]


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(centre, 1, size=(100, 2)) for centre in (0, 9)])


def test_loop_and_sweep_find_the_same(X, capsys):
    assert bench.compare("two clouds", MODELS, X, limit=1, wanted=1e9, repeats=1)
    printed = capsys.readouterr().out
    assert re.search(r"two clouds, 6 fits: .* ratio \d+\.\d\d .*K with the lowest BIC: 2 and 2; .* difference of a BIC: 0e\+00", printed), printed
    assert not bench.compare("two clouds", MODELS, X, limit=None, wanted=0, repeats=1)


def test_a_sweep_that_finds_something_else_is_no_success(X, monkeypatch):
    monkeypatch.setattr(bench.helpers, "fit_all", lambda models, X: bench.loop(models[::-1], X))
    assert not bench.compare("two clouds", MODELS, X, limit=1, wanted=1e9, repeats=1)


@pytest.mark.parametrize("sweep", [bench.wind_pair, bench.digits_30])
def test_the_sweeps_are_those_of_the_chapters(sweep):
    X, models = sweep()
    assert X.shape == {"wind_pair": (8584, 2), "digits_30": (1797, 30)}[sweep.__name__]
    sizes = sorted({model.n_components for model in models})
    assert sizes == {"wind_pair": list(range(2, 51, 3)), "digits_30": list(range(2, 30))}[sweep.__name__]


def test_the_three_densities_are_the_same():
    rng = np.random.default_rng(0)
    data, labels, points = rng.normal(size=(60, 3)), rng.integers(3, size=60), rng.normal(size=(20, 3))
    exact = bench.exact_densities(points, data, labels, 0.8)
    for densities in (bench.tree_densities, bench.book_densities):
        np.testing.assert_allclose(densities(points, data, labels, 0.8), exact, atol=1e-6)
    folds = bench.folds_by_class(bench.exact_densities, data, labels, [0.5, 2])
    np.testing.assert_allclose(bench.helpers.bandwidth_scores(data, [0.5, 2], labels=labels), folds, atol=1e-9)


@pytest.mark.parametrize(
    ("off", "agree", "wanted", "kept"),
    [(0, True, 0, True), (1e-7, True, 0, False), (0, False, 0, False), (0, True, 1e9, False)],
)
def test_densities_must_be_right_and_fast(off, agree, wanted, kept, capsys):
    result = np.zeros(3)
    assert kept == bench.compare_densities(
        "zeros", lambda: result + 1, lambda: result + off, result, lambda slow, fast: agree and slow[0] == 1 and fast[0] == off, wanted, repeats=2
    )
    printed = capsys.readouterr().out
    assert "scikit-learn 1e+00" in printed and f"same choice: {'yes' if agree else 'no'}" in printed


@pytest.mark.parametrize(("work", "shape"), [(bench.class_densities, (540, 10)), (bench.bandwidth_selection, (5, 14))])
def test_the_densities_are_those_of_the_digits(work, shape, monkeypatch):
    seen = {}

    def compare_densities(name, slow, fast, exact, agree, wanted, repeats):
        seen.update(slow=slow(), fast=fast(), exact=exact, wanted=wanted)
        assert agree(exact, exact) and not agree(exact, -exact)

    monkeypatch.setattr(bench, "compare_densities", compare_densities)
    monkeypatch.setattr(bench, "tree_densities", lambda points, data, labels, bandwidth: np.zeros((len(points), 10)))  # they take seconds
    work(repeats=1)
    assert seen["slow"].shape == seen["fast"].shape == shape
    np.testing.assert_allclose(seen["fast"], seen["exact"], rtol=0, atol=1e-8)
    assert seen["wanted"] == {(540, 10): 5, (5, 14): 25}[shape]


@pytest.mark.parametrize("off", [0, 1e-16])
def test_a_cluster_must_find_the_same_to_the_last_bit(off, monkeypatch, capsys):
    started = []

    class Cluster:
        def __init__(self, folder):
            self.client = SimpleNamespace(run=lambda *_: None)

        def work_with(self, n_workers):
            self.n_workers = n_workers
            started.append(n_workers)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(bench, "Cluster", Cluster)
    monkeypatch.setattr(bench, "on_cluster", lambda cluster, function, *arguments: (function(*arguments) + off, 6 / cluster.n_workers, [1.5, 0.5]))
    same = bench.compare_workers("halves", np.multiply, (np.ones(3), 0.1), np.array_equal, repeats=2)
    assert same == (off == 0) and started == [1, 2]
    printed = capsys.readouterr().out
    assert "1 worker 6.00 s, 2 workers 3.00 s, 2.00 times as fast (2.00 to 2.00)" in printed and "2.0 s of work in 2 tasks, the longest 1.50 s" in printed


def test_fits_on_workers_are_those_of_the_chapter(monkeypatch):
    seen = []
    monkeypatch.setattr(bench, "compare_workers", lambda name, *arguments: seen.extend(arguments))
    bench.fits_on_workers(7)
    X, models = bench.wind_pair()
    function, (given, rows), same, repeats = seen
    assert (function, repeats) == (bench.helpers.fit_all, 7)
    assert [model.get_params() for model in given] == [model.get_params() for model in models] and np.array_equal(rows, X)
    fits = [GaussianMixture(1).fit(X[rows]) for rows in (slice(200), slice(200), slice(201))]
    assert same(fits[:1], fits[1:2]) and not same(fits[:1], fits[2:])


def test_densities_on_workers_are_enough_for_two(monkeypatch):
    seen = {}
    monkeypatch.setattr(bench, "compare_workers", lambda name, function, arguments, same, repeats: seen.update(points=arguments[0]))
    bench.densities_on_workers(1)
    assert seen["points"].shape == (20_000, 2) and seen["points"].size * 10_000 > 4 * bench.helpers.kernel_density.TASK


@pytest.mark.parametrize("slow", [None, 0, 1, 2, 3, 4, 5])
def test_the_benchmark_is_red_if_one_of_its_parts_is(slow, monkeypatch, capsys):
    asked = []

    def part(name, *_):
        asked.append(name)
        return len(asked) - 1 != slow

    for name in ("wind_pair", "digits_30"):
        monkeypatch.setattr(bench, name, lambda name=name: (name, [name]))
    monkeypatch.setattr(bench, "compare", lambda name, models, X, limit, wanted, repeats: part(name) and (X == "wind_pair") == (limit == 1) and models == [X] and repeats == 3)
    for name in ("class_densities", "bandwidth_selection", "fits_on_workers", "densities_on_workers"):
        monkeypatch.setattr(bench, name, lambda repeats, name=name: part(name) and repeats == 3)
    assert bench.main(3) == (slow is not None)
    assert len(asked) == 6 and ("All ratios are as wanted." in capsys.readouterr().out) == (slow is None)
