"""What a chapter needs of a reader's own table: columns that vary, enough rows, numbers of a usual size."""

import math


def for_chapter(table, columns, rows, doubts):
    """Return a table that a chapter can work with, or say in words what it needs.

    Columns that hold one value only are left out. A column that ranges over less than 0.1 or over 100,000 or more is
    counted in another unit, a power of 1,000, so that what a chapter prints has digits and `reg_covar`, an absolute
    number in scikit-learn, is small beside every variance.

    Parameters
    ----------
    table : DataFrame
        As of `load_table`, with ``attrs["labels"]``.
    columns : int
        The least number of columns that vary.
    rows : int
        The least number of rows without a gap in the first `columns` of them.
    doubts : list of str
        What was done is appended to it.

    Returns
    -------
    DataFrame
        `table` itself, if nothing was to be done.

    Raises
    ------
    ValueError
        If the table has too few columns or rows.
    """
    what = "1 column that varies" if columns == 1 else f"{columns} columns that vary"
    them = "it" if columns == 1 else "them"
    needs = f"this chapter needs at least {what}, and {rows:,} rows without a gap in {them}."
    varies = table.nunique() > 1
    if varies.sum() < columns:
        raise ValueError(f"{needs} The table has {varies.sum()} such columns: {list(table.columns[varies])}.")
    found = table.loc[:, varies].iloc[:, :columns].dropna()
    if len(found) < rows:
        raise ValueError(f"{needs} The table has {len(found)} such rows; the columns are {list(found.columns)}.")

    if not varies.all():
        doubts.append(f"left out columns that hold one value only: {list(table.columns[~varies])}")
        table = table.loc[:, varies]
    powers = {}
    for name, extent in (table.max() - table.min()).items():
        if not 0.1 <= extent < 1e5:
            powers[name] = 3 * math.floor(math.log10(extent) / 3)
    if powers:
        units = ", ".join(f"{name!r} in 1e{power}" for name, power in powers.items())
        doubts.append(f"counted in another unit: {units}")
        table = table.assign(**{name: table[name] / 10.0**power for name, power in powers.items()})
        labels = {name: f"{table.attrs['labels'][name]}, in 1e{power}" for name, power in powers.items()}
        table.attrs = {**table.attrs, "labels": {**table.attrs["labels"], **labels}}
    return table
