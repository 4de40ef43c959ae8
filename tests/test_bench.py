"""The benchmark compares the same fits; how fast they are is for `make bench` to say, not for a test."""

import re

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
