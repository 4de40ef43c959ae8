"""The editions of the book: the students' site has nothing of a solution, worksheets check by themselves, the key has it all."""

import ast
import asyncio
import csv
import json
import os
import re
import subprocess
import sys
import time
import zlib
from contextlib import nullcontext
from itertools import repeat
from pathlib import Path
from unittest.mock import MagicMock

import lxml.html
import nbformat
import pytest
from filelock import FileLock
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import build
import chapters
import checks
import editions
import grade
import kinds
import live
import solutions
from execute import in_one_piece
from test_tools import METADATA, copy_tools

WITH_EXERCISES = [path for path in chapters.notebooks() if editions.exercises(path)]


@pytest.fixture(scope="session")
def students(site):
    """The folder of the students' site, built once a run."""
    folder = site.with_name("students")
    with FileLock(site.with_name("students.lock")):
        if not folder.exists():
            assert build.build(folder, solutions=False) == []
    return folder


@pytest.fixture(scope="module")
def plain():
    return editions.Plain()


# --- what is left out ----------------------------------------------------------------------------------------------------


def words(text):
    return " ".join(text.split())


def told_in(cells):
    """Return all that cells say: their text or code, what they print, what their figures show."""
    said = [cell.source for cell in cells]
    said += [output.get("text", "") for cell in cells for output in cell.get("outputs", [])]
    return said + [cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "") for cell in cells]


def secrets(path, open_text):
    """Return the lines of a chapter's solutions that can be known again wherever they stand, and that no text of the book has."""
    notebook = chapters.read(path)
    inside = chapters.in_solutions(notebook)
    lines = {words(line) for text in told_in([cell for cell in notebook.cells if cell.id in inside]) for line in text.splitlines()}
    return {line for line in lines if len(line) > 25 and not re.search(r"[$`{}*_<>\\\[\"]|''|--", line) and line not in open_text}


def texts(folder):
    """Yield (path, text) of each file of a site that holds text, packed or not."""
    for path in sorted(folder.rglob("*")):
        data = path.read_bytes() if path.is_file() else b""
        if path.suffix == ".html":
            page = lxml.html.fromstring(data)
            yield path, words(" ".join([page.text_content(), *page.xpath("//@alt | //@title | //@content")]))
        elif path.suffix == ".ipynb":
            yield path, words("\n".join(told_in(nbformat.reads(data.decode(), as_version=4).cells)))
        elif path.suffix == ".inv":
            yield path, zlib.decompress(data.split(b"zlib.\n", 1)[1]).decode()
        elif path.suffix in (".js", ".json", ".txt", ".md", ".css", ".xhtml"):
            yield path, words(data.decode())


def leaks(folder):
    """Return {chapter: lines of its solutions that are somewhere in a folder}."""
    open_text = words("\n".join(text for path in chapters.notebooks() for text in told_in(editions.without_solutions(chapters.read(path)).cells)))
    everything = "\n".join(text for _, text in texts(folder))
    return {path.stem: {line for line in secrets(path, open_text) if line in everything} for path in WITH_EXERCISES}


def test_students_site_has_nothing_of_a_solution(students, site):
    assert all(len(found) >= 5 for found in leaks(site).values()), "the search finds solutions where there are some"
    assert leaks(students) == {path.stem: set() for path in WITH_EXERCISES}
    pages = [path.relative_to(site) for path in site.rglob("*.html")]
    assert sorted(pages) == sorted(path.relative_to(students) for path in students.rglob("*.html"))
    for path, text in texts(students):
        assert not re.search(r"solution-(start|end)|with_solutions|\bfor instructors\b", text), path
    told = "".join((students / "chapters" / f"{name}.html").read_text("utf-8") for name in ("teaching", "all-exercises", "kernel-density"))
    assert "not part of the students" in told and "What students get wrong" not in told
    assert "folds out below" not in told and "minutes that a kettle took" not in told
    # Nor its figures, and nothing that leads to a repository that has them.
    ours, theirs = ({path.name for path in (folder / "_images").rglob("*.webp")} for folder in (students, site))
    assert ours < theirs
    assert not re.search(r'class="[^"]*(btn-source|launch)', (students / "chapters" / "word-dice.html").read_text("utf-8"))


def test_live_pages_for_students_hide_checks_and_number_cells_as_their_page_does(monkeypatch, tmp_path):
    path = chapters.BOOK / "chapters" / "word-dice.ipynb"
    notebook = chapters.read(path)
    shown = [cell for _, cell in chapters.code_cells(notebook) if "check" not in cell.metadata]
    left = [cell.id for _, cell in chapters.code_cells(editions.without_solutions(notebook))]
    monkeypatch.setattr(live, "MEASURED", tmp_path / "measured.json")
    live.MEASURED.write_text(json.dumps({"word-dice": {"seconds": {str(number): cell.id for number, cell in enumerate(shown, start=1)}}}))
    facts = live.chapter_facts(path, with_solutions=False)
    assert facts["seconds"] == {str(number): identifier for number, identifier in enumerate(left, start=1)}
    assert len(live.chapter_facts(path)["seconds"]) == len(shown) > len(left)
    assert "factorial" not in json.dumps(facts)
    posed = {label: cell for cell, label, _ in solutions.places(notebook) if "check" in cell.metadata}
    assert facts["checks"] == {label: {"code": checks.pack(cell.source), "starter": cell.metadata["check"]["starter"]} for label, cell in posed.items()} and posed


START, END = "```{solution-start} a\n:class: dropdown\n```", "```{solution-end}\n```"


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ([START, "x", END], ""),
        ([START + "\n\nIt begins in the same cell.", END], ""),
        (["Text.\n\n" + START, END], "cell 1: text before the beginning of a solution: Text."),
        ([START, END + "\n\nText."], "cell 2: text after the end of a solution: Text."),
        ([START + "\n\n" + END], "cell 1: a solution stands between solution-start and solution-end, each in a cell of its own"),
        (["```{solution} a\nIt.\n```"], "cell 1: a solution stands between"),
        ([START, START, END], "cell 2: a solution begins within another"),
        ([END], "cell 1: a solution ends that did not begin"),
        ([START, "x"], "a solution does not end"),
    ],
)
def test_what_is_a_solution_must_be_clear(cells, told):
    notebook = new_notebook(cells=[new_markdown_cell(cell) for cell in [*cells, "After."]])
    assert "; ".join(solutions.faults(notebook)).startswith(told) and bool(told) == bool(solutions.faults(notebook))
    if told:
        with pytest.raises(ValueError, match=re.escape(told)):
            editions.without_solutions(notebook)
    else:
        assert [cell.source for cell in editions.without_solutions(notebook).cells] == ["After."]


def test_words_about_solutions_are_left_out_and_must_be_there():
    cell = new_markdown_cell("One.\nTwo, see the solution.", metadata={"with_solutions": [", see the solution"]})
    notebook = new_notebook(cells=[cell])
    assert editions.without_solutions(notebook).cells[0].source == "One.\nTwo." and "with_solutions" in notebook.cells[0].metadata
    cell.metadata["with_solutions"] = ["elsewhere"]
    with pytest.raises(ValueError, match='"with_solutions" names words that the text does not have: elsewhere'):
        editions.without_solutions(notebook)
    assert solutions.page_without("# A\n\n% with_solutions: , folded\n\nText, folded.\n") == "# A\n\nText.\n"
    assert solutions.page_without("# A\n\n% for instructors\n\nAnswers.\n").startswith("# A\n\nThis page is for those who teach")
    assert solutions.page_without("# A\n\nText.\n") == "# A\n\nText.\n"


# --- worksheets and the key ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", WITH_EXERCISES, ids=lambda path: path.stem)
def test_worksheet_asks_and_checks_but_does_not_tell(path, plain):
    sheet, posed = editions.worksheet(path, plain), editions.exercises(path)
    cells = {cell.id: cell for cell in sheet.cells}
    assert len(cells) == len(sheet.cells)
    for exercise in posed:
        ast.parse(cells[f"answer-{exercise.label}"].source)
        assert (f"check-{exercise.label}" in cells) == bool(exercise.check)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in sheet.cells)
    text = "\n".join(cell.source for cell in sheet.cells if cell.cell_type == "markdown")
    assert not re.search(r"^\s*[`:>]{3,}\{|\{\w[\w:]*\}`|^:\w+:", text, re.MULTILINE), "what only the site can show"
    given = "\n".join(editions.starter(exercise) for exercise in posed if exercise.check)  # what a starter sets is no secret
    open_text = words("\n".join(told_in(editions.without_solutions(chapters.read(path)).cells)) + given)
    assert not [line for line in secrets(path, open_text) if line in words("\n".join(told_in(sheet.cells)))]
    # A stub is refused for what it lacks: its check reads what the starter gives.
    for exercise in posed:
        if exercise.check:
            given = {node.id for node in ast.walk(ast.parse(editions.starter(exercise))) if isinstance(node, ast.Name)}
            given |= {node.name for node in ast.walk(ast.parse(editions.starter(exercise))) if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
            assert given & {node.id for node in ast.walk(ast.parse(exercise.check.source)) if isinstance(node, ast.Name)}, exercise.label


def test_directives_become_what_plain_jupyter_shows(plain):
    label = next(iter(plain.exercises))
    text = "(anchor)=\n````{admonition} In {term}`short <long>`\n:class: tip\nSee {doc}`word-dice`.\n```{note}\n{cite:t}`blei2003` and {cite:p}`blei2003`.\n```\n````"
    assert plain(text).splitlines() == [
        "> **In short**", ">", "> See *Dice with words on them*.", "> > **Note**", "> >", "> > Blei et al. (2003) and (Blei et al. 2003).",
    ]
    assert plain(f"```{{exercise}}\n:label: {label}\nDo it.\n```") == "> **Exercise 1.**\n>\n> Do it."
    assert plain("```{dropdown} Yes\nWhy.\n```") == "<details><summary>Yes</summary>\n\nWhy.\n\n</details>"
    assert plain("$$\nx_1\n$$\n\n```python\na = {1}\n```") == "$$\nx_1\n$$\n\n```python\na = {1}\n```"


SOLVED = {
    "word-dice-1": "p_all_once = math.factorial(7) / 7**7",
    "word-dice-2": "p_party = own('word-dice-2', STUDENT)\nways = p_party / 7, (1 - p_party) / 8\np_merry, p_orc = ways[0] / sum(ways), 0",
}


def filled(sheet, answers, student="Ada L."):
    """Return a worksheet with a student's name and answers."""
    sheet = nbformat.from_dict(sheet)
    for cell in sheet.cells:
        if cell.id == "student":
            cell.source = cell.source.replace('STUDENT = ""', f"STUDENT = {student!r}")
        cell.source = answers.get(cell.id.removeprefix("answer-"), cell.source) if cell.id.startswith("answer-") else cell.source
    return sheet


def test_worksheets_run_by_themselves_and_show_what_the_chapter_shows(tmp_path, plain):
    path = chapters.BOOK / "chapters" / "word-dice.ipynb"
    editions.write(tmp_path / "worksheets", lambda path: editions.worksheet(path, plain))
    assert {file.stem for file in (tmp_path / "worksheets").glob("*.ipynb")} == {path.stem for path in WITH_EXERCISES}
    assert "math.factorial" not in (tmp_path / "worksheets" / "checks.json").read_text()
    sheet = filled(nbformat.read(tmp_path / "worksheets" / path.name, as_version=4), SOLVED)
    where = "import helpers\nfrom pathlib import Path\nprint(Path(helpers.__file__).parents[1] == Path.cwd())"
    sheet.cells.append(new_code_cell(where))
    NotebookClient(sheet, kernel_name="python3", extra_arguments=["--log-level=ERROR"], resources={"metadata": {"path": tmp_path / "worksheets"}}).execute()
    cells = {cell.id: cell for cell in sheet.cells}
    assert [cells[f"check-{label}"].outputs[0].text for label in SOLVED] == ["Right.\n"] * 2
    assert sheet.cells[-1].outputs[0].text == "True\n", "helpers are those of the folder"
    # No output of the text depends on a solution that is not there.
    stored = [cell for _, cell in chapters.code_cells(editions.without_solutions(chapters.read(path)))]
    assert [cell.id for cell in stored if kinds.difference(in_one_piece(cells[cell.id].outputs), cell.outputs, figures=False)] == []


def test_key_has_solutions_notes_and_a_list(tmp_path, plain):
    path = chapters.BOOK / "chapters" / "word-dice.ipynb"
    sheet = editions.worksheet(path, plain, editions.with_key(plain))
    nbformat.validate(sheet)
    posed, notebook = editions.exercises(path), chapters.read(path)
    inside = chapters.in_solutions(notebook)
    code = [cell for cell in sheet.cells if cell.cell_type == "code" and cell.id in inside]
    assert [(cell.source, cell.outputs) for cell in code] == [(cell.source, cell.outputs) for _, cell in chapters.code_cells(notebook) if cell.id in inside]
    note = next(cell.source for cell in sheet.cells if cell.id == "note-word-dice-2")
    assert note.startswith("**For instructors: word-dice-2**\n\n- practice, 10 minutes\n") and "`p_party`, one of 0.6" in note and "1. Give one number for each word." in note
    assert "- tests: a posterior under a bent coin\n" in note
    assert set(editions.tested()) == {each.label for path in WITH_EXERCISES for each in editions.exercises(path)}
    rows = editions.key_list().splitlines()
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows[4:] if row.startswith("| word-dice")] == [exercise.label for exercise in posed]
    assert "| word-dice-2 | practice | 10 | a posterior under a bent coin | yes | " in "\n".join(rows)
    assert "formula:    0.0061 ⏎ simulation" in next(row for row in rows if row.startswith("| word-dice-1"))


# --- checks --------------------------------------------------------------------------------------------------------------

CHECK = 'assert x > 0, "Which side of zero?"\nassert x == goal, "Count once more."\nassert x != 4'
CASES = [
    ({"x": 3, "goal": 3}, ""),
    ({"x": -3, "goal": 3}, "Which side of zero?"),
    ({"x": 4, "goal": 4}, "That is not right yet."),
    ({"x": ..., "goal": 3}, "Put your answer in the place of the three dots: x still lacks one."),
    ({"x": ..., "goal": ...}, "Put your answer in the place of the three dots: x and goal still lack one."),
    ({"goal": 3}, "The check looks for the name x, and there is none yet: run a cell that gives it a value."),
    ({"x": "3", "goal": 3}, "The check could not read your answer (TypeError: '>' not supported between instances of 'str' and 'int'). Is it of the kind that is asked for?"),
]


@pytest.mark.parametrize(("names", "told"), CASES)
def test_check_says_right_or_a_hint(names, told, monkeypatch, tmp_path, capsys):
    before = dict(names)
    hint = checks.judge(checks.pack(CHECK), names)
    assert hint == told and names == before
    monkeypatch.setattr(checks, "CHECKS", tmp_path / "checks.json")
    checks.CHECKS.write_text(json.dumps({"a-1": {"check": checks.pack(CHECK), "own": {}}}))
    exec("check('a-1')", {**names, "check": checks.check})
    assert capsys.readouterr().out == (f"Not yet. {hint}\n" if hint else "Right.\n")
    checks.CHECKS.write_text(json.dumps({"a-1": {}, "b-1": {}}))
    with pytest.raises(ValueError, match="^no exercise with a check is called 'a-2'; there are a-1, b-1$"):
        checks.check("a-2")


def test_numbers_of_ones_own_are_the_same_each_time_and_differ_between_students(monkeypatch, tmp_path):
    values = editions.known_checks()["word-dice-2"]["own"]["p_party"]
    got = [checks.drawn({"p_party": values}, "word-dice-2", f"student {number}")["p_party"] for number in range(60)]
    assert set(got) == set(values) and 9 / 10 not in values
    assert checks.drawn({"p_party": values}, "word-dice-2", " Student  7 ") == {"p_party": got[7]}
    monkeypatch.setattr(checks, "CHECKS", tmp_path / "checks.json")
    checks.CHECKS.write_text(json.dumps({"word-dice-2": {"own": {"p_party": values}}}))
    assert checks.own("word-dice-2", "student 7") == got[7]
    for wrong in ("", " ", 7):
        told = f"STUDENT must be your name or number in quotes, at the top of the worksheet, but is {wrong!r}"
        with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
            checks.own("word-dice-2", wrong)
    # A hand-in is graded with the numbers that its worksheet gave: those of another edition of this book would be wrong.
    asked = [("eins-2", "Ada  L. "), ("eins-3", "ada l."), ("eins-2", 7)]
    assert [checks.drawn({"n": range(1000)}, *each)["n"] for each in asked] == [588, 55, 980]
    assert checks.drawn({"n": range(1000), "m": range(1000)}, *asked[0]) == {"n": 588, "m": 308}


def test_checks_need_nothing_but_python():
    code = f"import sys; sys.path[:0] = [{str(chapters.BOOK / 'tools')!r}]; import checks; print(checks.judge(checks.pack('assert 0, 1'), {{}}))"
    assert subprocess.run([sys.executable, "-S", "-I", "-c", code], capture_output=True, text=True).stdout == "1\n"


# --- grading -------------------------------------------------------------------------------------------------------------

POSED = "# Eins\n\n```{{exercise}}\n:label: eins-{0}\nWhat?\n```"
KIND = {"kernelspec": METADATA["kernelspec"], "language_info": METADATA["language_info"]}


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A book of one chapter with two exercises, the second with a number of each student's own; its worksheet."""
    book = tmp_path / "book"
    copy_tools(book)
    monkeypatch.setattr(chapters, "BOOK", book)
    told = {"eins-1": {"starter": "x = ...\n"}, "eins-2": {"starter": "n = 4\ny = ...\n", "own": {"n": [5, 6, 7]}}}
    cells = []
    for (label, check), code in zip(told.items(), ("assert x == 2, 'How many?'", "assert y == 10 * n, 'Ten times.'")):
        cells += [new_markdown_cell(POSED.format(label[-1])), new_markdown_cell(START.replace(" a", f" {label}"))]
        cells += [new_code_cell(code, metadata={"check": check}), new_markdown_cell(END)]
    cells.append(new_code_cell("x = 'the chapter goes on with the name'"))
    nbformat.write(new_notebook(cells=cells, metadata=KIND), book / "chapters" / "eins.ipynb")
    return editions.worksheet(book / "chapters" / "eins.ipynb", editions.Plain())


RIGHT = {"eins-1": "x = 2", "eins-2": "n = own('eins-2', STUDENT)\ny = 10 * n"}
LOOP = "import time\nwhile True: time.sleep(1)"  # endless, and yet the other hand-ins have the processor
LOOP_IN_CHECK = "import time\nclass X:\n    def __eq__(self, other):\n        while True: time.sleep(1)\nx = X()"
HAND_INS = {
    "a/right": ({**RIGHT, "eins-1": "import os\nx = 2 if os.environ['BOOK_TABLE'] == '' else 0  # whatever table the teacher works on"}, (1, 1), ""),
    "b/wrong": ({"eins-1": "x = 3", "eins-2": "y = 3"}, (0, 0), r"eins-1: How many\?\neins-2: Ten times\."),
    "empty": ({}, (0, 0), r"eins-1: Put your answer .*\neins-2: Put your answer"),
    "number of another": ({**RIGHT, "eins-2": "n = 1\ny = 10 * n"}, (1, 0), "eins-2: Ten times"),
    "error": ({**RIGHT, "eins-1": "x = 1 / 0"}, (0, 1), r"cell \d raised ZeroDivisionError: division by zero\neins-1: The check looks for the name x"),
    "asks": ({**RIGHT, "eins-1": "x = input()"}, (0, 1), "StdinNotImplementedError"),
    "loops": ({**RIGHT, "eins-1": LOOP}, (0, 1), r"cell \d+: stopped after 5 s\neins-1: The check looks for the name x"),
    "loops in the check": ({"eins-1": LOOP_IN_CHECK, "eins-2": RIGHT["eins-2"]}, (0, 1), "eins-1: the check did not come to its end"),
    "cannot be stopped": ({**RIGHT, "eins-2": f"import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n{LOOP}"}, (1, 0), r"broken: cell \d+: it cannot be stopped"),
    "dies": ({**RIGHT, "eins-2": "import os\nos._exit(1)"}, (1, 0), r"broken: cell \d+: its kernel died"),
    "cheats": ({**RIGHT, "eins-1": "def judge(*_): return ''\ncheck = json = print = judge\nx = 3"}, (0, 1), "eins-1: How many"),
}


def test_a_folder_of_hand_ins_is_graded_whatever_is_in_it(small, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("BOOK_TABLE", "/a/teachers/table.csv")
    folder, table = tmp_path / "handed in", tmp_path / "grades.csv"
    for name, (answers, _, _) in HAND_INS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(filled(small, answers, student=name), folder / f"{name}.ipynb")
    nbformat.write(filled(small, RIGHT, student="A/RIGHT "), folder / "twice.ipynb")
    nbformat.write(filled(small, RIGHT, student="=1+1"), folder / "formula.ipynb")
    bare = filled(small, RIGHT)
    bare.metadata.clear()
    nbformat.write(bare, folder / "bare.ipynb")
    (folder / "no json.ipynb").write_text("{ this is none")
    (folder / "empty file.ipynb").write_text("")
    nbformat.write(new_notebook(cells=[new_code_cell("1")]), folder / "another.ipynb")
    assert grade.main([str(folder), "--table", str(table), "--timeout", "5", "--jobs", "4"]) is None
    with open(table, encoding="utf-8-sig", newline="") as file:
        rows = {row["hand-in"].removesuffix(".ipynb"): row for row in csv.DictReader(file)}
    assert set(rows) == {*HAND_INS, "twice", "formula", "bare", "no json", "empty file", "another"}
    for name, (_, points, told) in HAND_INS.items():
        row = rows[name]
        assert (row["eins-1"], row["eins-2"], row["points"], row["of"], row["student"]) == (*map(str, points), str(sum(points)), "2", name), row
        assert re.search(told, row["words"]) and bool(told) == bool(row["words"]), row
    assert rows["twice"]["words"] == "the same student as a/right.ipynb" and rows["twice"]["points"] == "2"
    assert rows["formula"]["student"] == "'=1+1" and rows["bare"]["points"] == "2"
    for name, told in {"no json": "not a readable notebook", "empty file": "not a readable notebook", "another": "no worksheet of a chapter with checks"}.items():
        assert rows[name]["words"].startswith("broken: ") and told in rows[name]["words"] and rows[name]["points"] == "0"
    assert "17 hand-ins, 5 of them broken" in capsys.readouterr().out
    assert not list(tmp_path.glob("*.unfinished"))


def test_what_cannot_be_graded_is_told(tmp_path):
    without = "HANDINS must name a folder of notebooks"
    for folder, told in (("", ": make grade HANDINS=/path/to/folder"), ("nowhere", ", but there is no folder {}"), (".", ", but {} has no .ipynb in it")):
        asked = folder and str(tmp_path / folder)
        assert grade.main([asked, "--table", str(tmp_path / "grades.csv")]) == without + told.format(asked)
    assert not list(tmp_path.iterdir())


def test_hand_ins_are_found_in_folders_below_too_but_not_what_jupyter_keeps_of_them(tmp_path):
    for name in ("b.ipynb", "a/c.ipynb", "a/.ipynb_checkpoints/c-checkpoint.ipynb", "a/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert grade.hand_ins(tmp_path) == [tmp_path / "a" / "c.ipynb", tmp_path / "b.ipynb"]


def test_a_check_is_asked_with_nothing_that_a_student_has_named_but_the_answer(capsys):
    exercise = {"check": checks.pack("assert y == 10 * n, 'Ten times.'"), "own": {"n": [5, 6, 7]}}
    right = 10 * checks.drawn(exercise["own"], "eins-2", "Ada")["n"]
    for names, told in (({"STUDENT": "Ada", "y": right, "n": 1}, ["Ada", ""]), ({"STUDENT": "Ada", "y": 10, "n": 1}, ["Ada", "Ten times."]), ({"y": 0}, ["", "Ten times."])):
        exec(grade.question("eins-2", exercise), {**names, "print": None, "judge": None, "book": None, "json": None})
        assert capsys.readouterr().out == f"{grade.MARK}{json.dumps(told)}\n"


class Kernel:
    """Stands for the kernel of a hand-in and its client: `say(code)` gives the messages of each code that it is asked to execute, (type, content)."""

    def __init__(self, say=lambda code: []):
        self.say, self.asked, self.done = say, [], []

    async def execute_interactive(self, code, allow_stdin, stop_on_error, output_hook, timeout):
        assert not allow_stdin and not stop_on_error, "nobody is there to answer, and what comes next is executed all the same"
        self.asked.append((code, timeout))
        for kind, content in self.say(code):
            output_hook({"msg_type": kind, "content": content})

    async def interrupt_kernel(self):
        self.done.append("interrupted")

    async def shutdown_kernel(self, now):
        self.done.append(f"shut down, {now}")

    def stop_channels(self):
        self.done.append("channels stopped")


def printed(text, stream="stdout"):
    return "stream", {"name": stream, "text": text}


def told_by_check(*told):
    return printed(f"whatever {grade.MARK}\n{grade.MARK}{json.dumps(told)}\n")


def of(say=lambda code: [], known=(), cells=(), timeout=5):
    """Return a hand-in whose kernel has started."""
    hand_in = grade.HandIn(new_notebook(cells=list(cells)), dict.fromkeys(known), timeout)
    hand_in.kernel = hand_in.client = Kernel(say)
    hand_in.end = time.monotonic() + 10 * timeout
    return hand_in


def test_the_checks_of_a_hand_in_are_asked_where_its_cells_do_and_once_more_until_passed(monkeypatch, tmp_path):
    answers = {"a": [["Ada", "no"], ["Ada", ""]], "b": [["Ada", ""]], "c": [["Ada", "first"], ["Ada", "second"]], "d": [None]}
    hand_in = of(
        lambda code: [told_by_check(*told)] if code[:4] == "ask " and (told := answers[code[4:]].pop(0)) else [],
        "abcd",
        [new_markdown_cell("check('a')"), new_code_cell("x\ncheck('a')"), new_code_cell(" \n"), new_code_cell('check( "b" ); check("z"); check(\'c\')')],
    )
    kernel, started = hand_in.kernel, []

    async def start(**settings):
        started.append(settings)
        return kernel, kernel

    del hand_in.kernel, hand_in.client, hand_in.end
    monkeypatch.setattr(grade, "start_new_async_kernel", start)
    monkeypatch.setattr(grade, "question", lambda label, _: f"ask {label}")
    monkeypatch.setenv("BOOK_TABLE", "/a/teachers/table.csv")
    monkeypatch.setenv("KEPT", "as it is")
    asyncio.run(hand_in.execute(tmp_path))
    [settings] = started
    quiet = settings.pop("env")
    assert settings == {"cwd": tmp_path, "extra_arguments": ["--log-level=CRITICAL"]}
    assert [quiet[name] for name in ("MPLBACKEND", "OMP_NUM_THREADS", "BOOK_TABLE", "KEPT")] == ["agg", "1", "", "as it is"]
    cells = [hand_in.notebook.cells[1].source, "ask a", hand_in.notebook.cells[3].source, "ask b", "ask c"]
    assert kernel.asked == [(code, 5) for code in [*cells, "ask a", "ask c", "ask d"]]
    assert kernel.done == ["channels stopped", "shut down, True"]
    assert hand_in.hints == {"a": "", "b": "", "c": "first", "d": "the check did not come to its end"} and hand_in.student == "Ada"


def test_what_a_cell_prints_and_raises_is_heard_and_what_goes_on_is_stopped():
    error = "error", {"ename": "ValueError", "evalue": "no" * 150}
    hand_in = of(lambda code: [printed("one "), printed("warning", "stderr"), ("status", {}), error, printed("two")])
    assert asyncio.run(hand_in.run("1", "cell 3")) == "one two"
    assert hand_in.words == [f"cell 3 raised ValueError: {'no' * 150}"[:200]]

    def late(code):
        if code != "pass":
            raise TimeoutError
        return [printed("what the interrupted cell still says")]

    hand_in = of(late)
    assert asyncio.run(hand_in.run("1", "cell 3")) == "" and hand_in.words == ["cell 3: stopped after 5 s"]
    assert hand_in.kernel.asked == [("1", 5), ("pass", 10)] and hand_in.kernel.done == ["interrupted"]
    hand_in.kernel.say = lambda code: late("any")
    with pytest.raises(grade.Broken, match="^cell 4: it cannot be stopped$"):
        asyncio.run(hand_in.run("1", "cell 4"))


def test_a_kernel_that_dies_is_noticed_and_one_that_is_slow_is_awaited(monkeypatch):
    async def execute(code, output_hook, **_):
        for _ in range(50):
            await asyncio.sleep(0)
        output_hook({"msg_type": "stream", "content": {"name": "stdout", "text": "done"}})

    async def is_alive():
        return next(lives)

    async def wait(tasks, timeout):
        await asyncio.sleep(0)

    monkeypatch.setattr(grade.asyncio, "wait", wait)
    hand_in = of()
    hand_in.kernel.execute_interactive, hand_in.kernel.is_alive = execute, is_alive
    lives = repeat(True)
    assert asyncio.run(hand_in.run("1", "cell 3")) == "done"
    lives = iter([True, True, False])
    with pytest.raises(grade.Broken, match="^cell 3: its kernel died$"):
        asyncio.run(hand_in.run("1", "cell 3"))


def test_a_hand_in_is_of_the_chapter_that_it_names_or_else_of_the_first_check_that_it_asks():
    known = {"eins-1": {"chapter": "eins"}, "zwei-1": {"chapter": "zwei"}, "zwei-2": {"chapter": "zwei"}}
    asking = [new_markdown_cell("Text"), new_code_cell("check('drei-1')\ncheck('zwei-2')"), new_code_cell("check('eins-1')")]
    for metadata, cells, chapter in (({"worksheet": "eins"}, asking, "eins"), ({}, asking, "zwei"), ({"worksheet": "zwei"}, [], "zwei")):
        wanted = {label: exercise for label, exercise in known.items() if label.startswith(chapter)}
        assert grade.of_chapter(new_notebook(metadata=metadata, cells=cells), known) == wanted
    for metadata, cells in (({}, []), ({"worksheet": "drei"}, asking), ({}, asking[:1])):
        with pytest.raises(grade.Broken, match="^it is no worksheet of a chapter with checks$"):
            grade.of_chapter(new_notebook(metadata=metadata, cells=cells), known)


@pytest.mark.parametrize(
    ("end", "words"), [(None, []), (grade.Broken("cell 4: its kernel died"), ["broken: cell 4: its kernel died"]), (OSError("disk full"), ["broken: OSError: disk full"])]
)
def test_the_row_of_a_hand_in_has_what_it_came_to_until_it_ended(small, tmp_path, monkeypatch, end, words):
    class HandIn:
        def __init__(self, notebook, known, timeout):
            assert (notebook, list(known), timeout) == (small, ["eins-1", "eins-2"], 7)
            self.hints, self.words, self.student = {"eins-1": "", "eins-2": "Ten times."}, ["cell 1 raised E: no"], "Ada"

        async def execute(self, folder):
            assert sorted(os.listdir(folder)) == ["checks.json", "checks.py"]
            if end:
                raise end

    monkeypatch.setattr(grade, "HandIn", HandIn)
    nbformat.write(small, tmp_path / "a.ipynb")
    row = asyncio.run(grade.grade(tmp_path / "a.ipynb", "a", editions.known_checks(), 7))
    told = "\n".join([*words, "cell 1 raised E: no", "eins-2: Ten times."])
    assert row == {"hand-in": "a", "student": "Ada", "points": 1, "of": 2, "eins-1": 1, "eins-2": 0, "words": told}


def test_a_file_that_is_no_hand_in_has_a_row_that_says_so(small, tmp_path):
    (tmp_path / "a.ipynb").write_text("{ this is none")
    nbformat.write(new_notebook(), tmp_path / "b.ipynb")
    rows = [asyncio.run(grade.grade(tmp_path / f"{name}.ipynb", name, editions.known_checks(), 7)) for name in "ab"]
    told = [re.sub(" [(].*", "", row.pop("words")) for row in rows]
    assert told == ["broken: not a readable notebook", "broken: it is no worksheet of a chapter with checks"]
    assert rows == [{"hand-in": name, "student": "", "points": 0, "of": ""} for name in "ab"]


def test_hand_ins_are_graded_side_by_side_and_two_of_one_student_are_told_in_the_second(tmp_path, monkeypatch):
    students = {"a": "Ada  B", "b/c": "ada b ", "d": " ", "e": " ", "f": "Ada B", "g": "ADA B"}
    for name in students:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.ipynb").touch()
    at_work, most, bars = [], [], []

    async def one(path, name, known, timeout):
        assert path == tmp_path / name and timeout == 7
        at_work.append(name)
        most.append(len(at_work))
        await asyncio.sleep(0.01)
        at_work.remove(name)
        label = "zwei-1" if name == "f.ipynb" else "eins-1"
        return {"hand-in": name, "student": students[name.removesuffix(".ipynb")], label: 1, "words": "x" if name == "b/c.ipynb" else ""}

    def tqdm(**settings):
        bars.append(MagicMock(**settings))
        return nullcontext(bars[-1])

    monkeypatch.setattr(grade, "tqdm", tqdm)
    monkeypatch.setattr(grade, "grade", one)
    monkeypatch.setattr(editions, "known_checks", lambda: {"eins-1": {}, "zwei-1": {}})
    rows = asyncio.run(grade.grade_all(tmp_path, 7, 2))
    assert [row["hand-in"] for row in rows] == [f"{name}.ipynb" for name in students] and max(most) == 2
    again = "the same student as a.ipynb"
    assert [row["words"] for row in rows] == ["", f"{again}\nx", "", "", "", again], "in another chapter's worksheet, it is no second one"
    [bar] = bars
    assert (bar.total, bar.unit, bar.disable, bar.update.call_count) == (6, "hand-in", None, 6), "it is drawn where somebody looks"


def test_the_table_opens_in_a_spreadsheet_and_nothing_in_it_is_a_formula(tmp_path, monkeypatch):
    monkeypatch.setattr(editions, "known_checks", lambda: {"eins-1": {}, "eins-2": {}, "zwei-1": {}})
    rows = [{"hand-in": name, "student": "Größe", "points": 0, "of": "", "words": name} for name in ("=1", "+1", "-1", "@a", "\t=1", "a=1")]
    rows.append({"hand-in": "a, b", "student": "Xaver", "zwei-1": 0, "eins-1": 1, "points": 1, "of": 2, "words": "one\ntwo"})
    table = tmp_path / "new" / "folder" / "grades.csv"
    for _ in range(2):  # a table that is there is replaced
        grade.write_table(rows, table)
    told = "hand-in,student,eins-1,zwei-1,points,of,words\r\n" + "".join(f"'{name},Größe,,,0,,'{name}\r\n" for name in ("=1", "+1", "-1", "@a", "\t=1"))
    assert table.read_bytes().decode("utf-8") == f'\ufeff{told}a=1,Größe,,,0,,a=1\r\n"a, b",Xaver,1,0,1,2,"one\ntwo"\r\n'
    assert list(table.parent.iterdir()) == [table]


def test_make_grade_says_how_many_there_were_and_where_the_table_is(tmp_path, monkeypatch, capsys):
    asked = []

    async def grade_all(folder, timeout, jobs):
        asked.append((folder, timeout, jobs))
        if len(asked) == 3:
            raise ValueError("chapters/eins.ipynb: not a readable notebook")
        return [{"words": words} for words in ("", "broken: it died", "eins-1: it is broken", "broken: no worksheet")]

    monkeypatch.setattr(grade, "grade_all", grade_all)
    monkeypatch.setattr(grade, "write_table", lambda rows, table: asked.append((len(rows), table)))
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert grade.main(["handed in"]) is None
    assert asked == [(Path("handed in"), 120, 1), (4, chapters.BOOK / "_build" / "grades.csv")]
    assert capsys.readouterr().out == "4 hand-ins, 2 of them broken: the table is _build/grades.csv\n"
    assert grade.main(["handed in", "--table", str(tmp_path / "a.csv"), "--timeout", "9", "--jobs", "3"]) == "chapters/eins.ipynb: not a readable notebook"
    assert asked[2:] == [(Path("handed in"), 9, 3)], "and no table is written"


def test_what_nobody_told_of_an_exercise_is_left_open(small):
    path = chapters.BOOK / "chapters" / "eins.ipynb"
    assert editions.key_list().splitlines()[4:] == ["| eins-1 |  |  |  | yes |  |", "| eins-2 |  |  |  | yes |  |"]
    assert editions.note(editions.exercises(path)[0]).splitlines()[2:] == ["- no level, ? minutes", "- common mistakes: ", "- hints, the first that applies:", "  1. How many?"]


WORKS = """
@book{two, author = {One, A. and von Two, B.}, title = {B}, publisher = {P}, year = {2001}}
@book{three, author = {{The Group} and Two, B. and Three, C.}, title = {C}, publisher = {P}, year = {2002}}
"""


@pytest.fixture
def told(small):
    """The small book with all that a key tells: levels, what is tested, wrong answers, hints, a third exercise without a check."""
    book = chapters.BOOK
    path = book / "chapters" / "eins.ipynb"
    notebook = chapters.read(path)
    notebook.cells[0].metadata["exercise"] = {"level": "practice", "minutes": 5}
    notebook.cells[2].metadata["check"]["wrong"] = ["x = 3\n", "x = 4"]
    notebook.cells[6].source = "if y:\n    assert y > n, f'More than {n}.'\nassert y == 10 * n, 'Ten times.'\nassert n"
    printed = [new_output("stream", text="3\n\na|b\n"), new_output("stream", name="stderr", text="no"), new_output("stream", text="4\n")]
    notebook.cells += [
        new_markdown_cell("```{exercise} Long\n:class: x\n:label: eins-3\nWhy?\n```"), new_markdown_cell(START.replace(" a", " eins-3") + "\n\nSee {doc}`eins`."),
        new_code_cell("print(1 | 2)", execution_count=9, outputs=printed), new_markdown_cell(END),
    ]
    nbformat.write(notebook, path)
    (book / "_toc.yml").write_text((book / "_toc.yml").read_text() + "  - file: chapters/teaching\n")
    (book / "chapters" / "teaching.md").write_text("# T\n\n**What the exercises test.** {ref}`eins-1`: counting; {ref}`eins-3`: why | not.\n")
    with open(book / "references.bib", "a") as file:
        file.write(WORKS)
    return path


ANSWERS = ["# Your answer to exercise 1\nx = ...", '# Your answer to exercise 2\nn = own("eins-2", STUDENT)  # your own, in place of the exercise\'s 4\ny = ...', "# Your answer to exercise 3"]
NOTES = [
    "**For instructors: eins-1**\n\n- practice, 5 minutes\n- tests: counting\n- common mistakes: `x = 3`; `x = 4`\n- hints, the first that applies:\n  1. How many?",
    "**For instructors: eins-2**\n\n- no level, ? minutes\n- common mistakes: \n- a number of each student's own: `n`, one of 5, 6, 7\n"
    "- hints, the first that applies:\n  1. f'More than {n}.'\n  2. Ten times.\n  3. That is not right yet.",
    "**For instructors: eins-3**\n\n- no level, ? minutes\n- tests: why | not\n- no check: to be read",
]


def test_a_worksheet_and_its_key_are_these_cells(told):
    plain = editions.Plain()
    sheet, key = editions.worksheet(told, plain), editions.worksheet(told, plain, editions.with_key(plain))
    code = [cell.source for _, cell in chapters.code_cells(chapters.read(told))]
    posed = ["# Eins\n\n> **Exercise 1.**\n>\n> What?", "# Eins\n\n> **Exercise 2.**\n>\n> What?", "> **Exercise 3. Long**\n>\n> Why?"]
    first, second, third = ([("", posed[at]), (f"answer-eins-{at + 1}", ANSWERS[at]), (f"check-eins-{at + 1}", f'check("eins-{at + 1}")')] for at in range(3))
    start, last = [("welcome", editions.WELCOME), ("student", editions.START)], [("", code[2])]

    def cells(sheet):
        return [(cell.id if re.match("welcome|student|answer|check|note", cell.id) else "", cell.source) for cell in sheet.cells]

    assert cells(sheet) == [first[0], *start, *first[1:], *second, *last, *third[:2]]
    notes = [[(f"note-eins-{number}", note), ("", f"**Solution of exercise {number}**")] for number, note in enumerate(NOTES, start=1)]
    assert cells(key) == [
        first[0], *start, *first[1:], *notes[0], ("", code[0]), *second, *notes[1], ("", code[1]), *last, *third[:2], *notes[2], ("", "See *Eins*."), ("", code[3])
    ]
    assert [(cell.source, cell.execution_count, len(cell.outputs)) for cell in key.cells if cell.cell_type == "code" and cell.execution_count] == [("print(1 | 2)", 9, 3)]
    assert not any("of_key" in cell.metadata for cell in key.cells if cell.cell_type == "code")
    assert sheet.metadata == key.metadata == {"worksheet": "eins", **KIND}
    assert editions.known_checks() == {
        "eins-1": {"chapter": "eins", "check": checks.pack(code[0]), "own": {}}, "eins-2": {"chapter": "eins", "check": checks.pack(code[1]), "own": {"n": [5, 6, 7]}},
    }
    assert editions.key_list() == """\
# Key

| Exercise | Level | Minutes | Tests | Check | Its solution prints |
|---|---|---|---|---|---|
| eins-1 | practice | 5 | counting | yes |  |
| eins-2 |  |  |  | yes |  |
| eins-3 |  |  | why \\| not | no | 3 ⏎  ⏎ a\\|b ⏎ 4 |
"""


def test_an_answer_needs_a_line_for_the_students_own_number(told):
    exercise = editions.exercises(told)[1]
    starter = exercise.check.metadata["check"]
    starter["starter"] = "n = 4  # of seven\nnn = 3\n"
    assert editions.starter(exercise) == f"{ANSWERS[1].rpartition(chr(10))[0]}\nnn = 3"
    starter["starter"] = "nn = 4\n"
    with pytest.raises(ValueError, match="^eins-2: the starter has no line 'n = …' for the student's own number$"):
        editions.starter(exercise)


@pytest.mark.parametrize(
    ("myst", "shown"),
    [
        ("{math}`x_1` and {doc}`eins`, {doc}`this <eins>`, {doc}`elsewhere`", "$x_1$ and *Eins*, this, *elsewhere*"),
        ("{ref}`eins-3` and {ref}`that one <eins-3>`, a {term}`word`", "exercise 3 of *Eins* and that one, a word"),
        ("{cite:t}`someone` {cite:p}`two` {cite:p}`someone, three` {cite:t}`two,three`",
         "Someone (2000) (One and von Two 2001) (Someone 2000, The Group et al. 2002) One and von Two (2001), The Group et al. (2002)"),
        ("(place)=\n% a remark\nText % of\n(a)= b", "Text % of\n(a)= b"),
        (":::{tip}\n:class: dropdown\n:name: a\n\nMind.\n\nMore.\n:::\nAfter.", "> **Tip**\n>\n> Mind.\n>\n> More.\nAfter."),
        ("````{admonition} Of {math}`x`\n```{dropdown} Yes {term}`it`\nIs.\n```\n````", "> **Of $x$**\n>\n> <details><summary>Yes it</summary>\n>\n> Is.\n>\n> </details>"),
    ],
)
def test_plain_jupyter_shows_each_role_and_directive(told, myst, shown):
    assert editions.Plain()(myst) == shown


def files(folder):
    return {Path(place, name).relative_to(folder).as_posix() for place, _, found in os.walk(folder) for name in found}


def test_a_folder_of_worksheets_has_what_they_need_and_is_written_whole_or_stays(told, monkeypatch, capsys):
    book = chapters.BOOK
    monkeypatch.setattr(editions, "WORKSHEETS", book / "_build" / "worksheets")
    monkeypatch.setattr(editions, "KEY", book / "_build" / "key")
    (book / "data" / "make.py").write_text("")
    (book / "helpers" / "__pycache__").mkdir()
    (book / "helpers" / "__pycache__" / "a.pyc").write_text("")
    (book / "_build" / "worksheets-unfinished").mkdir(parents=True)
    for folder in (editions.WORKSHEETS, editions.WORKSHEETS.with_name("worksheets-unfinished")):
        folder.mkdir(exist_ok=True)
        (folder / "left over").write_text("")
    assert editions.main(["worksheets"]) is None
    assert capsys.readouterr().out == "1 notebooks are in _build/worksheets, with all that they need to run\n"
    needed = {"eins.ipynb", "checks.json", "checks.py", "requirements.txt", "data/table.csv"} | {f"helpers/{path.name}" for path in (book / "helpers").iterdir() if path.is_file()}
    assert files(editions.WORKSHEETS) == needed
    assert (editions.WORKSHEETS / "requirements.txt").read_text() == "\n".join(["jupyterlab", *chapters.kernel_pins(), ""])
    assert json.loads((editions.WORKSHEETS / "checks.json").read_text()) == editions.known_checks()
    assert nbformat.read(editions.WORKSHEETS / "eins.ipynb", as_version=4).cells[3].source == ANSWERS[0]
    assert editions.main(["key"]) is None
    assert capsys.readouterr().out == "1 notebooks are in _build/key, with all that they need to run\n"
    assert files(editions.KEY) == needed | {"key.md"} and (editions.KEY / "key.md").read_text("utf-8") == editions.key_list()
    assert [cell.id for cell in nbformat.read(editions.KEY / "eins.ipynb", as_version=4).cells if cell.id.startswith("note")] == ["note-eins-1", "note-eins-2", "note-eins-3"]

    notebook = chapters.read(told)
    notebook.cells[6].metadata["check"]["starter"] = "y = ..."
    nbformat.write(notebook, told)
    assert editions.main(["worksheets"]) == "chapters/eins.ipynb: eins-2: the starter has no line 'n = …' for the student's own number"
    assert files(editions.WORKSHEETS) == needed
    told.unlink()
    assert editions.main(["key"]) == "_toc.yml names chapters/eins, but there is no chapters/eins.ipynb or chapters/eins.md"
    assert [editions.main(asked) for asked in ([], ["all"], ["key", "key"])] == [editions.__doc__.strip()] * 3


@pytest.mark.parametrize("linked", [True, False])
def test_the_students_source_has_the_pages_without_solutions_and_nothing_that_no_build_needs(told, tmp_path, monkeypatch, linked):
    book, copy = chapters.BOOK, tmp_path / "copy"
    for name in (".git/config", "tests/a.py", "_build/html/a.html", "helpers/__pycache__/a.pyc"):
        (book / name).parent.mkdir(parents=True, exist_ok=True)
        (book / name).write_text("")
    (book / "chapters" / "index.md").write_text("# The book\n\n% with_solutions: , folded\n\nText, folded – größer.\n", "utf-8")
    if linked:
        (book / "_build" / "kept").unlink()
    else:
        monkeypatch.setattr(Path, "symlink_to", lambda *_, **__: (_ for _ in ()).throw(OSError("no links here")))
    editions.students_source(copy)
    unneeded = {"tests", "data", "_build", "__pycache__", ".git"}
    assert files(copy) == {name for name in files(book) if not unneeded & {*name.split("/")}}
    assert (copy / "_build" / "kept").is_symlink() == linked
    assert not linked or (copy / "_build" / "kept").samefile(book / "_build" / "kept")
    assert (copy / "chapters" / "index.md").read_text("utf-8") == "# The book\n\nText – größer.\n"
    assert [cell.source for cell in chapters.read(copy / "chapters" / "eins.ipynb").cells] == [
        POSED.format(1), POSED.format(2), "x = 'the chapter goes on with the name'", "```{exercise} Long\n:class: x\n:label: eins-3\nWhy?\n```"
    ]
    (book / "chapters" / "index.md").write_text("# A\n\n% with_solutions: nowhere\n\nText.\n")
    with pytest.raises(ValueError, match='^chapters/index.md: "with_solutions" names words that the text does not have: nowhere$'):
        editions.students_source(tmp_path / "again")


def test_a_solution_that_is_not_clear_or_has_no_exercise_is_told_with_its_chapter(small):
    path = chapters.BOOK / "chapters" / "eins.ipynb"
    whole = chapters.read(path)
    for cells, told in (([END], "cell 10: a solution ends that did not begin"), ([START.replace(" a", " eins-3"), END], "a solution of eins-3, and no such exercise")):
        nbformat.write(new_notebook(cells=[*whole.cells, *map(new_markdown_cell, cells)], metadata=KIND), path)
        with pytest.raises(ValueError, match=f"^chapters/eins.ipynb: {told}$"):
            editions.exercises(path)


def test_a_hand_in_that_takes_too_long_in_all_is_stopped():
    hand_in = of()
    hand_in.end = time.monotonic() - 1
    with pytest.raises(grade.Broken, match="^stopped before cell 3: it took more than 50 s in all$"):
        asyncio.run(hand_in.run("1", "cell 3"))
