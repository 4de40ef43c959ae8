"""Chapters on the wind farm run unchanged on a reader's own table, named in BOOK_TABLE, or say what they need."""

import ast
import os
import re

import numpy as np
import pandas as pd
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbval_figures import ONE_PROCESS

import chapters
import own_table
import standard
from execute import CALL
from helpers import load_table
from helpers.tables import WIND_FARM

READERS = [path for path in chapters.notebooks() if CALL.search(path.read_text("utf-8"))]
CALLED = {path: re.findall(r"(\w+)=(\d+)", CALL.search(path.read_text("utf-8"))[1]) for path in READERS}
NEEDS = {path: {name: int(number) for name, number in called} for path, called in CALLED.items()}


def nine_regimes(n_rows, n_columns):
    """Return hourly readings that go through nine regimes, well apart: a mixture of nine, the largest of most chapters, soon finds them."""
    rng = np.random.default_rng(1)
    regime = np.arange(n_rows) // 25 * 7 % 9
    levels = 9 * np.column_stack([regime % 3, regime // 3])
    columns = {
        f"x{j + 1}: tray {j + 1}": levels[:, j % 2] * (1 + 0.1 * j) + rng.normal(0, 1, n_rows) * (0.5 + 0.1 * regime)
        for j in range(n_columns)
    }
    return pd.DataFrame({"Date": pd.date_range("2021-01-01", periods=n_rows, freq="h"), **columns})


@pytest.fixture
def save(tmp_path):
    def save(table, name="plant"):
        path = tmp_path / f"{name}.csv"
        table.to_csv(path, index=False)
        return path

    return save


@pytest.fixture
def plant(save):
    """Weeks of a plant: tiny, huge, negative, rounded and constant columns; text, blanks, infinities in cells."""

    def plant(n_rows=600):
        table = nine_regimes(n_rows, 9)
        names = table.columns
        table[names[1]] *= 1e-5
        table[names[2]] = 1e6 * (3 - table[names[2]])
        table[names[3]] = table[names[3]].round(1)
        table.insert(1, "valve", 4.0)
        table = table.astype(dict.fromkeys(table.columns[1:], object))
        rng = np.random.default_rng(2)
        for bad in ("", "Bad", "inf", "#N/A"):
            table.iloc[rng.integers(0, len(table), 8), rng.integers(1, table.shape[1], 8)] = bad
        return save(table)

    return plant


def steps(statements):
    """Yield the parts of a cell in the order in which they run, with loops and conditions taken apart."""
    for statement in statements:
        if isinstance(statement, ast.For | ast.While | ast.If | ast.With | ast.Try):
            for _, value in ast.iter_fields(statement):
                parts = value if isinstance(value, list) else [value]
                for part in parts:
                    if isinstance(part, ast.ExceptHandler):
                        yield from steps(part.body)
                    elif isinstance(part, ast.stmt):
                        yield from steps([part])
                    elif isinstance(part, ast.AST):
                        yield part
        else:
            yield statement


def names(source):
    """Return the names that a cell needs from before, those that it makes or changes, and those that it imports."""
    needed, made, imported = set(), set(), set()
    for step in steps(ast.parse(source).body):
        nodes = list(ast.walk(step))
        loaded = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        stored = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        inner = {node.arg for node in nodes if isinstance(node, ast.arg)}
        for node in nodes:
            if isinstance(node, ast.comprehension):
                inner |= {part.id for part in ast.walk(node.target) if isinstance(part, ast.Name)}
        if isinstance(step, ast.FunctionDef | ast.ClassDef):
            inner, stored = inner | stored, {step.name}
        loaded, stored = loaded - inner, stored - (inner - {getattr(step, "name", "")})
        for node in nodes:
            base, changes = node, isinstance(getattr(node, "ctx", None), ast.Store)
            if isinstance(node, ast.AugAssign):
                base, changes = node.target, True
            elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("append", "extend", "update"):
                base, changes = node.func, True
            elif isinstance(node, ast.alias):
                imported.add(node.asname or node.name.partition(".")[0])
            while isinstance(base, ast.Attribute | ast.Subscript):
                base = base.value
            if changes and isinstance(base, ast.Name) and base is not node and base.id not in inner:
                loaded.add(base.id)
                stored.add(base.id)
        needed |= loaded - made - imported
        made |= stored
    return needed, made, imported


def code_of_cells(notebook):
    """Return the code of each code cell, by the cell's number."""
    return {number: re.sub(r"^[%!].*", "", cell.source, flags=re.MULTILINE) for number, cell in chapters.code_cells(notebook)}


def names_of_cells(notebook):
    """Return what `names` says of each code cell, by the cell's number."""
    return {number: names(code) for number, code in code_of_cells(notebook).items()}


def of_the_table(notebook):
    """Return the numbers of the code cells that need the table, directly or not."""
    from_table, chosen = set(), []
    for number, code in code_of_cells(notebook).items():
        # A statement at a time: a function that never sees the table may stand beside its use on the table.
        for statement in map(ast.unparse, ast.parse(code).body):
            needed, made, _ = names(statement)
            if CALL.search(statement) or needed & from_table:
                chosen += [number] * (number not in chosen)
                from_table |= made
            else:
                from_table -= made
    return chosen


def with_the_table(notebook):
    """Return the notebook with only those code cells that need the table, directly or not, and those that they need.

    The rest of a chapter takes most of its time, and does the same whatever the table.
    """
    known, chosen = names_of_cells(notebook), of_the_table(notebook)
    waiting = list(chosen)
    while waiting:
        number = waiting.pop()
        for name in known[number][0]:
            makers = [other for other, (_, made, imported) in known.items() if name in made | imported]
            earlier = [other for other in makers if other < number]
            # The last that makes it anew, and those before that it changes; a function may wait for a later cell.
            for maker in earlier[-1:] or makers[:1]:
                if maker not in chosen:
                    chosen.append(maker)
                    waiting.append(maker)
    notebook.cells = [notebook.cells[number - 1] for number in sorted(chosen)]
    return notebook


def run(path, table, whole=False):
    folder = {"metadata": {"path": str(path.parent)}}
    notebook = chapters.read(path) if whole else with_the_table(chapters.read(path))
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", resources=folder)
    client.execute(env={**os.environ, **ONE_PROCESS, "BOOK_TABLE": str(table)})
    return "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))


@pytest.mark.parametrize("path", READERS, ids=chapters.name)
def test_runs_on_a_readers_table(path, plant):
    told = run(path, plant(2_200 if path.stem == "kernel-density" else NEEDS[path]["rows"] + 200))  # that chapter compares months
    assert not re.findall(r"between (\S+) and \1\b|width 0\b(?!\.)", told)  # as many digits as the columns need, whatever their unit


@pytest.mark.parametrize("path", READERS[:1], ids=chapters.name)
def test_the_first_chapter_runs_on_a_single_short_column(path, save):
    run(path, save(nine_regimes(NEEDS[path]["rows"], 1)))


@pytest.mark.parametrize("path", [path for path in READERS if NEEDS[path]], ids=chapters.name)
@pytest.mark.filterwarnings("ignore:.*left out columns that hold one value only")
def test_says_what_it_needs_of_a_table(path, save):
    needs = NEEDS[path]
    asked = rf"short\.csv: this chapter needs at least {needs['columns']} columns? that var.*, and {needs['rows']:,} rows"
    with pytest.raises(ValueError, match=asked + ".* The table has 20 such rows"):
        load_table(save(nine_regimes(20, 9), "short"), **needs)
    narrow = nine_regimes(1_000, needs["columns"])
    narrow.iloc[:, 1] = 4.0
    too_few = rf"narrow\.csv: this chapter needs .* The table has {needs['columns'] - 1} such columns"
    with pytest.raises(ValueError, match=too_few):
        load_table(save(narrow, "narrow"), **needs)


def test_columns_are_left_out_or_counted_in_another_unit_with_a_word(plant):
    plant = plant()
    with pytest.warns(UserWarning) as told:
        table = load_table(plant, columns=2, rows=400)
    assert [str(warning.message) for warning in told] == [
        "plant.csv: left out columns that hold one value only: ['valve']",
        "plant.csv: counted in another unit: 'x1: tray 1' in 1e-6, 'x2: tray 2' in 1e6",
    ]
    as_stored = load_table(plant)
    labels = table.attrs["labels"]
    assert "valve" in as_stored and "valve" not in table
    assert labels["x1: tray 1"] == "x1: tray 1, in 1e-6" and labels["x3: tray 3"] == "x3: tray 3"
    pd.testing.assert_series_equal(table["x1: tray 1"] * 1e-6, as_stored["x1: tray 1"])
    pd.testing.assert_series_equal(table["x3: tray 3"], as_stored["x3: tray 3"])


def test_another_unit_begins_below_a_tenth_and_at_a_hundred_thousand(save):
    times = pd.date_range("2021-01-01", periods=3, freq="h")
    extents = {"narrow": 0.0999, "tenth": 0.1, "wide": 99_999, "widest": 100_000}
    path = save(pd.DataFrame({"Date": times, **{name: [0, extent / 2, extent] for name, extent in extents.items()}}))
    with pytest.warns(UserWarning, match="counted in another unit: 'narrow' in 1e-3, 'widest' in 1e3$"):
        table = load_table(path, columns=4, rows=3)
    assert table.max().to_list() == pytest.approx([99.9, 0.1, 99_999, 100])


def test_the_wind_farm_is_taken_as_it_stands():
    most = {name: max(needs.get(name, 0) for needs in NEEDS.values()) for name in ("columns", "rows")}
    told, taken = load_table(WIND_FARM, **most), load_table(WIND_FARM)
    pd.testing.assert_frame_equal(told, taken)
    assert told.attrs == taken.attrs


@pytest.mark.parametrize("path", READERS, ids=chapters.name)
def test_what_the_page_of_another_table_tells_has_not_come_from_the_wind_farm(path):
    """Its numbers with a decimal point are given, or printed by cells that never see the table; text leads up to each cell."""
    page = own_table.as_shown(chapters.read(path), own=True)
    for number in of_the_table(page):
        page.cells[number - 1].outputs = []
    assert standard.unbacked_numbers(page) + standard.code_without_prose(page) + standard.headings_out_of_order(page) == []


@pytest.mark.parametrize("path", READERS, ids=chapters.name)
def test_code_that_another_table_leaves_out_is_needed_by_no_other(path):
    page = chapters.read(path)
    left_out = {number for number, cell in chapters.code_cells(page) if own_table.TAG in cell.metadata.get("tags", [])}
    known = names_of_cells(page)
    made, needed = (set().union(*(known[number][kind] for number in numbers)) for kind, numbers in [(1, left_out), (0, known.keys() - left_out)])
    stay = set().union(*(known[number][1] | known[number][2] for number in known.keys() - left_out))
    assert not (made & needed) - stay


@pytest.mark.parametrize("path", READERS[:1], ids=chapters.name)
def test_the_setting_is_what_is_read(path, tmp_path):
    with pytest.raises(CellExecutionError, match="No table at .*nowhere.csv"):
        run(path, tmp_path / "nowhere.csv")
