"""Every page keeps the chapter standard; and every check of the standard finds the fault that it is for."""

import copy
import re

import nbformat
import pytest
import standard
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from pybtex.database import parse_file

import chapters

PAGES = chapters.pages()
CHAPTERS = chapters.numbered()
GLOSSARY = chapters.BOOK / "chapters" / "glossary.md"


def of_each(paths, checks):
    """Return one test case for each page and check."""
    return [pytest.param(path, check, id=f"{path.stem}-{check.__name__}") for path in paths for check in checks]


def none(faults):
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(("path", "check"), of_each(PAGES, standard.OF_A_PAGE) + of_each(CHAPTERS, standard.OF_A_CHAPTER))
def test_page(path, check):
    none(check(standard.load(path)))


@pytest.mark.parametrize("path", chapters.notebooks(), ids=lambda path: path.stem)
def test_stored_outputs_are_current(path):
    none(chapters.faults(path))


def test_every_file_of_chapters_is_a_page_or_one_that_the_book_leaves_out():
    files = {path for path in (chapters.BOOK / "chapters").iterdir() if not path.name.startswith((".", "__"))}
    assert files == {*PAGES, *chapters.left_out()}


def test_there_are_chapters_to_check():
    assert CHAPTERS and set(CHAPTERS) <= set(PAGES)


@standard.asked("citations")
def test_citations_resolve_and_the_bibliography_is_used():
    keys = list(parse_file(chapters.BOOK / "references.bib").entries)
    none(standard.citation_faults(keys, [standard.load(path) for path in PAGES + chapters.left_out()]))


@standard.asked("teaching", page="teaching")
def test_teachers_are_told_what_each_chapter_says_that_it_builds_on():
    openings = {path.stem: re.search(r"\*\*Builds on:\*\*(.*)", standard.text_of(standard.load(path)))[1] for path in CHAPTERS}
    none(standard.prerequisite_faults((GLOSSARY.parent / "teaching.md").read_text("utf-8"), openings))


@standard.asked("teaching", page="teaching")
def test_teachers_have_a_class_on_each_chapter_and_on_all_its_exercises():
    guide = (GLOSSARY.parent / "teaching.md").read_text("utf-8")
    sections = dict(re.findall(r"^```\{chapter-guide\} (\S+)\n(.*?)^```$", guide, re.DOTALL | re.MULTILINE))
    assert {path.stem for path in CHAPTERS} <= set(sections)
    for path in CHAPTERS:
        name, text = path.stem, sections[path.stem]
        outline, _, rest = text.partition("**Ask the room.**")
        questions, _, exercises = rest.partition("**What the exercises test.**")
        assert sum(map(int, re.findall(r"\((\d+)\)[;.]", outline))) == 90, name
        assert len(re.findall(r"^- \*.+\?\* \w.+\.$", questions, re.MULTILINE)) == 3, name
        labels = re.findall(r"^:label: (\S+)", standard.text_of(standard.load(path)), re.MULTILINE)
        assert re.findall(r"\{ref\}`([\w-]+)`", exercises) == labels, name


@standard.asked("terms", page="glossary")
def test_terms_resolve_and_the_glossary_is_used():
    pages = [standard.load(path) for path in PAGES + chapters.left_out() if path != GLOSSARY]
    none(standard.glossary_faults(standard.load(GLOSSARY), pages))


# --- each check, on a page that is right and on pages that are not -----------------------------------------------------

OPENING = """# A title

```{admonition} In this chapter
:class: note
You will be able to

- read.

**Time:** 5 minutes to read.

**Builds on:** nothing.
```
"""
EXERCISE = "```{exercise}\n:label: slug-%d\nDo it.\n```"
SOLUTION = "```{solution-start} slug-%d\n:class: dropdown\n```"
QUESTION = "**Is it so?**\n\n```{dropdown} Yes\nYes, it is so.\n```\n\n```{dropdown} No\nLook again at it.\n```"
CLOSING = ["## Summary\n\nIt was so.", "## Symbols\n\n| $x$ | `x` |\n|---|---|", "## Where to go next\n\nOn."]


def code(source, *, count, text=None, alt=None, name="stdout", **data):
    """Return a code cell as it is stored after a run."""
    outputs = [new_output("stream", name=name, text=text)] if text else []
    outputs += [new_output("display_data", data={kind.replace("_", "/"): value for kind, value in data.items()})] if data else []
    return new_code_cell(source, execution_count=count, outputs=outputs, metadata={"mystnb": {"image": {"alt": alt}}} if alt else {})


def turned(*texts, label="Step", start=1):
    """Return a knob as it is stored: a line and a figure for each position."""
    alt = "A curve that rises from left to right, the more steeply the further the knob is turned."
    cell = code("for step in range(3): draw()", count=3, alt=alt)
    for text in texts:
        cell.outputs += [new_output("stream", text=text + "\n"), new_output("display_data", data={"image/png": "aGk="})]
    cell.metadata["knob"] = {"label": label, "start": start}
    return cell


TURNS = [f"Step {step}: the curve rises by {step} for each step to the right." for step in range(3)]


def sound_page():
    """Return a chapter, small and right in every way that is checked."""
    cells = [
        new_markdown_cell(OPENING),
        new_markdown_cell("## A section\n\nIt says **{term}`word`** and {cite:p}`someone`, and shows an image ![of something](a.png)."),
        code("print(0.4567)", count=1, text="0.4567\n"),
        new_markdown_cell("It is 0.457, which is 45.67 %, as 1.25 was given.", metadata={"given": ["1.25"]}),
        code("draw()", count=2, alt="A curve that rises from left to right, from 0 at the left edge to 1 at the right edge.", image_png="aGk="),
        *(new_markdown_cell(cell % number) for number in (1, 2, 3) for cell in (EXERCISE, SOLUTION, "```{solution-end}\n```%.0s")),
        new_markdown_cell("## Check yourself\n\n" + QUESTION),
        new_markdown_cell(QUESTION),
        *map(new_markdown_cell, CLOSING),
        turned(*TURNS),
    ]
    return new_notebook(cells=cells, metadata={"language_info": {"name": "python"}, "kernelspec": {"name": "python3", "display_name": "Python 3"}})


def prose(text, given=()):
    return lambda page: page.cells.insert(4, new_markdown_cell(text, metadata={"given": list(given)}))


def draws(before, within, after):
    """Put code before, in and after the second solution."""

    def edit(page):
        for place, source in ((11, after), (10, within), (8, before)):
            page.cells.insert(place, code(source, count=1))

    return edit


MADE = "rng = np.random.default_rng(1)"
DRAWS = [
    ((MADE, "print(rng.normal())", "print(rng.normal())"), "cell 14 goes on with rng, from which the solution in cell 12 draws"),
    ((MADE, MADE, "print(rng.normal())"), "cell 14 goes on with rng, from which the solution in cell 12 draws"),
    ((MADE, "print(rng.normal())", MADE + "; print(rng.normal())"), ""),
    ((MADE, "own = np.random.default_rng(2); own.normal()", "print(rng.normal())"), ""),
]


def output(*arguments, **options):
    return lambda page: page.cells.insert(3, code("1", *arguments, count=1, **options))


def replace(old, new):
    def edit(page):
        assert any(old in cell.source for cell in page.cells)
        for cell in page.cells:
            cell.source = cell.source.replace(old, new)

    return edit


def knob(*texts, outputs=lambda outputs: outputs, **settings):
    def edit(page):
        page.cells[-1] = turned(*texts, **settings)
        page.cells[-1].outputs = outputs(page.cells[-1].outputs)

    return edit


def set_in(number, **values):
    return lambda page: page.cells[number - 1].update(values)


def fold(show="", hide=""):
    return set_in(3, metadata={"tags": ["hide-input"], "mystnb": {"code_prompt_show": show, "code_prompt_hide": hide}})


def drop(number):
    return lambda page: page.cells.pop(number - 1)


BROKEN = [
    (standard.knob_faults, knob(*TURNS[:2]), r"cell 20: a knob has .* three times or more, not \['stdout', 'image', 'stdout', 'image'\]"),
    (standard.knob_faults, knob(*TURNS, outputs=lambda outputs: outputs[1:]), "cell 20: a knob has a printed line and a figure by turns"),
    (standard.knob_faults, knob(*TURNS, outputs=lambda outputs: outputs[::2] + outputs[1::2]), "cell 20: a knob has a printed line"),
    (standard.knob_faults, knob(*TURNS[:2], TURNS[0]), "cell 20: two positions say 'Step 0"),
    (standard.knob_faults, knob(*TURNS[:2], "Step 2"), "cell 20: 'Step 2' tells too little"),
    (standard.knob_faults, knob(*TURNS[:2], "Step 2: the curve rises by 2,\nand more."), "(?s)cell 20: 'Step 2: .* takes more than a line"),
    (standard.knob_faults, knob(*TURNS, label=""), "cell 20: a knob needs a label"),
    (standard.knob_faults, knob(*TURNS, start=3), "cell 20: a knob needs a label, and a start from 0 to 2"),
    (standard.unstable_sorts, set_in(3, source="%matplotlib\norder = np.argsort(x)"), "cell 3: argsort breaks ties by chance"),
    (standard.unstable_sorts, set_in(3, source='x.argsort(axis=1)[:, :5]; table.sort_values("a")'), r"(?s)(?=.*cell 3: argsort)(?=.*cell 3: sort_values)"),
    (standard.unstable_sorts, set_in(3, source='np.argsort(x, kind="stable")'), None),
    *((standard.relative_files, set_in(3, source=f"open({way})"), f"cell 3: {way} is only found from here") for way in ('"../data/a.csv"', "'./a.csv'", '".."')),
    (standard.relative_files, set_in(3, source='open(DATA / "a.csv"); print("a ... b / c")'), None),
    (standard.not_run_in_order, set_in(5, execution_count=None), "cell 5: run as number None, not 2"),
    (standard.not_run_in_order, set_in(3, execution_count=7), "cell 3: run as number 7, not 1"),
    (standard.unclean_outputs, set_in(3, outputs=[new_output("error", ename="ValueError", evalue="", traceback=[])]), "cell 3: raised ValueError"),
    (standard.unclean_outputs, output(text="mind", name="stderr"), "cell 4: shows a warning"),
    (standard.unclean_outputs, output(text="a.py:1: UserWarning: mind"), "cell 4: shows a warning"),
    (standard.unclean_outputs, output(text_plain="<matplotlib.Thing>"), "cell 4: shows the repr <matplotlib.Thing>"),
    (standard.unclean_outputs, output(text_plain="[<matplotlib.Thing>]"), "cell 4: shows the repr"),
    (standard.unclean_outputs, output(image_jpeg="aGk="), "cell 4: has a figure of type image/jpeg"),
    (standard.figures_without_alt_text, set_in(5, metadata={}), "cell 5: its figure needs alt text"),
    (standard.figures_without_alt_text, output(image_png="aGk=", alt="A curve."), "cell 4: .* and has 8"),
    (standard.figures_without_alt_text, prose("![](b.png)"), "cell 5: the image b.png has no alt text"),
    (standard.figures_without_alt_text, prose("```{figure} b.png\nA caption.\n```"), "cell 5: the image b.png has no alt text"),
    (standard.unbacked_numbers, prose("It is 0.456."), "cell 5: no output prints 0.456"),
    (standard.unbacked_numbers, prose("It is 0.45670."), None),
    (standard.unbacked_numbers, prose("It is 0.45671."), "no output prints 0.45671"),
    (standard.unbacked_numbers, prose("It is −0.457."), "no output prints −0.457"),
    (standard.unbacked_numbers, prose("It is 45.6 %."), "no output prints 45.6"),
    (standard.unbacked_numbers, prose(r"It is $45.7\,\%$."), None),
    (standard.unbacked_numbers, prose("It is 45.7."), "no output prints 45.7"),
    (standard.unbacked_numbers, prose("In $x = 9.9$ and **7.7**."), "no output prints 7.7"),
    (standard.unbacked_numbers, prose("In (1,9.9)."), "no output prints 9.9"),
    (standard.unbacked_numbers, prose("```{dropdown} It is 9.9\nNo.\n```"), "no output prints 9.9"),
    (standard.unbacked_numbers, prose("```{note}\n`x`\n```\n9.9 is `x`"), "no output prints 9.9"),
    (standard.unbacked_numbers, prose("Version 3.1.2."), "no output prints 3.1.2"),
    (standard.unbacked_numbers, prose("It is 9.9.", given=["9.9"]), None),
    (standard.unbacked_numbers, prose("It is 9.95.", given=["9.9"]), "cell 5: 9.9 is given, but the text does not say it"),
    (standard.unbacked_numbers, prose("`9.9` https://a.b/9.9 [x](y9.9) {ref}`9.9`\n```python\n9.9\n```\n```{note}\n:width: 9.9\n```"), None),
    (standard.unbacked_numbers, output(text="-1,234.5 2.5e-05 7."), None),
    (standard.unbacked_numbers, replace("It is 0.457", r"It is $2.5 \times 10^{-5}$"), r"no output prints 2\.5"),
    (standard.headings_out_of_order, replace("# A title", "## A title"), "does not begin with its title"),
    (standard.headings_out_of_order, prose("# Another"), "'Another' is a second title"),
    (standard.headings_out_of_order, prose("#### Deep"), "'Deep' skips a level"),
    (standard.wrong_language, lambda page: page.metadata.pop("language_info"), "language_info.name is not python"),
    (standard.wrong_language, lambda page: page.metadata.pop("kernelspec"), "kernelspec.name is not python3"),
    (standard.long_cells, set_in(3, source="x\n" * 26), "cell 3: 26 lines of code"),
    (standard.long_cells, lambda page: [cell.update(source="x\n" * 6) for cell in page.cells[2:5:2]], "the median cell has 6 lines"),
    (standard.long_cells, lambda page: [cell.update(source="x(\n1,\n2,\n3,\n4,\n)") for cell in page.cells[2:5:2]], None),
    (standard.unlabelled_folds, fold(), "cell 3: folded code needs labels .*, not '' and ''"),
    (standard.unlabelled_folds, fold("Show the code that draws", "Show the code that draws"), "cell 3: folded code needs labels"),
    (standard.unlabelled_folds, fold("Show the code that draws", "Hide the code that draws"), None),
    (standard.wide_lines, set_in(3, source="y\nx" + "+1" * 40), r"cell 3: 81 characters, more than 80: x\+1"),
    (standard.wide_lines, set_in(3, source="y\nx " + "+1" * 39), None),
    (standard.code_without_prose, drop(4), "cell 4: no prose before"),
    (standard.incomplete_frame, replace("**Time:**", "Time:"), r"the opening lacks '\*\*Time:\*\*'"),
    (standard.incomplete_frame, replace("{admonition} In this chapter", "{admonition} Hello"), "the opening lacks"),
    (standard.incomplete_frame, replace("## Symbols", "## Signs"), "the last three sections are"),
    (standard.incomplete_frame, lambda page: page.cells.append(new_markdown_cell("## More")), "the last three sections are"),
    (standard.wrong_time, replace("5 minutes", "10 minutes"), "says '10 minutes' to read, but the page takes 5 minutes"),
    (standard.wrong_time, replace(" to read", ""), "says 'None' to read"),
    (standard.wrong_time, prose("word " * 1500), "the page takes 10 minutes"),
    (standard.exercise_faults, drop(12), "2 exercises, fewer than 3"),
    (standard.exercise_faults, replace(SOLUTION % 2, ""), "the exercise slug-2 has no solution"),
    (standard.exercise_faults, replace(":label: slug-2\n", ""), "an exercise has no label"),
    (standard.exercise_faults, replace(":label: slug-2\n", ":label: slug-1\n"), "the label slug-1 is used twice"),
    (standard.solution_faults, drop(14), "a solution does not end"),
    *((standard.solution_faults, draws(*sources), told) for sources, told in DRAWS),
    (standard.broken_directives, replace("```{dropdown} Yes", "```{dropdown} Yes, `so`"), "no directive: ```{dropdown} Yes, `so`"),
    (standard.question_faults, drop(15), "1 self-check questions, fewer than 2"),
    (standard.question_faults, replace("```{dropdown} No\nLook again at it.\n```", ""), "question 1 has only one answer"),
    (standard.question_faults, replace("Look again at it.", ""), "question 1: no feedback for 'No'"),
]


@pytest.fixture
def our_numbers(monkeypatch):
    """What the checks are tried with, whatever a fork asks for."""
    numbers = {"exercises": 3, "questions": 2, "visible_lines": 25, "typical_lines": 5, "columns": 80, "alt_text": 60, "off": []}
    assert numbers.keys() == standard.ASKED.keys()
    monkeypatch.setattr(standard, "ASKED", numbers)
    return numbers


@pytest.mark.parametrize(("check", "edit", "message"), BROKEN)
def test_check_finds(check, edit, message, our_numbers):
    page = sound_page()
    edit(page)
    found = check(page)
    assert re.search(message, "\n".join(found)) if message else not found, found


@pytest.mark.parametrize("check", standard.ALWAYS + standard.HOUSE + standard.HOUSE_OF_A_CHAPTER, ids=lambda check: check.__name__)
def test_check_accepts_a_sound_page_and_is_seen_to_fail(check, our_numbers):
    page = sound_page()
    before = copy.deepcopy(page)
    assert check(page) == []
    assert page == before
    assert any(check is tried and message for tried, _, message in BROKEN)


def test_a_fork_asks_for_other_numbers_and_for_less(our_numbers):
    page = sound_page()
    our_numbers.update(exercises=4, questions=3, visible_lines=0, typical_lines=0, columns=10, alt_text=200, off=["wrong_time", "terms"])
    for check in (standard.exercise_faults, standard.question_faults, standard.long_cells, standard.wide_lines, standard.figures_without_alt_text):
        assert check(page), check.__name__
    our_numbers.update(exercises=0, questions=0)
    assert standard.exercise_faults(page) == standard.question_faults(page) == []
    asked = [standard.is_asked(check) for check in (standard.wrong_time, standard.exercise_faults, "terms", "citations")]
    assert asked == [False, True, False, True]
    with pytest.raises(ValueError, match="off: not_run_in_order, time is no check of the house; those are figures_without_alt_text, .*citations$"):
        standard.refuse_unknown(["time", "terms", "not_run_in_order"])  # the last holds always
    for decorator, kept in [(standard.asked("terms"), False), (standard.asked("cards"), True), (standard.asked("cards", page="nowhere"), False)]:
        assert (decorator(print) is print) == kept


def test_prerequisite_faults():
    table = "| {doc}`a` | nothing |\n| {doc}`b` | {doc}`a`, {doc}`c` |\n| {doc}`gone` | {doc}`b` |\n"
    openings = {"a": " nothing.", "b": " {doc}`a`, for stories, and {doc}`d`.", "e": " {doc}`a`."}
    assert standard.prerequisite_faults(table, {"a": " nothing.", "b": " {doc}`c`, {doc}`a`"}) == []
    assert standard.prerequisite_faults(table, openings) == [
        "the table has no row that begins with | {doc}`e` |",
        "the row on b does not name d, on which its opening says that it builds",
        "the row on b names c, which its opening does not",
    ]


WORDS = new_markdown_cell("word " * 1800)  # ten minutes


@pytest.mark.parametrize(
    ("cells", "minutes"),
    [
        ([WORDS], 10),
        ([new_markdown_cell("```{note}\n:class: tip\n$a =\n1$ and `b` or\n```\n\n```python\nd = 1\n```\n" * 360)], 10),
        ([new_markdown_cell("```{solution-start} a\n```"), WORDS, code("x\n" * 150, count=1), new_markdown_cell("```{solution-end}\n```"), new_markdown_cell(WORDS.source)], 10),
        ([new_markdown_cell("$$\nx = y\n$$\n" * 20)], 10),
        ([code("x\n\n" * 150, count=1)], 10),
        ([code("draw()", count=1, image_png="aGk=") for _ in range(18)], 10),
        ([new_code_cell("x\n" * 150, metadata={"tags": ["hide-input"]})], 5),
    ],
)
def test_reading_minutes(cells, minutes):
    assert standard.reading_minutes(new_notebook(cells=cells)) == minutes


def test_what_another_table_leaves_out_is_measured_with_the_rest(tmp_path, monkeypatch):
    """An instructor's own table takes cells away; that the others are longer, or quicker to read, is nothing to mend."""
    farm = new_code_cell("x\n" * 4, metadata={"tags": [standard.own_table.TAG]})
    nbformat.write(new_notebook(cells=[farm, new_code_cell("x\n" * 6), new_markdown_cell(f"{WORDS.source}{standard.own_table.MARK}")]), tmp_path / "page.ipynb")
    monkeypatch.setattr(standard.own_table, "in_use", lambda: True)
    page = standard.load(tmp_path / "page.ipynb")
    assert len(standard.visible_code(page)) == 1
    assert standard.long_cells(page) == [] and page.metadata["minutes"] == 10


def test_printed_numbers_are_read_as_printed():
    page = sound_page()
    page.cells += [code("1", count=3, text="-1,234.5 (0.1,0.25) 2.5e-05 7. 3.1.2 v1.5", text_plain="<Figure size 864x518.4>")]
    assert sorted(map(str, standard.printed_numbers(page))) == ["-1234.5", "0.000025", "0.1", "0.25", "0.4567", "7"]
    printed = standard.printed_numbers(page)
    for text in ("−1,234.5", "1{,}234.5", r"2.5 \times 10^{-5}", "2.5e-5", "7.0", "0.3"):
        assert standard.is_backed(standard.NUMBER.search(text), printed), text
    for text in ("1,234.4", "−0.25", "0.10001", "0.2"):
        assert standard.is_backed(standard.NUMBER.search(text), printed) == (text == "0.2"), text


def test_glossary_faults():
    glossary = new_notebook(cells=[new_markdown_cell("# Glossary\n\n```{glossary}\nother\n  Not used.\n\nWord\n  Used.\n\nanother\n  Used too.\n```")])
    page = new_notebook(cells=[new_markdown_cell("{term}`Word`, **{term}`these <another>`**, **{term}`unheard of`**, **{term}`word`**")])
    assert standard.glossary_faults(glossary, [page]) == [
        "'unheard of' is not in the glossary",
        "no page uses the term 'other'",
        "the glossary is not in alphabetical order",
    ]


def test_citation_faults():
    page = new_notebook(cells=[new_markdown_cell("{cite:p}`a, b` and {cite:t}`c`\n```python\n{cite}`d`\n```")])
    assert standard.citation_faults(["a", "b", "e"], [page]) == [
        "c is cited, but references.bib does not have it",
        "e is in references.bib, but no page cites it",
    ]


def test_a_markdown_page_is_given_numbers_in_a_comment(tmp_path):
    path = tmp_path / "page.md"
    path.write_text("% given: 0.5, 1.5\n# A title\n\n0.5 and 1.5, and 2.5.\n", "utf-8")
    assert standard.unbacked_numbers(standard.load(path)) == ["cell 1: no output prints 2.5, and it is not given"]
    assert standard.headings_out_of_order(standard.load(path)) == []
