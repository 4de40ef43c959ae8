"""The comparison of figures: what it lets pass, what it does not, and that nbval's run includes it."""

import io
import re
import subprocess
import sys
from pathlib import Path

import figures
import matplotlib.style
import nbformat
import nbval_figures
import numpy as np
import pytest
from matplotlib.figure import Figure
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import chapters
import helpers


def draw(
    *, shift=0, color=0, short_color=0, linewidth=1.0, title="1,368 hours", legend="K = 3", ylabel="Log-density", ticks="0246", last_point=True, style=None
):
    """Return the PNG of a figure as a chapter draws it: thin lines, points, digits."""
    colors = helpers.COLORS
    with matplotlib.style.context(["default", chapters.BOOK / "helpers" / "book.mplstyle", style or {}]):
        figure = Figure()
        ax = figure.subplots()
        x = np.linspace(0, 6, 150)
        ax.plot(x, np.sin(x) + shift, color=colors[color], linewidth=linewidth, label=legend)
        ax.plot(x[20:50], np.cos(x[20:50]) / 2, color=colors[short_color], linewidth=linewidth)
        points = np.random.default_rng(0).normal([3, 0], [1, 0.4], size=(40, 2))
        ax.scatter(*points[: None if last_point else -1].T, s=20, color=colors[2], alpha=0.6)
        ax.set(xlabel="Time (h)", ylabel=ylabel, title=title, ylim=(-1.5, 1.5))
        ax.set_xticks([0, 2, 4, 6], list(ticks))
        ax.legend(loc="upper right")
        buffer = io.BytesIO()
        figure.savefig(buffer, bbox_inches="tight", dpi=192)
    return buffer.getvalue()


STORED = draw()
PIXEL = 3 / 410  # the height of one pixel in units of the y-axis, about

ALIKE = {
    "not hinted": {"text.hinting": "none"},
    "hinted by other means": {"text.hinting": "force_autohint"},
    "lines not snapped to pixels": {"path.snap": False},
    "lines not simplified": {"path.simplify": False},
    "letters a little larger": {"font.size": 12.1},
    "one pixel wider": {"figure.figsize": (6.01, 3.6)},
    "one pixel higher": {"figure.figsize": (6, 3.61)},
    "axes half a pixel smaller": {"figure.constrained_layout.w_pad": 0.045, "figure.constrained_layout.h_pad": 0.045},
    "margin a pixel narrower": {"savefig.pad_inches": 0.107},
}
UNLIKE = {
    "curve three pixels higher": {"shift": 3 * PIXEL},
    "curve six pixels higher": {"shift": 6 * PIXEL},
    "curve in another colour": {"color": 5},
    **{f"short thin curve in colour {n}": {"short_color": n} for n in range(1, len(helpers.COLORS))},
    "curve twice as thick": {"linewidth": 2},
    "one point fewer": {"last_point": False},
    "one digit in the title": {"title": "1,363 hours"},
    "one digit in the legend": {"legend": "K = 2"},
    "one digit under the axis": {"ticks": "0248"},
    "no title": {"title": ""},
    "no label": {"ylabel": ""},
    "one letter of a label": {"ylabel": "Log-densitv"},
}


@pytest.mark.parametrize("style", ALIKE.values(), ids=ALIKE)
def test_what_a_reader_does_not_see_passes(style):
    other = draw(style=style)
    assert other != STORED, "this style changes nothing, so nothing was tested"
    assert figures.distance(other, STORED).max() < 0.95 * figures.LIMIT


@pytest.mark.parametrize("change", UNLIKE.values(), ids=UNLIKE)
def test_what_a_reader_sees_fails(change):
    assert figures.distance(draw(**change), STORED).max() > 1.05 * figures.LIMIT


def test_the_order_of_the_two_does_not_matter():
    other = draw(style=ALIKE["one pixel wider"])
    assert figures.distance(other, STORED).max() == pytest.approx(figures.distance(STORED, other).max(), rel=0.05)


def test_a_failure_keeps_the_pictures_and_says_where(monkeypatch, tmp_path):
    monkeypatch.setattr(figures, "DIFFERENCES", tmp_path / "differences")
    figures.assert_looks_like(STORED, STORED)
    assert not figures.DIFFERENCES.exists()

    changed = draw(title="1,363 hours")
    with pytest.raises(AssertionError, match=r"differs from the stored one, most at pixel \(\d+, \d+\): .* limit 13"):
        figures.assert_looks_like(changed, STORED)
    kept = {path.name.rsplit("-", 1)[1]: path for path in figures.DIFFERENCES.iterdir()}
    assert set(kept) == {"actual.png", "expected.png", "difference.png"}
    assert kept["actual.png"].read_bytes() == changed
    assert kept["expected.png"].read_bytes() == STORED
    assert figures.read(kept["difference.png"].read_bytes()).min() < 0.1  # dark where they differ most


def test_a_figure_of_another_size_fails(monkeypatch, tmp_path):
    monkeypatch.setattr(figures, "DIFFERENCES", tmp_path)
    with pytest.raises(AssertionError, match=r"is \d+ × \d+ pixels in size; the stored one is \d+ × \d+"):
        figures.assert_looks_like(draw(style={"figure.figsize": (6.1, 3.6)}), STORED)


DRAW = "fig, ax = plt.subplots(figsize=(3, 2))\n_ = ax.plot([0, 1, 2], [0, {}, 1])"

#: How a chapter's stored notebook comes to differ from what its code now does: cell, source as stored, source as run.
EDITS = {
    1: (DRAW.format(1.5), DRAW.format(1.5)),
    2: (DRAW.format(1.5), DRAW.format(1.4)),
    3: ("print(0.12)", "print(0.12)"),
    4: ("print(0.12)", "print(0.13)"),
    5: ("pass", "import sys; print('a warning', file=sys.stderr)"),
    6: ("print('text')", "import sys; print('text', file=sys.stderr)"),
    7: (DRAW.format(1), "pass"),
    8: ("pass", DRAW.format(1)),
    9: (DRAW.format(1), DRAW.format(1) + "\n" + DRAW.format(1)),
    10: ("print('2 random')", "import os; print(os.environ['OMP_NUM_THREADS'], os.environ['PYTHONHASHSEED'])"),
}
CHANGED = {2, 4, 5, 6, 7, 8, 9}


def run_pytest(folder, *arguments):
    """Run pytest on a folder of notebooks with the book's own settings and plugin."""
    command = [sys.executable, "-m", "pytest", f"--config-file={chapters.BOOK / 'pyproject.toml'}", f"--rootdir={folder}"]
    options = ["--numprocesses=0", "-p", "no:cacheprovider", "--color=no", "-rA", folder, *arguments]
    return subprocess.run([*command, *options], cwd=folder, capture_output=True, text=True)


def test_nbval_turns_red_for_each_change_and_for_nothing_else(tmp_path):
    cells = [new_code_cell("%matplotlib inline\nimport matplotlib.pyplot as plt\nimport helpers")]
    cells += [new_code_cell(before) for before, _ in EDITS.values()]
    # The chapter's last cell gives something else without the solution before it, and the solution something else after it.
    in_solution, last = (f"{mine} = 1; print(globals().get('{other}'))" for mine, other in (("mine", "later"), ("later", "mine")))
    solution = [new_markdown_cell("```{solution-start} a\n```"), new_code_cell(in_solution), new_markdown_cell("```{solution-end}\n```")]
    notebook = new_notebook(cells=cells + solution + [new_code_cell(last)])
    NotebookClient(notebook, kernel_name="python3", extra_arguments=["--log-level=ERROR"]).execute()
    for cell, (_, after) in zip(notebook.cells[1:], EDITS.values(), strict=False):
        cell.source = after
    nbformat.write(notebook, tmp_path / "edited.ipynb")

    run = run_pytest(tmp_path)
    verdicts = {number: verdict for verdict, number in re.findall(r"^(PASSED|FAILED) .*Cell (\d+)", run.stdout, re.MULTILINE)}
    red = CHANGED | {len(EDITS) + 1, len(EDITS) + 2}
    assert verdicts == {str(number): "FAILED" if number in red else "PASSED" for number in range(len(EDITS) + 3)}, run.stdout
    assert run.returncode == 1
    assert "The figure differs from the stored one, most at pixel" in run.stdout
    assert "0 figure(s), but 1 are stored" in run.stdout or "Missing output fields" in run.stdout
    for picture in re.findall(r"Look at (.*)-\{(.*)\}\.png", run.stdout):  # ours, so they are not left lying about
        for kind in picture[1].split(","):
            Path(f"{picture[0]}-{kind}.png").unlink(missing_ok=True)


def test_no_cell_is_excused(tmp_path):
    excused = {
        "tagged": new_code_cell("1", metadata={"tags": ["nbval-skip"]}, execution_count=1),
        "ignored": new_code_cell("# NBVAL_IGNORE_OUTPUT\n1", execution_count=1),
        "raising": new_code_cell("1 / 0", metadata={"tags": ["raises-exception"]}, execution_count=1),
        "skipped": new_code_cell("# NBVAL_SKIP\n1", execution_count=1),
        "never-run": new_code_cell("1"),
    }
    for name, cell in excused.items():
        nbformat.write(new_notebook(cells=[new_markdown_cell("# A title"), cell]), tmp_path / f"{name}.ipynb")
    run = run_pytest(tmp_path)
    assert run.returncode == 2
    for name in set(excused) - {"never-run"}:
        assert f"{name}.ipynb, code cell 0 asks nbval to excuse it" in run.stdout
    assert "never-run.ipynb, code cell 0 was saved without having been run" in run.stdout


@pytest.mark.parametrize(("own", "reads"), [(False, True), (True, False), (True, True)])
def test_wrong_answers_are_tried_where_they_are_known_to_be_wrong(monkeypatch, own, reads):
    monkeypatch.setattr(nbval_figures.own_table, "in_use", lambda: own)
    tried = list(nbval_figures.to_be_refused({"starter": "x = ...", "wrong": ["x = 2", "x = 3"]}, reads))
    assert tried == [("stub", "x = ..."), ("wrong answer 1", "x = 2"), ("wrong answer 2", "x = 3")][: 1 if own and reads else 3]


def test_nbval_collects_every_code_cell_of_every_chapter():
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "--quiet", "--numprocesses=0", "chapters"], cwd=chapters.BOOK, capture_output=True, text=True
    )
    collected = re.findall(r"^(chapters/\S+)::Cell \d+$", run.stdout, re.MULTILINE)
    for path in chapters.notebooks():
        cells = [cell for cell in chapters.read(path).cells if cell.cell_type == "code"]
        assert collected.count(chapters.name(path)) == len(cells) > 0, run.stdout
