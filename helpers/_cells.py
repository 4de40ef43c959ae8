"""From a file to a grid of cells: what `load_table` does before it looks for names, dates and numbers.

What a file is, its first bytes say; its name may be wrong.
"""

import bz2
import codecs
import csv
import gzip
import io
import lzma
import re
import warnings
import zipfile
from datetime import datetime
from typing import NamedTuple

from helpers._readings import DATE, NotATable, is_number

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
OPEN = {b"\x1f\x8b": gzip.decompress, b"BZh": bz2.decompress, b"\xfd7zXZ": lzma.decompress}
#: What else comes under the names of tables, by its first bytes or, in a ZIP, by a file in it.
OTHERS = {
    b"\xd0\xcf\x11\xe0": "an old .xls or a spreadsheet with a password: save it as .xlsx, without a password",
    b"<": "a web page or XML, whatever its name says: open it in a spreadsheet program and save it as .xlsx",
    b"PAR1": "a Parquet file: save it as CSV",
    "content.xml": "an OpenDocument spreadsheet: save it as .xlsx",
    "xl/workbook.bin": "an .xlsb: save it as .xlsx",
}


class Grid(NamedTuple):
    """The rows that hold anything: lists of texts without outer blanks, or floats from a spreadsheet's number cells."""

    rows: list
    lines: list  # the number of each row in the file, from 1
    separator: str | None  # None for a spreadsheet
    merged: list  # (first line, last line, range) of each block of merged cells
    ended: bool  # whether the last line has its end


def read_cells(path, doubts, separator=None, sheet=None):
    """Return the file's cells as a Grid.

    Parameters
    ----------
    path : Path
    doubts : list of str
        What the caller should warn of is appended.
    separator, sheet : str, optional
        As in `load_table`.

    Raises
    ------
    NotATable
        If the file is of another kind, or if an argument does not fit it.
    Exception
        Of a dozen types, from decompressors, decoders and openpyxl, if the file is damaged.
    """
    data = path.read_bytes()
    for start, decompress in OPEN.items():
        if data.startswith(start):
            data = decompress(data)
    if data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [name for name in archive.namelist() if not name.endswith("/")]
            if "xl/workbook.xml" in members:
                return _read_workbook(data, archive, doubts, separator, sheet)
            for member, what in OTHERS.items():
                if member in members:
                    raise NotATable(f"it is {what}")
            if len(members) != 1:
                raise NotATable(f"it is a ZIP of {len(members)} files: take the table out of it")
            data = archive.read(members[0])
    for start, what in OTHERS.items():
        if isinstance(start, bytes) and data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(start):
            raise NotATable(f"it is {what}")
    if sheet is not None:
        raise NotATable(f"it is no spreadsheet, but the argument sheet is {sheet!r}: leave it out")
    return _read_text(_decode(data, doubts), separator)


def _decode(data, doubts):
    """Return the text of a file that says its encoding, or is UTF-8, or what Windows writes in western Europe."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252")
        doubts.append("it is not in UTF-8 and was read as Windows-1252: digits are safe, letters of the names may be wrong")
    if "\0" in text:
        raise NotATable("it holds zero bytes: it is no text, or UTF-16 that does not say so; save it as 'CSV UTF-8'")
    return text


def _read_text(text, separator):
    """Split a text at the mark after which most rows have a date before it and numbers behind it."""
    said = re.match(r"sep=(.)\r?\n", text)  # a line for Excel
    separator = separator or (said and said[1])
    found = []
    for mark in [separator] if separator else [mark for mark in SEPARATORS if mark in text] or [","]:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, skipinitialspace=True, strict=True)
        rows, lines = [], []
        try:
            for row in reader:
                row = [cell.strip() for cell in row]
                if any(row) and not (said and reader.line_num == 1):
                    rows.append(row)
                    lines.append(reader.line_num)
        except csv.Error as error:
            failure = f"line {reader.line_num}: {error}"
            continue
        dated = [row for row in rows if DATE.fullmatch(row[0])]
        # A comma may stand in a date and in a number; as a separator it leaves pieces that are neither.
        pieces = [is_number(cell) for row in dated[:100] for cell in row[1:]]
        score = len(dated), sum(pieces) / max(1, len(pieces)), max(map(len, rows), default=0)
        found.append((score, Grid(rows, lines, mark, [], text.endswith(("\n", "\r")))))
    if not found:
        raise NotATable(f"{failure}: a quotation mark too many or too few")
    return max(found, key=lambda each: each[0])[1]


def _read_workbook(data, archive, doubts, separator, sheet):
    """Return the cells of an .xlsx: of the sheet that is named, or else of the first that is not hidden."""
    import openpyxl  # here alone, because the reader's browser starts sooner without it and has no need of it

    if separator is not None:
        raise NotATable(f"it is a spreadsheet, but the argument separator is {separator!r}: leave it out")
    with warnings.catch_warnings(action="ignore"):  # of styles and extensions that do not touch the cells
        book = openpyxl.load_workbook(io.BytesIO(data), data_only=True)
        sheets = {each.title: each for each in book.worksheets}
        if sheet is not None and sheet not in sheets:
            raise NotATable(f"the argument sheet must be one of {list(sheets)}, but is {sheet!r}")
        shown = [name for name, each in sheets.items() if each.sheet_state == "visible" and each.calculate_dimension() != "A1:A1"]
        sheet = sheet or next(iter(shown), book.worksheets[0].title)
        if others := [name for name in shown if name != sheet]:
            doubts.append(f"the sheet {sheet!r} was read, not {others}; the argument sheet names another")
        read = sheets[sheet]
        if any(re.search(rb"<(\w+:)?f[ />]", archive.read(name)) for name in archive.namelist() if "worksheets/" in name):
            for row in openpyxl.load_workbook(io.BytesIO(data))[sheet].iter_rows():
                for cell in row:
                    if cell.data_type == "f" and read[cell.coordinate].value is None:
                        raise NotATable(
                            f"cell {cell.coordinate} of the sheet {sheet!r} is a formula without its result: "
                            "open the file in a spreadsheet program, let it compute, and save it"
                        )
    rows = [[_cell(value) for value in row] for row in read.iter_rows(values_only=True)]
    lines = [line for line, row in enumerate(rows, 1) if any(value != "" for value in row)]
    merged = [(block.min_row, block.max_row, block.coord) for block in read.merged_cells.ranges]
    return Grid([rows[line - 1] for line in lines], lines, None, merged, True)


def _cell(value):
    """Return a spreadsheet's number as a float, and anything else as text."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ").removesuffix(" 00:00:00")  # in a column of its own is the time
    return "" if value is None else str(value).strip()
