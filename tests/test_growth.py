"""A longer book of copies is a book that builds, and goes on from the last build when a sentence has changed."""

import shutil
import subprocess
import sys
from types import SimpleNamespace

import growth
import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import chapters
from test_tools import link_kept


def test_labels_of_a_copy_are_its_own_and_pages_are_not():
    text = "(topics)=\n# A\n\n{doc}`topics`, {ref}`topics`, {ref}`topics-1`, {ref}`elsewhere`\n\n```{exercise}\n:label: topics-1\nA.\n```\n\n$$ x $$ (sum)\n\n{eq}`sum`, a summary"
    copy = growth.renamed(new_notebook(cells=[new_markdown_cell(text, metadata={"with_solutions": ["see {ref}`topics-1`"]})]), "-2")
    wanted = "(topics-2)=\n# A\n\n{doc}`topics`, {ref}`topics-2`, {ref}`topics-1-2`, {ref}`elsewhere`\n\n```{exercise}\n:label: topics-1-2\nA.\n```\n\n$$ x $$ (sum-2)\n\n{eq}`sum-2`, a summary"
    assert copy.cells[0].source == wanted and copy.cells[0].metadata["with_solutions"] == ["see {ref}`topics-1-2`"]


def test_a_copy_without_labels_says_the_same_and_its_code_and_the_original_stay():
    original = new_notebook(cells=[new_code_cell(":label: a"), new_markdown_cell("A text", metadata={"with_solutions": ["text"]})])
    assert growth.renamed(original, "-2") == original
    labelled = new_notebook(cells=[new_code_cell("a = 'a'"), new_markdown_cell("(a)=\n# A\n\nAs a-b, b-a, aa, {ref}`a`"), new_markdown_cell("{ref}`So <a>`")])
    copy = growth.renamed(labelled, "-3")
    assert [cell.source for cell in copy.cells] == ["a = 'a'", "(a-3)=\n# A\n\nAs a-b, b-a, aa, {ref}`a-3`", "{ref}`So <a-3>`"]
    assert labelled.cells[1].source.startswith("(a)=")


CONTENTS = """\
format: jb-book
root: chapters/index
parts:
- caption: One
  numbered: true
  chapters:
  - file: chapters/a
  - file: chapters/b
- caption: Two
  numbered: true
  chapters:
  - file: chapters/c
- caption: More
  chapters:
  - file: chapters/d
"""


def test_a_grown_book_has_its_copies_in_their_parts_and_what_is_not_numbered_once(tmp_path, monkeypatch):
    book = tmp_path / "book"
    for file in ("chapters/index.md", ".git/config", "_build/html/a.html", "tools/build.py", "tools/__pycache__/build.pyc"):
        (book / file).parent.mkdir(parents=True, exist_ok=True)
        (book / file).write_text(file)
    for name in "abcd":
        nbformat.write(new_notebook(cells=[new_markdown_cell(f"({name})=\n# {name.upper()}")]), book / "chapters" / f"{name}.ipynb")
    (book / "_toc.yml").write_text(CONTENTS)
    monkeypatch.setattr(chapters, "BOOK", book)
    for size, originals, one, two in ((7, None, "a b a-2 b-2 a-3", "c c-2"), (3, 1, "a a-2 a-3", ""), (3, None, "a b", "c"), (2, 2, "a b", "")):
        folder = tmp_path / f"{size}-{originals}"
        growth.grow(folder, size, *([originals] if originals else []))
        made = one.split() + two.split()
        assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == {
            "_toc.yml", "tools/build.py", "chapters/index.md", *(f"chapters/{name}.ipynb" for name in {*made, *"abcd"})
        }
        wanted = yaml.safe_load(CONTENTS)
        for part, names in zip(wanted["parts"], (one, two)):
            part["chapters"] = [{"file": f"chapters/{name}"} for name in names.split()]
        wanted["parts"] = [part for part in wanted["parts"] if part["chapters"]]
        assert (folder / "_toc.yml").read_text() == yaml.safe_dump(wanted, sort_keys=False)
        for name in made:
            assert chapters.read(folder / "chapters" / f"{name}.ipynb").cells[0].source == f"({name})=\n# {name[0].upper()}"


def test_a_chapter_without_a_plain_paragraph_is_named(tmp_path):
    texts = ["# A title", "- An item", "Here it comes:", "Text.\n\n$$ x $$", "text without a beginning"]
    nbformat.write(new_notebook(cells=[new_code_cell("Code"), *map(new_markdown_cell, texts)]), tmp_path / "a.ipynb")
    before = (tmp_path / "a.ipynb").read_bytes()
    with pytest.raises(ValueError, match="^a.ipynb: no paragraph to which a plain sentence could be added$"):
        growth.edit(tmp_path / "a.ipynb")
    assert (tmp_path / "a.ipynb").read_bytes() == before


def test_a_sentence_is_added_once_and_where_nothing_but_words_changes(tmp_path):
    texts = ["A heading\n---\n\nText.", "# Title\n\nOf Größe.\nText:", "# Title\n\nOf Größe.\nText.", "Text."]
    nbformat.write(new_notebook(cells=[new_code_cell("Code"), *map(new_markdown_cell, texts)]), tmp_path / "a.ipynb")
    growth.edit(tmp_path / "a.ipynb")
    now = [cell.source for cell in nbformat.read(tmp_path / "a.ipynb", as_version=4).cells]
    assert now == ["Code", *texts[:2], f"# Title\n\nOf Größe.\nText.{growth.SENTENCE}", "Text."]


def test_a_build_costs_what_its_processes_take_and_its_time(tmp_path, monkeypatch):
    asked, clock = [], iter([1, 9.5])
    times = iter([SimpleNamespace(user=1, system=1, children_user=10, children_system=2), SimpleNamespace(user=9, system=9, children_user=15, children_system=2.5)])
    monkeypatch.setattr(growth, "os", SimpleNamespace(times=lambda: next(times)))
    monkeypatch.setattr(growth, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    monkeypatch.setattr(growth.subprocess, "run", lambda command, **settings: asked.append((command, settings)))
    assert growth.cost(tmp_path) == (5.5, 8.5)
    assert asked == [([sys.executable, tmp_path / "tools" / "build.py"], {"check": True, "stdout": subprocess.DEVNULL})]


def test_what_each_size_costs_is_printed_and_the_largest_compared_with_the_smallest(monkeypatch, capsys):
    done, costs = [], iter([(8, 9), (2, 3), (0, 1), (80, 90), (3, 6), (0, 1)])

    def grow(folder, size):
        folder.mkdir()
        (folder / "_toc.yml").write_text("parts: [{chapters: [{file: chapters/a}, {file: chapters/b}]}, {chapters: [{file: chapters/c}]}]")
        done.append(size)

    def cost(folder):
        done.append("cost")
        return next(costs)

    monkeypatch.setattr(growth, "grow", grow)
    monkeypatch.setattr(growth, "cost", cost)
    monkeypatch.setattr(growth, "edit", lambda path: done.append(path.relative_to(path.parents[1]).as_posix()))
    growth.main([2, 20])
    assert capsys.readouterr().out == """\
Seconds of the processor, and of the clock
chapters     from nothing     one sentence  nothing changed
       2      8.0     9.0      2.0     3.0      0.0     1.0
      20     80.0    90.0      3.0     6.0      0.0     1.0
A changed sentence costs 1.50 times as much in 20 chapters as in 2; by the clock 2.00 times.
"""
    assert done == [step for size in (2, 20) for step in (size, "cost", "chapters/b.ipynb", "cost", "cost")]


def contents(site):
    return {path.relative_to(site).as_posix(): path.read_bytes() for path in site.rglob("*") if path.is_file()}


def test_copies_are_a_book_and_a_changed_sentence_gives_the_site_that_is_built_from_nothing(tmp_path):
    book, site = tmp_path / "book", tmp_path / "book" / "_build" / "html"
    growth.grow(book, 4, originals=2)
    link_kept(book)
    parts = yaml.safe_load((book / "_toc.yml").read_text("utf-8"))["parts"]
    names = [page["file"] for part in parts if part.get("numbered") for page in part["chapters"]]
    assert len(names) == 4 and sum(name.endswith("-2") for name in names) == 2
    growth.cost(book)
    before = contents(site)
    assert {f"{name}.html" for name in names} <= set(before)
    edited = names[-1]
    growth.edit(book / f"{edited}.ipynb")
    growth.cost(book)
    warm = contents(site)
    changed = {name for name in warm if warm[name] != before[name]}
    assert growth.SENTENCE.encode() in warm[f"{edited}.html"]
    theirs = {f"{edited}.html", f"slides/{edited.rpartition('/')[2]}.html", f"_sources/{edited}.ipynb", f"_sources/{edited}-to-work-in.ipynb"}
    assert changed <= {*theirs, "searchindex.js"}, changed
    shutil.rmtree(book / "_build" / "last-html")
    growth.cost(book)
    assert contents(site) == warm
