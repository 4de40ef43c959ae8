"""Checks of exercises, in a worksheet: right, or a hint.

This file is handed out with the worksheets, runs in the reader's browser too, and needs nothing but Python.
A check is code that says no by an `assert` with a hint. It is handed out packed (`pack`), so that nobody reads an answer
by accident; who wants to read it can.
"""

import ast
import base64
import hashlib
import inspect
import json
import zlib
from pathlib import Path

CHECKS = Path(__file__).with_name("checks.json")  # {label: {"chapter": its name, "check": packed code, "own": {name: [values]}}}
NO_HINT = "That is not right yet."  # what an `assert` without one says


def pack(code):
    """Return code as text that nobody reads at a glance."""
    return base64.b85encode(zlib.compress(code.encode(), 9)).decode()


def judge(packed, names):
    """Return what a packed check says of an answer: "" if it is right, else a hint.

    Parameters
    ----------
    packed : str
        What `pack` made of the check's code.
    names : dict
        The names that the reader's cells have given. The names that a check makes are its own.
    """
    code = ast.parse(zlib.decompress(base64.b85decode(packed)))
    read = [node.id for node in ast.walk(code) if isinstance(node, ast.Name)]
    if empty := [name for name in dict.fromkeys(read) if names.get(name) is ...]:
        return f"Put your answer in the place of the three dots: {' and '.join(empty)} still lack{'s' * (len(empty) == 1)} one."
    try:
        exec(compile(code, "check", "exec"), {**names})
    except NameError as error:
        return f"The check looks for the name {error.name}, and there is none yet: run a cell that gives it a value."
    except AssertionError as error:
        return str(error) or NO_HINT
    except Exception as error:  # an answer of another kind than the check can read
        return f"The check could not read your answer ({type(error).__name__}: {error}). Is it of the kind that is asked for?"
    return ""


def of(label):
    """Return what is known of the exercise with a label; ValueError if it has no check."""
    known = json.loads(CHECKS.read_text("utf-8"))
    if label not in known:
        raise ValueError(f"no exercise with a check is called {label!r}; there are {', '.join(known)}")
    return known[label]


def check(label):
    """Print whether the answer to an exercise, such as "word-dice-1", is right; else a hint."""
    hint = judge(of(label)["check"], inspect.currentframe().f_back.f_globals)
    print(f"Not yet. {hint}" if hint else "Right.")


def drawn(choices, label, student):
    """Return a student's own numbers for an exercise, {name: value}, out of {name: [values]}: always the same for the same student."""
    student = " ".join(str(student).lower().split())

    def place(name, values):
        return int.from_bytes(hashlib.sha256(f"{student}/{label}/{name}".encode()).digest()[:8], "big") % len(values)

    return {name: values[place(name, values)] for name, values in choices.items()}


def own(label, student):
    """Return the number of an exercise that is this student's own.

    Parameters
    ----------
    label : str
        The exercise, such as "word-dice-2".
    student : str
        The student, as the teacher knows them; capitals and spaces at the ends do not matter.
    """
    if not isinstance(student, str) or not student.strip():
        raise ValueError(f"STUDENT must be your name or number in quotes, at the top of the worksheet, but is {student!r}")
    (value,) = drawn(of(label)["own"], label, student).values()
    return value
