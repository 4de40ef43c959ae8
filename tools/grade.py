"""Grade a folder of worksheets that students handed in, and write a table.

    python tools/grade.py HANDINS [--table FILE] [--timeout SECONDS]

Each notebook in HANDINS, in folders below it too, is executed as it is, in a kernel and a folder of its own. The book's own
checks are asked, not those that came back with it, and a check that a student's cells have passed stays passed. What is
broken is told in its row, and the rest is graded still.

Hand-ins are programs of other people: run this as a user, or in a container, that can do no harm.
"""

import argparse
import asyncio
import csv
import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path

from jupyter_client.manager import start_new_async_kernel
from tqdm import tqdm

import chapters
import checks
import editions

TABLE = chapters.BOOK / "_build" / "grades.csv"
MARK = "a check of the book says: "
ASKED = re.compile(r"\bcheck\(\s*[\"']([\w-]+)[\"']\s*\)")  # where a worksheet asks a check


class Broken(Exception):
    """A hand-in cannot be graded any further; the message says why."""


def hand_ins(folder):
    """Return the notebooks in a folder and below, in order; FileNotFoundError if there are none."""
    if not folder.is_dir():
        raise FileNotFoundError(f"HANDINS must name a folder of notebooks, but there is no folder {folder}")
    found = sorted(path for path in folder.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)
    if not found:
        raise FileNotFoundError(f"HANDINS must name a folder of notebooks, but {folder} has no .ipynb in it")
    return found


def question(label, exercise):
    """Return the code that asks a check: run in the hand-in's kernel, it prints the student's name and the hint.

    It uses nothing that the student's cells have named, `print` or `judge` for example; a number of the student's own is the
    one that was given out, whatever they made of it.
    """
    ask = f"""\
import json
book = {{"__file__": "checks.py"}}
exec({Path(checks.__file__).read_text("utf-8")!r}, book)
student = str(names.get("STUDENT", ""))
own = book["drawn"]({exercise["own"]!r}, {label!r}, student)
print({MARK!r} + json.dumps([student, book["judge"]({exercise["check"]!r}, {{**names, **own}})]))
"""
    return f"import builtins as _book\n_book.exec({ask!r}, {{'names': _book.globals()}})"


class HandIn:
    """A notebook that is executed cell by cell, and what came of it: the hint of each check, and what else there is to say."""

    def __init__(self, notebook, known, timeout):
        self.notebook, self.known, self.timeout = notebook, known, timeout
        self.hints, self.words, self.student = {}, [], ""

    async def execute(self, folder):
        """Execute the notebook and ask its checks, each where the worksheet does; those that were not passed once more at the end."""
        self.end = time.monotonic() + 10 * self.timeout
        quiet = {**os.environ, "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1", "BOOK_TABLE": ""}
        self.kernel, self.client = await start_new_async_kernel(env=quiet, cwd=folder, extra_arguments=["--log-level=CRITICAL"])
        try:
            for number, cell in enumerate(self.notebook.cells, start=1):
                if cell.cell_type == "code" and cell.source.strip():
                    await self.run(cell.source, f"cell {number}")
                    for label in ASKED.findall(cell.source):
                        await self.ask(label)
            for label in self.known:
                await self.ask(label)
        finally:
            self.client.stop_channels()
            await self.kernel.shutdown_kernel(now=True)

    async def run(self, code, name):
        """Execute code and return what it printed. What takes too long is interrupted; Broken if that does not help, or the kernel is dead."""
        if time.monotonic() > self.end:
            raise Broken(f"stopped before {name}: it took more than {10 * self.timeout} s in all")
        try:
            return await self.printed(code, name, self.timeout)
        except TimeoutError:
            self.words.append(f"{name}: stopped after {self.timeout} s")
        try:
            await self.kernel.interrupt_kernel()
            await self.printed("pass", name, 10)
        except TimeoutError:
            raise Broken(f"{name}: it cannot be stopped") from None
        return ""

    async def printed(self, code, name, timeout):
        """Execute code and return what it printed; TimeoutError if it takes too long."""
        told = []

        def hear(message):
            content = message["content"]
            if message["msg_type"] == "stream" and content["name"] == "stdout":
                told.append(content["text"])
            elif message["msg_type"] == "error":
                self.words.append(f"{name} raised {content['ename']}: {content['evalue']}"[:200])

        running = asyncio.ensure_future(self.client.execute_interactive(code, allow_stdin=False, stop_on_error=False, output_hook=hear, timeout=timeout))
        while not running.done():
            await asyncio.wait([running], timeout=1)
            if not running.done() and not await self.kernel.is_alive():
                running.cancel()
                raise Broken(f"{name}: its kernel died")
        running.result()
        return "".join(told)

    async def ask(self, label):
        """Ask a check, unless it was passed already."""
        if label not in self.known or self.hints.get(label) == "":
            return
        printed = await self.run(question(label, self.known[label]), label)
        told = printed.rpartition(MARK)[2] if MARK in printed else ""
        self.student, hint = json.loads(told) if told else (self.student, "the check did not come to its end")
        self.hints.setdefault(label, hint)
        if not hint:
            self.hints[label] = ""


def of_chapter(notebook, known):
    """Return the checks of the chapter that a hand-in is a worksheet of; Broken if it is none."""
    named = [notebook.metadata.get("worksheet")]
    named += [known[label]["chapter"] for cell in notebook.cells for label in ASKED.findall(cell.source) if label in known]  # some editors drop metadata
    found = {label: exercise for label, exercise in known.items() if exercise["chapter"] == next(filter(None, named), None)}
    if not found:
        raise Broken("it is no worksheet of a chapter with checks")
    return found


async def grade(path, name, known, timeout):
    """Return the row of a hand-in: {"hand-in": …, "student": …, label: 1 or 0 for each check, "points": …, "of": …, "words": …}."""
    row, words, hand_in = {"hand-in": name, "student": "", "points": 0, "of": ""}, [], None
    try:
        try:
            notebook = chapters.read(path)
        except ValueError as error:
            raise Broken(str(error).partition(": ")[2]) from error
        asked = of_chapter(notebook, known)
        row |= {"of": len(asked), **dict.fromkeys(asked, 0)}
        with tempfile.TemporaryDirectory() as folder:
            editions.write_checks(Path(folder))
            hand_in = HandIn(notebook, asked, timeout)
            await hand_in.execute(folder)
    except Broken as broken:
        words = [f"broken: {broken}"]
    except Exception as error:  # whatever a hand-in does, the others are graded
        words = [f"broken: {type(error).__name__}: {error}"]
    if hand_in:
        row |= {label: int(not hint) for label, hint in hand_in.hints.items()} | {"student": hand_in.student}
        row["points"] = sum(not hint for hint in hand_in.hints.values())
        words += [*hand_in.words, *(f"{label}: {hint}" for label, hint in hand_in.hints.items() if hint)]
    row["words"] = "\n".join(words)
    return row


async def grade_all(folder, timeout, jobs):
    """Return the rows of all hand-ins in a folder, in their order; two under one name are told."""
    known, gate, paths = editions.known_checks(), asyncio.Semaphore(jobs), hand_ins(folder)
    with tqdm(total=len(paths), unit="hand-in", disable=None) as bar:

        async def one(path):
            async with gate:
                row = await grade(path, path.relative_to(folder).as_posix(), known, timeout)
            bar.update()
            return row

        rows = await asyncio.gather(*map(one, paths))
    seen = {}
    for row in rows:
        who = (" ".join(row["student"].lower().split()), *(label for label in known if label in row))
        if row["student"].strip() and who in seen:
            row["words"] = f"the same student as {seen[who]}\n{row['words']}".strip()
        seen.setdefault(who, row["hand-in"])
    return rows


def write_table(rows, table):
    """Write the rows as CSV that a spreadsheet opens; a cell that it would take for a formula is kept as text."""
    labels = [label for label in editions.known_checks() if any(label in row for row in rows)]
    columns = ["hand-in", "student", *labels, "points", "of", "words"]
    table.parent.mkdir(parents=True, exist_ok=True)
    unfinished = table.with_suffix(".unfinished")
    with open(unfinished, "w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows({name: f"'{value}" if str(value)[:1] in tuple("=+-@\t\r") else value for name, value in row.items()} for row in rows)
    os.replace(unfinished, table)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("handins", help="the folder of the hand-ins")
    parser.add_argument("--table", type=Path, default=TABLE, help="the table to write (%(default)s)")
    parser.add_argument("--timeout", type=int, default=120, help="seconds that a cell may take (%(default)s); all of a hand-in may take ten times as long")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="hand-ins that are graded side by side (%(default)s)")
    asked = parser.parse_args(arguments)
    if not asked.handins:
        return "HANDINS must name a folder of notebooks: make grade HANDINS=/path/to/folder"
    try:
        rows = asyncio.run(grade_all(Path(asked.handins), asked.timeout, asked.jobs))
    except (FileNotFoundError, ValueError) as error:
        return str(error)
    write_table(rows, asked.table)
    broken = sum(row["words"].startswith("broken") for row in rows)
    print(f"{len(rows)} hand-ins, {broken} of them broken: the table is {chapters.name(asked.table)}")
    return None


if __name__ == "__main__":
    sys.exit(main())
