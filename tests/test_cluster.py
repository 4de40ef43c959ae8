"""Fits and densities on a Dask cluster: a scheduler and workers as processes of their own, of which some die."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from bench import Cluster, on_cluster
from joblib import parallel_config
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

import helpers
from helpers import _cluster, kernel_density


class Mortal(GaussianMixture):
    """Takes its worker with it when it is fitted: until the file `mark` is there, or each time."""

    def __init__(self, n_components=1, *, random_state=0, mark=None):
        super().__init__(n_components, random_state=random_state)
        self.mark = mark

    def fit(self, X, y=None):
        if not self.mark or not Path(self.mark).exists():
            if self.mark:
                Path(self.mark).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(X)


class Greedy(GaussianMixture):
    """Takes ever more memory."""

    def fit(self, X, y=None):
        taken = []
        while len(taken) < 40:  # 2 GB: what does not stop it here does not stop it at all
            taken.append(np.ones(50_000_000 // 8))
            time.sleep(0.05)
        return super().fit(X)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    settings = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}  # the workers have to find this file
    settings["DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES"] = "1"  # the second worker that a fit takes is the last; by default the fourth
    with Cluster(tmp_path_factory.mktemp("cluster"), memory="600MB", **settings) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(centre, 1, size=(100, 3)) for centre in (0, 3, 8)])


MODELS = [GaussianMixture(K, random_state=seed, max_iter=20) for K in (1, 4, 2, 3) for seed in (0, 1)]


def assert_same(fits, wanted):
    assert [fit.get_params() for fit in fits] == [fit.get_params() for fit in wanted]
    for fit, other in zip(fits, wanted, strict=True):
        for name in ("weights_", "means_", "covariances_", "lower_bound_"):
            np.testing.assert_array_equal(getattr(fit, name), getattr(other, name), err_msg=repr(fit))


@pytest.mark.parametrize("n_workers", [1, 2, 3])
def test_the_numbers_are_those_at_home_however_many_workers(cluster, X, n_workers, monkeypatch):
    monkeypatch.setattr(kernel_density, "TASK", 20_000)  # of 90,000 pairs
    monkeypatch.setattr(kernel_density, "BLOCK", 3_000)
    hasty = [*MODELS, GaussianMixture(3, random_state=0, max_iter=1)]
    densities = helpers.kde_log_density(X, X, [0.2, 1])
    with pytest.warns(ConvergenceWarning) as at_home:
        fits = helpers.fit_all(hasty, X, n_jobs=1)
    cluster.work_with(n_workers)
    before = cluster.client.run(lambda dask_worker: dask_worker.state.transition_counter)
    with parallel_config("dask"), pytest.warns(ConvergenceWarning) as told:
        assert_same(helpers.fit_all(hasty, X), fits)
    with parallel_config("dask"):
        np.testing.assert_array_equal(helpers.kde_log_density(X, X, [0.2, 1]), densities)
    after = cluster.client.run(lambda dask_worker: dask_worker.state.transition_counter)
    assert len(before) == n_workers and all(after[worker] > before[worker] for worker in before)  # each has worked
    assert [str(warning.message) for warning in told] == [str(warning.message) for warning in at_home]


def test_how_long_each_task_took_is_measured(cluster, X):
    cluster.work_with(1)
    fits, seconds, tasks = on_cluster(cluster, helpers.fit_all, MODELS, X)
    assert_same(fits, helpers.fit_all(MODELS, X, n_jobs=1))
    assert 0 < max(tasks) <= seconds


def test_a_worker_killed_in_the_middle_changes_nothing(cluster, X, tmp_path):
    cluster.work_with(3)
    models = [*MODELS, Mortal(5, mark=str(tmp_path / "died"))]  # the largest is the first to begin, on the worker with the data
    with parallel_config("dask"):
        fits = helpers.fit_all(models, X)
    assert (tmp_path / "died").exists()
    assert_same(fits, helpers.fit_all(models, X, n_jobs=1))


def test_a_fit_that_kills_every_worker_is_named(cluster, X):
    cluster.work_with(1)
    with parallel_config("dask"), pytest.raises(RuntimeError, match=r"the fit of Mortal\(n_components=2\) was tried 2 times, and each time its worker died"):
        helpers.fit_all([*MODELS, Mortal(2)], X)


def test_a_fit_that_needs_too_much_memory_is_named_with_how_much(cluster, X):
    cluster.work_with(1)
    words = r"the fit of Greedy\(n_components=7, random_state=0\) needs more memory than a worker may take, 600 MB: 2 in turn .* at (5[7-9]\d|6\d\d) MB.*--memory-limit"
    with parallel_config("dask"), pytest.raises(MemoryError, match=words):
        helpers.fit_all([*MODELS, Greedy(7, random_state=0)], X)
    with parallel_config("dask"):  # and the cluster goes on
        assert len(helpers.fit_all(MODELS, X)) == len(MODELS)


def test_what_a_fit_raises_is_raised_here(cluster, X):
    cluster.work_with(1)
    with parallel_config("dask"), pytest.raises(ValueError, match="n_components = 4, n_samples = 3"):
        helpers.fit_all(MODELS, X[:3])


@pytest.mark.parametrize(
    ("workers", "words"),
    [
        ({}, "there is none, start one with `dask worker ADDRESS`"),
        ({1: {"status": "paused", "memory_limit": 300e6}}, r"1 stand still because their memory is nearly full \(300 MB each\): .* larger --memory-limit"),
    ],
)
def test_who_waits_for_nobody_is_told(workers, words):
    with pytest.warns(UserWarning, match=words):
        assert _cluster._nobody_works(SimpleNamespace(scheduler_info=lambda: {"workers": workers}))
    assert not _cluster._nobody_works(SimpleNamespace(scheduler_info=lambda: {"workers": {**workers, 2: {"status": "running"}}}))


def test_threads_that_would_stand_idle_are_told(cluster, monkeypatch):
    cluster.work_with(1)
    monkeypatch.setattr(cluster.client, "ncores", lambda: {"here": 1, "there": 4})
    with parallel_config("dask"), pytest.warns(UserWarning, match="has 4 threads, of which only one works at a time: .* --nthreads 1"):
        _cluster.cluster()


def test_without_distributed_everything_is_done_at_home():
    program = """
import sys; sys.modules.update(dict.fromkeys(["dask", "distributed"]))
import numpy as np, helpers
from helpers import kernel_density
from sklearn.mixture import GaussianMixture
kernel_density.TASK = 1
X = np.random.default_rng(0).normal(size=(40, 2))
print(len(helpers.fit_all([GaussianMixture(2, random_state=0)] * 3, X, n_jobs=1)), len(helpers.kde_log_density(X, X, 1)))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "3 40\n"
