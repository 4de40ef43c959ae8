"""Compare the book's sweeps and densities with the plain loop that one would write first, side by side in one run.

    python tools/bench.py [--repeats N]

What counts are the ratios; the seconds are those of this machine and of what else it is doing. Each repeat runs the loop
and the book's own by turns, and the ratio of the medians is printed beside the smallest and the largest ratio of a repeat.
Both must also come to the same result.

Where `distributed` is installed, the same is asked of a Dask cluster of one worker and of two, and what limits it is printed.
"""

import argparse
import importlib.util
import json
import os
import pickle
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from joblib import parallel_config
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.neighbors import KernelDensity
from threadpoolctl import threadpool_limits

import helpers
from helpers.tables import WIND_FARM


def wind_pair():
    """Return a sweep over the pair of the chapter on choosing K, finer than its own: the data and the models."""
    X = helpers.drop_point_masses(helpers.load_table(WIND_FARM).iloc[:, :2].dropna()).to_numpy()
    settings = {"init_params": "random_from_data", "max_iter": 500}
    return X, [GaussianMixture(K, random_state=seed, **settings) for K in range(2, 51, 3) for seed in range(3)]


def digits_30():
    """Return the sweep of the chapter on digits, in the 30 dimensions that PCA leaves."""
    X = PCA(30, random_state=0).fit_transform(load_digits().data)
    return X, [GaussianMixture(K, random_state=0) for K in range(2, 30)]


def loop(models, X):
    """Fit one model after the other."""
    return [GaussianMixture(**model.get_params()).fit(X) for model in models]


def timed(function, *arguments):
    """Return what a function returns, and the seconds that it took."""
    started = time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - started


def compare(name, models, X, limit, wanted, repeats):
    """Print how long the sweep takes as a share of the loop's time; return whether it keeps to what is wanted.

    The loop has `limit` threads, None for as many as the libraries take; the sweep always has its own setting.
    """
    seconds = []
    for _ in range(repeats):
        with threadpool_limits(limit) if limit else nullcontext(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            plain, slow = timed(loop, models, X)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            swept, fast = timed(helpers.fit_all, models, X)
        seconds.append((slow, fast))
    slow, fast = map(statistics.median, zip(*seconds))
    ratios = [each_fast / each_slow for each_slow, each_fast in seconds]

    bics = np.array([[fit.bic(X) for fit in fits] for fits in (plain, swept)])
    selected = [models[best].n_components for best in bics.argmin(axis=1)]
    apart = np.abs(bics[0] / bics[1] - 1).max()
    print(
        f"{name}, {len(models)} fits: loop {slow:.2f} s, sweep {fast:.2f} s, "
        f"ratio {fast / slow:.2f} ({min(ratios):.2f} to {max(ratios):.2f}; wanted: at most {wanted}); "
        f"K with the lowest BIC: {selected[0]} and {selected[1]}; largest relative difference of a BIC: {apart:.0e}"
    )
    return fast / slow <= wanted and selected[0] == selected[1] and apart < 1e-6


def digits_by_class():
    """Return the digits as the chapter on not-so-naive Bayes splits them."""
    data, target = load_digits(return_X_y=True)
    return train_test_split(data, target, test_size=0.3, random_state=1)


def tree_densities(points, data, labels, bandwidth):
    """Return log prior plus log class density, shape (M, C), with one scikit-learn `KernelDensity` a class."""
    return np.stack(
        [
            np.log(np.mean(labels == c)) + KernelDensity(bandwidth=bandwidth).fit(data[labels == c]).score_samples(points)
            for c in np.unique(labels)
        ],
        axis=1,
    )


def exact_densities(points, data, labels, bandwidth):
    """Return the same from plain differences and scipy's log-sum-exp."""
    log_scale = data.shape[1] * np.log(bandwidth * np.sqrt(2 * np.pi))
    joint = [
        logsumexp(-cdist(points, data[labels == c], "sqeuclidean") / (2 * bandwidth**2), axis=1) - np.log(len(data)) - log_scale
        for c in np.unique(labels)
    ]
    return np.stack(joint, axis=1)


def book_densities(points, data, labels, bandwidth):
    """Return the same from the book's classifier."""
    return helpers.KernelDensityClassifier(bandwidth).fit(data, labels).predict_joint_log_proba(points)


def folds_by_class(densities, data, labels, bandwidths):
    """Return the mean held-out log-posterior of the true class, shape (folds, H), fold by fold and bandwidth by bandwidth."""
    scores = []
    for rest, held_out in StratifiedKFold(5).split(data, labels):
        joints = [densities(data[held_out], data[rest], labels[rest], bandwidth) for bandwidth in bandwidths]
        true = np.arange(len(held_out)), np.searchsorted(np.unique(labels), labels[held_out])
        scores.append([np.mean(joint[true] - logsumexp(joint, axis=1)) for joint in joints])
    return np.array(scores)


def compare_densities(name, slow, fast, exact, agree, wanted, repeats):
    """Print how many times as fast the book's densities are; return whether that is as wanted and the results are right.

    `slow` and `fast` are functions without arguments, `exact` is what the fast one should return to within 1e-8, and `agree`
    says whether the slow and the fast result lead to the same choice.
    """
    seconds = []
    for _ in range(repeats):
        (loop_result, loop_seconds), (result, result_seconds) = timed(slow), timed(fast)
        seconds.append((loop_seconds, result_seconds))
    loop_seconds, result_seconds = map(statistics.median, zip(*seconds))
    ratios = [loop / ours for loop, ours in seconds]
    times = loop_seconds / result_seconds
    off, loop_off = (np.abs(each - exact).max() for each in (result, loop_result))
    same = agree(loop_result, result)
    print(
        f"{name}: scikit-learn's KernelDensity {loop_seconds:.3f} s, the book {result_seconds:.3f} s, "
        f"{times:.1f} times as fast ({min(ratios):.1f} to {max(ratios):.1f}; wanted: at least {wanted}); "
        f"same choice: {'yes' if same else 'no'}; furthest from exact: {off:.0e} nats (scikit-learn {loop_off:.0e})"
    )
    return times >= wanted and same and off < 1e-8


def class_densities(repeats):
    """Compare the log-densities of the test digits under all ten classes."""
    train, test, y_train, _ = digits_by_class()
    arguments = test, train, y_train, 10.0
    return compare_densities(
        "densities of 540 digits under ten classes",
        lambda: tree_densities(*arguments),
        lambda: book_densities(*arguments),
        exact_densities(*arguments),
        lambda trees, book: (trees.argmax(axis=1) == book.argmax(axis=1)).all(),
        wanted=5,
        repeats=5 * repeats,
    )


def bandwidth_selection(repeats):
    """Compare the search for the bandwidth of the classifier: fourteen values, five folds."""
    train, _, y_train, _ = digits_by_class()
    bandwidths = np.arange(2, 16)
    right = bandwidths >= 5  # below, the trees are off by a thousandth of a nat and more
    return compare_densities(
        "bandwidth of the classifier, 14 values, 5 folds",
        lambda: folds_by_class(tree_densities, train, y_train, bandwidths),
        lambda: helpers.bandwidth_scores(train, bandwidths, labels=y_train),
        folds_by_class(exact_densities, train, y_train, bandwidths),
        lambda trees, book: trees[:, right].mean(axis=0).argmax() == book[:, right].mean(axis=0).argmax(),
        wanted=25,
        repeats=repeats,
    )


#: Dask lets a worker give the memory of each large array back at once; a fit asks for it again in every step, and took twice as long.
KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": "268435456", "MALLOC_MMAP_THRESHOLD_": "33554432"}


class Cluster:
    """A Dask scheduler on this machine, its client, and workers of one thread each, all as processes of their own.

    Parameters
    ----------
    folder : Path
        For their files; ``folder / "log"`` has what they print.
    memory : str, default "auto"
        What each worker may take.
    **settings : str
        More environment variables for all of them.
    """

    def __init__(self, folder, *, memory="auto", **settings):
        from distributed import Client

        self.folder, self.memory, self.processes = folder, memory, []
        self.environment = {**os.environ, **KEEP_MEMORY, **settings}
        where = folder / "scheduler.json"
        self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", where)
        self.client = Client(scheduler_file=where)
        self.address = json.loads(where.read_text())["address"]

    def work_with(self, n_workers):
        """Start workers until there are so many, and wait for them."""
        options = "--nthreads", "1", "--memory-limit", self.memory, "--local-directory", self.folder, "--host", "127.0.0.1"
        for _ in range(n_workers + 1 - len(self.processes)):
            self._start("worker", self.address, *options)
        self.client.wait_for_workers(n_workers, timeout=120)

    def _start(self, *arguments):
        with open(self.folder / "log", "a") as log:
            command = [sys.executable, "-m", "dask", *arguments, "--no-dashboard"]
            self.processes.append(subprocess.Popen(command, env=self.environment, stdout=log, stderr=log, start_new_session=True))

    def stop(self):
        self.client.close()
        for process in reversed(self.processes):
            os.killpg(process.pid, signal.SIGKILL)  # with it the worker that it watches, which may be starting again
            process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def on_cluster(cluster, function, *arguments):
    """Return what a function returns with its work on the cluster, its seconds, and what each task took there: a list of lists."""
    from distributed import get_task_stream

    with parallel_config("dask", client=cluster.client), get_task_stream(cluster.client) as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result, seconds = timed(function, *arguments)
        time.sleep(0.5)  # the last tasks' times are on their way
    tasks = [[each["stop"] - each["start"] for each in task["startstops"] if each["action"] == "compute"] for task in stream.data]
    return result, seconds, [sum(task) for task in tasks]


def compare_workers(name, function, arguments, same, repeats):
    """Print how many times as fast two workers are as one, and what keeps it from two; return whether the results are right.

    A third run, without a cluster, tells what the cluster itself costs. `same` compares two results, to the last bit.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, Cluster(Path(folder)) as first:
        _, start = timed(first.work_with, 1)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as other, Cluster(Path(other)) as second:
            second.work_with(2)
            for cluster in (first, second):
                cluster.client.run(__import__, "helpers")  # so that no run pays for it
            runs = []
            for _ in range(repeats):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    home, at_home = timed(function, *arguments)
                runs.append((at_home, *(on_cluster(cluster, function, *arguments) for cluster in (second, first))))
    alone, two, one = (statistics.median(each) for each in zip(*((home, b[1], a[1]) for home, b, a in runs)))
    ratios = [a[1] / b[1] for _, b, a in runs]
    kept = all(same(home, each[0]) for run in runs for each in run[1:])
    tasks = runs[-1][1][2]
    print(
        f"{name}: 1 worker {one:.2f} s, 2 workers {two:.2f} s, {one / two:.2f} times as fast ({min(ratios):.2f} to "
        f"{max(ratios):.2f}), without a cluster, on all cores, {alone:.2f} s; same to the last bit: {'yes' if kept else 'no'}\n"
        f"  limits: {start:.1f} s to start a worker, once; {sum(tasks):.1f} s of work in {len(tasks)} tasks, the longest {max(tasks):.2f} s; "
        f"{len(pickle.dumps(arguments)) / 1e6:.2f} MB to a worker, {len(pickle.dumps(home)) / 1e6:.2f} MB back"
    )
    return kept


def fits_on_workers(repeats):
    """Compare the sweep of the chapter on choosing K."""
    X, models = wind_pair()

    def same(fits, others):
        return all((fit.means_ == other.means_).all() and (fit.covariances_ == other.covariances_).all() for fit, other in zip(fits, others))

    return compare_workers(f"wind-farm pair on a cluster, {len(models)} fits", helpers.fit_all, (models, X), same, repeats)


def densities_on_workers(repeats):
    """Compare the log-densities of 20,000 points under 20,000 kernels in the plane."""
    points, data = np.random.default_rng(0).normal(size=(2, 20_000, 2))
    return compare_workers("20,000 points under 20,000 kernels on a cluster", helpers.kde_log_density, (points, data, 0.2), np.array_equal, repeats)


def main(repeats):
    print(f"{os.cpu_count()} cores, {repeats} repeats; starting the workers is in the sweep's time, once")
    kept = [
        compare("wind-farm pair, loop with one BLAS thread", *reversed(wind_pair()), 1, 0.6, repeats),
        compare("digits in 30 dimensions, loop with default threads", *reversed(digits_30()), None, 0.2, repeats),
        class_densities(repeats),
        bandwidth_selection(repeats),
    ]
    if importlib.util.find_spec("distributed"):
        kept += [fits_on_workers(repeats), densities_on_workers(repeats)]
    print("All ratios are as wanted." if all(kept) else "Not all ratios are as wanted.")
    return 0 if all(kept) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    raise SystemExit(main(parser.parse_args().repeats))
