"""`make kinds`: the kinds of machine are what they say, a cell that differs is named, and what cannot be had is said."""

import asyncio
import base64
import contextlib
import io
import subprocess
import sys

import figures
import kinds
import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
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
    numbers, kept, table = executed(tmp_path, "disturbed", code)[0].splitlines()
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


@pytest.mark.parametrize(
    ("actual", "told"),
    [
        (STORED, ""),
        ([new_output("stream", text="one\ntwo 1.50\n"), STORED[1]], "stdout, line 2, column 7\n    now:    two 1.50\n    stored: two 1.49"),
        (STORED[:1], "1 output(s), 2 stored; the first of the odd ones: {'text/plain': 'a'"),
        ([STORED[0], new_output("execute_result", data={"text/plain": "a"})], "text/html, line 1, column 1\n    now:    (nothing)\n    stored: <b>"),
        ([STORED[0], new_output("error", ename="ValueError", evalue="no", traceback=[])], "error, line 1, column 1\n    now:    ValueError: no"),
    ],
)
def test_a_cell_that_differs_is_told_with_both_values(actual, told):
    found = kinds.difference(actual, STORED, figures=True)
    assert found.startswith(told) if told else found == ""


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


def test_each_cell_that_differs_and_each_chapter_that_ends_early_is_named_and_counted(tmp_path, monkeypatch, capsys):
    nbformat.write(new_notebook(cells=[new_code_cell("1", outputs=STORED, execution_count=1) for _ in range(4)]), tmp_path / "eins.ipynb")

    async def outputs(*_):
        return {1: STORED, 2: STORED[1:], 3: STORED[1:]}, "its kernel died"

    monkeypatch.setattr(chapters, "BOOK", tmp_path)
    monkeypatch.setattr(kinds, "outputs", outputs)
    assert asyncio.run(kinds.run("disturbed", [tmp_path / "eins.ipynb"])) == (3, 4)
    ended, *cells = [line for line in capsys.readouterr().out.splitlines() if line.startswith("disturbed: ")]
    assert ended == "disturbed: eins.ipynb: its kernel died"
    assert [cell.rpartition(": ")[0] for cell in cells] == ["disturbed: eins.ipynb, cell 2", "disturbed: eins.ipynb, cell 3"]


def test_what_cannot_be_had_is_named_and_the_others_still_run(monkeypatch, capsys):
    monkeypatch.setattr(kinds.platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(kinds, "ENVIRONMENTS", chapters.BOOK / "_build" / "kinds-of-the-tests")
    monkeypatch.setitem(kinds.KINDS, "browser's versions", ("", {"OMP_NUM_THREADS": "1"}, sys.executable, "numpy==0.0.1"))
    monkeypatch.setattr(kinds, "__cpu_features__", {})

    async def run(kind, paths):
        kinds.environment(kind)
        return 0, 5

    monkeypatch.setattr(kinds, "run", run)
    assert kinds.main(["--kind", "no AVX", "--kind", "browser", "--kind", "disturbed", "topics"])
    printed = capsys.readouterr().out
    assert "no AVX: left out, this machine is aarch64, and only x86-64 can play another x86-64" in printed
    assert "browser's versions: its environment could not be installed:\n" in printed and "numpy==0.0.1" in printed
    assert "disturbed: 0 of 5 cells differ" in printed
    monkeypatch.undo()
    monkeypatch.setattr(kinds, "__cpu_features__", {"AVX2": True})
    assert kinds.impossible("AVX2") == "" and kinds.impossible("AVX-512") == "this processor has no AVX512F"


@pytest.mark.parametrize(("arguments", "told"), [(["nowhere"], "no chapter is called nowhere"), (["--kind", "ARM"], "no kind begins with ARM")])
def test_unknown_names_are_refused(arguments, told):
    command = [sys.executable, chapters.BOOK / "tools" / "kinds.py", *arguments]
    run = subprocess.run(command, capture_output=True, encoding="utf-8")
    assert run.returncode == 2 and told in run.stderr


def test_who_asks_is_told_the_kinds(capsys):
    with pytest.raises(SystemExit):
        kinds.main(["--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert all(kind in told for kind in kinds.KINDS)
