"""Editions of the book from the one source: what students work in, and the key for those who teach.

    python tools/editions.py worksheets     a notebook for each chapter with exercises, without solutions, with checks
    python tools/editions.py key            the same with solutions, hints and notes, and a list of all exercises

build.py makes the students' site of `students_source`.
"""

import ast
import json
import re
import shutil
import sys
from collections import namedtuple

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell
from pybtex.database import parse_file

import chapters
import checks
import own_table
import solutions

WORKSHEETS = chapters.BOOK / "_build" / "worksheets"
KEY = WORKSHEETS.with_name("key")

START = """\
from checks import check, own

STUDENT = ""  # your name or number, as your teacher knows it"""
WELCOME = """\
**This is a worksheet.**
The chapter's own cells run as they are; run them in order.
Below each exercise is a cell for your answer: put something in the place of each `...`.
Where a cell with `check` follows, it says whether you are right, or gives a hint, as often as you like.
Keep the names that are given, and before you hand in, restart the kernel and run all cells once."""

#: An exercise with its check: the cell of its text, the cells of its solution, the cell that checks or None.
Exercise = namedtuple("Exercise", "chapter label number text solution check")


# --- without solutions -----------------------------------------------------------------------------------------------------


def without_solutions(notebook):
    """Return a copy of a notebook without its solutions and what speaks of them."""
    return solutions.replaced(notebook, lambda label, cells: [])


def students_source(folder):
    """Write the book's source without solutions to a new folder: what is not in it cannot get into a site.

    Git's files stay behind, so the site has no button that leads to a repository with the solutions.
    """
    shutil.copytree(chapters.BOOK, folder, ignore=shutil.ignore_patterns(".*", "_build", "tests", "data", "__pycache__"))
    kept = chapters.BOOK / "_build" / "kept"  # made once for both sites: see theme/lighten.py
    kept.mkdir(parents=True, exist_ok=True)
    try:
        (folder / "_build").mkdir()
        (folder / "_build" / "kept").symlink_to(kept, target_is_directory=True)
    except OSError:  # Windows allows links to some only; what is in it is then made once more
        pass
    for path in chapters.pages():
        copy = folder / path.relative_to(chapters.BOOK)
        try:
            if path.suffix == ".md":
                copy.write_text(own_table.text_as_shown(solutions.page_without(path.read_text("utf-8"))), "utf-8")  # here, as the copy has no data
            else:
                nbformat.write(own_table.as_shown(without_solutions(chapters.read(path))), copy)
        except ValueError as error:
            raise ValueError(f"{chapters.name(path)}: {error}") from error


# --- plain Markdown ----------------------------------------------------------------------------------------------------------

FENCE = re.compile(r"^(`{3,}|:{3,})\{([\w:-]+)\} *([^\n]*)\n(.*?)^\1[ \t]*$", re.DOTALL | re.MULTILINE)
ROLE = re.compile(r"\{([\w:]+)\}`([^`<]*?)\s*(?:<([^`]*)>)?`")


def title(path):
    """Return the title of a chapter."""
    return re.search(r"^# (.+)$", "\n".join(cell.source for cell in chapters.read(path).cells), re.MULTILINE)[1]


class Plain:
    """MyST as plain Jupyter shows it: directives become quotations, roles their words."""

    def __init__(self):
        self.titles = {path.stem: title(path) for path in chapters.notebooks()}
        self.exercises = {exercise.label: exercise for path in chapters.notebooks() for exercise in exercises(path)}
        self.works = parse_file(chapters.BOOK / "references.bib").entries

    def __call__(self, text):
        text = re.sub(r"^(\([\w-]+\)=|%.*)\n", "", text, flags=re.MULTILINE)
        return ROLE.sub(self.role, FENCE.sub(self.directive, text))

    def directive(self, found):
        _, kind, argument, body = found.groups()
        options = dict(re.findall(r"^:([\w-]+): *(.*)$", body, re.MULTILINE))
        body = FENCE.sub(self.directive, re.sub(r"\A(?::[\w-]+:.*\n|\s*\n)+", "", body)).strip()
        if kind == "dropdown":
            return f"<details><summary>{argument}</summary>\n\n{body}\n\n</details>"
        if kind == "exercise":
            argument = " ".join([f"Exercise {self.exercises[options['label']].number}.", argument]).strip()
        heading = argument or kind.capitalize()
        return "\n".join(f"> {line}".rstrip() for line in (f"**{heading}**", "", *body.splitlines()))

    def role(self, found):
        kind, words, target = found.groups()
        if kind == "math":
            return f"${words}$"
        if kind == "doc":
            return words if target else f"*{self.titles.get(words, words)}*"
        if kind == "ref" and not target:
            return f"exercise {self.exercises[words].number} of *{self.titles[self.exercises[words].chapter]}*"
        if kind.startswith("cite"):
            cited = ", ".join(self.cite(key.strip(), "({})" if kind == "cite:t" else "{}") for key in words.split(","))
            return f"({cited})" if kind == "cite:p" else cited
        return words

    def cite(self, key, year):
        work = self.works[key]
        people = [" ".join(person.prelast_names + person.last_names).strip("{}") for person in work.persons["author"]]
        who = " and ".join(people) if len(people) < 3 else f"{people[0]} et al."
        return f"{who} {year.format(work.fields['year'])}"


# --- worksheets --------------------------------------------------------------------------------------------------------------


def exercises(path):
    """Return the exercises of a chapter, numbered in their order; ValueError if a solution is not clear, or has no exercise."""
    notebook = own_table.as_shown(chapters.read(path))
    if unclear := solutions.faults(notebook):
        raise ValueError(f"{chapters.name(path)}: {'; '.join(unclear)}")
    texts, solved = {}, {}
    for cell, label, part in solutions.places(notebook):
        if part:
            solved.setdefault(label, []).append(cell)
        elif cell.cell_type == "markdown":
            texts |= dict.fromkeys(re.findall(r"^[`:]{3,}\{exercise\}[^\n]*\n(?:(?!:label:):[^\n]*\n)*:label: (\S+)", cell.source, re.MULTILINE), cell)
    if unknown := [label for label in solved if label not in texts]:
        raise ValueError(f"{chapters.name(path)}: a solution of {', '.join(unknown)}, and no such exercise")
    return [
        Exercise(path.stem, label, number, text, solved.get(label, []), solutions.check_of(solved.get(label, [])))
        for number, (label, text) in enumerate(texts.items(), start=1)
    ]


def starter(exercise):
    """Return what stands in a worksheet's answer cell; a number of the student's own is asked for where the book has its own."""
    told = exercise.check.metadata["check"] if exercise.check else {}
    text = told.get("starter", "").rstrip()
    for name in told.get("own", {}):
        line = f'{name} = own("{exercise.label}", STUDENT)  # your own, in place of the exercise\'s '
        text, found = re.subn(rf"^{name} = ([^#\n]*?)\s*(#.*)?$", lambda given: line + given[1], text, flags=re.MULTILINE)
        if not found:
            raise ValueError(f"{exercise.label}: the starter has no line '{name} = …' for the student's own number")
    return f"# Your answer to exercise {exercise.number}\n{text}".rstrip()


def known_checks():
    """Return what checks.py and grade.py know of each exercise with a check, {label: {"chapter": …, "check": packed code, "own": {name: [values]}}}."""
    return {
        exercise.label: {"chapter": exercise.chapter, "check": checks.pack(exercise.check.source), "own": exercise.check.metadata["check"].get("own", {})}
        for path in chapters.notebooks()
        for exercise in exercises(path)
        if exercise.check
    }


def worksheet(path, plain, solution=lambda exercise: []):
    """Return a chapter as a worksheet; `solution(exercise)` gives cells to stand below each exercise's answer."""
    posed = {exercise.label: exercise for exercise in exercises(path)}

    def to_answer(label, _):
        exercise = posed[label]
        answer = new_code_cell(starter(exercise), id=f"answer-{label}")
        asked = [new_code_cell(f'check("{label}")', id=f"check-{label}")] if exercise.check else []
        return [answer, *asked, *solution(exercise)]

    sheet = solutions.replaced(own_table.as_shown(chapters.read(path)), to_answer)
    for cell in sheet.cells:
        if cell.cell_type == "markdown":
            cell.source = plain(cell.source)
        elif cell.get("metadata", {}).pop("of_key", None) is None:
            cell.update(outputs=[], execution_count=None)
    # The first cell may go on behind the title.
    sheet.cells[1:1] = [new_markdown_cell(WELCOME, id="welcome"), new_code_cell(START, id="student")]
    sheet.metadata = nbformat.from_dict({"worksheet": path.stem, **{key: sheet.metadata[key] for key in ("kernelspec", "language_info") if key in sheet.metadata}})
    nbformat.validate(sheet)
    return sheet


def write_checks(folder):
    """Write what `from checks import check` needs to a folder."""
    (folder / checks.CHECKS.name).write_text(json.dumps(known_checks(), indent=0), "utf-8")
    shutil.copy(checks.__file__, folder)


def write(folder, make):
    """Write a folder anew once all is made: for each chapter with exercises what `make(path)` gives, and what they need to run."""
    unfinished = folder.with_name(f"{folder.name}-unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for path in chapters.notebooks():
        if exercises(path):
            try:
                nbformat.write(make(path), unfinished / path.name)
            except ValueError as error:
                raise ValueError(f"{chapters.name(path)}: {error}") from error
    write_checks(unfinished)
    for part in ("helpers", "data"):
        shutil.copytree(chapters.BOOK / part, unfinished / part, ignore=shutil.ignore_patterns("__pycache__", "*.py" if part == "data" else ""))
    (unfinished / "requirements.txt").write_text("\n".join(["jupyterlab", *chapters.kernel_pins()]) + "\n", "utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)


# --- the key -----------------------------------------------------------------------------------------------------------------


def hints(exercise):
    """Return the hints of the check of an exercise that has one, in the order in which it gives them."""
    nodes = ast.walk(ast.parse(exercise.check.source))
    asserted = [node.msg for node in sorted((node for node in nodes if isinstance(node, ast.Assert)), key=lambda node: node.lineno)]
    return [checks.NO_HINT if message is None else message.value if isinstance(message, ast.Constant) else ast.unparse(message) for message in asserted]


def tested():
    """Return what each exercise tests, {label: words}, as the guide for teachers says it."""
    guide = next((path.read_text("utf-8") for path in chapters.pages() if path.stem == "teaching"), "")
    told = "\n".join(re.findall(r"^\*\*What the exercises test\.\*\* (.*)\.$", guide, re.MULTILINE))
    return dict(re.findall(r"\{ref\}`([\w-]+)`: (.+?)(?=; \{ref\}|$)", told, re.MULTILINE))


def note(exercise):
    """Return what an instructor is told of an exercise: its level, its minutes, what it tests, common mistakes and hints."""
    told = exercise.text.metadata.get("exercise", {})
    lines = [f"**For instructors: {exercise.label}**", "", f"- {told.get('level', 'no level')}, {told.get('minutes', '?')} minutes"]
    lines += [f"- tests: {words}" for label, words in tested().items() if label == exercise.label]
    if exercise.check:
        known = exercise.check.metadata["check"]
        lines += [f"- common mistakes: {'; '.join(f'`{wrong.strip()}`' for wrong in known.get('wrong', []))}"]
        lines += [f"- a number of each student's own: `{name}`, one of {', '.join(map(str, values))}" for name, values in known.get("own", {}).items()]
        lines += ["- hints, the first that applies:", *(f"  {number}. {hint}" for number, hint in enumerate(hints(exercise), start=1))]
    else:
        lines += ["- no check: to be read"]
    return "\n".join(lines)


def with_key(plain):
    """Return a function that gives the cells below an exercise in the key: its note and its solution, with its outputs."""

    def solution(exercise):
        cells = [new_markdown_cell(note(exercise), id=f"note-{exercise.label}"), new_markdown_cell(f"**Solution of exercise {exercise.number}**")]
        for cell in exercise.solution:
            cell = nbformat.from_dict(cell)
            if cell.cell_type == "markdown":
                cell.source = solutions.MARK.sub("", cell.source).strip()
            cell.metadata["of_key"] = True
            cells += [cell] if cell.source else []
        return cells

    return solution


def key_list():
    """Return a page of all exercises: what each asks for, tests and prints."""
    lines = ["# Key", "", "| Exercise | Level | Minutes | Tests | Check | Its solution prints |", "|---|---|---|---|---|---|"]
    for path in chapters.notebooks():
        for exercise in exercises(path):
            told = exercise.text.metadata.get("exercise", {})
            printed = [output.text.strip() for cell in exercise.solution for output in cell.get("outputs", []) if output.get("name") == "stdout"]
            cells = [exercise.label, told.get("level", ""), str(told.get("minutes", "")), tested().get(exercise.label, ""), "yes" if exercise.check else "no"]
            cells += [" ⏎ ".join("\n".join(printed).splitlines())]
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def main(arguments):
    if arguments not in (["worksheets"], ["key"]):
        return __doc__.strip()
    try:
        plain = Plain()
        if arguments == ["key"]:
            write(KEY, lambda path: worksheet(path, plain, with_key(plain)))
            (KEY / "key.md").write_text(key_list(), "utf-8")
        else:
            write(WORKSHEETS, lambda path: worksheet(path, plain))
    except (FileNotFoundError, ValueError) as error:
        return str(error)
    folder = KEY if arguments == ["key"] else WORKSHEETS
    print(f"{len(list(folder.glob('*.ipynb')))} notebooks are in {chapters.name(folder)}, with all that they need to run")
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
