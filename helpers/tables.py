"""The sensor table of a chapter: the wind farm of `data/`, or one that the reader brings.

The chapter `data-sheet` describes the wind farm and shows on it what the loader does.
"""

import bz2
import csv
import gzip
import io
import lzma
import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from helpers._needs import for_chapter

WIND_FARM = Path(__file__).parents[1] / "data" / "wind_farm.csv.xz"
#: What an axis says of the wind farm's sensors; each is there once for each of its turbines.
LABELS = {
    f"{sensor}_{turbine}": f"{sensor.replace('_', ' ')} ({unit})"
    for turbine in ("R80711", "R80721", "R80736", "R80790")
    for sensor, unit in {
        "wind_speed": "m/s",
        "power": "kW",
        "pitch_angle": "°",
        "outdoor_temperature": "°C",
        "wind_direction": "°",
        "nacelle_direction": "°",
        "vane_position": "°",
    }.items()
}
OPEN = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


def load_table(source=None, *, columns=0, rows=0):
    """Load a table of hourly sensors, its dates in the first column and one sensor in each column after it.

    A cell that holds no finite number becomes NaN and is counted; nothing is filled in and no outlier is removed,
    because the chapters do that where the reader can see it.

    Parameters
    ----------
    source : str or path, optional
        A `.xlsx` spreadsheet (its first sheet is read) or a CSV file in UTF-8, which may be compressed
        (`.gz`, `.bz2`, `.xz`). Columns are separated by commas, semicolons or tabs, whichever splits the
        first line into most. Between semicolons the decimal mark is the comma, if any number there has one; then a
        point is none. The default is the file that the environment variable `BOOK_TABLE` names or, without it,
        the book's wind farm.
    columns, rows : int, optional
        What a chapter needs: at least so many columns that vary, and so many rows without a gap in the first of them.
        If one of the two is given, columns that hold one value only are left out, and a column whose numbers are tiny
        or huge is counted in another unit, as ``attrs["labels"]`` then says.

    Returns
    -------
    DataFrame, shape (n_times, n_sensors)
        Columns of float64, in the file's order and units, a DatetimeIndex in UTC named `time`, in order of time.
        Dates are best written as 2014-01-31 13:00; 31/01/2014 13:00 is read too, and 01/31/2014 where only the month
        can come first. A date without a time zone is taken as UTC; a plain number is no date.
        How the columns are called, and what was not taken as it stood, is told in `table.attrs`, in plain dictionaries
        and lists:

        - ``attrs["labels"][column]``: what an axis says, ``"wind speed (m/s)"`` for a sensor of the book's wind farm and the
          column's own name for another;
        - ``attrs["missing"][kind][column]``: the number of cells that became NaN; a kind is ``"text"`` (anything
          else than a number, also ``n/a`` and Excel's errors), ``"blank"`` or ``"infinite"``;
        - ``attrs["rows_without_date"]``: the number of rows left out, because they have no place in time;
        - ``attrs["columns_without_number"]``: the names of the columns left out.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file cannot be read (damaged, cut short, another format), its first line does not name the columns, no
        row has a readable date, no column has a number, or a date comes twice; if there are fewer than `columns` or
        `rows`. The message names the file, what came and what to do.

    Warns
    -----
    UserWarning
        If rows or columns are left out, if a column is counted in another unit, if day and month could be either way
        round (then the day comes first), or if the last line of a CSV has no end, so that its last number may have
        lost digits.

    Examples
    --------
    >>> table = load_table()
    >>> table.shape
    (8759, 28)
    >>> table.columns[:2].to_list()
    ['wind_speed_R80711', 'power_R80711']
    >>> table.attrs["labels"]["power_R80711"]
    'power (kW)'
    >>> sum(table.attrs["missing"]["blank"].values())
    553
    """
    path = Path(source or os.environ.get("BOOK_TABLE") or WIND_FARM).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f"No table at {path.absolute()}: there is no such file. "
            "Give the full path of a CSV or .xlsx file to load_table or in the environment variable BOOK_TABLE."
        )
    doubts = []
    cells = _read_cells(path, doubts)

    time = _read_dates(cells.iloc[:, 0], doubts)
    dated = time.notna()
    if not dated.any():
        raise ValueError(
            f"{path.name}: none of the {len(cells)} rows has a readable date in the first column, "
            f"{cells.columns[0]!r}{_example(cells.iloc[:, 0])}. Write dates as 2014-01-31 13:00."
        )
    if not dated.all():
        undated = cells[~dated].iloc[:, 0]
        doubts.append(f"left out {len(undated)} of {len(cells)} rows: no readable date{_example(undated)}")

    cells = cells[dated].iloc[:, 1:]
    values = cells.apply(pd.to_numeric, errors="coerce").astype(float)
    infinite, blank = np.isinf(values), cells == ""
    text = values.isna() & ~blank
    values = values.mask(infinite)
    numeric = values.notna().any()
    if not numeric.any():
        raise ValueError(
            f"{path.name}: none of the {len(numeric)} columns after the first has a number: {list(numeric.index[:5])}. "
            "The file needs its dates in the first column and a sensor in each column after it, "
            "names in the first line."
        )
    if not numeric.all():
        doubts.append(f"left out columns without a single number: {list(numeric.index[~numeric])}")

    table = values.loc[:, numeric].set_axis(pd.DatetimeIndex(time[dated], name="time"))
    if table.index.has_duplicates:
        twice = table.index[table.index.duplicated()].unique()
        raise ValueError(
            f"{path.name}: dates that come more than once: {len(twice)}, the first of them {twice[0]}. "
            "Keep one row for each, or write the dates with their time zone if the clock was set back."
        )
    table.attrs = {
        "labels": {column: LABELS.get(column, column) for column in table},
        "missing": {
            kind: where.loc[:, numeric].sum().to_dict()
            for kind, where in {"text": text, "blank": blank, "infinite": infinite}.items()
        },
        "rows_without_date": int((~dated).sum()),
        "columns_without_number": list(numeric.index[~numeric]),
    }
    if columns or rows:
        try:
            table = for_chapter(table, columns, rows, doubts)
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from None
    for doubt in doubts:
        warnings.warn(f"{path.name}: {doubt}", stacklevel=2)
    return table.sort_index()


def _read_cells(path, doubts):
    """Return the file's cells as text without outer blanks, shape (n_rows, 1 + n_columns)."""
    separator = None
    try:
        if path.suffix.lower() == ".xlsx":
            # pandas reads Excel's own error values as NaN: for us they are text like any other.
            cells = pd.read_excel(path, dtype=object, na_filter=False).fillna("error").astype(str)
        else:
            with OPEN.get(path.suffix.lower(), open)(path, "rt", encoding="utf-8-sig") as file:
                text = file.read()
            separator = max(",;\t", key=lambda mark: pd.read_csv(io.StringIO(text), sep=mark, nrows=0).shape[1])
            with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):  # lines with too many cells
                cells = pd.read_csv(io.StringIO(text), sep=separator, dtype=str, keep_default_na=False, index_col=False)
    except Exception as error:  # the decompressors, openpyxl and pandas raise a dozen types for a damaged file
        raise ValueError(
            f"{path.name} cannot be read ({type(error).__name__}: {str(error).strip()}). It may be damaged, cut short "
            "or of another kind: get it again, or save it as .xlsx or as 'CSV UTF-8'."
        ) from error
    if cells.empty:
        raise ValueError(
            f"{path.name} has no row below its first line. It needs names in that line and a row for each date."
        )
    if separator:
        last_line = next(csv.reader([text.rstrip("\n").rpartition("\n")[-1]], delimiter=separator))
        if len(last_line) < cells.shape[1]:
            raise ValueError(
                f"{path.name} was cut short: its last line has {len(last_line)} of {cells.shape[1]} cells. "
                "Get the file again, or delete that line."
            )
        if not text.endswith("\n"):
            doubts.append("the last line has no end: if the file was cut short, its last number is wrong")
    cells.columns = cells.columns.astype(str)
    cells = cells.apply(lambda column: column.str.strip())
    unnamed = [name for name in cells.columns[1:] if name.startswith("Unnamed: ") and (cells[name] != "").any()]
    if unnamed:  # pandas calls them so
        raise ValueError(
            f"{path.name}: the first line has no name for {len(unnamed)} of {cells.shape[1]} columns that are in use. "
            "Delete what stands above the line with the names, or name each column in it."
        )
    if separator == ";":
        numbers = cells.iloc[:, 1:]
        if numbers.apply(lambda column: column.str.fullmatch(r"[+-]?\d*,\d+([eE][+-]?\d+)?")).any(axis=None):
            numbers = numbers.apply(lambda column: column.str.replace(".", "text").str.replace(",", "."))
            cells.iloc[:, 1:] = numbers
    return cells


def _read_dates(texts, doubts):
    """Return the dates in UTC, shape (n_rows,), NaT where there is none."""
    texts = texts.mask(pd.to_numeric(texts, errors="coerce").notna())
    time = pd.to_datetime(texts, format="ISO8601", errors="coerce", utc=True)
    if time.notna().any():
        return time
    readings = []
    for day_first in True, False:
        with warnings.catch_warnings(action="ignore"):  # pandas warns when the date says otherwise: so be it
            formats = (pd.tseries.api.guess_datetime_format(text, dayfirst=day_first) for text in texts.dropna())
            found = next(filter(None, formats), None)
        if found:
            readings.append(pd.to_datetime(texts, format=found, errors="coerce", utc=True))
    if not readings:
        return time
    # Of two that read as many dates, max keeps the first: the day comes first.
    best = max(readings, key=lambda reading: reading.notna().sum())
    either = len(readings) == 2 and not readings[0].equals(readings[1]) and readings[0].count() == readings[1].count()
    first = best.first_valid_index()
    if either and "." not in texts[first]:  # between points the day comes first: nobody writes the month there
        doubts.append(f"day or month first? Nothing here tells; {texts[first]!r} was read as {best[first]:%d %B %Y}")
    return best


def _example(texts):
    """Return ', such as …' with the first text that is not blank, or nothing."""
    found = [text for text in texts if text]
    return f", such as {found[0]!r}" if found else ""
