"""A chapter is begun, left out or put into another order by a command or in `_toc.yml` alone; a table of its own is the book's."""

import re
import shutil
import warnings

import chapter
import editions
import execute
import left_out
import nbformat
import own_table
import pytest
import standard
import test_tools
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from sphinx_external_toc.parsing import parse_toc_yaml
from test_tools import METADATA, book, run, save  # noqa: F401

import chapters
from helpers import tables

PARTS = """\
format: jb-book
root: chapters/index
parts:
  - caption: One
    numbered: true
    chapters: # two of them
      - file: chapters/eins
      - file: chapters/zwei
        sections:
          - file: chapters/drei
  - caption: Back
    chapters:
      - file: "chapters/teaching"
"""
TEACHING = "# Teaching\n\n| Chapter | builds on |\n|---|---|\n| {doc}`eins` | nothing |\n| {doc}`drei` | nothing |\n| {doc}`zwei` | {doc}`eins` |\n\nMore.\n"


@pytest.fixture
def parts(book):  # noqa: F811
    """A book with two chapters, a page below one of them, and a page for teachers."""
    (book / "_toc.yml").write_text(PARTS)
    for name in ("zwei", "drei"):
        shutil.copy(test_tools.chapter(book), book / "chapters" / f"{name}.ipynb")
    (book / "chapters" / "teaching.md").write_text(TEACHING)
    return book


def names(book):  # noqa: F811
    return [name.removeprefix("chapters/") for name in parse_toc_yaml(book / "_toc.yml")]


def files(book):  # noqa: F811
    return {path.relative_to(book).as_posix(): path.read_bytes() for path in sorted((book / "chapters").iterdir())} | {"_toc.yml": (book / "_toc.yml").read_bytes()}


# --- a new chapter --------------------------------------------------------------------------------------------------------


def test_a_new_chapter_is_executed_entered_and_passes_every_check(parts):
    teaching = parts / "chapters" / "teaching.md"
    teaching.write_text(TEACHING + "\n```{chapter-guide} zwei\nIts class.\n```\n\nThe end.\n")
    status, printed = run(parts, "chapter.py", "new", "vier-2")
    path = parts / "chapters" / "vier-2.ipynb"
    assert (status, printed.splitlines()[-4:]) == (0, [
        "Executed: chapters/vier-2.ipynb",
        "chapters/vier-2.ipynb runs and stands in _toc.yml, last of the numbered parts; move its line where it belongs.",
        "Its card is on the home page, and its row in teaching.md.",
        "For a path of the home page, add its name there. Then write over it, and: make execute; make check CHAPTER=vier-2",
    ])
    assert names(parts) == ["index", "eins", "zwei", "drei", "vier-2", "teaching"]
    assert "{doc}`zwei` | {doc}`eins` |\n| {doc}`vier-2` | nothing |\n\nMore." in teaching.read_text()
    assert re.search(r"Its class\.\n```\n\n```\{chapter-guide\} vier-2\n(.+\n|\n)+\*\*What the exercises test\.\*\* \{ref\}`vier-2-1`: .*; .*`vier-2-3`: .*\n```\n\nThe end\.", teaching.read_text())
    assert chapters.faults(path) == []
    page = standard.load(path)
    for check in standard.ALWAYS + standard.HOUSE + standard.HOUSE_OF_A_CHAPTER:
        assert check(page) == [], check.__name__
    assert standard.headings(page)[0] == (1, "Vier 2")
    assert standard.prerequisite_faults(teaching.read_text(), {"vier-2": " nothing."}) == []
    assert "my-chapter" not in path.read_text("utf-8")
    assert not list(parts.rglob("*.unfinished"))


GUIDE = "\n```{chapter-guide} zwei\nIts class.\n```\n"
ROW = "| {doc}`zwei` | {doc}`eins` |\n"


@pytest.mark.parametrize("guide", [None, "# Teaching\n\nNo table.\n" + GUIDE, TEACHING, TEACHING + GUIDE + GUIDE + "\nThe end.\n"])
def test_a_new_chapter_is_entered_where_the_guide_for_teachers_has_a_place_for_it(parts, guide, monkeypatch, capsys):
    teaching = parts / "chapters" / "teaching.md"
    if guide is None:
        (parts / "_toc.yml").write_text(PARTS.replace('  - caption: Back\n    chapters:\n      - file: "chapters/teaching"\n', ""))
        teaching.unlink()
    else:
        teaching.write_text(guide)
    toc = (parts / "_toc.yml").read_text()
    executed = []

    async def main(paths):
        executed.extend(paths)
        return ["a fault"] if len(executed) == 1 else []

    monkeypatch.setattr(execute, "main", main)
    before = files(parts)
    assert chapter.new("vier") == ["a fault"] and files(parts) == before and capsys.readouterr().out == ""
    assert chapter.new("vier") == [] and executed == [parts / "chapters" / "vier.ipynb"] * 2
    row = guide and ROW in guide
    assert capsys.readouterr().out.splitlines()[1] == "Its card is on the home page" + (
        ", and its row in teaching.md." if row else "; teaching.md has no table of what builds on what."
    )
    assert (parts / "_toc.yml").read_text() == toc.replace("          - file: chapters/drei\n", "          - file: chapters/drei\n      - file: chapters/vier\n")
    labels = [f"vier-{number}" for number in (1, 2, 3)]
    its_class = chapter.NEW_CLASS.format(name="vier", exercises="; ".join(f"{{ref}}`{label}`: what it is for" for label in labels))
    wanted = (guide or "").replace(ROW, f"{ROW}| {{doc}}`vier` | nothing |\n")
    if row and GUIDE in guide:
        wanted = wanted.replace("\n\nThe end.", f"\n{its_class}\nThe end.")
    assert (teaching.read_text() if guide else "") == (wanted if row else guide or "")
    assert guide or not teaching.exists()
    cells = chapters.read(parts / "chapters" / "vier.ipynb").cells
    assert cells[0].source.startswith("# Vier\n") and len({cell.id for cell in cells}) == len(cells) and all("template" not in cell.id for cell in cells)


@pytest.mark.parametrize(
    ("docname", "found"),
    [("a", (0, 5)), ("a/b", (2, 4)), ("c", (3, 4)), ("d.e", (5, 6)), ("f", (6, 7)), ("g", (8, 9)), ("h", None), ("dxe", None), ("x", None)],
)
def test_the_entry_of_a_page_is_its_line_and_what_is_below_it(docname, found):
    lines = ["- file: 'a' # it", "  sections:", '  - file: "a/b.md"', "      - file: c.ipynb", "  title: A", "- file:   d.e", "- file: f", "", "   - file: g", "- x: h", "- file: dxe y"]
    if found:
        assert chapter.entry(lines, docname) == found
    else:
        told = f"_toc.yml has {docname}, but no line of its own for it such as `- file: {docname}`; edit the file by hand."
        with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
            chapter.entry(lines, docname)


@pytest.mark.parametrize("name", ["eins", "teaching", "Vier", "vier_2", "-vier", "vier-", "../vier", "vier.ipynb", ""])
def test_a_name_that_is_taken_or_none_is_refused(parts, name):
    before = files(parts)
    with pytest.raises(ValueError, match="^NAME must be ") as refused:
        chapter.new(name)
    assert repr(name) in str(refused.value) or f"chapters/{name}." in str(refused.value)
    assert files(parts) == before


def stops(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize("step", ["execute", "enter"])
def test_a_chapter_that_is_broken_off_leaves_nothing(parts, step, monkeypatch):
    before = files(parts)
    if step == "execute":
        monkeypatch.setattr(execute, "main", stops)
    else:
        async def executed(paths):
            return []

        replace = chapter.replace
        monkeypatch.setattr(execute, "main", executed)
        monkeypatch.setattr(chapter, "replace", lambda path, text: stops() if path.name == "_toc.yml" else replace(path, text))
    with pytest.raises(KeyboardInterrupt):
        chapter.new("vier")
    assert files(parts) == before


def test_a_table_of_contents_that_has_no_place_says_so(parts):
    (parts / "_toc.yml").write_text(PARTS.replace("    numbered: true\n", ""))
    status, printed = run(parts, "chapter.py", "new", "vier")
    assert (status, printed) == (1, "_toc.yml has no part with `numbered: true` and a chapter in it, so there is no place for a new one.\n")
    (parts / "_toc.yml").write_text("format: jb-book\nroot: chapters/index\nparts: [{numbered: true, chapters: [{file: chapters/eins}]}]\n")
    with pytest.raises(ValueError, match="^_toc.yml has chapters/eins, but no line of its own for it such as `- file: chapters/eins`; edit the file by hand.$"):
        chapter.new("vier")
    for text in ("a: [", "format: jb-book\nroot: chapters/index\nchapters:\n- file: chapters/zwei", "format: none"):
        with pytest.raises(ValueError, match="^_toc.yml is written in a way that cannot be edited line by line; edit the file by hand.$"):
            chapter.checked(text.splitlines(), ["chapters/index", "chapters/eins"])
    assert not (parts / "chapters" / "vier.ipynb").exists()


def test_chapters_are_the_notebooks_of_the_numbered_parts(parts):
    assert [path.stem for path in chapters.numbered()] == ["eins", "zwei"]
    (parts / "chapters" / "zwei.ipynb").rename(parts / "chapters" / "zwei.md")
    assert [path.stem for path in chapters.numbered()] == ["eins"]
    assert [path.name for path in chapters.pages()] == ["index.md", "eins.ipynb", "zwei.md", "drei.ipynb", "teaching.md"]
    assert [path.stem for path in chapters.notebooks()] == ["eins", "drei"]
    for name in ("aside.md", "vier.ipynb", "figure.png"):
        (parts / "chapters" / name).write_text("")
    assert [path.name for path in chapters.left_out()] == ["aside.md", "vier.ipynb"]
    (parts / "_toc.yml").write_bytes(b"\xff")
    with pytest.raises(ValueError, match=r"^_toc.yml: not a readable table of contents \(.+\)$"):
        chapters.pages()


# --- a page that is left out ----------------------------------------------------------------------------------------------


def test_a_page_is_dropped_with_what_is_below_it_and_a_part_that_is_left_empty(parts):
    before = (parts / "chapters" / "zwei.ipynb").read_bytes()
    assert chapter.drop("zwei") == []
    assert names(parts) == ["index", "eins", "teaching"]
    assert (parts / "chapters" / "zwei.ipynb").read_bytes() == before
    assert [path.stem for path in chapters.left_out()] == ["drei", "zwei"]
    chapter.drop("eins")
    assert names(parts) == ["index", "teaching"]
    assert (parts / "_toc.yml").read_text() == "format: jb-book\nroot: chapters/index\nparts:\n  - caption: Back\n    chapters:\n      - file: \"chapters/teaching\"\n"


def test_the_first_page_of_a_part_is_dropped_and_the_part_stays(parts, capsys):
    assert chapter.drop("eins") == []
    assert (parts / "_toc.yml").read_text() == PARTS.replace("      - file: chapters/eins\n", "")
    assert capsys.readouterr().out.splitlines() == [
        "eins is no longer in the book: cards, lists, paths and tables follow, and references to it show its title.",
        "chapters/eins.ipynb stays; its line in _toc.yml brings it back. If you delete it, the build names each reference as a mistake.",
        "2 sentences still point to it; read whether they make sense without it:",
        "chapters/index.md, cell 1: {doc}`eins`",
        "chapters/teaching.md, cell 1: | {doc}`zwei` | {doc}`eins` |",
    ]


def test_a_page_is_dropped_from_below_another_with_the_list_that_is_left_empty(parts, capsys):
    teaching = parts / "chapters" / "teaching.md"
    teaching.write_text(TEACHING + "\nMind [it](Drei.md), [that](#drei) and {numref}`it <DREI>`, not `drei`.\n")
    assert chapter.drop("drei") == []
    assert (parts / "_toc.yml").read_text() == PARTS.replace("        sections:\n          - file: chapters/drei\n", "")
    assert capsys.readouterr().out.splitlines()[2:] == [
        "1 sentences still point to it; read whether they make sense without it:",
        "chapters/teaching.md, cell 1: Mind [it](Drei.md), [that](#drei) and {numref}`it <DREI>`, not `drei`.",
    ]
    assert chapter.drop("teaching") == [] and len(capsys.readouterr().out.splitlines()) == 2
    assert names(parts) == ["index", "eins", "zwei"]


def test_what_still_points_to_a_dropped_page_is_named(parts):
    notebook = new_notebook(cells=[new_markdown_cell("# Zwei\n\n```{exercise}\n:label: zwei-1\n```"), new_code_cell("'{doc}`zwei`'")], metadata=METADATA)
    nbformat.write(notebook, parts / "chapters" / "zwei.ipynb")
    cells = [new_markdown_cell("# Eins\n\nSee {doc}`zwei`.\nOr {doc}`this <zwei>`.\nNot {doc}`zweite`."), new_markdown_cell("{ref}`zwei-1`\n[it](zwei.ipynb)")]
    save(parts, new_notebook(cells=cells, metadata=METADATA))
    status, printed = run(parts, "chapter.py", "drop", "zwei")
    assert status == 0, printed
    assert printed.splitlines()[2:] == [
        "4 sentences still point to it; read whether they make sense without it:",
        "chapters/eins.ipynb, cell 1: See {doc}`zwei`.",
        "chapters/eins.ipynb, cell 1: Or {doc}`this <zwei>`.",
        "chapters/eins.ipynb, cell 2: {ref}`zwei-1`",
        "chapters/eins.ipynb, cell 2: [it](zwei.ipynb)",
    ]


@pytest.mark.parametrize("name", ["index", "vier", "zwe", ""])
def test_only_a_page_can_be_dropped(parts, name):
    before = files(parts)
    told = f"NAME must be a page of _toc.yml other than its root, but is {name!r}; those are eins, zwei, drei, teaching."
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
        chapter.drop(name)
    assert files(parts) == before


def test_what_can_be_referred_to_on_a_page(tmp_path):
    text = "(Here)=\n# How *many* $K$, {term}`terms <term>`?\n\n:::{figure} a.png\n:name: seen\n:::\n\n$$\nx\n$$ (sum)\n\n```{glossary}\nSome word\n  It.\n```\n"
    (tmp_path / "page.md").write_text(text)
    assert left_out.read(tmp_path / "page.md") == left_out.Page("How many K, terms?", {"here", "seen", "sum"}, {"some word"})


# --- the built book ---------------------------------------------------------------------------------------------------------

POINTING = """# Eins

{doc}`zwei` and {doc}`that one <zwei>`; {ref}`zwei-1`, {ref}`these <zwei-1>`, [one](zwei.md), [two](#zwei-1) and {term}`some words <word>`. {cite:p}`someone`

| Page | builds on |
|---|---|
| {doc}`zwei` | nothing |
| {doc}`index` | {doc}`zwei` |

It is so everywhere.
It is so on the farm. <!-- wind farm -->
"""


def test_a_reference_to_a_page_left_out_is_text_and_one_to_nothing_a_mistake(book, monkeypatch):  # noqa: F811
    (book / "chapters" / "zwei.md").write_text("# Zwei *Dinge*\n\n```{exercise}\n:label: zwei-1\nDo it.\n```\n\n```{glossary}\nword\n  A word.\n```\n")
    toc = (book / "_toc.yml").read_text()
    index = book / "chapters" / "index.md"
    paths = "\n```{chapter-path} A way\n:chapters: eins zwei index\nGo.\n```\n\n```{chapter-path} No way\n:chapters: zwei eins\nGo.\n```\n"
    index.write_text(index.read_text() + paths + "\n```{chapter-guide} drei\nIts class.\n```\n")
    shutil.copy(test_tools.chapter(book), book / "chapters" / "drei.ipynb")
    test_tools.write(book, "1", text=POINTING)
    (book / "data" / "own_table.csv").write_text("Date,x\n2020-01-01,1\n")
    status, printed = run(book, "build.py")
    assert status == 0, printed
    assert "Not in _toc.yml, so not in the book: chapters/drei.ipynb, chapters/zwei.md" in printed
    article = BeautifulSoup((book / "_build" / "html" / "chapters" / "eins.html").read_text("utf-8"), "html.parser").article
    assert re.sub(r"\s+", " ", article.p.text).startswith(
        "Zwei Dinge (in the full book) and that one (in the full book); Zwei Dinge (in the full book), these (in the full book), "
        "one (in the full book), two (in the full book) and some words. "
    )
    assert [[cell.text for cell in row.select("td")] for row in article.select("tbody tr")] == [["The book", "Zwei Dinge (in the full book)"]]
    assert article.select("p:not(.meaning p)")[-1].text.strip() == "It is so everywhere."
    ways = BeautifulSoup((book / "_build" / "html" / "chapters" / "index.html").read_text("utf-8"), "html.parser").select(".path")
    assert [[link["href"] for link in way.select("ol a")] for way in ways] == [["eins.html", "#"]]

    # In the book again, it is a page like the others, and a word that is used first is bold; what is nowhere stops the build.
    (book / "_toc.yml").write_text(toc + "  - file: chapters/zwei\n")
    (book / "data" / "own_table.csv").unlink()
    status, printed = run(book, "build.py")
    assert status == 0, printed
    article = BeautifulSoup((book / "_build" / "html" / "chapters" / "eins.html").read_text("utf-8"), "html.parser").article
    assert [link["href"] for link in article.p.select("a.internal")[:5]] == ["zwei.html", "zwei.html", *["zwei.html#zwei-1"] * 2, "zwei.html"]
    assert article.select_one("a[href='zwei.html#term-word']").find_parent("strong")
    assert article.select("p:not(.meaning p)")[-1].text.split("\n")[:2] == ["It is so everywhere.", "It is so on the farm."]
    (book / "_toc.yml").write_text(toc)
    test_tools.write(book, "1", text=POINTING.replace("`zwei`", "`vier`").replace("zwei-1>", "zwei-2>").replace("<word>", "<sword>"))
    status, printed = run(book, "build.py")
    assert status == 1
    for mistake in ("vier", "zwei-2", "sword"):
        assert re.search(rf"WARNING: .*{mistake}", printed), f"{mistake}: {printed}"


def test_without_the_bibliography_each_page_lists_the_works_that_it_cites(book):  # noqa: F811
    index = book / "chapters" / "index.md"
    index.write_text(index.read_text().replace("```{bibliography}\n```", "{cite:t}`someone` says so."))
    (book / "chapters" / "works.md").write_text("# Works\n\n```{bibliography}\n```\n")
    status, printed = run(book, "build.py")
    assert status == 0, printed
    for name in ("index", "eins"):
        article = BeautifulSoup((book / "_build" / "html" / "chapters" / f"{name}.html").read_text("utf-8"), "html.parser").article
        [work] = article.select(".citation")
        assert [link["href"] for link in article.select(".bibtex-citation a")] == [f"#{work['id']}"] and "A Book" in work.text
        assert article.select_one(".rubric").text == "Works cited on this page"

    # A book that has the page has them there alone; a work that is listed twice is a mistake.
    toc = book / "_toc.yml"
    toc.write_text(toc.read_text() + "  - file: chapters/works\n")
    status, printed = run(book, "build.py")
    assert status == 0, printed
    article = BeautifulSoup((book / "_build" / "html" / "chapters" / "eins.html").read_text("utf-8"), "html.parser").article
    assert article.select_one(".bibtex-citation a")["href"].startswith("works.html#") and not article.select(".citation, .rubric")
    index.write_text(index.read_text() + "\n```{bibliography}\n```\n")
    status, printed = run(book, "build.py")
    assert status == 1 and "duplicate citation" in printed, printed


# --- a table of the book's own ----------------------------------------------------------------------------------------------

MARKED = f"Always.\nOn the farm: 1.5. {own_table.MARK}\n- an item {own_table.MARK}\nBoth: 2.5."


def marked_notebook():
    picture = new_code_cell("draw()", metadata={"mystnb": {"image": {"alt": f"Two humps. {own_table.MARK}"}}})
    blades = new_code_cell("blades = table['pitch']\nprint(blades)", metadata={"tags": ["hide-input", own_table.TAG]}, outputs=[new_output("stream", text="88.0\n")])
    return new_notebook(cells=[new_markdown_cell(MARKED, metadata={"given": ["1.5", "2.5"]}), picture, new_code_cell(f"x = '{own_table.MARK}'"), blades])


def test_marked_lines_are_shown_with_the_wind_farm_alone():
    farm, own = own_table.as_shown(marked_notebook(), own=False), own_table.as_shown(marked_notebook(), own=True)
    assert [page.cells[0].source for page in (farm, own)] == ["Always.\nOn the farm: 1.5.\n- an item\nBoth: 2.5.", "Always.\nBoth: 2.5."]
    assert [page.cells[0].metadata["given"] for page in (farm, own)] == [["1.5", "2.5"], ["2.5"]]
    assert [page.cells[1].metadata["mystnb"]["image"]["alt"] for page in (farm, own)] == ["Two humps.", own_table.UNTOLD]
    assert farm.cells[2].source == own.cells[2].source == f"x = '{own_table.MARK}'"
    assert farm.cells[3].outputs and "remove-cell" not in farm.cells[3].metadata["tags"]
    assert not own.cells[3].outputs and own.cells[3].metadata["tags"] == ["hide-input", own_table.TAG, "remove-cell"]
    assert own_table.as_shown(own, own=True).cells[3].metadata["tags"] == ["hide-input", own_table.TAG, "remove-cell"]
    begins = "the code that begins with `blades = table['pitch']`"
    assert list(own_table.marked(marked_notebook())) == [(1, "On the farm: 1.5."), (1, "- an item"), (2, "Two humps."), (4, begins)]
    plain = new_notebook(cells=[new_markdown_cell("Says  \nso.", metadata={"given": ["1.5"]})])
    assert own_table.as_shown(nbformat.from_dict(plain), own=True) == plain


def test_the_sentences_of_the_table_are_listed(book):  # noqa: F811
    notebook = marked_notebook()
    notebook.metadata.update(METADATA)
    save(book, notebook, current=False)
    index = book / "chapters" / "index.md"
    index.write_text(index.read_text() + f"The farm stands. {own_table.MARK}\n")
    assert chapters.sentences_of_the_table() == [
        "chapters/index.md, line 7: The farm stands.",
        "chapters/eins.ipynb, cell 1: On the farm: 1.5.",
        "chapters/eins.ipynb, cell 1: - an item",
        "chapters/eins.ipynb, cell 2: Two humps.",
        "chapters/eins.ipynb, cell 4: the code that begins with `blades = table['pitch']`",
    ]


def test_a_mark_is_the_end_of_its_line_and_the_tag_that_of_code():
    """Anywhere else they would do nothing."""
    for path in chapters.pages():
        texts = [path.read_text("utf-8")]
        if path.suffix == ".ipynb":
            cells = chapters.read(path).cells
            texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
            assert {cell.cell_type for cell in cells if own_table.TAG in cell.metadata.get("tags", [])} <= {"code"}, path.name
        for text in texts:
            assert text.count(own_table.MARK) == sum(line.endswith(own_table.MARK) for line in text.splitlines()), path.name


def test_editions_for_a_class_leave_out_what_the_site_leaves_out(book, tmp_path, monkeypatch):  # noqa: F811
    """The students' site is built of a copy without the data, so that what the table decides is decided before."""
    monkeypatch.setattr(own_table, "DATA", book / "data")
    (book / "data" / "own_table.csv").write_text("Date,x\n2020-01-01,1\n")
    notebook = marked_notebook()
    notebook.metadata.update(METADATA)
    save(book, notebook, current=False)
    index = book / "chapters" / "index.md"
    index.write_text(index.read_text() + f"The farm stands. {own_table.MARK}\n")
    editions.students_source(tmp_path / "copy")
    sheet = editions.worksheet(test_tools.chapter(book), lambda text: text)
    told = [(tmp_path / "copy" / "chapters" / name).read_text("utf-8") for name in ("eins.ipynb", "index.md")] + [nbformat.writes(sheet)]
    assert ["Always." in text for text in told] == [True, False, True]
    assert not [text for text in told if re.search("On the farm|an item|Two humps|88.0|The farm stands", text)]


def test_a_table_of_its_own_makes_its_readers_stale_and_is_what_they_load(book, monkeypatch):  # noqa: F811
    test_tools.write(book, "import helpers\nprint(list(helpers.load_table()))", "print(1)")
    assert not chapters.faults(test_tools.chapter(book))
    (book / "data" / "own_table.csv").write_text("Date,flow,heat\n2020-01-01 00:00,1,2.5\n2020-01-01 01:00,3,4\n")
    assert chapters.faults(test_tools.chapter(book))
    monkeypatch.setenv("PYTHONPATH", str(book))  # its own helpers, not the installed ones
    monkeypatch.setenv("BOOK_TABLE", "/a/readers/table.csv")
    status, printed = run(book, "execute.py")
    assert status == 0 and "BOOK_TABLE=/a/readers/table.csv is not used here" in printed, printed
    assert chapters.read(test_tools.chapter(book)).cells[1].outputs[0].text == "['flow', 'heat']\n"
    assert not chapters.faults(test_tools.chapter(book))
    (book / "data" / "own_table.csv").write_text("Date,flow,heat\n2020-01-01 00:00,1,2.5\n2020-01-01 01:00,3,5\n")
    assert chapters.faults(test_tools.chapter(book))


def test_what_chapters_say_against_the_table_is_told_once_with_those_that_say_it(parts, monkeypatch):
    def load_table(table, **needs):
        assert table == "the table"
        if needs.get("rows"):
            raise ValueError(f"own_table.csv: not {needs['rows']} rows")
        for _ in range(needs.get("columns", 0)):
            warnings.warn("own_table.csv: columns that rest", stacklevel=1)

    def reads(name, *calls):
        cells = [new_markdown_cell("helpers.load_table(rows=99)"), *map(new_code_cell, calls)]
        nbformat.write(new_notebook(cells=cells, metadata=METADATA), parts / "chapters" / f"{name}.ipynb")
        return parts / "chapters" / f"{name}.ipynb"

    monkeypatch.setattr(tables, "book_table", lambda: "the table")
    monkeypatch.setattr(tables, "load_table", load_table)
    monkeypatch.setattr(own_table, "DATA", parts / "data")
    paths = [reads("eins", "helpers.load_table()", "helpers.load_table(columns=2)"), reads("zwei", "helpers.load_table(columns=2, rows=30)\nhelpers.load_table(columns=1)")]
    assert execute.faults_of_the_table(paths) == []
    (parts / "data" / "own_table.xlsx").write_text("")
    assert execute.faults_of_the_table(paths) == [
        "data/own_table.csv: columns that rest (eins, zwei)", "data/own_table.csv: not 30 rows (zwei)", "No chapter was executed.", execute.what_to_change()
    ]
    assert execute.faults_of_the_table([reads("drei", "helpers.load_table()")]) == []
    assert execute.what_to_change() == (
        "The book has no page with a warning or an error. Where one is about your table, change data/own_table.xlsx, then run `make execute` again: "
        "write a column that is counted in another unit in that unit yourself, under a name that says so; delete one that holds one value only; most "
        "chapters take the first two columns, so put none there that often rests at one value, and no two that say the same; a chapter that needs more "
        "than the table has is left out by `make drop NAME=…`."
    )


@pytest.mark.parametrize(("rows", "said"), [
    (["1,2,7", "3,4,7"], "left out columns that hold one value only: ['valve'] (eins)"),
    (["1,2,7", "200000,4,8"], "counted in another unit: 'flow' in 1e3 (eins)"),
    (["1,2,7"], "this chapter needs at least 2 columns that vary, and 2 rows without a gap in them. The table has 0 such columns: []. (eins)"),
])  # fmt: skip
def test_what_a_table_lacks_is_told_before_a_chapter_takes_its_minutes(book, monkeypatch, rows, said):  # noqa: F811
    test_tools.write(book, "import helpers\nhelpers.load_table(columns=2, rows=2)", "print('ran')")
    before = test_tools.chapter(book).read_bytes()
    dated = "".join(f"2020-01-01 0{hour}:00,{row}\n" for hour, row in enumerate(rows))
    (book / "data" / "own_table.csv").write_text(f"Date,flow,heat,valve\n{dated}")
    monkeypatch.setenv("PYTHONPATH", str(book))
    status, printed = run(book, "execute.py")
    assert status == 1 and printed.startswith(f"data/own_table.csv: {said}\nNo chapter was executed"), printed
    assert "change data/own_table.csv, then run `make execute` again" in printed
    assert test_tools.chapter(book).read_bytes() == before


def test_what_a_chapter_says_against_the_table_when_it_runs_is_told_with_what_to_do(book, monkeypatch):  # noqa: F811
    test_tools.write(book, "import helpers\nimport warnings", "helpers.load_table(columns=2, rows=2)\nwarnings.warn('it rests at 0')")
    monkeypatch.setenv("PYTHONPATH", str(book))
    assert "change data/" not in run(book, "execute.py", test_tools.chapter(book))[1]  # the wind farm is nobody's to change
    (book / "data" / "own_table.csv").write_text("Date,flow,heat\n2020-01-01 00:00,1,2.5\n2020-01-01 01:00,3,4\n")
    status, printed = run(book, "execute.py")
    assert status == 1 and "cell 3: printed a warning" in printed and "change data/own_table.csv, then run `make execute` again" in printed, printed
