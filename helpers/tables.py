"""The sensor table of a chapter: the wind farm of `data/`, the book's own one there, or one that the reader brings.

The chapter `data-sheet` describes the wind farm and says what the loader accepts.
"""

import os
import re
import warnings
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd

from helpers._cells import read_cells
from helpers._checks import check_whole, describe
from helpers._needs import for_chapter
from helpers._readings import CLOCK, DATE, NotATable, is_number, read_dates, read_numbers

DATA = Path(__file__).parents[1] / "data"
WIND_FARM = DATA / "wind_farm.csv.xz"
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


def book_table():
    """Return the path of the book's table: the file in `data/` that is called `own_table`, or the wind farm if there is none.

    Raises
    ------
    ValueError
        If several files are called so, such as `own_table.csv` and `own_table.xlsx`.
    """
    own = sorted(DATA.glob("own_table.*"))
    if len(own) > 1:
        raise ValueError(f"The book can have one table of its own, but data has {len(own)}: {', '.join(path.name for path in own)}. Keep one.")
    return own[0] if own else WIND_FARM


def load_table(source=None, *, columns=0, rows=0, separator=None, decimal=None, sheet=None, day_first=None):
    """Load a table of sensors, its dates in the first column and one sensor in each column after it.

    What can be read in one way only is read so. What could mean two things is refused, with both; nothing that a person
    reads as a number, and no row, is lost without a warning. Nothing is filled in and no outlier is removed, because the
    chapters do that where the reader can see it. The chapter `data-sheet` has an example of each form.

    Parameters
    ----------
    source : str or path, optional
        An `.xlsx` spreadsheet or a CSV file, which may be compressed (gzip, bzip2, xz, or alone in a ZIP). The default is
        the file that the environment variable `BOOK_TABLE` names or, without it, the book's: see `book_table`.
    columns, rows : int, optional
        What a chapter needs: at least so many columns that vary, and so many rows without a gap in the first of them.
        If one of the two is given, columns that hold one value only are left out, and a column whose numbers are tiny
        or huge is counted in another unit, as ``attrs["labels"]`` then says.
    separator : str, optional
        The character between columns of a CSV; by default the one of comma, semicolon, tab and bar that splits dates from numbers.
    decimal : "." or ",", optional
        The decimal mark; by default the one with which all the file's numbers can be read.
    sheet : str, optional
        The name of a spreadsheet's sheet; by default the first that is not hidden.
    day_first : bool, optional
        Whether 03/04/2014 is in April; by default what the other dates tell.

    Returns
    -------
    DataFrame, shape (n_times, n_sensors)
        Columns of float64, in the file's order and units (a percentage as a fraction), a DatetimeIndex in UTC named `time`,
        in order of time. A date without a time zone is taken as UTC.
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
        If an argument does not fit, if the file cannot be read (damaged, cut short, another format), if it is not certain
        what its names, dates or numbers are, or if there are fewer than `columns` or `rows`. The message names the file, what came and what to do.

    Warns
    -----
    UserWarning
        If rows, columns, or texts with a digit in them are left out, if a column is counted in another unit, if lines stand around the names, if units or sheets were
        left aside, if a number such as −999 may stand for a gap, or if the last line of a CSV has no end, so that its last
        number may have lost digits.

    Examples
    --------
    >>> table = load_table(WIND_FARM)
    >>> table.shape
    (8759, 28)
    >>> table.columns[:2].to_list()
    ['wind_speed_R80711', 'power_R80711']
    >>> table.attrs["labels"]["power_R80711"]
    'power (kW)'
    >>> sum(table.attrs["missing"]["blank"].values())
    553
    """
    path = Path(source or os.environ.get("BOOK_TABLE") or book_table()).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f"No table at {path.absolute()}: there is no such file. "
            "Give the full path of a CSV or .xlsx file to load_table or in the environment variable BOOK_TABLE."
        )
    for name, value, known in [
        ("separator", separator, [None, *",;\t|"]),
        ("decimal", decimal, [None, ".", ","]),
        ("day_first", day_first, [None, True, False]),
    ]:
        if value not in known:
            raise ValueError(f"{name} must be one of {known[1:]}, but is {describe(value)}.")
    check_whole("columns", columns, 0)
    check_whole("rows", rows, 0)
    doubts = []
    try:
        table = _arrange(_read(path, doubts, separator, sheet), doubts, decimal, day_first)
    except NotATable as error:
        raise ValueError(f"{path.name}: {error}.") from None
    if columns or rows:
        try:
            table = for_chapter(table, columns, rows, doubts)
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from None
    for doubt in doubts:
        warnings.warn(f"{path.name}: {doubt}", stacklevel=2)
    return table


def _read(path, doubts, separator, sheet):
    """Return the file's cells; whatever a damaged file makes of the libraries is a ValueError."""
    try:
        return read_cells(path, doubts, separator, sheet)
    except NotATable:
        raise
    except Exception as error:
        raise ValueError(
            f"{path.name} cannot be read ({type(error).__name__}: {str(error).strip()}). "
            "It may be damaged or cut short: get it again, or save it as .xlsx or as 'CSV UTF-8'."
        ) from error


def _arrange(grid, doubts, decimal, day_first):
    """Return the table that a grid of cells holds; the messages of its errors do not name the file."""
    rows, lines = grid.rows, grid.lines
    dated = [row for row, cells in enumerate(rows) if isinstance(cells[0], str) and DATE.fullmatch(cells[0])]
    if len(rows) < 2:
        raise NotATable("no row stands below the first line. A table needs names in that line and a row for each date")
    if not dated:
        raise NotATable(_no_date(rows[0][0], [cells[0] for cells in rows[1:]]))
    at, top = _find_names(grid, dated, doubts), dated[0]
    names = _unique_names(rows[at], doubts)
    if not grid.ended:
        if len(rows[-1]) < len(names):
            raise NotATable(
                f"the file was cut short: its last line has {len(rows[-1])} of {len(names)} cells. "
                "Get the file again, or delete that line"
            )
        doubts.append("the last line has no end: if the file was cut short, its last number is wrong")
    if short := [lines[row] for row in dated if len(rows[row]) < len(names)]:
        doubts.append(f"lines with fewer cells than names: {len(short)}, the first is line {short[0]}; the rest is blank there")
    for first, last, block in grid.merged:
        if first <= lines[dated[-1]] and last >= lines[at]:
            raise NotATable(f"the cells {block} are merged, so that all but the first are empty. Unmerge and fill them")

    cells = [[row[column] if column < len(row) else "" for row in map(rows.__getitem__, dated)] for column in range(len(names))]
    columns = dict(zip(names, cells))
    texts = columns.pop(names[0])
    if len(names) > 1 and _is_clock(names[1], columns[names[1]], texts):
        texts = [f"{date} {time or 'without time'}" for date, time in zip(texts, columns.pop(names[1]))]
    time = read_dates(texts, day_first)
    kept = time.notna().to_numpy()
    if not kept.any():
        raise NotATable(_no_date(names[0], texts))
    dated = {row for row, known in zip(dated, kept) if known}
    undated = [row for row in range(at + 1, len(rows)) if row not in dated and (row > top or _has_number(rows[row]))]
    if undated:
        ends = " to ".join(f"line {lines[row]} ({_start(rows[row])})" for row in dict.fromkeys([undated[0], undated[-1]]))
        doubts.append(f"left out {len(undated)} of {len(undated) + len(dated)} rows, which have no readable date: {ends}")

    columns = {name: [cell for cell, known in zip(cells, kept) if known] for name, cells in columns.items()}
    values = read_numbers(columns, decimal, grid.separator, doubts)
    table = pd.DataFrame(values, index=pd.DatetimeIndex(time[kept], name="time"))
    blank = pd.DataFrame({name: [cell == "" for cell in cells] for name, cells in columns.items()}, index=table.index)
    infinite = np.isinf(table)
    text = table.isna() & ~blank
    table = table.mask(infinite)
    numeric = table.notna().any()
    if not numeric.any():
        raise NotATable(
            f"none of the {len(numeric)} columns after the first has a number: {list(numeric.index[:5])}. "
            "The file needs its dates in the first column, a sensor in each column after it, and names above them"
        )
    if not numeric.all():
        doubts.append(f"left out columns without a single number: {list(numeric.index[~numeric])}")
    table = table.loc[:, numeric]
    if table.index.has_duplicates:
        twice = table.index[table.index.duplicated()].unique()
        raise NotATable(
            f"dates that come more than once: {len(twice)}, the first of them {twice[0]}. "
            "Keep one row for each, or write the dates with their time zone if the clock was set back"
        )
    doubts.extend(_sentinels(table))
    table.attrs = {
        "labels": {column: LABELS.get(column, column) for column in table},
        "missing": {
            kind: where.loc[:, numeric].sum().to_dict()
            for kind, where in {"text": text, "blank": blank, "infinite": infinite}.items()
        },
        "rows_without_date": len(undated),
        "columns_without_number": list(numeric.index[~numeric]),
    }
    return table.sort_index()


def _find_names(grid, dated, doubts):
    """Return the row with the names: the one above the first date that has a text for each column in use."""
    rows, lines = grid.rows, grid.lines
    used = max(_width(rows[row]) for row in dated)
    above = range(dated[0])
    full = [row for row in above if _width(rows[row]) >= used and "" not in rows[row][1:used] and _may_name(rows[row], used)]
    # Where several are full: names are no numbers, the dates have one too, and no # makes them a comment.
    for is_better in (
        lambda cells: not _has_number(cells),
        lambda cells: re.fullmatch(r"[^\[(].*[^\W\d_].*|[^\W\d_]", str(cells[0])),
        lambda cells: not str(cells[0]).startswith("#"),
    ):
        full = [row for row in full if is_better(rows[row])] or full
    if len(full) > 1:
        raise NotATable(
            "more than one line could hold the names: "
            + ", ".join(f"line {lines[row]} ({_start(rows[row])})" for row in full) + ". Delete all but that with the names"
        )
    if not full:
        widest = next(row for row in dated if _width(rows[row]) == used)
        nearest = f"line {lines[dated[0] - 1]} has {_width(rows[dated[0] - 1])}" if dated[0] else "nothing stands there"
        raise NotATable(
            f"line {lines[widest]} has {used} cells, and no line above the first date, in line {lines[dated[0]]}, names "
            f"that many columns: {nearest}. Write one name for each column in one line above the dates; "
            "numbers with a decimal comma between commas need quotation marks"
        )
    others = [row for row in above if row != full[0] and not (row > full[0] and _has_number(rows[row]))]
    if others:
        told = ", ".join(f"{lines[row]} ({_start(rows[row])})" for row in others[:3]) + (", …" if len(others) > 3 else "")
        doubts.append(f"the names were taken from line {lines[full[0]]}; left out {len(others)} around it: {told}")
    return full[0]


def _unique_names(cells, doubts):
    """Return one name for each column; of the same name the second gets .1, as in pandas."""
    names = [f"{cell:g}" if isinstance(cell, float) else cell for cell in cells[: _width(cells)]]
    unique = []
    for name in names:
        others = (f"{name}.{number}" for number in count(1))
        unique.append(name if name not in unique else next(other for other in others if other not in [*unique, *names]))
    if twice := [new for new, name in zip(unique, names) if new != name]:
        doubts.append(f"names that come more than once: the later columns are called {twice}")
    return unique


def _is_clock(name, cells, dates):
    """Return whether a column holds the times of day that belong to the dates."""
    bare = not any((match := DATE.fullmatch(date)) and match["hour"] for date in dates)
    clocks = [bool(CLOCK.fullmatch(cell)) for cell in cells if isinstance(cell, str) and cell]
    called = re.search("time|zeit|uhr|heure|hora|hour|clock", name, re.IGNORECASE)
    return bare and bool(clocks) and all(clocks) and bool(called or len(set(dates)) < len(dates))


def _sentinels(table):
    """Tell of numbers of nines, such as -999, that lie farther from all others than those from each other."""
    for name, column in table.items():
        for value in {column.min(), column.max()}:
            rest = column[column != value]
            digits = f"{abs(value):.10g}".replace(".", "")
            if set(digits) == {"9"} and len(digits) > 1 and (rest - value).abs().min() > rest.max() - rest.min():
                yield f"column {name!r}: {value:g} comes {(column == value).sum()} times; if it means a gap, make it blank"


def _no_date(name, texts):
    """Return the message for a first column without a date."""
    example = next((f", such as {text!r}" for text in texts if text != ""), "")
    number = " A plain number is no date, even where it counts days or seconds." if any(map(is_number, texts)) else ""
    return (
        f"none of the {len(texts)} rows has a readable date in the first column, {name!r}{example}."
        f"{number} Write dates as 2014-01-31 13:00"
    )


def _may_name(cells, used):
    """Return whether cells may be names: no units alone, not all numbers, and no number with a sign or decimals."""
    names = [str(cell).removesuffix(".0") for cell in cells[1:used]]
    if not cells[0] and names and all(re.search(r"^[\[(].*[\])]$|[/°%‰²³µΩ]", name) for name in names):
        return False
    return not names or not all(map(is_number, names)) and not any(is_number(name) and not name.isdigit() for name in names)


def _has_number(cells):
    return any(cell != "" and is_number(cell) for cell in cells[1:])


def _width(cells):
    """Return the number of cells up to the last that is not blank."""
    return max((column for column, cell in enumerate(cells, 1) if cell != ""), default=0)


def _start(cells):
    """Return how a row begins, for a message."""
    text = " | ".join(str(cell) for cell in cells[: _width(cells)])
    return repr(text if len(text) <= 40 else text[:37] + "...")
