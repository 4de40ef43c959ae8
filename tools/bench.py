"""Compare the book's sweeps with the plain loop that one would write first: same fits, same seeds, side by side in one run.

    python tools/bench.py [--repeats N]

What counts are the ratios; the seconds are those of this machine and of what else it is doing. Each repeat runs the loop
and the sweep by turns, and the ratio of the medians is printed beside the smallest and the largest ratio of a repeat.
"""

import argparse
import os
import statistics
import time
import warnings
from contextlib import nullcontext

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

import helpers


def wind_pair():
    """Return the sweep of the chapter on choosing K, with three of its five starts: its data and its models."""
    X = helpers.drop_point_masses(helpers.load_table().iloc[:, :2].dropna()).to_numpy()
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


def main(repeats):
    print(f"{os.cpu_count()} cores, {repeats} repeats; starting the workers is in the sweep's time, once")
    kept = [
        compare("wind-farm pair, loop with one BLAS thread", *reversed(wind_pair()), 1, 0.6, repeats),
        compare("digits in 30 dimensions, loop with default threads", *reversed(digits_30()), None, 0.2, repeats),
    ]
    print("All ratios are as wanted." if all(kept) else "Not all ratios are as wanted.")
    return 0 if all(kept) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    raise SystemExit(main(parser.parse_args().repeats))
