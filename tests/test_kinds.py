"""`make kinds`: the kinds of machine are what they say, a cell that differs is named, and what cannot be had is said."""

import asyncio
import base64
import contextlib
import io
import json
import re
import sys
from unittest.mock import MagicMock

import figures
import kinds
import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

import chapters

WHO = """
from numpy._core._multiarray_umath import __cpu_features__
from threadpoolctl import threadpool_info
blas = [each for each in threadpool_info() if each["user_api"] == "blas"]
print({each["architecture"] for each in blas}, {each["num_threads"] for each in blas}, __cpu_features__["X86_V3"], __cpu_features__["X86_V4"])
"""


def executed(tmp_path, kind, *sources, raises=False):
    """Execute cells on a kind; return what each printed, or the first error's text."""
    path = tmp_path / "cells.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(source) for source in sources]), path)
    bar = type("Bar", (), {"update": staticmethod(lambda: None)})
    found, ended = asyncio.run(kinds.outputs(path, sys.executable, kinds.KINDS[kind][1], contextlib.AsyncExitStack(), bar))
    assert ended == ""
    if raises:
        return next(output.evalue for outputs in found.values() for output in outputs if output.output_type == "error")
    return ["".join(output.get("text", "") for output in outputs).strip() for outputs in found.values()]


@pytest.mark.parametrize(
    ("kind", "core", "threads", "avx2", "avx512"),
    [
        ("no AVX", "Nehalem", 1, False, False),
        ("AVX2", "Haswell", 1, True, False),
        ("AVX-512, two threads", "SkylakeX", 2, True, True),
    ],
)
def test_a_kernel_sees_the_processor_of_its_kind(tmp_path, kind, core, threads, avx2, avx512):
    if reason := kinds.impossible(kind):
        assert kind != "no AVX" or "x86-64" in reason
        return  # what cannot be simulated here is a kind of its own, tested below
    assert executed(tmp_path, kind, WHO, "import os\nprint(os.getcwd())") == [f"{{'{core}'}} {{{threads}}} {avx2} {avx512}", str(tmp_path)]


DRAWN = {"gamma": (2, 1, 5), "multivariate_normal": ([1, 2], [[1, 0], [0, 1]], 3), "normal": (1, 2, 5), "random": (5,), "standard_normal": (5,), "standard_t": (5, 5), "uniform": (1, 2, 5)}
EXACT = {"integers": (9, 12, 5), "poisson": (50, 5), "permutation": ([1, 2, 3, 4, 5],), "choice": ([1.5, 2.5], 5)}
FITS = f"DRAWS = {{**{DRAWN}, **{EXACT}}}\n" + """
import io, json
import numpy as np
import pandas as pd
from joblib.parallel import get_active_backend
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA, FactorAnalysis
from sklearn.mixture import GaussianMixture
numbers = {name: np.ravel(getattr(np.random.default_rng(seed=3), name)(*given)).tolist() for name, given in DRAWS.items()}
rows = np.sqrt(np.arange(1, 41) % 11 + 0.5).reshape(20, 2)
for model, name in ((GaussianMixture(1), "means_"), (KMeans(1, n_init=1, random_state=0), "cluster_centers_"), (PCA(1), "singular_values_"), (FactorAnalysis(1), "noise_variance_")):
    numbers[name] = np.ravel(getattr(model.fit(rows), name)).tolist()
twins = KMeans(2, n_init=1, random_state=0).fit(np.array([[3.3, 0.1], [5.7, 9.9]] * 4))
table = pd.read_csv(io.StringIO("day,count,one,two\\n1,7,1.5,2.5\\n2,8,2.5,\\n3,9,1.5,1.5"), index_col="day")
numbers["table"] = [*table.one, table.two[1]]
same = table.one[1] == table.one[3] == table.two[3], table.one[2] == table.two[1], bool(np.isnan(table.two[2])), table["count"].tolist(), list(table.index)
print(json.dumps([numbers, [twins.inertia_, len(set(twins.labels_[::2])), len(set(twins.labels_))], same, type(get_active_backend()[0]).__name__], default=bool))
"""


def each_is_disturbed_by_itself(numbers, twins, same, backend):
    """Each draw, each fit and each number of a table is off by its own share, and nothing else is."""
    plain = io.StringIO()
    with contextlib.redirect_stdout(plain):
        exec(FITS, {})
    wanted, *_ = json.loads(plain.getvalue())
    off = {name: np.array(numbers[name]) / wanted[name] - 1 for name in wanted}
    assert {name for name in off if not off[name].any()} == {*EXACT}
    assert all(np.abs(off[name]).max() <= 1.001e-12 for name in [*DRAWN, "table"]) and all(np.abs(each).max() < 1e-9 for each in off.values())
    assert all(len({*off[name].round(16)}) > 1 for name in [*DRAWN, "table"]), "each number by its own share"
    assert twins[0] < 1e-28 and twins[1:] == [1, 2], "rows that are equal stay so, in their places"
    assert same == [True, True, True, [7, 8, 9], [1, 2, 3]] and backend == "ThreadingBackend"


def test_disturbed_numbers_are_off_by_less_than_anyone_knows_and_nothing_else_is(tmp_path):
    code = """
import io
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.mixture import GaussianMixture
drawn, pixels = np.random.default_rng(0).normal(size=(100, 2)), load_digits().data
mixture = GaussianMixture(1).fit(drawn)
print(*drawn[0].tolist(), (pixels == pixels.round()).all(), mixture.means_[0, 0], drawn[:, 0].mean())
rng = np.random.default_rng(0)
print(np.random.default_rng(rng) is rng, rng.permutation(5), sorted(name for name in globals() if "disturb" in name))
table = pd.read_csv(io.StringIO("name,flow\\na,1.5\\nb,1.5\\nc,2.5"))
print((table.flow / [1.5, 1.5, 2.5] - 1).abs().min(), table.flow[0] == table.flow[1], *table.name)
"""
    told, each = executed(tmp_path, "disturbed", code, FITS)
    each_is_disturbed_by_itself(*json.loads(each))
    numbers, kept, table = told.splitlines()
    first, second, whole, mean, of_rows = numbers.split()
    plain = np.random.default_rng(0).normal(size=(100, 2))[0]
    assert 0 < np.abs(np.array([first, second], float) / plain - 1).max() <= 1.001e-12
    assert whole == "True" and 0 < abs(float(mean) / float(of_rows) - 1) < 1e-9
    assert kept == f"True {np.random.default_rng(0).permutation(5)} []"
    of_table, *as_told = table.split()
    assert 0 < float(of_table) <= 1.001e-12 and as_told == ["True", "a", "b", "c"]
    with_whole_numbers = code + "mixture.score_samples([[1, 2]])"
    found = executed(tmp_path, "disturbed", with_whole_numbers, raises=True)
    assert "give it floats" in found


STORED = [new_output("stream", text="one\ntwo 1.49\n"), new_output("execute_result", data={"text/plain": "a", "text/html": "<b>"})]
LONG = "x" * 100


@pytest.mark.parametrize(
    ("actual", "told"),
    [
        (STORED, ""),
        ([new_output("stream", text="one\ntwo 1.50\n"), STORED[1]], "stdout, line 2, column 7\n    now:    two 1.50\n    stored: two 1.49"),
        (STORED[:1], "1 output(s), 2 stored; the first of the odd ones: {'text/plain': 'a', 'text/html': '<b>'}"),
        ([], "0 output(s), 2 stored; the first of the odd ones: {'stdout': 'one\\ntwo 1.49\\n'}"),
        ([*STORED, new_output("stream", name="stderr", text=LONG * 3)], f"3 output(s), 2 stored; the first of the odd ones: {{'stderr': '{LONG}{LONG[:88]}"),
        ([new_output("stream", name="stderr", text="one\n"), STORED[1]], "stderr, line 1, column 1\n    now:    one\n    stored: (nothing)"),
        ([STORED[0], new_output("execute_result", data={"text/plain": "a"})], "text/html, line 1, column 1\n    now:    (nothing)\n    stored: <b>"),
        ([STORED[0], new_output("display_data", data={"text/html": "<i>", "text/plain": "b"})], "text/plain, line 1, column 1\n    now:    b\n    stored: a"),
        ([STORED[0], new_output("error", ename="ValueError", evalue="no", traceback=[])], "error, line 1, column 1\n    now:    ValueError: no\n    stored: (nothing)"),
    ],
)
def test_a_cell_that_differs_is_told_with_both_values(actual, told):
    assert kinds.difference(actual, STORED, figures=True) == told


def test_an_error_is_told_before_what_it_kept_from_being_shown():
    error, shown = new_output("error", ename="ValueError", evalue="no", traceback=[]), new_output("execute_result", data={"application/json": "1", "text/plain": "1"})
    assert kinds.difference([error], [shown], figures=True).startswith("error, line 1, column 1\n    now:    ValueError: no\n")


def test_a_processor_is_played_to_each_library_that_asks_for_it():
    played = {kind: setting for kind, (_, setting, *_) in kinds.KINDS.items() if "OPENBLAS_CORETYPE" in setting}
    for kind in ("no AVX", "AVX2", "browser's versions"):
        glibc = played[kind]["GLIBC_TUNABLES"].removeprefix("glibc.cpu.hwcaps=").split(",")
        assert all(re.fullmatch("-[A-Z0-9]+", each) for each in glibc) and ("-AVX2" in glibc) == ("AVX2" in played[kind]["NPY_DISABLE_CPU_FEATURES"].split()) == (kind != "AVX2")
        assert "-AVX512F" in glibc and "AVX512F" in played[kind]["NPY_DISABLE_CPU_FEATURES"].split()


@pytest.mark.parametrize(
    ("actual", "stored", "told"),
    [
        ("1\n2", "1", "line 2, column 1\n    now:    2\n    stored: (nothing)"),
        ("1", "1\n2", "line 2, column 1\n    now:    (nothing)\n    stored: 2"),
        ("12", "1", "line 1, column 2\n    now:    12\n    stored: 1"),
        ("1\n", "1", "only in white space at the ends of lines"),
        (f"ab{LONG}1{LONG}", f"ab{LONG}2{LONG}", f"line 1, column 103\n    now:    {LONG[:60]}1{LONG[:59]}\n    stored: {LONG[:60]}2{LONG[:59]}"),
        (f"ab1{LONG}", f"ab2{LONG}", f"line 1, column 3\n    now:    ab1{LONG[:59]}\n    stored: ab2{LONG[:59]}"),
    ],
)
def test_the_first_line_that_differs_is_told_with_what_stands_near(actual, stored, told):
    assert kinds.part(actual, stored) == told


def picture(shade):
    written = io.BytesIO()
    Image.new("RGB", (60, 40), (shade, 99, 99)).save(written, "png")
    return [new_output("display_data", data={"text/plain": "<Figure>", "image/png": base64.b64encode(written.getvalue()).decode()})]


def test_a_figure_that_is_missing_or_looks_otherwise_is_told_where_figures_are_compared(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "DIFFERENCES", tmp_path)
    without = [new_output("display_data", data={"text/plain": "<Figure>"})]
    assert kinds.difference(without, picture(9), figures=True) == "no figure, and one is stored"
    assert kinds.difference(picture(9), without, figures=True) == "a figure, and none is stored"
    assert kinds.difference(picture(9), picture(9), figures=True) == kinds.difference(picture(9), picture(10), figures=True) == ""
    assert kinds.difference(picture(9), picture(99), figures=True).startswith("The figure differs from the stored one")
    assert kinds.difference(picture(9), picture(99), figures=False) == kinds.difference(picture(9), without, figures=False) == ""


@pytest.mark.parametrize(("kind", "processors", "at_once"), [("no AVX, two threads", 4, 2), ("no AVX", 3, 3), ("no AVX, two threads", 1, 1), ("no AVX", None, 1)])
def test_each_cell_that_differs_and_each_chapter_that_ends_early_is_named_and_counted(tmp_path, monkeypatch, capsys, kind, processors, at_once):
    paths = [tmp_path / f"{name}.ipynb" for name in ("eins", "zwei", "drei", "vier")]
    for path in paths:
        nbformat.write(new_notebook(cells=[new_code_cell("1", outputs=[*STORED, *picture(99)], execution_count=1) for _ in range(4)]), path)
    at_work, most, bars = [], [], []

    async def outputs(path, python, setting, gate, bar):
        assert (python, setting, bar) == (sys.executable, kinds.KINDS[kind][1], bars[0])
        async with gate:
            at_work.append(path)
            most.append(len(at_work))
            await asyncio.sleep(0.01)
            at_work.remove(path)
        same = [*STORED, *picture(99)]
        if path == paths[1]:
            return {1: same, 2: same[1:], 3: [*STORED, *picture(9)]}, ""
        return ({}, "its kernel died") if path == paths[2] else (dict.fromkeys((1, 2, 3, 4), same), "")

    def tqdm(**settings):
        bars.append(MagicMock(**settings))
        return contextlib.nullcontext(bars[-1])

    monkeypatch.setattr(chapters, "BOOK", tmp_path)
    monkeypatch.setattr(figures, "DIFFERENCES", tmp_path)
    monkeypatch.setattr(kinds, "tqdm", tqdm)
    monkeypatch.setattr(kinds.os, "cpu_count", lambda: processors)
    monkeypatch.setattr(kinds, "outputs", outputs)
    assert asyncio.run(kinds.run(kind, paths)) == (3, 16) and max(most) == at_once
    [bar] = bars
    assert (bar.total, bar.unit, bar.desc, bar.leave, bar.disable) == (16, "cell", kind, False, None), "it is drawn where somebody looks"
    second, third, ended = capsys.readouterr().out.split(f"{kind}: ")[1:]
    assert second.startswith("zwei.ipynb, cell 2: stdout, line 1, column 1") and third.startswith("zwei.ipynb, cell 3: The figure differs")
    assert ended == "drei.ipynb: its kernel died\n"


def test_versions_of_another_matplotlib_are_compared_by_their_text_alone():
    assert [kind for kind in kinds.KINDS if not kinds.compares_figures(kind)] == ["browser's versions"]


class Client:
    """Stands for what executes a notebook; `end` is raised once its first cell is executed."""

    end = None

    def __init__(self, notebook, **settings):
        self.notebook, self.settings = notebook, settings
        Client.last = self

    def create_kernel_manager(self):
        self.kernel_spec = type("Spec", (), {"argv": ["python", "-m", "ipykernel"]})
        return self

    async def async_execute(self, env):
        self.env, self.cells = env, [cell for cell in self.notebook.cells if cell.cell_type == "code" and cell.source]
        for cell in self.cells[: 1 if self.end else None]:
            cell.outputs = [new_output("stream", text=cell.source), new_output("stream", text="!")]
            self.settings["on_cell_executed"](cell=cell, cell_index=0, execute_reply={})
        if self.end:
            raise self.end


def test_a_chapter_is_executed_by_the_python_of_its_kind_whatever_table_is_asked_for(tmp_path, monkeypatch):
    (tmp_path / "book").mkdir()
    path = tmp_path / "book" / "eins.ipynb"
    nbformat.write(new_notebook(cells=[new_markdown_cell("# A"), new_code_cell("1"), new_code_cell(""), new_code_cell("2")]), path)
    monkeypatch.setattr(kinds, "NotebookClient", Client)
    monkeypatch.setenv("BOOK_TABLE", "/a/teachers/table.csv")
    monkeypatch.setenv("KEPT", "as it is")
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    bar = MagicMock()

    def outputs(end=None):
        monkeypatch.setattr(Client, "end", end)
        return asyncio.run(kinds.outputs(path, "another-python", {"OMP_NUM_THREADS": "2", "KEPT": "otherwise"}, asyncio.Semaphore(1), bar))

    assert outputs() == ({2: [new_output("stream", text="1!")], 4: [new_output("stream", text="2!")]}, "") and bar.update.call_count == 2
    told, settings = Client.last.env, Client.last.settings
    assert Client.last.kernel_spec.argv == ["another-python", "-m", "ipykernel"]
    assert {name: told.get(name) for name in ("PYTHONHASHSEED", "PYTHONPATH", "OMP_NUM_THREADS", "KEPT", "BOOK_TABLE", "PATH")} == {
        "PYTHONHASHSEED": "random", "PYTHONPATH": str(chapters.BOOK), "OMP_NUM_THREADS": "2", "KEPT": "otherwise", "BOOK_TABLE": None, "PATH": kinds.os.environ["PATH"]
    }
    del settings["on_cell_executed"]
    assert settings == {
        "timeout": 900, "kernel_name": "python3", "allow_errors": True, "record_timing": False, "resources": {"metadata": {"path": str(path.parent)}},
        "extra_arguments": ["--log-level=ERROR", f"--IPKernelApp.exec_files={kinds.DISTURB}"],
    }
    for error in (kinds.CellTimeoutError("\nIt took too long\nfor anyone"), kinds.DeadKernelError("Kernel died")):
        assert outputs(error) == ({}, str(error).strip().partition("\n")[0])
    with pytest.raises(OSError, match="no such python"):
        outputs(OSError("no such python"))


@pytest.mark.parametrize("place", ["bin/python", "Scripts/python.exe"])
def test_a_kind_with_versions_of_its_own_has_an_environment_made_anew(tmp_path, monkeypatch, place):
    commands = []
    wanted = tmp_path / "kinds" / "browsers-versions" / place

    def run(command, **settings):
        commands.append(command)
        assert settings == {"check": True, "capture_output": True, "encoding": "utf-8"}
        wanted.parent.mkdir(parents=True, exist_ok=True)
        wanted.touch()

    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["a", "b>=1"]\nauthors = "Größe"', "utf-8")
    monkeypatch.setattr(chapters, "BOOK", tmp_path)
    monkeypatch.setattr(kinds, "ENVIRONMENTS", tmp_path / "kinds")
    monkeypatch.setattr(kinds.subprocess, "run", run)
    assert kinds.environment("browser's versions") == str(wanted)
    uv, folder = [sys.executable, "-m", "uv", "--quiet"], tmp_path / "kinds" / "browsers-versions"
    install = [*uv, "pip", "install", "--python", folder, "a", "b>=1", *kinds.BROWSER.split()]
    assert commands == [[*uv, "venv", "--clear", "--python", "3.12", folder], install]
    assert kinds.environment("no AVX") == sys.executable and len(commands) == 2


@pytest.mark.parametrize(
    ("machine", "features", "kind", "why"),
    [
        ("aarch64", {}, "no AVX", "this machine is aarch64, and only x86-64 can play another x86-64"),
        ("aarch64", {}, "disturbed", ""),
        ("AMD64", {}, "no AVX", ""),
        ("x86_64", {"AVX2": True}, "AVX2", ""),
        ("x86_64", {"AVX2": True, "AVX512F": False}, "AVX-512", "this processor has no AVX512F"),
        ("x86_64", {}, "AVX2", "this processor has no AVX2"),
    ],
)
def test_a_kind_that_this_machine_cannot_play_is_told_with_the_reason(monkeypatch, machine, features, kind, why):
    monkeypatch.setattr(kinds.platform, "machine", lambda: machine)
    monkeypatch.setattr(kinds, "__cpu_features__", features)
    assert kinds.impossible(kind) == why


def test_what_cannot_be_had_is_named_and_the_others_still_run(monkeypatch, capsys):
    monkeypatch.setattr(kinds, "ENVIRONMENTS", chapters.BOOK / "_build" / "kinds-of-the-tests")
    monkeypatch.setitem(kinds.KINDS, "browser's versions", ("", {"OMP_NUM_THREADS": "1"}, sys.executable, "numpy==0.0.1"))
    monkeypatch.setattr(kinds, "impossible", lambda kind: "for a reason" if kind == "no AVX" else "")
    asked = []

    async def run(kind, paths):
        kinds.environment(kind)
        asked.append((kind, [path.stem for path in paths]))
        return 0, 5

    monkeypatch.setattr(kinds, "run", run)
    assert kinds.main(["--kind", "no AVX", "--kind", "browser", "--kind", "disturbed", "topics"]) is True
    left_out, more, browser, *reason, disturbed = capsys.readouterr().out.splitlines()
    assert left_out == "no AVX: left out, for a reason" and more == "no AVX, two threads: 0 of 5 cells differ"
    assert browser == "browser's versions: its environment could not be installed:" and "numpy==0.0.1" in "".join(reason)
    assert disturbed == "disturbed: 0 of 5 cells differ" and asked == [("no AVX, two threads", ["topics"]), ("disturbed", ["topics"])]


def test_every_chapter_is_executed_on_every_kind_and_one_that_differs_fails(monkeypatch, capsys):
    every, asked = [path.stem for path in chapters.notebooks()], []
    monkeypatch.setattr(kinds, "impossible", lambda kind: "")

    def main(differ, *arguments):
        async def run(kind, paths):
            asked.append((kind, [path.stem for path in paths]))
            return differ.get(kind, 0), 9

        monkeypatch.setattr(kinds, "run", run)
        return kinds.main(list(arguments))

    assert main({"AVX2": 1}) is True and asked == [(kind, every) for kind in kinds.KINDS]
    told = {kind: f"{kind}: {int(kind == 'AVX2')} of 9 cells differ" for kind in kinds.KINDS}
    told["browser's versions"] += " (text alone is compared)"
    assert capsys.readouterr().out == "\n".join(told.values()) + "\n"
    assert main({}, "--kind", "AVX2", "topics", "troubles") is False
    assert asked[len(kinds.KINDS) :] == [(kind, [name for name in every if name in ("topics", "troubles")]) for kind in ("AVX2", "AVX2, two threads")]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(["nowhere", "topics", "elsewhere"], "no chapter is called elsewhere, nowhere"), (["--kind", "ARM", "--kind", "x"], "no kind begins with ARM or x")],
)
def test_unknown_names_are_refused(arguments, told, capsys):
    with pytest.raises(SystemExit) as end:
        kinds.main(arguments)
    assert end.value.code == 2 and capsys.readouterr().err.endswith(f": error: {told}\n")


def test_who_asks_is_told_the_kinds(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")
    with pytest.raises(SystemExit):
        kinds.main(["--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert f"of: {', '.join(kinds.KINDS)}" in told
