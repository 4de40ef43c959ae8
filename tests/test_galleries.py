"""What pages show of other pages, in a real browser: the home page, all figures, all exercises, glossary terms, downloads."""

import ast
import base64
import functools
import json
import re
import sys
from types import SimpleNamespace

import chapters
import definitions
import downloads
import galleries
import nbformat
import own_table
import pytest
import solutions
import standard
from bs4 import BeautifulSoup
from conftest import PAGES
from IPython.core.inputtransformer2 import TransformerManager
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from test_chapters import CHAPTERS

HOME, FIGURES, EXERCISES = PAGES[0], "chapters/all-figures.html", "chapters/all-exercises.html"
SIZES = [{"width": 1280, "height": 800}, {"width": 390, "height": 844}]


@pytest.fixture(scope="module")
def html(site):
    """Return a function that reads a page of the site."""
    return functools.cache(lambda page: BeautifulSoup((site / page).read_text("utf-8"), "html.parser"))


def straight(text):
    """Return a text with typewriter's marks: Sphinx sets those of a printer."""
    return re.sub("[\u201c\u201d]", '"', re.sub("[\u2018\u2019]", "'", text)).replace("\u2013", "--").replace("\u2026", "...")


def read(path):
    return galleries.read(f"chapters/{path.stem}", str(path), path.stat().st_mtime_ns)


# --- the home page -------------------------------------------------------------------------------------------------------


@standard.asked("home")
@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size["width"]))
def test_the_first_screen_shows_invented_data_and_something_to_turn(visit, size):
    opened = visit(HOME, viewport=size)
    knob = opened.locator(".knob").first
    for part in (opened.locator("article h1"), knob.locator("input"), knob.locator(".knob-position.shown img")):
        box = part.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= size["height"]
    before = knob.locator(".shown img").get_attribute("src")
    knob.get_by_label("Forward").click()
    assert knob.locator(".shown img").get_attribute("src") != before


@standard.asked("cards")
def test_each_chapter_has_a_card_with_its_own_figure(html):
    cards = html(HOME).select("ul.cards > li")
    assert len(cards) == len(CHAPTERS)
    for path, card in zip(CHAPTERS, cards):
        chapter = read(path)
        assert (card.a["href"], card.a.text) == (f"{path.stem}.html", standard.headings(standard.load(path))[0][1])
        assert card.img["alt"] == chapter.card.alt
        assert [fact.text for fact in card.select(".facts span")] == [chapter.card.card["level"], galleries.spoken(chapter.minutes)]
        assert chapter.card.card["line"] in straight(card.text)


@standard.asked("home")
def test_paths_name_chapters_of_the_book_and_add_up_their_minutes(html):
    told = re.findall(r"^:chapters: (.+)$", standard.text_of(standard.load(chapters.pages()[0])), re.MULTILINE)
    left = [[path for path in (chapters.BOOK / "chapters" / f"{name}.ipynb" for name in names.split()) if path in CHAPTERS] for names in told]
    paths = html(HOME).select(".path")
    assert len(told) >= 3 and len(paths) == sum(len(path) > 1 for path in left)
    for path, wanted in zip(paths, (path for path in left if len(path) > 1)):
        walked = [chapters.BOOK / "chapters" / link["href"].replace(".html", ".ipynb") for link in path.select("ol a")]
        assert walked == wanted
        assert path.select_one(".facts").text == f"{galleries.spoken(sum(read(each).minutes for each in walked))} to read"


@standard.asked("cards")
@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_says_what_its_card_and_the_list_of_exercises_need(path):
    chapter = read(path)
    [marked] = [figure.card for figure in chapter.figures if figure.card]
    assert marked["level"] in galleries.LEVELS["chapter"] and 20 < len(marked["line"]) < 100
    assert chapter.minutes
    assert all(exercise.level in galleries.LEVELS["exercise"] and 1 <= exercise.minutes <= 90 for exercise in chapter.exercises)


# --- all figures, all exercises -------------------------------------------------------------------------------------------


def places(soup, kind):
    """Return (page, anchor) of each link of a list."""
    return [tuple(link["href"].split("#")) for link in soup.select(kind)]


@standard.asked(page="all-figures")
def test_every_figure_of_the_text_is_in_the_gallery_and_leads_to_its_place(html):
    soup = html(FIGURES)
    shown = [(path, figure) for path in CHAPTERS for figure in read(path).figures]
    assert len(shown) >= len(CHAPTERS)
    assert places(soup, "ul.cards > li a") == [(f"{path.stem}.html", f"figure-{path.stem}-{figure.cell}") for path, figure in shown]
    assert [straight(words.text) for words in soup.select("ul.cards > li details p")] == [straight(figure.alt) for _, figure in shown]
    for path in CHAPTERS:
        page = html(f"chapters/{path.stem}.html")
        for figure in read(path).figures:
            cell = page.find(id=f"figure-{path.stem}-{figure.cell}")
            assert cell.img["alt"].startswith(figure.alt) and not cell.find_parent(class_="solution")


@standard.asked(page="all-exercises")
def test_every_exercise_is_in_the_list_with_level_and_time(html):
    soup = html(EXERCISES)
    posed = [(path, exercise) for path in CHAPTERS for exercise in read(path).exercises]
    labels = [label for path in CHAPTERS for label in re.findall(r"\{exercise\}.*\n:label: (\S+)", standard.text_of(standard.load(path)))]
    assert [exercise.label for _, exercise in posed] == labels
    assert places(soup, "ul.exercises a") == [(f"{path.stem}.html", exercise.label) for path, exercise in posed]
    facts = [[fact.text for fact in each.select("span")] for each in soup.select("ul.exercises .facts")]
    assert facts == [[exercise.level, f"{exercise.minutes} min"] for _, exercise in posed]
    for path, exercise in posed:
        assert "exercise" in html(f"chapters/{path.stem}.html").find(id=exercise.label)["class"]


def test_sections_on_chapters_have_their_titles(html, pages):
    for page in {FIGURES, EXERCISES, "chapters/teaching.html"} & set(pages):
        links = html(page).select("article :is(h2, h3) > a[href$='.html']")
        assert links, page
        for link in links:
            assert straight(link.text) in straight(html(f"chapters/{link['href']}").h1.text), page


def test_small_pictures_are_light_and_keep_their_place(site, html):
    for page in {HOME, FIGURES} & set(PAGES):
        for picture in html(page).select("ul.cards img"):
            assert picture["loading"] == "lazy" and int(picture["width"]) <= 240 and int(picture["height"]) <= 240
            assert (site / "chapters" / picture["src"]).stat().st_size < 35_000
    sizes = [(site / "chapters" / picture["src"]).stat().st_size for picture in html(HOME).select("ul.cards img")]
    assert 0 < sum(sizes) < 12_500 * len(sizes)


@pytest.mark.parametrize(
    ("line", "minutes"),
    [
        ("**Time:** 25 minutes to read, a few seconds to run.", 25),
        ("**Time:** 25 minutes to run.", None),
        ("Nothing.", None),
    ],
)
def test_reading_minutes(line, minutes):
    assert galleries.reading_minutes(line) == minutes


@pytest.mark.parametrize(("minutes", "said"), [(5, "5 min"), (59, "59 min"), (60, "1 h"), (83, "1 h 25 min"), (118, "2 h"), (120, "2 h")])
def test_spoken_times(minutes, said):
    assert galleries.spoken(minutes) == said


@pytest.mark.parametrize(
    ("title", "body", "name"),
    [
        ("", ":label: a-1\nDo it.\nThen do that.\n", "Do it."),
        ("", ":label: a-1\n**How many?**\nCount $K$.\nThen more.", "**How many?** Count $K$."),
        ("How many?", ":label: a-1\n:class: dropdown\n\nCount $K$.", "**How many?** Count $K$."),
        ("", ":label: a-1\nRead {doc}`word-dice`, {term}`dice <die>` and {math}`x`.", "Read word-dice, dice and {math}`x`."),
    ],
)
def test_name_of_an_exercise(title, body, name):
    assert galleries.exercise_name(title, body) == name


def test_teachers_read_each_chapters_own_goals(html):
    soup = html("chapters/teaching.html")
    for path in CHAPTERS:
        section = soup.find("section", id=f"guide-{path.stem}")
        opening = html(f"chapters/{path.stem}.html").select_one(".admonition.note")
        assert straight(section.p.text) == straight("Goals. To " + " ".join(item.text.strip() for item in opening.select("li")))


def test_goals_are_those_of_the_opening():
    assert galleries.goals("# A\n\nYou will be able to\n\n- roll;\n- read.\n\n**Time:** 5\n\n- no goal.") == "roll; read."
    assert galleries.goals("# A\n\n- no goal.") == ""


def test_an_unmarked_notebook_shows_its_first_figure_and_none_of_a_solution(tmp_path):
    def figure(*pictures, **metadata):
        outputs = [new_output("display_data", data={"image/png": base64.b64encode(picture).decode()}) for picture in pictures]
        return new_code_cell("draw()", outputs=outputs, metadata=metadata)

    texts = ["# A title\n\n```\n# no heading\n```", "## In {term}`part`", "```{solution-start} a\n```", "```{solution-end}\n```"]
    title, part, start, end = map(new_markdown_cell, texts)
    cells = [title, figure(b"1"), part, figure(b"2", b"3", knob={"label": "Step", "start": 1}), start, figure(b"4"), end, figure()]
    path = tmp_path / "page.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    chapter = read(path)
    assert [(figure.cell, figure.png, figure.section, figure.turns) for figure in chapter.figures] == [
        (2, b"1", "A title", False),
        (4, b"3", "In part", True),
    ]
    assert (chapter.card.cell, chapter.card.card, chapter.minutes, chapter.exercises) == (2, None, None, [])


def test_a_line_of_code_of_the_longest_length_fits(visit, html):
    kinds = [".solution details.hide pre", ".solution pre", ".cell_input pre"]  # the narrowest first; a short book may lack it
    narrow, page = next((kind, page) for kind in kinds for page in PAGES if html(page).select(kind))
    opened = visit(page, viewport=SIZES[0])
    opened.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
    opened.evaluate("document.querySelectorAll('.toggle-button-hidden').forEach((each) => each.click())")
    boxes = opened.locator(".cell_input pre")
    assert opened.locator(narrow).count()
    boxes.evaluate_all(f"boxes => boxes.forEach((box) => (box.textContent = 'x'.repeat({standard.ASKED['columns']})))")
    assert boxes.evaluate_all("boxes => boxes.filter((box) => box.scrollWidth > box.clientWidth).length") == 0


# --- the meaning of terms --------------------------------------------------------------------------------------------------

LINK = "article a[aria-describedby^='meaning-']"


@pytest.fixture
def terms(html):
    """A page with several links to the glossary."""
    return next(page for page in PAGES if len(html(page).select(LINK)) > 3)


def open_meaning(opened):
    """Return the texts of the meanings that are seen."""
    return opened.locator(".meaning:visible").all_inner_texts()


@standard.asked(page="glossary")
def test_a_term_is_bold_where_the_book_uses_it_first(html):
    seen = set()
    for page in PAGES:
        for link in html(page).select(LINK):
            term = link["aria-describedby"]
            assert term in seen or link.find_parent("strong"), f"{page}: {link.text}"
            seen.add(term)
    assert seen


@standard.asked(page="glossary")
def test_every_link_to_the_glossary_has_its_meaning_laid_under(html, pages):
    glossary = html("chapters/glossary.html")
    for page in pages:
        soup = html(page)
        links = [link for link in soup.select("article a.internal") if re.search(r"glossary\.html#term-", link["href"])]
        for link in links:
            anchor = link["href"].partition("#")[2]
            defined = glossary.find(id=anchor).find_next("dd")
            assert soup.find(id=link["aria-describedby"]).text.split() == defined.text.split()
        assert len(soup.select(".meaning")) == len({link["href"] for link in links})
        assert bool(soup.select(f"script[src*='{definitions.SCRIPT}']")) == bool(links)


@standard.asked(page="glossary")
@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size["width"]))
def test_a_meaning_shows_on_hover_and_on_focus_and_closes(visit, terms, size):
    opened = visit(terms, viewport=size)
    link = opened.locator(LINK).nth(2)
    meaning = opened.locator(f"#{link.get_attribute('aria-describedby')}")
    link.hover()
    meaning.wait_for()
    box = meaning.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= size["width"] and box["height"] > 30
    meaning.hover()  # the pointer may go into it
    opened.wait_for_timeout(400)
    assert meaning.is_visible()
    opened.keyboard.press("Escape")
    assert open_meaning(opened) == []
    opened.mouse.move(1, 1)
    opened.keyboard.press("Tab")
    link.focus()
    assert meaning.is_visible() and len(open_meaning(opened)) == 1
    opened.keyboard.press("Escape")
    assert open_meaning(opened) == []
    assert link.evaluate("each => each === document.activeElement")
    link.hover()
    meaning.wait_for()
    opened.mouse.move(1, 1)
    meaning.wait_for(state="hidden")


@standard.asked(page="glossary")
def test_the_first_tap_shows_a_meaning_and_the_second_leads_to_the_glossary(visit, terms):
    opened = visit(terms, viewport=SIZES[1], has_touch=True)
    link = opened.locator(LINK).nth(2)
    meaning = opened.locator(f"#{link.get_attribute('aria-describedby')}")
    link.tap()
    meaning.wait_for()
    opened.locator("article h2").first.tap()
    meaning.wait_for(state="hidden")
    link.tap()
    meaning.wait_for()
    assert len(open_meaning(opened)) == 1 and terms in opened.url
    link.tap()
    opened.wait_for_url("**/glossary.html#term-*")


@standard.asked(page="glossary")
def test_terms_without_scripts_are_links(visit, terms):
    opened = visit(terms, java_script_enabled=False)
    assert open_meaning(opened) == []
    opened.locator(LINK).first.click()
    opened.wait_for_url("**/glossary.html#term-*")


# --- downloads -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_page_offers_its_notebook_as_it_is_and_one_to_work_in(html, site, path):
    offered = html(f"chapters/{path.stem}.html").select(".dropdown-download-buttons a[href*='_sources']")
    links = [link["href"] for link in offered]
    assert links == [f"../_sources/chapters/{path.stem}.ipynb", f"../_sources/chapters/{path.stem}-to-work-in.ipynb"]
    as_it_is, to_work_in = (nbformat.read((site / "chapters" / link).resolve(), as_version=4) for link in links)
    stored = own_table.as_shown(chapters.read(path))
    if any("import helpers" in cell.source for _, cell in chapters.code_cells(stored)):
        openers = [notebook.cells.pop(0) for notebook in (as_it_is, to_work_in)]
        assert [opener.source.startswith("# Opened alone? `helpers` is a folder of the book") for opener in openers] == [True, True]
    assert as_it_is == stored
    nbformat.validate(to_work_in)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in to_work_in.cells)
    assert "{solution-" not in json.dumps(to_work_in)
    posed = [solutions.without_words(cell.source, cell.metadata.get("with_solutions", [])) for cell in as_it_is.cells if "{exercise}" in cell.source]
    assert posed == [cell.source for cell in to_work_in.cells if "{exercise}" in cell.source]
    assert [cell.source for cell in to_work_in.cells].count("# Your solution") == len(posed)


def test_a_notebook_opened_alone_says_what_to_do_and_fetches_the_book_on_colab(monkeypatch):
    told = downloads.opener("https://github.com/owner/book", "autumn").source
    assert told.splitlines()[0].endswith("get it at https://github.com/owner/book, or on Colab run this cell.")
    assert "git clone --quiet --depth 1 --branch autumn https://github.com/owner/book /content/book" in told
    # As IPython on Colab and elsewhere: the lines that begin with ! or % are the shell's and the notebook's.
    ran = []
    code = TransformerManager().transform_cell(told)
    monkeypatch.setattr(sys, "path", list(sys.path))
    shell = SimpleNamespace(system=ran.append, run_line_magic=lambda *magic: ran.append(" ".join(magic)))
    exec(code, {"get_ipython": lambda: shell})
    assert ran == [] and "/content/book" not in sys.path
    monkeypatch.setitem(sys.modules, "google.colab", None)
    exec(code, {"get_ipython": lambda: shell})
    assert [line.split()[0] for line in ran] == ["git", "cd"] and sys.path[-1] == "/content/book"
    assert len(downloads.opener("", "main").source.splitlines()) == 1


def names(code, *contexts):
    """Return the names that code uses (ast.Load) or gives (ast.Store), whatever their scope."""
    nodes = list(ast.walk(ast.parse(code)))
    found = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, contexts)}
    if ast.Store in contexts:
        found |= {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.ExceptHandler))}
        found |= {node.arg for node in nodes if isinstance(node, ast.arg)}
        found |= {alias.asname or alias.name for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom)) for alias in node.names}
    return found


def needed_from_solutions(notebook):
    """Return the names that code outside of solutions uses and only solutions give."""
    outside = [cell.source for cell in downloads.to_work_in(notebook).cells if cell.cell_type == "code"]
    inside = [cell.source for _, cell in chapters.code_cells(notebook) if cell.source not in outside]
    used, given = names("\n".join(outside), ast.Load), names("\n".join(outside), ast.Store)
    return used & names("\n".join(inside), ast.Store) - given


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_no_text_needs_what_a_solution_made(path):
    assert needed_from_solutions(chapters.read(path)) == set()


def test_a_notebook_to_work_in_keeps_all_but_outputs_and_solutions():
    said = [new_markdown_cell("```{exercise}\n:label: a\nDo it.\n```"), new_markdown_cell("```{solution-start} a\n```")]
    done = [new_code_cell("x = 1", execution_count=1), new_markdown_cell("```{solution-end}\n```"), new_code_cell("print(x)", execution_count=2)]
    notebook = new_notebook(cells=[*said, *done], metadata={"executed_with": "a", "kernelspec": {"name": "python3", "display_name": "Python 3"}})
    before = json.dumps(notebook)
    copy = downloads.to_work_in(notebook)
    assert json.dumps(notebook) == before
    assert [(cell.cell_type, cell.source) for cell in copy.cells] == [("markdown", said[0].source), ("code", "# Your solution"), ("code", "print(x)")]
    assert copy.cells[2].execution_count is None and "executed_with" not in copy.metadata and copy.metadata.kernelspec.name == "python3"
    assert needed_from_solutions(notebook) == {"x"}
