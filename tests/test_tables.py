"""Tests of helpers.load_table and of the script that made the wind-farm table."""

import bz2
import doctest
import gzip
import hashlib
import importlib.util
import lzma
import math
import tempfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import load_table, tables
from helpers.tables import WIND_FARM

WIND_FARM_SHA256 = "78d4c2878274fdb42889c016fda98896365f61ee3f4dc18563c45b57fb29b8d2"
SMALL = "Date,flow,heat\n2020-01-01 00:00,1,2.5\n2020-01-01 01:00,3,4\n"


@pytest.fixture(autouse=True)
def no_table_of_ones_own(monkeypatch):
    """Whoever runs the tests may have a table of their own set."""
    monkeypatch.delenv("BOOK_TABLE", raising=False)


@pytest.fixture
def save(tmp_path):
    """Return a function that writes text or bytes to a file and returns its path."""

    def write(content, name="mine.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def counts(table):
    """Return the number of missing cells of each kind."""
    return {kind: sum(columns.values()) for kind, columns in table.attrs["missing"].items()}


# The wind farm


def test_axes_say_the_wind_farms_sensors_with_units_and_a_readers_as_they_are(tmp_path):
    labels = load_table(WIND_FARM).attrs["labels"]
    assert list(labels) == list(load_table(WIND_FARM).columns)
    assert labels["wind_speed_R80711"] == labels["wind_speed_R80790"] == "wind speed (m/s)"
    assert all(label.endswith(")") for label in labels.values())
    path = tmp_path / "own.csv"
    path.write_text("date,power,power_R1,power_R80711\n2020-01-01,1,2,3\n")
    assert load_table(path).attrs["labels"] == {"power": "power", "power_R1": "power_R1", "power_R80711": "power (kW)"}


def test_the_wind_farm_is_the_table_that_the_script_made():
    assert hashlib.sha256(WIND_FARM.read_bytes()).hexdigest() == WIND_FARM_SHA256


def test_the_wind_farm_is_loaded_with_its_dirt():
    table = load_table(WIND_FARM)
    assert table.shape == (8759, 28)
    assert table.columns[:2].to_list() == ["wind_speed_R80711", "power_R80711"]
    assert set(table.dtypes) == {np.dtype(float)}
    assert table.index.name == "time" and str(table.index.tz) == "UTC"
    assert table.index.is_monotonic_increasing and table.index.is_unique
    assert counts(table) == {"text": 0, "blank": 553, "infinite": 0}
    assert table.isna().sum().sum() == 553 and table.isna().any(axis=1).sum() == 35
    assert table.min().min() == -273.2


def test_the_examples_of_the_docstring():
    assert doctest.testmod(tables).failed == 0


# A reader's own table


@pytest.fixture(scope="module")
def process():
    """A process table as readers have them: hourly, 40 measured and five derived columns, a bad cell here and there.

    The bad cells are in the first thousand rows, so that a part of the table has them all.
    """
    rng = np.random.default_rng(40)
    names = [f"x{i}: tag, {i}" for i in range(1, 41)] + [f"derived {i}" for i in range(1, 6)]
    values = pd.DataFrame(rng.normal(50, 10, (10_300, 45)).round(3), columns=names)
    cells = values.astype(object)
    for bad in ["Bad Input", "", "inf", "#DIV/0!", "-Infinity", "n/a"]:
        for row, column in zip(rng.integers(1_000, size=5), rng.integers(45, size=5)):
            cells.iat[row, column], values.iat[row, column] = bad, np.nan
    dates = pd.date_range("2019-03-01", periods=len(values), freq="h")
    cells.insert(0, "Date", dates)
    return cells, values.set_axis(dates.tz_localize("UTC").rename("time"))


def test_a_process_table_is_read_whole(process, tmp_path):
    cells, values = process
    cells.to_csv(tmp_path / "mine.csv", index=False)
    table = load_table(tmp_path / "mine.csv")
    pd.testing.assert_frame_equal(table, values, check_index_type=False, check_freq=False)
    # Of the 30 bad cells no two were put into one place.
    assert counts(table) == {"text": 15, "blank": 5, "infinite": 10}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mine.csv", {"encoding": "utf-8-sig", "lineterminator": "\r\n"}),
        ("mine.csv", {"sep": ";", "decimal": ","}),
        ("mine.csv", {"sep": ";"}),
        ("mine.tsv", {"sep": "\t"}),
        ("mine.csv.gz", {}),
        ("mine.csv.xz", {"sep": ";", "decimal": ","}),
        ("mine.csv.bz2", {}),
        ("Meßwerte März.CSV", {"date_format": "%d.%m.%Y %H:%M"}),
        ("mine.csv", {"date_format": "%m/%d/%Y %I:%M %p"}),
    ],
)
def test_however_a_csv_is_written(process, tmp_path, name, options):
    cells, values = process
    cells[:1000].to_csv(tmp_path / name, index=False, **options)
    table = load_table(tmp_path / name)
    pd.testing.assert_frame_equal(table, values[:1000], check_index_type=False, check_freq=False)
    assert counts(table) == {"text": 15, "blank": 5, "infinite": 10}


def test_a_spreadsheet_is_read_like_a_csv(process, tmp_path):
    cells, values = process
    cells[:1000].to_excel(tmp_path / "mine.xlsx", index=False)
    cells[:1000].to_csv(tmp_path / "mine.csv", index=False)
    table, same = load_table(tmp_path / "mine.xlsx"), load_table(tmp_path / "mine.csv")
    pd.testing.assert_frame_equal(table, same, check_index_type=False)
    pd.testing.assert_frame_equal(table, values[:1000], check_index_type=False, check_freq=False)
    assert table.attrs == same.attrs


def test_excels_error_values_and_flags_are_text(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["Date", "flow", 7])
    for row in [["2020-01-01", "#N/A", 1], ["2020-01-02", 5, True], ["2020-01-03", None, 0.1], ["#REF!", 1, 1]]:
        book.active.append(row)
    book.save(tmp_path / "mine.xlsx")
    with pytest.warns(UserWarning, match=r"left out 1 of 4 rows, which have no readable date: line 5 \('#REF!"):
        table = load_table(tmp_path / "mine.xlsx")
    assert table.attrs["missing"]["text"] == {"flow": 1, "7": 1}
    assert table.attrs["missing"]["blank"] == {"flow": 1, "7": 0}
    assert table["7"].iloc[2] == 0.1


def test_the_environment_names_a_table_and_the_argument_comes_first(save, monkeypatch):
    monkeypatch.setenv("BOOK_TABLE", str(save(SMALL)))
    assert load_table().columns.to_list() == ["flow", "heat"]
    assert load_table(WIND_FARM).shape == (8759, 28)
    monkeypatch.setenv("BOOK_TABLE", "")
    pd.testing.assert_frame_equal(load_table(), load_table(tables.book_table()))


def test_a_table_of_its_own_is_the_books(save, monkeypatch):
    monkeypatch.setattr(tables, "DATA", save(SMALL, "other.csv").parent)
    assert tables.book_table() == WIND_FARM and load_table().shape == (8759, 28)
    own = save(SMALL, "own_table.csv")
    assert tables.book_table() == own and load_table().columns.to_list() == ["flow", "heat"]
    save(SMALL, "own_table.csv.gz")
    with pytest.raises(ValueError, match=r"data has 2: own_table\.csv, own_table\.csv\.gz\. Keep one"):
        load_table()


def test_dates_get_to_utc_and_into_order(save):
    path = save("Date,flow\n2020-07-01T02:00:00+02:00,2\n2020-06-30T23:30Z,1\n2020-07-01 01:00,3\n")
    table = load_table(path)
    assert table["flow"].to_list() == [1, 2, 3]
    assert table.index[1] == pd.Timestamp("2020-07-01", tz="UTC")


def test_the_decimal_mark_is_one_for_the_file(save):
    table = load_table(save("Date;flow;heat\n2020-01-01;1,5;2\n2020-01-02;1.234;-0,5e3\n2020-01-03;;1.234,5\n"))
    np.testing.assert_array_equal(table, [[1.5, 2], [1234, -500], [np.nan, 1234.5]])


number = st.floats(allow_nan=False, allow_infinity=False)
not_a_number = {
    "text": st.sampled_from(["Bad", "n/a", "NaN", "null", "1 0000", "0x1F", "True", "12:30", "--", "1e", "°"]),
    "blank": st.sampled_from(["", " ", "   "]),
    "infinite": st.sampled_from(["inf", "-Infinity", "1e999", "-inf"]),
}
cell = number | st.one_of([st.tuples(st.just(kind), texts) for kind, texts in not_a_number.items()])


@settings(deadline=None)
@given(
    rows=st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(cell, min_size=width, max_size=width), min_size=1)),
    first=number,
    separator=st.sampled_from(",;\t"),
    suffix=st.sampled_from(["", ".gz", ".xz"]),
    order=st.randoms(),
)
def test_every_cell_is_read_exactly_or_counted(rows, first, separator, suffix, order):
    rows = [[first, *row] for row in rows]  # so that one column has a number
    columns = [f"s{i}" for i in range(len(rows[0]))]
    dates = pd.date_range("2020-01-01", periods=len(rows), freq="h")
    lines = []
    for date, row in zip(dates, rows):
        texts = [entry[1] if isinstance(entry, tuple) else repr(entry) for entry in row]
        texts = [text.replace(".", ",") if separator == ";" else text for text in texts]
        lines.append(separator.join([str(date), *texts]) + "\n")
    order.shuffle(lines)
    content = (separator.join(["Date", *columns]) + "\n" + "".join(lines)).encode()
    content = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress}[suffix](content)

    numbers = [[math.nan if isinstance(entry, tuple) else entry for entry in row] for row in rows]
    expected = pd.DataFrame(numbers, columns=columns, dtype=float)
    kept = expected.columns[expected.notna().any()]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "mine.csv" + suffix)
        path.write_bytes(content)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            table = load_table(path, decimal="," if separator == ";" else ".")
        assert (len(kept) < len(columns)) == any("without a single number" in str(warning.message) for warning in caught)

    np.testing.assert_array_equal(table.to_numpy(), expected[kept].to_numpy())
    assert table.columns.to_list() == kept.to_list()
    assert table.attrs["columns_without_number"] == expected.columns.difference(kept, sort=False).to_list()
    for kind in not_a_number:
        held = [[isinstance(entry, tuple) and entry[0] == kind for entry in row] for row in rows]
        held = dict(zip(columns, np.sum(held, axis=0)))
        assert table.attrs["missing"][kind] == {column: held[column] for column in kept}


# What is left out is told


def test_rows_without_a_date_are_left_out_counted_and_warned_about(save):
    path = save("Date,flow\n2020-01-01,1\n,2\nTotal,3\n43831,4\n2020-01-02,inf\n")
    with pytest.warns(UserWarning, match=r"mine\.csv: left out 3 of 5 rows.*: line 3 \(' \| 2'\) to line 5 \('43831 \| 4'\)") as caught:
        table = load_table(path)
    assert caught[0].filename == __file__
    assert table.attrs["rows_without_date"] == 3
    assert len(table) == 2 and counts(table) == {"text": 0, "blank": 0, "infinite": 1}


def test_columns_without_a_number_are_left_out_named_and_warned_about(save):
    path = save("Date,flow,remark,empty,endless\n2020-01-01,1,ok,,inf\n2020-01-02,2,,,inf\n")
    with pytest.warns(UserWarning, match=r"\['remark', 'empty', 'endless'\]"):
        table = load_table(path)
    assert table.columns.to_list() == ["flow"]
    assert table.attrs["columns_without_number"] == ["remark", "empty", "endless"]


@pytest.mark.parametrize(
    ("dates", "second"),
    [
        (["13/02/2020", "01/03/2020"], "2020-03-01"),
        (["01/03/2020", "13/03/2020"], "2020-03-13"),
        (["01/03/2020", "01/13/2020"], "2020-01-13"),
        (["x", "03-Feb-2020", "04-Feb-2020"], "2020-02-04"),
        (["01.03.2020", "02.03.2020"], "2020-03-02"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*left out 1 of 3 rows")
def test_day_and_month_are_told_apart_by_the_whole_column(save, dates, second):
    table = load_table(save("Date,flow\n" + "".join(f"{date},1\n" for date in dates)))
    assert pd.Timestamp(second, tz="UTC") in table.index and len(table) == 2


def test_a_last_line_without_an_end_is_warned_about(save):
    with pytest.warns(UserWarning, match="last line has no end"):
        load_table(save(SMALL[:-1]))
    with pytest.warns(UserWarning, match="last line has no end"):
        load_table(save(gzip.compress(SMALL[:-1].encode()), "mine.csv.gz"))


# Errors


def test_a_missing_file(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"nothing\.csv: there is no such file.*BOOK_TABLE"):
        load_table(tmp_path / "nothing.csv")
    monkeypatch.setenv("BOOK_TABLE", str(tmp_path))  # a folder is no file
    with pytest.raises(FileNotFoundError, match="BOOK_TABLE"):
        load_table()


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (bytes(range(256)), "mine.csv"),
        (gzip.compress(SMALL.encode())[:-5], "mine.csv.gz"),
        (bz2.compress(SMALL.encode())[:-5], "mine.csv.bz2"),
        (lzma.compress(SMALL.encode())[:-5], "mine.csv.xz"),
        (WIND_FARM.read_bytes()[:200_000], "mine.csv.xz"),
        (b"PK\3\4 no more", "mine.xlsx"),
    ],
    # Named, because workers must collect the same names, and what gzip makes holds the second in which it was made.
    ids=[
        "bytes",
        "cut-gz",
        "cut-bz2",
        "cut-xz",
        "cut-wind-farm",
        "cut-xlsx",
    ],
)
def test_a_file_that_cannot_be_read(save, content, name):
    with pytest.raises(ValueError, match=r"^mine\.\S+ cannot be read \(\w+: .+\)\. It may be damaged.*get it again"):
        load_table(save(content, name))


def test_a_spreadsheet_cut_short(save, tmp_path):
    pd.DataFrame({"Date": ["2020-01-01"], "flow": [1]}).to_excel(tmp_path / "whole.xlsx", index=False)
    whole = (tmp_path / "whole.xlsx").read_bytes()
    with pytest.raises(ValueError, match="mine.xlsx cannot be read"):
        load_table(save(whole[: len(whole) // 2], "mine.xlsx"))


@pytest.mark.parametrize(("lost", "left"), [(3, 2), (4, 2), (5, 1), (14, 1)])
def test_a_last_line_cut_short(save, lost, left):
    message = f"mine.csv: the file was cut short: its last line has {left} of 3 cells.*delete that line"
    with pytest.raises(ValueError, match=message):
        load_table(save("Date,flow,heat\n2020-01-01,1,2\n2020-01-02,3,4\n"[:-lost]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("Date,flow\n", "no row stands below the first line"),
        ("Date,flow\nsoon,1\nlater,2\n", "none of the 2 rows has a readable date.*'Date', such as 'soon'"),
        ("flow,heat\n1,2\n2,3\n", "none of the 2 rows has a readable date"),
        ("flow,heat\n20200101,2\n20200102,3\n", "none of the 2 rows has a readable date"),
        ("Date\n2020-01-01\n", "none of the 0 columns after the first"),
        ("Date,flow,heat\n2020-01-01,low,\n", r"none of the 2 columns .* has a number: \['flow', 'heat'\]"),
        ("Date,flow\n2020-01-01,1\n2020-01-01 00:00,2\n", "more than once: 1, the first of them 2020-01-01 00:00:00"),
    ],
)
def test_a_file_that_holds_no_table(save, content, message):
    with pytest.raises(ValueError, match=r"^mine\.csv.*" + message):
        load_table(save(content))


# The script that made the wind-farm table


@pytest.fixture
def script():
    """The extraction script as a module; a fresh one for each test."""
    path = WIND_FARM.with_name("extract_wind_farm.py")
    spec = importlib.util.spec_from_file_location("extract_wind_farm", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def archive(script, tmp_path):
    """A small archive of the source's form: two turbines, a row that comes twice, rows that are not wanted."""
    lines = ["Wind_turbine_name,Date_time," + ",".join(reversed(script.SENSORS))]
    lines += [
        "T2,2014-01-01T01:00:00+01:00,7,6,5,4,3,2,92.900002",
        "T1,2014-01-01T01:00:00+01:00,7,6,5,4,3,2,1",
        "T1,2014-01-01T01:00:00+01:00,0,0,0,0,0,0,0",
        "T1,2014-01-01T01:10:00+01:00,0,0,0,0,0,0,0",
        "T1,2014-01-01T00:00:00+01:00,0,0,0,0,0,0,0",
        "T1,2015-01-01T00:00:00+01:00,,6,5,4,3,2,-273.20001",
    ]
    path = tmp_path / "la_haute_borne.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr(script.MEMBER_OF_ARCHIVE, "\n".join(lines) + "\n")
    return path


def test_the_extraction_refuses_another_archive(script, archive, tmp_path):
    message = r"la_haute_borne\.zip: the archive's sha256 is \w{64}, expected be5ea66a.*again"
    with pytest.raises(SystemExit, match=message):
        script.main([str(archive), "--output", str(tmp_path / "made.csv.xz")])
    with pytest.raises(SystemExit, match="No such file"):
        script.main([str(tmp_path / "nothing.zip")])
    assert list(tmp_path.iterdir()) == [archive]


def test_the_extraction_takes_the_hours_of_2014_in_utc(script, archive, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(script, "ARCHIVE_SHA256", hashlib.sha256(archive.read_bytes()).hexdigest())
    wheel = tmp_path / "some.whl"
    with zipfile.ZipFile(wheel, "w") as made:
        made.write(archive, script.MEMBER_OF_WHEEL)
    first, second = tmp_path / "first.csv.xz", tmp_path / "second.csv.xz"
    script.main([str(archive), "--output", str(first)])
    script.main([str(wheel), "--output", str(second)])

    assert first.read_bytes() == second.read_bytes()
    assert capsys.readouterr().out.startswith("first.csv.xz: 2 rows, 14 columns")
    table = load_table(first)
    assert table.index.strftime("%Y-%m-%d %H").to_list() == ["2014-01-01 00", "2014-12-31 23"]
    names = list(script.SENSORS.values())
    assert table.columns.to_list() == [f"{name}_{turbine}" for turbine in ["T1", "T2"] for name in names]
    assert table.iloc[0].to_list() == [1, 2, 3, 4, 5, 6, 7, 92.9, 2, 3, 4, 5, 6, 7]
    assert table.iloc[1, 0] == -273.2 and table.iloc[1].isna().sum() == 8


def test_an_interrupted_extraction_leaves_the_old_table(script, tmp_path, monkeypatch):
    path = tmp_path / "table.csv.xz"
    path.write_text("the old table")

    def interrupted(table, file, **options):
        file.write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr(pd.DataFrame, "to_csv", interrupted)
    with pytest.raises(KeyboardInterrupt):
        script.write_table(pd.DataFrame(), path)
    assert path.read_text() == "the old table" and list(tmp_path.iterdir()) == [path]
