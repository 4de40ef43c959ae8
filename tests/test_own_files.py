"""Tables that people really have: load_table reads what is certain, refuses what is not, and loses nothing without a word.

The profile `thousands` of the property test writes 10,000 tables: HYPOTHESIS_PROFILE=thousands.
"""

import csv
import gzip
import io
import math
import os
import re
import tempfile
import warnings
import zipfile
from collections import Counter
from datetime import datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers import load_table

# Two sensors in three hours; most files below say this.
MEANT = {"flow": [1204.5, -2.25, 17], "heat": [3, 0.5, 1000]}


def sheet(*rows, change=None, **more):
    """Return the bytes of an .xlsx with these rows; `change` is called with the book."""
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    if change:
        change(book)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def zipped(**files):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("_", "."), content)
    return file.getvalue()


def without_default_style(workbook):
    """Return an .xlsx as some programs export it; openpyxl warns of that, and it does not touch the cells."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook)) as archive, zipfile.ZipFile(file, "w") as made:
        for name in archive.namelist():
            made.writestr(name, re.sub(rb"<cellStyles.*</cellStyles>", b"", archive.read(name)))
    return file.getvalue()


def lines(*rows, start="Date,flow,heat"):
    return "\n".join([start, *rows]) + "\n"


def hourly(*cells, start="Date,flow,heat", separator=","):
    """Return a CSV of three hours."""
    return lines(*(f"2020-01-01 {hour:02}:00{separator}{row}" for hour, row in enumerate(cells)), start=start)


def dates(*texts):
    return lines(*(f"{text},{number}" for number, text in enumerate(texts)), start="Date,flow")


D = [datetime(2020, 1, 1, hour) for hour in range(3)]
TWO = [["Date", "flow"], [D[0], 1], [D[1], 2]]
PLAIN = hourly("1204.5,3", "-2.25,0.5", "17,1000")


def hide_first(book):
    extra = book.create_sheet("data")
    for row in [["Date", "flow"], [D[0], 5], [D[1], 6]]:
        extra.append(row)
    book.worksheets[0].sheet_state = "hidden"


def add_second(book):
    book.create_sheet("summer").append(["Date", "flow"])


def day_of_ten_minutes(form):
    return [datetime(2020, 2, 1 + n // 24, n % 24).strftime(form) for n in range(48)]


# What comes, what is meant: (column: numbers, and index), and what is warned of.
READ = {
    "plain": (PLAIN, MEANT, None),
    "thousands: comma, quoted": (hourly('"1,204.5",3', "-2.25,0.5", '17,"1,000"'), MEANT, None),
    "thousands: comma, quoted behind a blank": (hourly('"1,204.5", 3', "-2.25, 0.5", '17, "1,000"'), MEANT, None),
    "thousands: point": (hourly("1.204,5;3", "-2,25;0,5", "17;1.000", start="Date;flow;heat", separator=";"), MEANT, None),
    "thousands: space": (hourly("1 204.5,3", "-2.25,0.5", "17,1 000"), MEANT, None),
    "thousands: no-break space": (hourly("1\u00a0204.5,3", "-2.25,0.5", "17,1\u00a0000"), MEANT, None),
    "thousands: narrow no-break space": (hourly("1\u202f204,5\t3", "-2,25\t0,5", "17\t1\u202f000", start="Date\tflow\theat", separator="\t"), MEANT, None),
    "thousands: apostrophe": (hourly("1'204.5,3", "-2.25,0.5", "17,1’000"), MEANT, None),
    "decimal comma, tabs": (hourly("1204,5\t3", "-2,25\t0,5", "17\t1000", start="Date\tflow\theat", separator="\t"), MEANT, None),
    "decimal comma, quoted": (hourly('"1204,5","3"', '"-2,25","0,5"', '"17","1000"'), MEANT, None),
    "decimal comma, spreadsheet text": (sheet(["Date", "flow", "heat"], [D[0], "1.204,5", 3], [D[1], "-2,25", "0,5"], [D[2], 17, 1000]), MEANT, None),
    "three decimals between commas": (hourly("1.204,3.000"), {"flow": [1.204], "heat": [3]}, None),
    "minus U+2212": (hourly("1204.5,3", "−2.25,0.5", "17,1000"), MEANT, None),
    "minus behind": (hourly("1204.5,3", "2.25-,0.5", "17,1000"), MEANT, None),
    "percent": (hourly("45 %,3", "12.3%,1", ",2"), {"flow": [0.45, 0.123, math.nan], "heat": [3, 1, 2]}, "'flow': units were left off, '45 %' was read as 0.45"),
    "units in cells": (hourly("12.3 m/s,3", "n/a,1", "1 204 m/s,2"), {"flow": [12.3, math.nan, 1204], "heat": [3, 1, 2]}, "units were left off, '12.3 m/s' was read as 12.3"),
    "two units in a column": (hourly("12.3 m/s,3", "45 km/h,1", "7,2"), {"flow": [math.nan, math.nan, 7], "heat": [3, 1, 2]}, "gaps: column 'flow': 2, such as '12.3 m/s'"),
    "words for a gap": (hourly("n/a,3", "NaN,1", "--,2"), {"heat": [3, 1, 2]}, r"without a single number: \['flow'\]"),
    "below a limit": (hourly("<0.05,3", "0.5,1", "12 30,2"), {"flow": [math.nan, 0.5, math.nan], "heat": [3, 1, 2]}, "column 'flow': 2, such as '<0.05'"),
    "a sentinel": (hourly("-999,3", "12,1", "14.5,2"), {"flow": [-999, 12, 14.5], "heat": [3, 1, 2]}, "'flow': -999 comes 1 times; if it means a gap"),
    "a sentinel with decimals": (hourly("-99.9,3", "12,1", "14.5,2"), {"flow": [-99.9, 12, 14.5], "heat": [3, 1, 2]}, "'flow': -99.9 comes 1 times"),
    "mixed ISO precisions": (dates("2020-01-01", "2020-01-01T01:00Z", "2020-01-01 02:00:00.000"), {"flow": [0, 1, 2]}, None),
    "midnight without its time": (dates("31.12.2019 23:00", "01.01.2020", "01.01.2020 01:00"), {"flow": [0, 1, 2], "index": ["2019-12-31 23:00", "2020-01-01", "2020-01-01 01:00"]}, None),
    "midnight in a spreadsheet": (sheet(["Date", "flow"], [D[0], 0], [D[1], 1]), {"flow": [0, 1], "index": ["2020-01-01", "2020-01-01 01:00"]}, None),
    "24:00": (dates("31.12.2019 23:00", "31.12.2019 24:00", "01.01.2020 01:00"), {"flow": [0, 1, 2], "index": ["2019-12-31 23:00", "2020-01-01", "2020-01-01 01:00"]}, None),
    "date and time in two columns": (
        lines("01.02.2020;00:00;1,5", "01.02.2020;01:00;2", "01.02.2020;24:00;3", start="Datum;Zeit;flow"),
        {"flow": [1.5, 2, 3], "index": ["2020-02-01", "2020-02-01 01:00", "2020-02-02"]},
        None,
    ),
    "date and time in two columns of a spreadsheet": (
        sheet(["Date", "Time", "flow"], [D[0], time(0), 1], [D[0], time(1), 2]),
        {"flow": [1, 2], "index": ["2020-01-01 00:00", "2020-01-01 01:00"]},
        None,
    ),
    "a time of day is missing": (lines("2020-02-01,00:00,1.5", "2020-02-01,,2", start="Date,Time,flow"), {"flow": [1.5]}, "left out 1 of 2 rows, which have no readable date: line 3"),
    "day first, one tells": (dates("01/02/2020", "13/02/2020"), {"flow": [0, 1], "index": ["2020-02-01", "2020-02-13"]}, None),
    "month first, with a.m. and p.m.": (dates("01/13/2020 12:00 AM", "01/13/2020 1:00 PM"), {"flow": [0, 1], "index": ["2020-01-13", "2020-01-13 13:00"]}, None),
    "day first, the hours tell": (dates(*day_of_ten_minutes("%d/%m/%Y %H:%M")), {"flow": list(range(48)), "index": day_of_ten_minutes("%Y-%m-%d %H:%M")}, None),
    "month first, the hours tell, years of two digits": (dates(*day_of_ten_minutes("%m/%d/%y %H:%M")), {"flow": list(range(48)), "index": day_of_ten_minutes("%Y-%m-%d %H:%M")}, None),
    "names of months": (dates("31 Jan 2020 13:00", "February 1, 2020".join('""')), {"flow": [0, 1], "index": ["2020-01-31 13:00", "2020-02-01"]}, None),
    "the double hour, with time zones": (dates("2020-10-25 02:00+02:00", "2020-10-25 02:00+01:00"), {"flow": [0, 1], "index": ["2020-10-25 00:00", "2020-10-25 01:00"]}, None),
    "time zones of half hours": (dates("2020-01-01 00:00-03:30", "2020-01-01 15:00+1030"), {"flow": [0, 1], "index": ["2020-01-01 03:30", "2020-01-01 04:30"]}, None),
    "a day that does not exist": (dates("2020-02-29", "2020-02-30"), {"flow": [0]}, r"left out 1 of 2 rows, which have no readable date: line 3 \('2020-02-30 | 1'\)"),
    "BOM": ("\ufeff" + PLAIN, MEANT, None),
    "UTF-16": (PLAIN.encode("utf-16"), MEANT, None),
    "Windows-1252": (hourly("1\u00a0204.5,3", "-2.25,0.5", "17,1000", start="Date,flow,T °C").encode("cp1252"), {"flow": MEANT["flow"], "T °C": MEANT["heat"]}, "not in UTF-8"),
    "sep=;": ("sep=;\r\n" + hourly("1204,5;3", "-2,25;0,5", "17;1000", start="Date;flow;heat", separator=";"), MEANT, None),
    "bars": (hourly("1204.5|3", "-2.25|0.5", "17|1000", start="Date|flow|heat", separator="|"), MEANT, None),
    "Windows line ends": (PLAIN.replace("\n", "\r\n"), MEANT, None),
    "comments above": ("# plant 7, by hand\n# from 2020\n" + PLAIN, MEANT, r"from line 3; left out 2 around it: 1 \('# plant 7 \| by hand'\), 2"),
    "a comment as wide as the names": (hourly("1204.5,3", "-2.25,0.5", "17,1000", start="# plant 7, by hand, north\nDate,flow,heat"), MEANT, "from line 2; left out 1 around it: 1"),
    "names as a comment": (hourly("1204.5,3", "-2.25,0.5", "17,1000", start="# Date,flow,heat"), MEANT, None),
    "long comments above": (f"# {38 * 'x'}\n# {39 * 'x'}\n" + PLAIN, MEANT, r"1 \('# x{38}'\), 2 \('# x{35}\.\.\.'\)"),
    "units below": (hourly("1204.5,3", "-2.25,0.5", "17,1000", start="Date,flow,heat\n,m3/h,kW"), MEANT, r"left out 1 around it: 2 \(' \| m3/h"),
    "units in brackets below": (hourly("1204.5,3", "-2.25,0.5", "17,1000", start="Date,flow,heat\n[-],[m3/h],[kW]"), MEANT, "left out 1 around it: 2"),
    "a logger's header": (hourly("1204.5,3", "-2.25,0.5", "17,1000", start="Logger 7\nSerial,0815\n\nInterval,1 h\nDate,flow,heat"), MEANT, "from line 5; left out 3 around it: 1 \\('Logger 7'\\)"),
    "a logger's header as wide as the names": (hourly("1204.5,3", "-2.25,0.5", "17,1000", start="Logger,7,north\nDate,flow,heat"), MEANT, "from line 2; left out 1 around it: 1"),
    "blank lines": (PLAIN.replace("\n", "\n\n").replace("17,1000", "17,1000\n,,"), MEANT, None),
    "a footer": (PLAIN + "Total,1219,1003\nEnd\n", MEANT, r"left out 2 of 5 rows, .*: line 5 \('Total \| 1219 \| 1003'\) to line 6 \('End'\)"),
    "no name above the dates": (PLAIN.replace("Date", ""), MEANT, None),
    "twice the same name": (PLAIN.replace("heat", "flow"), {"flow": MEANT["flow"], "flow.1": MEANT["heat"]}, r"more than once: the later columns are called \['flow.1'\]"),
    "empty columns behind": (PLAIN.replace("\n", ",,\n"), MEANT, None),
    "a short line": (PLAIN.replace("-2.25,0.5", "-2.25"), {"flow": MEANT["flow"], "heat": [3, math.nan, 1000]}, "fewer cells than names: 1, the first is line 3"),
    "a hidden sheet": (sheet(*TWO, change=hide_first), {"flow": [5, 6]}, None),
    "several sheets": (sheet(*TWO, change=add_second), {"flow": [1, 2]}, r"'Sheet' was read, not \['summer'\]"),
    "a title above, merged": (sheet(["Plant 7"], [], *TWO, change=lambda book: book.active.merge_cells("A1:B1")), {"flow": [1, 2]}, "names were taken from line 3"),
    "a formula with its result elsewhere": (sheet(*TWO, change=lambda book: book.active.__setitem__("H9", "x")), {"flow": [1, 2]}, "left out|without a single number|fewer"),
    "a spreadsheet without a default style": (without_default_style(sheet(*TWO)), {"flow": [1, 2]}, None),
    "gzip under another name": (gzip.compress(PLAIN.encode()), MEANT, None),
    "ZIP": (zipped(plant_csv=PLAIN), MEANT, None),
    "spreadsheet under another name": (sheet(*TWO), {"flow": [1, 2]}, None),
}
REFUSED = {
    "1,204 alone": (hourly('"1,204",3'), "'1,204' could be 1204 or 1.204, .*Say decimal="),
    "1.204 alone, between semicolons": (hourly("1.204;3", start="Date;flow;heat", separator=";"), "'1.204' could be 1.204 or 1204"),
    "two decimal marks": (hourly('"1,5",3', "2.5,3"), "'2.5' has a decimal point, '1,5' a decimal comma"),
    "decimal comma between commas": (hourly("1,5,3", "2,3"), "line 2 has 4 cells, .* line 1 has 3.*decimal comma between commas need quotation"),
    "day or month first": (dates("03/04/2020", "05/04/2020"), "'03/04/2020' could be 03 April 2020 or 04 March 2020.*day_first=True"),
    "years of two digits": (dates("19-12-31 23:00", "20-01-01 00:00"), "'19-12-31 23:00' could be 19 December 2031 or 31 December 2019"),
    "turned dates, text and dates": (sheet(["Date", "flow"], [datetime(2020, 1, 12), 1], ["13/12/2020", 2]), "'13/12/2020' .*do not go together.*from their source again"),
    "turned dates, in text": (dates("12/01/2020 00:00", "01/13/2020 00:00", "13/01/2020 00:00"), "'01/13/2020 00:00' and '13/01/2020 00:00' do not go together"),
    "turned dates, all ISO": (dates(*[f"2020-{day:02}-01" for day in range(2, 13)], *[f"2020-01-{day}" for day in range(13, 20)]), "'2020-12-01' and '2020-01-13' do not go together"),
    "turned dates, hours": (dates(*[f"2020-{day:02}-01 {hour:02}:00" for day in range(2, 5) for hour in range(24)]), "'2020-02-01 23:00' and '2020-03-01 00:00' do not go"),
    "Excel's serial dates": ("Date,flow\n43831.5,1\n43832,2\n", "none of the 2 rows .*'43831.5'. A plain number is no date"),
    "the double hour": (dates("2020-10-25 02:00", "2020-10-25 02:00"), "dates that come more than once: 1, .* with their time zone"),
    "no line of names": ("2020-01-01,1\n2020-01-02,2\n", "line 1 has 2 cells, and no line above the first date, in line 1, names"),
    "no line of names, below a title": ("Plant 7\n2020-01-01,1\n2020-01-02,2\n", "no line above the first date, .*: line 1 has 1"),
    "numbers in the place of names": ("begin,0.5\n2020-01-01,1\n2020-01-02,2\n", "no line above the first date, in line 2, names"),
    "two lines that could be names": ("Date,flow\nWhen,how much\n2020-01-01,1\n", r"line 1 \('Date \| flow'\), line 2 \('When \| how much'\). Delete all but"),
    "a column without name": ("Date,,heat\n2020-01-01,1,2\n", "names that many columns"),
    "a formula without its result": (sheet(*TWO, change=lambda book: book.active.__setitem__("B3", "=2*B2")), "cell B3 of the sheet 'Sheet' is a formula without its result"),
    "a password": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "an old .xls or a spreadsheet with a password: save it as .xlsx, without"),
    "merged cells": (sheet(*TWO, change=lambda book: book.active.merge_cells("B2:B3")), "the cells B2:B3 are merged"),
    "an empty file": (b"", "no row stands below"),
    "HTML called .xls": ("<html><table><tr><td>Date</td></tr></table></html>", "a web page or XML"),
    "HTML behind a BOM and a blank line": ("\ufeff\r\n<html><table><tr><td>Date</td></tr></table></html>", "a web page or XML"),
    "an OpenDocument": (zipped(content_xml="<x/>", mimetype="y"), "an OpenDocument spreadsheet: save it as .xlsx"),
    "a ZIP of two": (zipped(a_csv=PLAIN, b_csv=PLAIN), "a ZIP of 2 files"),
    "a quotation mark too many": (hourly('"1,2', "3,4"), "a quotation mark too many"),
    "UTF-16 that does not say so": (PLAIN.encode("utf-16-le"), "zero bytes"),
    "a last line cut short": (PLAIN[:-6], "cut short: its last line has 2 of 3 cells"),
}


@pytest.fixture
def save(tmp_path):
    def write(content):
        path = tmp_path / "mine.table"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def load(path, **options):
    """Return a table, or the error, and the warnings in one text."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table = load_table(path, **options)
    return table, "\n".join(str(warning.message) for warning in caught)


@pytest.mark.parametrize("case", READ)
def test_what_is_certain_is_read(save, case):
    content, meant, warned = READ[case]
    table, told = load(save(content))
    index = meant.pop("index", None) if "index" in meant else None
    assert table.columns.to_list() == list(meant)
    for name, numbers in meant.items():
        assert table[name].to_list() == pytest.approx(numbers, abs=0, rel=0, nan_ok=True)
    if index:
        assert [f"{each:%Y-%m-%d %H:%M}" for each in table.index] == [(each + " 00:00")[:16] for each in index]
    assert re.search(warned, told) if warned else told == ""


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_certain_is_refused(save, case):
    content, message = REFUSED[case]
    with pytest.raises(ValueError, match=r"(?s)^mine\.table.*" + message):
        load(save(content))


# What is said outright


def test_the_arguments_tell_what_the_file_does_not(save):
    path = save(hourly('"1,204",3'))
    assert load(path, decimal=".")[0]["flow"].to_list() == [1204]
    assert load(path, decimal=",")[0]["flow"].to_list() == [1.204]
    table, told = load(save(hourly('"1,5",3', "2.5,3")), decimal=".")
    assert table["flow"].isna().to_list() == [True, False] and "such as '1,5'" in told
    path = save(dates("03/04/2020", "05/04/2020"))
    assert [load(path, day_first=first)[0].index[0].month for first in (True, False)] == [4, 3]
    assert load(save(lines("2020-01-01;1|2;3", start="Date;a;b")), separator=";")[0].columns.to_list() == ["b"]
    path = save(sheet(*TWO, change=hide_first))
    assert load(path, sheet="Sheet")[0]["flow"].to_list() == [1, 2]


@pytest.mark.parametrize(
    ("options", "content", "message"),
    [
        ({"separator": " "}, PLAIN, r"^separator must be one of \[',', ';', .*but is str ' '"),
        ({"columns": "2"}, PLAIN, r"^columns must be a whole number of at least 0, but is str '2'"),
        ({"rows": -1}, PLAIN, r"^rows must be a whole number of at least 0, but is int -1"),
        ({"decimal": "comma"}, PLAIN, r"^decimal must be one of \['.', ','\], but is str 'comma'"),
        ({"day_first": "yes"}, PLAIN, r"^day_first must be one of \[True, False\], but is str 'yes'"),
        ({"sheet": "flow"}, PLAIN, "no spreadsheet, but the argument sheet is 'flow'"),
        ({"sheet": "flow"}, sheet(*TWO), r"sheet must be one of \['Sheet'\], but is 'flow'"),
        ({"separator": ";"}, sheet(*TWO), "a spreadsheet, but the argument separator is ';'"),
    ],
)
def test_an_argument_that_does_not_fit(save, options, content, message):
    with pytest.raises(ValueError, match=message):
        load(save(content), **options)


# Any table, written in any of many ways


def written_number(rng, style):
    """Return a number and how a person writes it."""
    whole, decimals = rng.randint(0, 10 ** rng.randint(1, 8)), rng.choice(["", "", "5", "25", "250", "0001"])
    sign, power = rng.choice(["", "", "-", "+"]), rng.choice(["", "", "", "", "e3", "E-02"])
    digits = str(whole) if power or not style["group"] else f"{whole:,}".replace(",", style["group"])
    text = sign + digits + (style["decimal"] + decimals if decimals else "") + power
    meant = Decimal(f"{sign}{whole}.{decimals or 0}{power}")
    if sign == "-" and style["minus"] == "behind" and not power:
        text = text[1:] + "-"
    elif style["minus"] == "−":
        text = text.replace("-", "−", 1) if sign == "-" else text
    return meant, text


GAPS = ["", " ", "n/a", "Bad", "NaN", "--", "#DIV/0!", "<0.05", "12:30", "1 0000", "0x1F", "3 of 5", "2020-01-01"]
FORMS = {  # None: whichever, row by row
    "ISO": ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%Y/%m/%d %H:%M", "%Y-%m-%dT%H:%MZ"],
    "day first": ["%d/%m/%Y %H:%M"],
    "day first, short": ["%d/%m/%y %H:%M"],
    "points": ["%d.%m.%Y %H:%M"],
    "points, short": ["%d.%m.%y %H:%M:%S"],
    "month first": ["%m/%d/%Y %H:%M"],
    "month first, half days": ["%m/%d/%Y %I:%M %p"],
    "words": ["%d %b %Y %H:%M", "%d-%b-%Y %H:%M"],
}


@st.composite
def written_table(draw):
    """Return a file's bytes, what it means, and what a person would have to say of it."""
    separator = draw(st.sampled_from(",;\t|"))
    decimal = draw(st.sampled_from(".,"))
    groups = ["", "", " ", "\u00a0", "\u202f", "\u2009", "'", "’", "," if decimal == "." else "."]
    style = {"decimal": decimal, "group": draw(st.sampled_from(groups)), "minus": draw(st.sampled_from(["-", "−", "behind"]))}
    n_columns, n_rows = draw(st.integers(1, 4)), draw(st.integers(1, 30))
    names = draw(st.permutations(["flow", "T 1", "x1: tag, 1", "Druck (bar)", 'the "hot" end', "a;b"]))[:n_columns]
    units = [draw(st.sampled_from(["", "", "", "%", " %", " m/s", "°C"])) for _ in names]
    rng, gaps = draw(st.randoms(use_true_random=True)), draw(st.sampled_from([0, 0.1, 0.5]))  # to draw each cell apart takes too long
    cells, meant = [], []
    for _ in range(n_rows):
        row = [rng.choice(GAPS) if rng.random() < gaps else written_number(rng, style) for _ in names]
        cells.append([cell if isinstance(cell, str) else cell[1] + unit for cell, unit in zip(row, units)])
        shares = [Decimal(100 if "%" in unit else 1) for unit in units]
        meant.append([math.nan if isinstance(cell, str) else float(cell[0] / share) for cell, share in zip(row, shares)])

    step = draw(st.sampled_from([timedelta(minutes=10), timedelta(hours=1), timedelta(hours=7), timedelta(days=1), timedelta(days=30)]))
    start = datetime(draw(st.integers(1990, 2030)), draw(st.integers(1, 12)), draw(st.integers(1, 28)), draw(st.sampled_from([0, 23])))
    order = draw(st.sampled_from(["up", "up", "down", "any"]))
    moments = [start + step * row for row in range(n_rows)]
    moments = {"up": moments, "down": moments[::-1], "any": rng.sample(moments, n_rows)}[order]
    form = draw(st.sampled_from(list(FORMS)))
    bare = draw(st.sampled_from(["whole", "whole", "bare midnight", "24:00", "two columns"]))
    turned = draw(st.integers(0, 9)) == 0 and order == "up"
    texts = []
    for moment in moments:
        said = moment
        if turned and moment.day <= 12:
            said = moment.replace(day=moment.month, month=moment.day)
        text = said.strftime(rng.choice(FORMS[form]))
        if bare == "bare midnight" and (moment.hour, moment.minute) == (0, 0):
            text = text.replace("T", " ").split(" 00:")[0].split(" 12:")[0]
        if bare == "24:00" and (moment.hour, moment.minute) == (0, 0) and " 00:00" in text and not turned:
            text = (moment - timedelta(days=1)).strftime(FORMS[form][0]).replace(" 00:00", " 24:00")
        texts.append(text)
    header = ["Date", *names]
    if bare == "two columns":
        header[:1] = ["Date", "Time"]
        texts = [re.split("[T ]", text, maxsplit=1) if form != "words" else text.rsplit(" ", 1) for text in texts]
        texts = [[day, clock.removesuffix("Z")] for day, clock in texts]
    else:
        texts = [[text] for text in texts]
    rows = [date + row for date, row in zip(texts, cells)]
    has_names = draw(st.integers(0, 9)) > 0
    head = [["Plant 7"], [], ["# of 2020"], ["Serial", "0815"]]
    above = draw(st.lists(st.sampled_from(head), max_size=3)) if len(header) > 2 else []
    below = draw(st.sampled_from([[], [[""] * (len(header) - n_columns) + ["[kW]"] * n_columns], [[]]]))
    footer = draw(st.lists(st.sampled_from([["Total", "12"], [], ["End"], [""] * len(header)]), max_size=2))
    everything = [*above, *([header] if has_names else []), *below, *rows, *footer]

    if draw(st.integers(0, 9)) == 0 and all(everything):
        content = sheet(*everything)
    else:
        file = io.StringIO()
        quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
        end = draw(st.sampled_from(["\n", "\r\n"]))
        csv.writer(file, delimiter=separator, quoting=quoting, lineterminator=end).writerows(everything)
        text = draw(st.sampled_from(["", "", "", f"sep={separator}{end}"])) + file.getvalue()
        encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]))
        try:
            content = text.encode(encoding)
        except UnicodeEncodeError:
            content = text.encode()
        content = draw(st.sampled_from([bytes, bytes, gzip.compress, lambda content: zipped(mine_csv=content)]))(content)
    frame = pd.DataFrame(meant, columns=names, index=pd.DatetimeIndex(moments, tz="UTC", name="time"), dtype=float)
    told = {"decimal": decimal, "day_first": {"d": True, "p": True, "m": False}.get(form[0])}
    if turned:  # someone could tell: as they stand there, the rows go neither up nor down
        steps = list(pairwise([m.replace(day=m.month, month=m.day) if m.day <= 12 else m for m in moments]))
        turned = any(a >= b for a, b in steps) and any(a <= b for a, b in steps)
        if not turned:
            has_names = None
    sure = has_names and not turned and order != "any" and frame.notna().any(axis=None)  # once told
    return content, frame.sort_index(), told, has_names, turned, cells, sure


settings.register_profile("thousands", max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
settings.register_profile("some", max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "some")
TALLY = Counter()


@settings(settings.get_profile(PROFILE))
@given(written_table())
def test_a_table_is_read_as_it_is_meant_or_refused(written):
    content, meant, told, has_names, turned, cells, sure = written
    if has_names is None:
        return  # turned dates that nobody could tell from others
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "mine.table")
        path.write_bytes(content)
        for options in {}, told:
            try:
                table, warned = load(path, **options)
            except ValueError as error:
                assert str(error).startswith("mine.table: ")
                TALLY["refused" if not options else "refused though told", re.sub(r"'[^']*'|\d+", "…", str(error))[12:45]] += 1
                assert not (options and sure), error
                continue
            TALLY["read" if not options else "read as told"] += 1
            assert has_names and not turned
            assert table.columns.to_list() == meant.columns[meant.notna().any()].to_list()
            np.testing.assert_array_equal(table.to_numpy(), meant[table.columns].to_numpy())
            assert (table.index == meant.index).all()
            for name, column in zip(meant, zip(*cells)):
                lost = sum(cell in GAPS and cell[:1] != "#" and any(map(str.isdigit, cell)) for cell in column)
                assert f"{name!r}: {lost}, such as" in warned if lost else f"{name!r}: " not in warned.replace(f"{name!r}: units", "")


def teardown_module():
    if PROFILE == "thousands":
        print(*sorted(map(str, TALLY.items())), sep="\n")
