"""The benchmark compares the same fits; how fast they are is for `make bench` to say, not for a test."""

import os
import time
import warnings
from types import SimpleNamespace

import bench
import numpy as np
import pytest
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_info

MODELS = [GaussianMixture(K, random_state=seed) for K in (1, 2, 3) for seed in (0, 1)]


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(centre, 1, size=(100, 2)) for centre in (0, 9)])


def clock(monkeypatch, *seconds):
    """Let each thing that is timed take so many seconds, in turn; return what each was, and with how many threads."""
    seconds, seen = iter(seconds), []

    def timed(function, *arguments):
        seen.append((function.__name__, {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}))
        return function(*arguments), next(seconds)

    monkeypatch.setattr(bench, "timed", timed)
    return seen


@pytest.mark.parametrize(("limit", "wanted", "kept"), [(1, 0.25, True), (None, 0.24, False)])
def test_loop_and_sweep_find_the_same(X, monkeypatch, capsys, limit, wanted, kept):
    models = [GaussianMixture(K, random_state=seed, max_iter=2) for K in (1, 2, 3) for seed in (0, 1)]  # that they warn is no concern here
    threads = {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}
    seen = clock(monkeypatch, 4, 1, 2, 1, 8, 1.5)
    assert bench.compare("two clouds", models, X, limit, wanted, repeats=3) == kept
    assert [name for name, _ in seen] == ["loop", "fit_all"] * 3 and seen[0][1] == ({1} if limit else threads)
    told, apart = capsys.readouterr().out.rsplit(maxsplit=1)
    assert told == (
        f"two clouds, 6 fits: loop 4.00 s, sweep 1.00 s, ratio 0.25 (0.19 to 0.50; wanted: at most {wanted}); "
        "K with the lowest BIC: 2 and 2; largest relative difference of a BIC:"
    )
    assert float(apart) < 1e-12


def test_what_is_timed_is_returned_with_its_seconds():
    result, seconds = bench.timed(lambda first, second: time.sleep(0.02) or first - second, 3, 1)
    assert result == 2 and 0.02 <= seconds < 2


def test_a_sweep_that_finds_something_else_is_no_success(X, monkeypatch):
    monkeypatch.setattr(bench.helpers, "fit_all", lambda models, X: bench.loop(models[::-1], X))
    assert not bench.compare("two clouds", MODELS, X, limit=1, wanted=1e9, repeats=1)


@pytest.mark.parametrize(("apart", "kept"), [(0, True), (9e-7, True), (2e-6, False), (-2e-6, False)])
def test_a_bic_that_is_another_is_no_success(monkeypatch, apart, kept):
    models = [SimpleNamespace(n_components=K) for K in (1, 2)]
    monkeypatch.setattr(bench, "loop", lambda models, X: [SimpleNamespace(bic=lambda X, K=model.n_components: K) for model in models])
    monkeypatch.setattr(bench.helpers, "fit_all", lambda models, X: [SimpleNamespace(bic=lambda X, K=model.n_components: K / (1 + apart * (K == 2))) for model in models])
    assert bench.compare("numbers", models, None, None, 1e9, repeats=1) == kept


@pytest.mark.parametrize("sweep", [bench.wind_pair, bench.digits_30])
def test_the_sweeps_are_those_of_the_chapters(sweep):
    X, models = sweep()
    assert X.shape == {"wind_pair": (8584, 2), "digits_30": (1797, 30)}[sweep.__name__]
    told = [(model.n_components, model.random_state, model.init_params, model.max_iter) for model in models]
    assert told == {
        "wind_pair": [(K, seed, "random_from_data", 500) for K in range(2, 51, 3) for seed in range(3)],
        "digits_30": [(K, 0, "kmeans", 100) for K in range(2, 30)],
    }[sweep.__name__]
    assert X.mean(axis=0).tolist() == pytest.approx([0] * 30, abs=1e-9) or sweep is bench.wind_pair


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
    [(0, True, 2.5, True), (-1e-7, True, 0, False), (0, False, 0, False), (0, True, 2.6, False)],
)
def test_densities_must_be_right_and_fast(off, agree, wanted, kept, monkeypatch, capsys):
    def trees():
        return result - [0, 1, 0]

    def book():
        return result + off

    result = np.zeros(3)
    seen = clock(monkeypatch, 2, 1, 5, 2, 8, 2.5)
    assert kept == bench.compare_densities("zeros", trees, book, result, lambda slow, fast: agree and slow[1] == -1 and fast[0] == off, wanted, repeats=3)
    assert [name for name, _ in seen] == ["trees", "book"] * 3
    assert capsys.readouterr().out == (
        f"zeros: scikit-learn's KernelDensity 5.000 s, the book 2.000 s, 2.5 times as fast (2.0 to 3.2; wanted: at least {wanted}); "
        f"same choice: {'yes' if agree else 'no'}; furthest from exact: {abs(off):.0e} nats (scikit-learn 1e+00)\n"
    )


@pytest.mark.parametrize(("work", "shape"), [(bench.class_densities, (540, 10)), (bench.bandwidth_selection, (5, 14))])
def test_the_densities_are_those_of_the_digits(work, shape, monkeypatch):
    seen = {}

    def compare_densities(name, slow, fast, exact, agree, wanted, repeats):
        seen.update(slow=slow(), fast=fast(), exact=exact, wanted=wanted, name=name, repeats=repeats)
        assert agree(exact, exact) and not agree(exact, -exact)

    monkeypatch.setattr(bench, "compare_densities", compare_densities)
    monkeypatch.setattr(bench, "tree_densities", lambda points, data, labels, bandwidth: np.zeros((len(points), 10)))  # they take seconds
    work(repeats=2)
    assert seen["slow"].shape == seen["fast"].shape == shape
    np.testing.assert_allclose(seen["fast"], seen["exact"], rtol=0, atol=1e-8)
    assert (seen["wanted"], seen["repeats"], seen["name"]) == {
        (540, 10): (5, 10, "densities of 540 digits under ten classes"), (5, 14): (25, 2, "bandwidth of the classifier, 14 values, 5 folds"),
    }[shape]


@pytest.mark.parametrize("off", [0, 1e-16])
def test_a_cluster_must_find_the_same_to_the_last_bit(off, monkeypatch, capsys):
    started, ran = [], []

    class Cluster:
        def __init__(self, folder):
            assert folder.is_dir()
            self.client = SimpleNamespace(run=lambda *asked: ran.append(asked))

        def work_with(self, n_workers):
            self.n_workers = n_workers
            started.append(n_workers)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(bench, "Cluster", Cluster)
    clock(monkeypatch, 7, 4, 5)

    def twice(rows, factor):
        warnings.warn("no concern here", stacklevel=2)
        return rows * factor

    monkeypatch.setattr(bench, "on_cluster", lambda cluster, function, *arguments: (arguments[0] * arguments[1] + off, 6 / cluster.n_workers, [1.5, cluster.n_workers / 4]))
    same = bench.compare_workers("halves", twice, (np.ones(50_000), 0.1), np.array_equal, repeats=2)
    assert same == (off == 0) and started == [1, 2] and ran == [(__import__, "helpers")] * 2
    assert capsys.readouterr().out == (
        "halves: 1 worker 6.00 s, 2 workers 3.00 s, 2.00 times as fast (2.00 to 2.00), without a cluster, on all cores, 4.50 s; "
        f"same to the last bit: {'no' if off else 'yes'}\n"
        "  limits: 7.0 s to start a worker, once; 2.0 s of work in 2 tasks, the longest 1.50 s; 0.40 MB to a worker, 0.40 MB back\n"
    )


def test_fits_on_workers_are_those_of_the_chapter(monkeypatch):
    seen = []
    monkeypatch.setattr(bench, "compare_workers", lambda *arguments: seen.extend(arguments))
    bench.fits_on_workers(7)
    X, models = bench.wind_pair()
    name, function, (given, rows), same, repeats = seen
    assert (name, function, repeats) == ("wind-farm pair on a cluster, 51 fits", bench.helpers.fit_all, 7)
    assert [model.get_params() for model in given] == [model.get_params() for model in models] and np.array_equal(rows, X)
    fits = [GaussianMixture(1).fit(X[rows]) for rows in (slice(200), slice(200), slice(201))]
    assert same(fits[:1], fits[1:2]) and not same(fits[:1], fits[2:])


def test_densities_on_workers_are_enough_for_two(monkeypatch):
    seen = []
    monkeypatch.setattr(bench, "compare_workers", lambda *arguments: seen.extend(arguments))
    bench.densities_on_workers(7)
    name, function, (points, data, bandwidth), same, repeats = seen
    assert (name, function, bandwidth, same, repeats) == ("20,000 points under 20,000 kernels on a cluster", bench.helpers.kde_log_density, 0.2, np.array_equal, 7)
    assert points.shape == data.shape == (20_000, 2) and points.size * 10_000 > 4 * bench.helpers.kernel_density.TASK
    assert (points != data).all() and abs(points.mean()) < 0.02


@pytest.mark.parametrize("slow", [None, 0, 1, 2, 3, 4, 5])
def test_the_benchmark_is_red_if_one_of_its_parts_is(slow, monkeypatch, capsys):
    asked = []

    def part(name, *_):
        asked.append(name)
        return len(asked) - 1 != slow

    for name in ("wind_pair", "digits_30"):
        monkeypatch.setattr(bench, name, lambda name=name: (name, [name]))
    monkeypatch.setattr(bench, "compare", lambda name, models, X, *told: part(name) and models == [X] and tuple(told) == {"wind_pair": (1, 0.6, 3), "digits_30": (None, 0.2, 3)}[X])
    for name in ("class_densities", "bandwidth_selection", "fits_on_workers", "densities_on_workers"):
        monkeypatch.setattr(bench, name, lambda repeats, name=name: part(name) and repeats == 3)
    assert bench.main(3) == (slow is not None)
    assert asked == [
        "wind-farm pair, loop with one BLAS thread", "digits in 30 dimensions, loop with default threads", "class_densities", "bandwidth_selection",
        "fits_on_workers", "densities_on_workers",
    ]
    assert capsys.readouterr().out == (
        f"{os.cpu_count()} cores, 3 repeats; starting the workers is in the sweep's time, once\n{'All' if slow is None else 'Not all'} ratios are as wanted.\n"
    )
    monkeypatch.setattr(bench.importlib.util, "find_spec", lambda name: None if name == "distributed" else True)
    asked.clear()
    bench.main(3)
    assert len(asked) == 4, "without distributed there is no cluster"
