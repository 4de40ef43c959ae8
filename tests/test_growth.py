"""A longer book of copies is a book that builds, and goes on from the last build when a sentence has changed."""

import shutil

import growth
import nbformat
import pytest
import yaml
from nbformat.v4 import new_markdown_cell, new_notebook
from test_tools import link_kept


def test_labels_of_a_copy_are_its_own_and_pages_are_not():
    text = "(topics)=\n# A\n\n{doc}`topics`, {ref}`topics`, {ref}`topics-1`, {ref}`elsewhere`\n\n```{exercise}\n:label: topics-1\nA.\n```\n\n$$ x $$ (sum)\n\n{eq}`sum`, a summary"
    copy = growth.renamed(new_notebook(cells=[new_markdown_cell(text, metadata={"with_solutions": ["see {ref}`topics-1`"]})]), "-2")
    wanted = "(topics-2)=\n# A\n\n{doc}`topics`, {ref}`topics-2`, {ref}`topics-1-2`, {ref}`elsewhere`\n\n```{exercise}\n:label: topics-1-2\nA.\n```\n\n$$ x $$ (sum-2)\n\n{eq}`sum-2`, a summary"
    assert copy.cells[0].source == wanted and copy.cells[0].metadata["with_solutions"] == ["see {ref}`topics-1-2`"]


def test_a_chapter_without_a_plain_paragraph_is_named(tmp_path):
    nbformat.write(new_notebook(cells=[new_markdown_cell("# A title", id="a")]), tmp_path / "a.ipynb")
    with pytest.raises(ValueError, match="a.ipynb: no paragraph"):
        growth.edit(tmp_path / "a.ipynb")


def test_a_sentence_is_added_where_nothing_but_words_changes(tmp_path):
    nbformat.write(new_notebook(cells=[new_markdown_cell("A heading\n---\n\nText.", id="a"), new_markdown_cell("Text.", id="b")]), tmp_path / "a.ipynb")
    growth.edit(tmp_path / "a.ipynb")
    assert [cell.source for cell in nbformat.read(tmp_path / "a.ipynb", as_version=4).cells] == ["A heading\n---\n\nText.", f"Text.{growth.SENTENCE}"]


def test_what_each_size_costs_is_printed_and_the_largest_compared_with_the_smallest(monkeypatch, capsys):
    edited, costs = [], iter([(8, 9), (2, 3), (0, 1), (80, 90), (3, 6), (0, 1)])

    def grow(folder, size):
        folder.mkdir()
        (folder / "_toc.yml").write_text("parts: [{chapters: [{file: chapters/a}, {file: chapters/b}]}]")

    monkeypatch.setattr(growth, "grow", grow)
    monkeypatch.setattr(growth, "cost", lambda folder: next(costs))
    monkeypatch.setattr(growth, "edit", lambda path: edited.append(path.relative_to(path.parents[1]).as_posix()))
    growth.main([2, 20])
    *_, first, second, last = capsys.readouterr().out.splitlines()
    assert (first.split(), second.split()) == (["2", "8.0", "9.0", "2.0", "3.0", "0.0", "1.0"], ["20", "80.0", "90.0", "3.0", "6.0", "0.0", "1.0"])
    assert last == "A changed sentence costs 1.50 times as much in 20 chapters as in 2; by the clock 2.00 times."
    assert edited == ["chapters/b.ipynb"] * 2


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
