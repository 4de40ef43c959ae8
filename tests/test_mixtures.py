"""Rows for a density, many fits at once, and collapsed components."""

import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from joblib import Parallel, parallel_config, register_parallel_backend
from joblib.parallel import ThreadingBackend
from jupyter_client.manager import start_new_kernel
from matplotlib.figure import Figure
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_info, threadpool_limits

import helpers
import helpers.mixtures
from helpers.tables import WIND_FARM

# --- rows that can have a density ----------------------------------------------------------------------------------------


def sensors(n_rows=500, **more):
    rng = np.random.default_rng(3)
    table = pd.DataFrame({"wind": rng.gamma(4, 2, n_rows), "power": rng.normal(0, 100, n_rows)})
    return table.assign(**{name: value(table) for name, value in more.items()})


def test_point_masses_of_the_wind_farm_are_its_stopped_sensor():
    pair = helpers.load_table(WIND_FARM).iloc[:, :2].dropna()
    rest = helpers.drop_point_masses(pair)
    assert rest.attrs["point_masses"] == {pair.columns[0]: {0.0: 152}}
    assert len(pair) - len(rest) == 152
    assert (pair[pair.iloc[:, 0] != 0] == rest).all(axis=None)


def test_rows_of_all_point_masses_go_and_nothing_else_changes():
    table = sensors()
    table.loc[:9, "wind"] = 0
    table.loc[5:15, "power"] = -1
    table.loc[20:24, "power"] = -2  # exactly the share, which may stay
    table.attrs["missing"] = "kept"
    before = table.copy()
    rest = helpers.drop_point_masses(table)
    assert rest.attrs == {"missing": "kept", "point_masses": {"wind": {0.0: 10}, "power": {-1.0: 11}}}
    pd.testing.assert_frame_equal(rest, table.loc[16:], check_flags=False)
    pd.testing.assert_frame_equal(table, before)
    rest.iloc[0, 0] = 99
    assert table.iloc[16, 0] != 99
    assert len(helpers.drop_point_masses(table, share=0.03)) == len(table)


@pytest.mark.parametrize("n_rows", [20, 50, 100, 500, 8_760])
@pytest.mark.parametrize("decimals", [0, 1, 2, 12])
def test_a_rounded_sensor_is_no_point_mass(n_rows, decimals):
    rng = np.random.default_rng(n_rows + decimals)
    table = pd.DataFrame({"temperature": rng.normal(15, 8, n_rows), "wind": rng.gamma(4, 2, n_rows), "level": rng.uniform(0, 30, n_rows)})
    rest = helpers.drop_point_masses(table.round(decimals))
    assert len(rest) == n_rows and rest.attrs["point_masses"] == {}


def test_the_steep_end_of_a_rounded_sensor_is_no_point_mass():
    """Of rain, in whole millimetres: each comes three and a half times as often as the next, and 0 most of all."""
    rain = np.floor(np.random.default_rng(0).exponential(0.8, 2_000))
    rest = helpers.drop_point_masses(pd.DataFrame({"rain": rain}))
    assert len(rest) == 2_000 and rest.attrs["point_masses"] == {}


@pytest.mark.parametrize(("n_rows", "stuck"), [(100, 20), (500, 40), (8_760, 300)])
@pytest.mark.parametrize("decimals", [1, 2, 12])
def test_a_stuck_value_is_one_however_the_others_are_rounded(n_rows, stuck, decimals):
    table = pd.DataFrame({"wind": np.random.default_rng(n_rows).gamma(4, 2, n_rows).round(decimals)})
    table.loc[: stuck - 1, "wind"] = 0.0
    rest = helpers.drop_point_masses(table, warn_from=1)
    assert list(rest.attrs["point_masses"]["wind"]) == [0.0] and len(rest) == n_rows - stuck


def test_a_heap_of_neighbours_far_finer_than_the_column_is_one():
    table = pd.DataFrame({"power": np.random.default_rng(0).normal(0, 300, 2_000).round(2)})
    table.loc[:399, "power"] = np.repeat([-0.01, 0.0, 0.01, 0.02], 100)
    with pytest.warns(UserWarning, match=r"'power' takes 400 of 2000 rows away \(20%\): 4 of its values .* 100 times") as caught:
        assert len(helpers.drop_point_masses(table)) == 1_600
    assert caught[0].filename == __file__


def test_from_a_twentieth_of_the_rows_on_a_warning_tells():
    table = sensors(1_000)
    table.loc[:49, "wind"] = 0
    with pytest.warns(UserWarning, match=r"'wind' takes 50 of 1000 rows away \(5%\): 1 of its values .* most of all 0, 50 times"):
        helpers.drop_point_masses(table)
    assert len(helpers.drop_point_masses(table, warn_from=0.06)) == len(helpers.drop_point_masses(table[1:])) == 950
    with pytest.raises(ValueError, match="warn_from must be above 0 and at most 1, but is int 2"):
        helpers.drop_point_masses(table, warn_from=2)


def test_two_rows_are_a_table():
    table = pd.DataFrame({"wind": [0.0, 1.0]})
    assert helpers.drop_point_masses(table).equals(table)


@pytest.mark.parametrize(
    ("table", "share", "error", "message"),
    [
        (np.ones((5, 2)), 0.01, TypeError, "table must be a pandas DataFrame, but is ndarray"),
        (sensors(), 0, ValueError, "share must be above 0 and below 1, but is int 0"),
        (sensors(), 1, ValueError, "share must be above 0 and below 1, but is int 1"),
        (sensors(), "much", ValueError, "share must be one number, but is str 'much'"),
        (sensors(1), 0.01, ValueError, "at least two rows, but has 1"),
        (sensors()[[]], 0.01, ValueError, r"table must have at least one column, but has shape \(500, 0\)"),
        (sensors(gap=lambda table: np.where(table.index == 3, np.nan, 1.5)), 0.01, ValueError, r"column 'gap' must be finite, but 1 of its 500 .* Leave the column out, or drop such rows\."),
        (sensors(high=lambda table: np.where(table.index == 3, np.inf, 1.5)), 0.01, ValueError, "column 'high' must be finite"),
        (sensors(state=lambda table: ["on"] * len(table)), 0.01, ValueError, "column 'state' must be numbers"),
        (sensors(flat=lambda table: 7.0), 0.01, ValueError, r"column 'flat' is constant or has so few values \(1\)"),
        (sensors(valve=lambda table: table.index % 4), 0.01, ValueError, r"column 'valve' is constant or has so few values \(4\)"),
        (sensors(flat=lambda table: np.where(table.index == 3, 5.0, 7.0)), 0.01, ValueError, r"no column varies any more .*'flat': \{7.0: 499\}"),
        (sensors(copy=lambda table: table.wind), 0.01, ValueError, r"of the columns \['wind', 'power', 'copy'\] one follows from the others"),
        (sensors(kmh=lambda table: 3.6 * table.wind + 1), 0.01, ValueError, "one follows from the others"),
        (sensors(total=lambda table: table.wind + table.power), 0.01, ValueError, "one follows from the others"),
    ],
)
def test_a_table_without_a_density_is_refused(table, share, error, message):
    with pytest.raises(error, match=message):
        helpers.drop_point_masses(table, share=share)


# --- many fits -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(centre, 1, size=(150, 5)) for centre in (0, 3, 8)])


MODELS = [GaussianMixture(K, random_state=seed, init_params="random_from_data", max_iter=500) for K in (1, 5, 2, 3) for seed in (0, 1)]
MODELS += [GaussianMixture(3, covariance_type="tied", n_init=2, random_state=0), KMeans(4, random_state=0, n_init=2)]


def numbers(fits):
    return [fit.cluster_centers_ if hasattr(fit, "cluster_centers_") else np.hstack([fit.means_.ravel(), fit.covariances_.ravel(), fit.lower_bound_]) for fit in fits]


@pytest.fixture(scope="module")
def expected(X):
    """What one process finds."""
    return numbers(helpers.fit_all(MODELS, X, n_jobs=1))


STARTS = {"weights_init": [0.2, 0.5, 0.3], "means_init": [[0] * 5, [2] * 5, [9] * 5], "precisions_init": [2 * np.eye(5)] * 3}
OTHERS = [
    GaussianMixture(3, n_init=4, random_state=7, init_params="random", tol=1e-8, max_iter=500),
    GaussianMixture(6, random_state=1, reg_covar=0.3, tol=1e-8, max_iter=500),
    GaussianMixture(3, random_state=0, means_init=STARTS["means_init"]),
    GaussianMixture(3, random_state=0, tol=1e-9, **STARTS),
    GaussianMixture(5, random_state=0, tol=0, max_iter=3),
    GaussianMixture(3, random_state=0, max_iter=0),
    GaussianMixture(3, random_state=0, warm_start=True),
    GaussianMixture(3, random_state=0, covariance_type="diag"),
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("far", [0, 100])  # far apart, most responsibilities are smaller than a number can be
@pytest.mark.parametrize("model", MODELS + OTHERS, ids=str)
def test_the_numbers_are_those_of_scikit_learn(X, model, far):
    rows = X + far * (X[:, :1] > 5)
    with threadpool_limits(1):
        plain = clone(model).fit(rows)
    (fit,) = helpers.fit_all([model], rows, n_jobs=1)
    assert type(fit) is type(model) and str(fit) == str(model)
    learned = {name: value for name, value in vars(plain).items() if name.endswith("_")}
    assert learned.keys() <= vars(fit).keys()
    for name, value in learned.items():
        np.testing.assert_allclose(getattr(fit, name), value, rtol=1e-7, atol=1e-9, err_msg=name)
    np.testing.assert_allclose(fit.predict(rows), plain.predict(rows))


def test_of_more_columns_scikit_learns_own_steps_are_taken():
    rows, model = np.random.default_rng(1).normal(size=(300, 17)), GaussianMixture(2, random_state=0, tol=1)
    for n_columns in (16, 17):
        (fit,) = helpers.fit_all([model], rows[:, :n_columns], n_jobs=1)
        with threadpool_limits(1):
            same = np.array_equal(fit.covariances_, clone(model).fit(rows[:, :n_columns]).covariances_)
        assert same == (n_columns == 17)


def test_a_column_times_another_makes_a_singular_covariance(X):
    rows = np.column_stack([X[:, 0], 3 * X[:, 0]])
    with pytest.raises(ValueError, match=r"in step \d+ the covariance of a component became singular: take fewer components than 2, a larger reg_covar than 0, or"):
        helpers.fit_all([GaussianMixture(2, reg_covar=0, random_state=0, precisions_init=[np.eye(2)] * 2)], rows, n_jobs=1)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("n_jobs", [1, 2, -1])
def test_the_numbers_are_the_same_whatever_works_at_it(X, expected, n_jobs, threads):
    before = [repr(model) for model in MODELS]
    with threadpool_limits(threads):
        fits = helpers.fit_all(MODELS, X, n_jobs=n_jobs)
    for fit, found, wanted in zip(fits, numbers(fits), expected, strict=True):
        np.testing.assert_array_equal(found, wanted, err_msg=repr(fit))
    assert [repr(model) for model in MODELS] == before
    assert not any(hasattr(model, "n_iter_") for model in MODELS)


def container(tmp_path, monkeypatch, limit, used, cache, version):
    """Let Linux say that the machine has much and the container little memory, in MB."""
    names = {2: ("memory.max", "memory.current", "inactive_file"), 1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")}
    folder = tmp_path / ("memory" if version == 1 else "")
    folder.mkdir(exist_ok=True)
    (folder / names[version][0]).write_text(f"{limit}\n" if isinstance(limit, str) else f"{limit * 10**6}\n")
    (folder / names[version][1]).write_text(f"{used * 10**6}\n")
    (folder / "memory.stat").write_text(f"anon 1\n{names[version][2]} {cache * 10**6}\n")
    (tmp_path / "meminfo").write_text("MemTotal:       99999999 kB\nMemAvailable:   64000000 kB\n")
    monkeypatch.setattr(helpers.mixtures, "CGROUP", tmp_path)
    monkeypatch.setattr(helpers.mixtures, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(helpers.mixtures, "cpu_count", lambda: 16)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(("limit", "used", "cache", "workers"), [(2_000, 900, 300, 6), (2_000, 1_990, 0, 1), (100_000, 0, 0, 12), ("max", 0, 0, 12)])
def test_no_more_processes_than_memory_and_fits(tmp_path, monkeypatch, X, limit, used, cache, workers, version):
    container(tmp_path, monkeypatch, limit, used, cache, version)
    assert helpers.mixtures._n_workers(X, [GaussianMixture(3)] * 12) == workers


def test_large_data_need_larger_processes_and_other_systems_say_nothing(tmp_path, monkeypatch):
    container(tmp_path, monkeypatch, 1_900, 0, 0, 2)
    assert helpers.mixtures._n_workers(np.zeros((10**6, 4)), [GaussianMixture(20)] * 12) == 1
    monkeypatch.setattr(helpers.mixtures, "CGROUP", tmp_path / "none")
    monkeypatch.setattr(helpers.mixtures, "MEMINFO", tmp_path / "none")
    assert helpers.mixtures._free_memory() == float("inf")
    (tmp_path / "none").write_text("MemTotal:       99999999 kB\n")  # a Linux that does not count what is available
    assert helpers.mixtures._free_memory() == float("inf")
    assert helpers.mixtures._n_workers(np.zeros((9, 2)), [KMeans(2)] * 40) == 16


def test_the_number_of_processes_is_the_one_that_fits(monkeypatch, X, expected):
    monkeypatch.setattr(helpers.mixtures, "_n_workers", lambda X, estimators: 1)
    started = []
    monkeypatch.setattr(helpers.mixtures, "Parallel", lambda n_jobs, **more: started.append(n_jobs) or Parallel(n_jobs=n_jobs, **more))
    for found, wanted in zip(numbers(helpers.fit_all(MODELS, X)), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    with parallel_config(backend="threading"):  # not ours to limit
        helpers.fit_all(MODELS[:1], X)
    assert started == [1, -1]


def test_the_fits_go_to_the_backend_that_the_caller_configures(X, expected):
    seen = []

    class Cluster(ThreadingBackend):
        def submit(self, *arguments, **named):
            seen.append(arguments)
            return super().submit(*arguments, **named)

    register_parallel_backend("cluster", Cluster)
    with parallel_config(backend="cluster"):
        fits = helpers.fit_all(MODELS, X, n_jobs=2)
    assert len(seen) == len(MODELS)
    for found, wanted in zip(numbers(fits), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


class Spy(GaussianMixture):
    """Notes with how many threads it is fitted."""

    def fit(self, X, y=None):
        self.threads_ = [library["num_threads"] for library in threadpool_info()]
        return super().fit(X)


def test_each_fit_has_a_single_thread(X):
    with threadpool_limits(2):
        (fit,) = helpers.fit_all([Spy(2, random_state=0)], X, n_jobs=1)
        assert set(fit.threads_) == {1}
        assert {library["num_threads"] for library in threadpool_info()} == {2}


THREADS = """
import time, numpy as np, helpers
from joblib import parallel_config
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_info

class Slow(GaussianMixture):
    def fit(self, X, y=None):
        time.sleep(0.5 / self.n_components)  # those that begin first end first, while the others are still at work
        self.threads_ = [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]
        return super().fit(X)

models = [Slow(K, random_state=0, tol=1) for K in range(1, 7)]
with parallel_config(backend="threading"):
    fits = helpers.fit_all(models, np.random.default_rng(0).normal(size=(50, 2)), n_jobs=6)
print([max(fit.threads_) for fit in fits], max(library["num_threads"] for library in threadpool_info()))
"""


def test_threads_of_one_process_do_not_lift_each_others_limit():
    """As on a cluster's worker that was started with several threads."""
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    run = subprocess.run([sys.executable, "-c", THREADS], capture_output=True, text=True, check=True, env=environment)
    assert run.stdout == "[1, 1, 1, 1, 1, 1] 2\n"


def test_a_worker_imports_no_more_than_its_fits_need(X):
    class Importer(GaussianMixture):  # in here, it is sent by value too
        def fit(self, X, y=None):
            import sys

            self.imported_ = {"helpers", "matplotlib"} & set(sys.modules)
            return super().fit(X)

    assert [fit.imported_ for fit in helpers.fit_all([Importer(1, random_state=seed) for seed in range(2)], X, n_jobs=2)] == [set(), set()]


def test_the_longest_goes_first_and_the_order_of_the_result_is_that_of_the_models(X, monkeypatch):
    fitted = []
    fit = helpers.mixtures.make_fit()
    monkeypatch.setattr(helpers.mixtures, "make_fit", lambda: lambda model, X: fitted.append(helpers.mixtures._cost(model)) or fit(model, X))
    fits = helpers.fit_all(MODELS, X, n_jobs=1)
    assert fitted == [8, 6, 5, 5, 3, 3, 2, 2, 1, 1]
    assert [fit.get_params() for fit in fits] == [model.get_params() for model in MODELS]
    assert helpers.fit_all([], X) == []
    helpers.fit_all([KMeans(2, random_state=0), *MODELS[:1]], X, n_jobs=1)
    assert fitted[-2:] == [2, 1]  # its number of starts is a word, "auto"


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_warnings_of_all_fits_become_one(X, n_jobs):
    hasty = [GaussianMixture(2, random_state=0), GaussianMixture(3, random_state=1, max_iter=1), GaussianMixture(5, random_state=1, max_iter=1)]
    with pytest.warns(ConvergenceWarning) as told:
        helpers.fit_all(hasty, X, n_jobs=n_jobs)
    (warning,) = told
    assert str(warning.message).startswith("2 of 3 fits warned. The first is GaussianMixture(max_iter=1, n_components=3, random_state=1): ")
    assert "did not converge" in str(warning.message)
    assert warning.filename == __file__


@pytest.mark.parametrize(
    ("models", "rows", "error", "message"),
    [
        (MODELS[:1], lambda X: np.where(X > 8, np.nan, X), ValueError, "X must be finite, but .* are NaN or infinite"),
        (MODELS[:1], lambda X: X[:, 0], ValueError, r"X must be numbers of shape \(N, D\), but has shape \(450,\)"),
        (MODELS, lambda X: X[:4], ValueError, "n_components = 5, n_samples = 4"),
        (MODELS[0], lambda X: X, TypeError, "estimators must be a list of estimators, but is GaussianMixture"),
        *(([GaussianMixture(2, random_state=0, **wrong)], lambda X: X, ValueError, f"{next(iter(wrong))}' parameter of GaussianMixture must be")
          for wrong in ({"n_init": 0}, {"n_init": 2.0}, {"max_iter": -5}, {"max_iter": 100.5}, {"tol": -1})),
        (["mixture"], lambda X: X, TypeError, "estimators must each have a fit method, but one is str 'mixture'"),
        ([GaussianMixture(2)], lambda X: X, ValueError, r"random_state must be a whole number .* but is NoneType None in GaussianMixture\(n_components=2\)"),
        ([GaussianMixture(2, random_state=np.random.RandomState(0))], lambda X: X, ValueError, "random_state must be a whole number"),
    ],
)
def test_what_cannot_be_fitted_is_refused(X, models, rows, error, message):
    with pytest.raises(error, match=message):
        helpers.fit_all(models, rows(X))


FITS = """
import numpy as np, helpers
from sklearn.mixture import GaussianMixture
_ = helpers.fit_all([GaussianMixture(1, random_state=0)] * 3, np.random.default_rng(0).normal(size=(20, 2)), n_jobs=1)
"""


def test_only_who_waits_sees_a_progress_bar_which_then_disappears():
    """A front end that a person sits at could ask one something, and says so; what stores a cell's outputs does not."""
    manager, client = start_new_kernel(extra_arguments=["--log-level=ERROR"])
    try:
        for waits in (True, False):
            told = []
            hook = lambda message: told.append(message["content"].get("text", ""))  # noqa: E731
            reply = client.execute_interactive(FITS, allow_stdin=waits, stdin_hook=print, output_hook=hook, timeout=60)
            assert reply["content"]["status"] == "ok"
            lines = "".join(told).split("\r")
            assert any("/3 [" in line for line in lines) == waits
            assert lines[-1].strip() == ""
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    run = subprocess.run([sys.executable, "-c", FITS], capture_output=True, check=True)
    assert (run.stdout, run.stderr) == (b"", b"")  # a file, no terminal


def test_nobody_waits_for_what_a_kernel_runs_before_the_first_request(monkeypatch):
    monkeypatch.setattr(helpers.mixtures, "get_ipython", lambda: SimpleNamespace(get_parent=dict))
    assert not helpers.mixtures._someone_waits()


# --- collapsed components -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["full", "diag", "spherical"])
def test_a_component_on_a_point_mass_has_collapsed(kind):
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(300, 2)), np.full((100, 2), 9.0), rng.normal((20, 0), 1, size=(300, 2))])
    mixture = GaussianMixture(3, covariance_type=kind, random_state=0).fit(X)
    at_the_mass = np.flatnonzero(np.isclose(mixture.means_, 9).all(axis=1)).tolist()
    assert len(at_the_mass) == 1 and helpers.collapsed_components(mixture).tolist() == at_the_mass
    ax = Figure().subplots()
    with pytest.warns(UserWarning, match=rf"components \[{at_the_mass[0]}\] have collapsed"):
        helpers.plot_mixture(mixture, ax=ax)
    wide = GaussianMixture(3, covariance_type=kind, reg_covar=0.01, random_state=0).fit(X)
    assert helpers.collapsed_components(wide).size == 1  # whatever the floor is


def test_a_sound_mixture_has_no_collapsed_component(X):
    mixture = GaussianMixture(3, random_state=0).fit(X)
    assert helpers.collapsed_components(mixture).size == 0
    with pytest.raises(AttributeError, match="call its fit method first"):
        helpers.collapsed_components(GaussianMixture(3))


# --- free parameters ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_free_parameters_are_those_of_scikit_learns_bic(kind, X):
    mixture = GaussianMixture(3, covariance_type=kind, random_state=0).fit(X)
    counted = (mixture.bic(X) + 2 * len(X) * mixture.score(X)) / np.log(len(X))
    assert helpers.free_parameters(3, X.shape[1], kind) == round(counted)


def test_free_parameters_of_64_pixels():
    assert helpers.free_parameters(2, 64) - helpers.free_parameters(1, 64) == 64 + 64 * 65 // 2 + 1
    with pytest.raises(ValueError, match="n_components must be a whole number of at least 1, but is int 0"):
        helpers.free_parameters(0, 64)
    with pytest.raises(ValueError, match="n_dims must be a whole number"):
        helpers.free_parameters(2, 1.5)
    with pytest.raises(ValueError, match="covariance_type must be one of full, tied, diag, spherical, but is .*round"):
        helpers.free_parameters(2, 64, "round")
