"""What a text says as a number and as a date: what `load_table` does once it knows rows and names."""

import math
import re
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from itertools import pairwise

import pandas as pd


class NotATable(ValueError):
    """What cannot be read in one way only, and the reader can mend; the message does not name the file yet."""


#: Between groups of three digits: spaces of four widths, apostrophes and, for each decimal mark, the other one.
GROUPS = " \u00a0\u2009\u202f'’"
NUMBER = {
    mark: re.compile(
        rf"[+-]?(?:[1-9]\d{{0,2}}([{GROUPS}{other}])\d{{3}}(?:\1\d{{3}})*(?:[{mark}]\d*)?"
        rf"|(?:\d+(?:[{mark}]\d*)?|[{mark}]\d+)(?:e[+-]?\d+)?)",
        re.ASCII | re.IGNORECASE,
    )
    for mark, other in ((".", ","), (",", "."))
}
INFINITY = re.compile(r"[+-]?inf(?:inity)?", re.IGNORECASE)
#: A unit behind the digits: %, m/s, m3/h, °C, kWh/m²; a lone e would be a number cut short.
UNIT = re.compile(r"(.*[\d.,][-−]?)\s*(?!e$)([a-z°µμΩ%‰]+[23²³]?(?:[/·*][a-z]+[23²³]?)*)", re.ASCII | re.IGNORECASE)
POWERS = {"%": -2, "‰": -3}  # of ten

MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
ORDERS = {"d": "day", "m": "month", "y": "year"}
TURNED = (
    "{!r} and {!r} do not go together: in some dates day and month were taken for each other, as spreadsheets do. "
    "Get the dates from their source again"
)
DATE = re.compile(
    r"""(?:(?P<year>\d{4})([-/.])(?P<month>\d{1,2})\2(?P<day>\d{1,2})          # 2014-01-31
    |(?P<a>\d{1,2})(?P<mark>[-/.])(?P<b>\d{1,2})(?P=mark)(?P<c>\d{4}|\d{2})    # 31/01/2014, 31.01.14
    |(?P<day2>\d{1,2})[-/.\s]*(?P<name>[a-z]{3,9})[-/.,\s]*(?P<year2>\d{4})     # 31 Jan 2014
    |(?P<name2>[a-z]{3,9})\.?\s*(?P<day3>\d{1,2}),?\s+(?P<year3>\d{4}))         # January 31, 2014
    (?:[t\s,]\s*(?P<hour>\d{1,2})(?::(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?)?
    \s*(?P<half>[ap]m)?\s*(?P<zone>z|utc|gmt|[+-]\d\d:?\d\d)?)?""",
    re.VERBOSE | re.ASCII | re.IGNORECASE,
)
CLOCK = re.compile(r"\d{1,2}:\d\d(:\d\d([.,]\d+)?)?(\s*[ap]m)?", re.ASCII | re.IGNORECASE)


def _plain(text):
    """Return a text with an ASCII sign, in front: − and –, or a minus behind the digits, as SAP writes and Excel reads."""
    if text and text[0] in "−–‐‑":
        text = "-" + text[1:].lstrip()
    return "-" + text[:-1].rstrip() if text[-1:] in ("-", "−") and text[:1].isdigit() else text


def _split(text):
    """Return a number's text, with an ASCII sign in front, and the unit behind it; None and nothing if there is no number."""
    unit = UNIT.fullmatch(text)
    for body, behind in ((text, ""), unit.groups() if unit else ("", "")):
        body = _plain(body)
        if any(number.fullmatch(body) for number in NUMBER.values()):
            return body, behind
    return None, ""


def is_number(cell):
    """Return whether a cell holds a number, whichever its decimal mark, or nothing."""
    return cell == "" or isinstance(cell, float) or _split(cell)[0] is not None


def _find_decimal_mark(bodies, separator):
    """Return the decimal mark of a file: the one with which all its numbers can be read."""
    only, either = {".": [], ",": []}, []
    for body in bodies:
        marks = [mark for mark, number in NUMBER.items() if number.fullmatch(body)]
        if len(marks) == 1:
            only[marks[0]].append(body)
        elif "." in body or "," in body:
            either.append(body)
    if only["."] and only[","]:
        raise NotATable(
            f"{min(only['.'])!r} has a decimal point, {min(only[','])!r} a decimal comma. Write all numbers alike, "
            "or say decimal='.' or decimal=',': then the others become gaps"
        )
    # Between commas a point alone is the decimal mark: where it groups digits, commas are needed for the decimals.
    if either and not (only["."] or only[","] or (separator == "," and not any("," in body for body in either))):
        example = min(either)
        raise NotATable(
            f"{example!r} could be {_value(example, '.'):.12g} or {_value(example, ','):.12g}, and no other number tells. "
            "Say decimal='.' or decimal=','"
        )
    return "," if only[","] else "."


def _value(body, decimal):
    """Return the number that a text says with this decimal mark, NaN for none."""
    number = NUMBER[decimal].fullmatch(body)
    if not number:
        return math.nan
    return float((body.replace(number[1], "") if number[1] else body).replace(decimal, "."))


def read_numbers(columns, decimal, separator, doubts):
    """Read each column of cells as numbers.

    Parameters
    ----------
    columns : dict of str to list of str or float
    decimal : str or None
        The decimal mark; None to find it.
    separator : str or None
        What stands between the columns; None for a spreadsheet.
    doubts : list of str
        What the caller should warn of is appended: units that were left off, texts with a digit in them.

    Returns
    -------
    dict of str to list of float
        NaN where a text is no number, infinite where it says so or is too large for a float.

    Raises
    ------
    NotATable
        If numbers need different decimal marks, or if each mark reads them all, as another number.
    """
    split = {text: _split(text) for text in {cell for cells in columns.values() for cell in cells if isinstance(cell, str)}}
    decimal = decimal or _find_decimal_mark({body for body, _ in split.values() if body is not None}, separator)
    numbers = {text: math.nan if body is None else _value(body, decimal) for text, (body, _) in split.items()}
    numbers |= {text: float(text) for text in numbers if INFINITY.fullmatch(text)}
    behind = {text: unit for text, (body, unit) in split.items() if unit}
    values, gaps = {}, []
    for name, cells in columns.items():
        read = [numbers.get(cell, cell) for cell in cells]
        units = {behind.get(cell, "") for cell, value in zip(cells, read) if value == value} if behind else {""}
        unit = units.pop() if len(units) == 1 else ""
        if units:  # not all have the same: only numbers without one are certain
            read = [math.nan if cell in behind else value for cell, value in zip(cells, read)]
        elif unit:
            if unit in POWERS:  # shifted in decimal: 12.3 % is 0.123 to the last digit
                read = [float(Decimal(repr(value)).scaleb(POWERS[unit])) for value in read]
            cell, value = next((cell, value) for cell, value in zip(cells, read) if not math.isnan(value))
            doubts.append(f"column {name!r}: units were left off, {cell!r} was read as {value:.12g}")
        values[name] = read
        # Excel's errors, such as #DIV/0!, are words for a gap.
        if lost := [cell for cell, value in zip(cells, read) if math.isnan(value) and re.match(r"[^#]*\d", cell)]:
            gaps.append(f"column {name!r}: {len(lost)}, such as {lost[0]!r}")
    if gaps:
        doubts.append("cells with a digit in them that are no numbers were taken as text, that is as gaps: " + "; ".join(gaps))
    return values


def _moment(match, order):
    """Return the moment in UTC that a match of DATE says, or None; the parts of 31/01/2014 stand in the order given."""
    part = match.groupdict()
    try:
        if part["mark"]:
            part.update(zip(order, (part["a"], part["b"], part["c"])))
            year = int(part["year"]) + {4: 0, 2: 1900 if part["year"] > "68" else 2000}[len(part["year"])]  # as in POSIX
        else:
            year = int(part["year"] or part["year2"] or part["year3"])
        if name := part["name"] or part["name2"]:
            part.update(day=part["day2"] or part["day3"], month=MONTHS.index(name[:3].lower()) + 1)
        hour = int(part["hour"] or 0)
        if part["half"]:
            hour = datetime.strptime(f"{hour} {part['half']}", "%I %p").hour
        clock = int(part["minute"] or 0), int(part["second"] or 0), int((part["fraction"] or "")[:6].ljust(6, "0"))
        next_day = hour == 24 and not any(clock)  # the end of a day is the start of the next
        zone = part["zone"] or "Z"
        ahead = timedelta(hours=int(zone[:3]), minutes=int(zone[0] + zone[-2:])) if zone[0] in "+-" else timedelta()
        day = datetime(year, int(part["month"]), int(part["day"]), 0 if next_day else hour, *clock, tzinfo=timezone.utc)
        return day + timedelta(days=next_day) - ahead
    except (ValueError, KeyError, OverflowError):
        return None


def _in_order(moments, below=timedelta.max):
    """Return whether moments only ascend, or only descend, by steps `below` so much."""
    steps = [later - earlier for earlier, later in pairwise(moments)]
    return all(timedelta() < step < below for step in steps) or all(timedelta() < -step < below for step in steps)


def _turn(moment):
    """Return a moment with day and month taken for each other, where both can be either."""
    return moment.replace(day=moment.month, month=moment.day) if moment.day <= 12 else moment


def read_dates(texts, day_first=None):
    """Return the dates that texts say.

    Parameters
    ----------
    texts : list of str or float
    day_first : bool, optional
        Whether the day stands before the month in dates such as 03/04/2014.

    Returns
    -------
    Series of datetime64 in UTC
        NaT where there is no date.

    Raises
    ------
    NotATable
        If it stays open which number is the day, or if day and month of some dates were taken for each other.
    """
    matches = [DATE.fullmatch(text) if isinstance(text, str) else None for text in texts]
    marks = {match["mark"]: match[0] for match in matches if match and match["mark"]}
    iso = next((match[0] for match in matches if match and match["year"]), None)
    if marks and iso:
        raise NotATable(f"{TURNED.format(iso, next(iter(marks.values())))}, and write all in one way")
    orders = {None: ["dmy", "mdy", "ymd"], True: ["dmy"], False: ["mdy"]}[day_first]
    if marks.keys() <= {"."}:  # between points the day comes first: nobody writes the month there
        orders = orders[:1]
    orders = {order: [ORDERS[part] for part in order] for order in orders}
    readings = [[_moment(match, order) if match else None for match in matches] for order in orders.values()]
    readable = [row for row, moments in enumerate(zip(*readings)) if any(moments)]
    fitting = [moments for moments in readings if all(moments[row] for row in readable)]
    if not fitting:
        odd = [texts[next(row for row in readable if not moments[row])] for moments in readings[:2]]
        raise NotATable(f"{TURNED.format(*odd)}, and write them as 2014-01-31 13:00")
    if any(moments != fitting[0] for moments in fitting):
        # Rows that follow each other within a day, for a day or longer, do so in one of the readings only.
        steady = [m for m in fitting if len(readable) >= 24 and _in_order([m[row] for row in readable], timedelta(days=1))]
        if len(steady) != 1:
            row = next(row for row in readable if len({moments[row] for moments in fitting}) > 1)
            could = " or ".join(dict.fromkeys(f"{moments[row]:%d %B %Y}" for moments in fitting))
            raise NotATable(
                f"the date {texts[row]!r} could be {could}, and no other date tells. "
                "Say day_first=True or day_first=False, or write dates as 2014-01-31 13:00"
            )
        fitting = steady
    moments = [fitting[0][row] for row in readable]
    turned = [_turn(moment) for moment in moments]
    for below in timedelta.max, timedelta(days=1):
        if turned != moments and _in_order(turned, below) and not _in_order(moments, below):
            row = next(row for row, pair in enumerate(pairwise(moments)) if not _in_order(pair, below) or pair[0] > pair[1])
            raise NotATable(
                f"{TURNED.format(texts[readable[row]], texts[readable[row + 1]])}; "
                "if they are right, put the rows in order of time"
            )
    return pd.to_datetime(pd.Series(fitting[0], dtype=object), utc=True, errors="coerce")
