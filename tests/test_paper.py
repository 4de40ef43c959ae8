"""The PDF and the EPUB, on a small book with all that has to change on the way from the screen to paper."""

import base64
import io
import os
import re
import shutil
import uuid
import zipfile
from contextlib import nullcontext
from datetime import datetime, timedelta, timezone
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from urllib.parse import urlsplit
from urllib.request import url2pathname

import lxml.etree
import lxml.html
import nbformat
import pikepdf
import pypdfium2
import pytest
import yaml
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image, ImageChops

import build
import chapters
import epub
import manuscript
import paper
import pdf
from test_fork import git
from test_tools import METADATA, ROOT, copy_tools, run

SETTINGS = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))

TOC = """\
format: jb-book
root: chapters/index
parts:
  - caption: "Part I. Counting"
    numbered: true
    chapters:
      - file: chapters/one
      - file: chapters/two
"""
ONE = """\
# Chapter one

A link to {doc}`two`, to {ref}`its summary <two-summary>`, to {ref}`my-exercise`, and a citation {cite:p}`someone`.

## Summary

The mean is $\\mu = \\frac{1}{N} \\sum_n x_n$, as $\\tfrac{1}{2} \\left(\\begin{matrix} 1 \\\\ 2 \\end{matrix}\\right)$ shows.

```{exercise}
:label: my-exercise
What is asked.
```

```{exercise}
:label: other-exercise
What nobody solves.
```
"""
CHECK = """\
## Check yourself

**What is two and two?**

```{dropdown} Five
No, that is a feedback.
```

```{dropdown} Four
Yes.
```

## Last section

The end.
"""
TWO = "# Chapter two\n\nA text.\n\n(two-summary)=\n## Summary\n\nNothing but a {doc}`link <one>`."
FACTS = {"version": "1", "date": "today", "modified": "2000-02-29T00:00:00Z", "solutions": True}
WORDS = [f"word{number}" for number in range(40)]
LONG = "total = sum([" + ", ".join(WORDS) + "])"


def picture(shade):
    """An image that a cell displayed."""
    file = io.BytesIO()
    Image.new("RGB", (70, 40), (shade, 99, 99)).save(file, "PNG")
    return new_output("display_data", {"image/png": base64.b64encode(file.getvalue()).decode()})


def write(book, name, *cells):
    """Write a chapter as if it had just been executed."""
    notebook = new_notebook(cells=list(cells), metadata=METADATA)
    notebook.metadata["executed_with"] = chapters.fingerprint(notebook)
    nbformat.write(notebook, book / "chapters" / f"{name}.ipynb")


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """A book of three pages, and its site."""
    book = tmp_path_factory.mktemp("paper") / "Mein Buch, übersetzt"
    copy_tools(book)
    (book / "_toc.yml").write_text(TOC)
    (book / "chapters" / "index.md").write_text('# The book\n\n<p class="paper-editions"></p>\n\n```{bibliography}\n```\n')
    positions = [part for shade in (1, 2, 3) for part in (new_output("stream", text=f"Step {shade}\n"), picture(shade))]
    alt = {"mystnb": {"image": {"alt": "A grey rectangle"}}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chapters, "BOOK", book)
        write(
            book, "one", new_markdown_cell(ONE),
            new_markdown_cell("```{solution-start} my-exercise\n:class: dropdown\n```"),
            new_code_cell("print('the secret')", execution_count=1, outputs=[new_output("stream", text="the secret\n")]),
            new_markdown_cell("```{solution-end}\n```"),
            new_code_cell(LONG, execution_count=2),
            new_code_cell("turn()", execution_count=3, outputs=positions, metadata={"knob": {"label": "Step", "start": 1}, **alt}),
            new_code_cell("folded()", execution_count=4, outputs=[picture(9)], metadata={"tags": ["hide-input"], **alt}),
            new_markdown_cell(CHECK),
        )
        write(book, "two", new_markdown_cell(TWO))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", "951782400")  # the book is in no repository
        status, printed = run(book, "build.py")
        assert status == 0, printed
        patch.setattr(chapters, "BOOK", book)
        yield book


@pytest.fixture(scope="module")
def printed(book, browser):
    """The PDF; its tool was run."""
    status, said = run(book, "paper.py", "pdf")
    assert status == 0, said
    path = book / "_build" / "paper" / f"{manuscript.slug(SETTINGS['title'])}.pdf"
    assert f"The book is in _build/paper/{path.name} (" in said
    return path


@pytest.fixture(scope="module")
def packed(book):
    """The EPUB; its tool was run."""
    status, said = run(book, "paper.py", "epub")
    assert status == 0, said
    assert ("was not checked" in said) == (shutil.which("java") is None)
    return book / "_build" / "paper" / f"{manuscript.slug(SETTINGS['title'])}.epub"


@pytest.fixture
def pages(printed):
    """The text of each page of the PDF."""
    document = pypdfium2.PdfDocument(printed)
    yield [page.get_textpage().get_text_bounded().replace("\r\n", "\n") for page in document]
    document.close()


def test_chromium_is_the_one_that_is_named_or_the_systems(monkeypatch):
    there = ["mine", "chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"]
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}" if name in there else None)
    monkeypatch.setenv("CHROMIUM", "mine")
    while there:
        assert pdf.find_chromium() == f"/bin/{there[0]}"
        del there[0]
    assert pdf.find_chromium() is None


# --- from the screen to paper --------------------------------------------------------------------------------------------

DROPDOWN = '<details class="sd-dropdown sd-card"><summary><span class="sd-summary-text">{}</span></summary><div class="sd-card-body"><p>{}</p></div></details>'
FOLDING = f"""
<details class="admonition hide above-input"><summary>Show code</summary><p>x = 1</p></details>
<details class="toggle"><summary>More</summary><p>Of it.</p></details>
{DROPDOWN.format("Aside", "A word.")}
<p>A text.</p>
{DROPDOWN.format("Beside", "Another.")}
<div class="exercise admonition" id="task"><p>Do it.</p></div>
<div class="solution dropdown admonition" id="done"><p class="admonition-title">Solution to <a href="#task">Exercise 1</a></p><p>Done.</p></div>
<p><strong>Two and two?</strong></p>
{DROPDOWN.format("Five", "No.")}{DROPDOWN.format("Four", "Yes.")}
<p>The end.</p>
"""
UNSEEN = """
<script>1</script><style>a</style><h2>Two<a class="headerlink" href="#two">#</a></h2><div class="toctree-wrapper compound">Pages</div>
<p class="paper-editions">PDF</p><div class="live-bar">Run</div><ul class="decks"><li>Slides</li></ul><div popover>Over</div><p>Seen</p>
"""
KNOB = """<div class="knob" data-start="1"><div class="knob-controls"><button>Next</button></div>
<div class="knob-position"><img src="0.png"></div><div class="knob-position shown"><img src="1.png"></div><div class="knob-position"><img src="2.png"></div>
<figure><figcaption>A knob.</figcaption></figure></div>"""


def read_page(site, html, name="a", **settings):
    """Return a page of a site, as it is read for paper."""
    (site / f"{name}.html").write_text(f"<html><body><article><section><h1>{name}</h1>{html}</section></article></body></html>", "utf-8")
    return manuscript.read_page(site, name, **{"solutions": True, **settings})


@pytest.fixture
def folding(tmp_path):
    return BeautifulSoup(lxml.html.tostring(read_page(tmp_path, FOLDING).article), "html.parser")


def test_what_folds_is_open_on_paper_under_its_title(folding):
    assert not folding.select("details, summary")
    assert [part.text for part in folding.select(".unfolded")] == ["x = 1", "MoreOf it."] and folding.select_one(".unfolded > .admonition-title").text == "More"
    assert [title.text for title in folding.select("div.admonition:not([id]) > p.admonition-title")] == ["Aside", "Beside"]


def test_questions_and_exercises_lead_to_what_solves_them_and_back(folding):
    asked, told = folding.select("ol.answers")
    assert [item.text for item in asked.select("li")] == ["Five", "Four"] and [item.text for item in told.select("li")] == ["FiveNo.", "FourYes."]
    assert asked["type"] == told["type"] == "a", "both have the same letters"
    leads = {link.text: folding.find(id=link["href"][1:]) for link in folding.select("a")}
    assert {words: place["class"][0] for words, place in leads.items()} == {"Solution": "solution", "Exercise 1": "exercise", "Answers": "solution", "Two and two?": "question"}
    assert told.parent is leads["Answers"] and leads["Two and two?"].find_next("ol") is asked
    assert [part["id"] for part in folding.select("#solutions > div")] == ["check-1-answers", "done"]


def xml(node):
    """Return an element as text, without the line breaks between elements."""
    return re.sub(r">\s+<", "><", lxml.html.tostring(node, encoding="unicode", with_tail=False).strip())


def test_a_page_has_nothing_that_only_a_screen_can_use(tmp_path):
    page = read_page(tmp_path, UNSEEN + KNOB, "chapters-one")
    knob = '<div><div class="knob-position shown"><img src="1.png"></div><figure><figcaption>A knob.{}</figcaption></figure></div>'
    note = '<span class="knob-note"> Picture 2 of 3; on the site a slider turns through them.</span>'
    assert xml(page.article) == f'<div class="page"><section><h1>chapters-one</h1><h2>Two</h2><p>Seen</p>{knob.format(note)}</section></div>'
    assert (page.name, page.title) == ("chapters-one", "chapters-one")


def test_each_question_and_exercise_of_a_page_is_answered_at_its_end(tmp_path):
    check = f'<p><strong>{{}}?</strong> Yes or no.</p>{DROPDOWN.format("No", "Why <i>not</i>.")}\n{DROPDOWN.format("<b>Yes</b>", "So.")}'
    exercise = '<div class="exercise admonition" id="{0}"><p>Do {0}.</p></div>'
    solution = '<div class="solution admonition" id="solution-{0}"><p class="admonition-title">Solution to <a class="reference" href="#{1}">Exercise</a></p></div>'
    html = check.format("One") + exercise.format("a") + exercise.format("b") + solution.format("a", "a") + check.format("Two") + solution.format("c", "nowhere")
    words = ['<span class="sd-summary-text">No</span>', '<span class="sd-summary-text"><b>Yes</b></span>']
    asked = f'<p id="check-{{1}}" class="question"><strong>{{0}}?</strong> Yes or no.</p><ol type="a" class="answers"><li>{words[0]}</li><li>{words[1]}</li></ol>'
    link = '<p class="to-solution"><a href="#{}">{}</a></p>'
    pieces = [
        asked.format("One", 1), link.format("check-1-answers", "Answers"), exercise.format("a").replace("</div>", f'{link.format("solution-a", "Solution")}</div>'), exercise.format("b"),
        asked.format("Two", 2), link.format("check-2-answers", "Answers"),
    ]
    answers = (
        '<div id="check-{1}-answers" class="solution"><p class="admonition-title"><a href="#check-{1}">{0}?</a></p><ol type="a" class="answers">'
        f"<li><p><em>{words[0]}</em></p><p>Why <i>not</i>.</p></li><li><p><em>{words[1]}</em></p><p>So.</p></li></ol></div>"
    )
    end = f'<section id="solutions"><h2>Solutions</h2>{answers.format("One", 1)}{answers.format("Two", 2)}{solution.format("a", "a")}{solution.format("c", "nowhere")}</section>'
    whole = '<div class="page"><section><h1>a</h1>{}</section></div>'
    page = read_page(tmp_path, html)
    assert xml(page.article) == whole.format("".join(pieces) + end)
    without = re.sub(link.format("[^\"]*", "[^<]*"), "", "".join(pieces))
    assert xml(read_page(tmp_path, html, solutions=False).article) == whole.format(without)
    assert xml(read_page(tmp_path, exercise.format("a")).article) == whole.format(exercise.format("a")), "no heading without a solution"


def test_a_dropdown_is_an_answer_below_a_question_alone(tmp_path):
    others = ["", "<p>A text.</p>", "<p><strong>Bold</strong> and <em>more</em></p>", "<div><strong>Bold</strong></div>", "<p><em>Slanted?</em></p>"]
    for before in others:
        page = read_page(tmp_path, before + DROPDOWN.format("  An <b>aside</b> ", "A word."))
        opened = '<div class="admonition"><p class="admonition-title">An aside</p><div class="sd-card-body"><p>A word.</p></div></div>'
        assert xml(page.article) == f'<div class="page"><section><h1>a</h1>{before}{opened}</section></div>'
    page = read_page(tmp_path, "<p><strong>Why?</strong></p>" + DROPDOWN.format("Because", "So."))
    assert [[item.text_content() for item in answers] for answers in page.article.iter("ol")] == [["Because"], ["BecauseSo."]], "one answer is enough"


def test_an_identifier_stands_once_a_page_and_nothing_of_htmls_past(tmp_path):
    past = 'loading="lazy" decoding="async" aria-describedby="a"'
    html = f'<p id="a">1</p><p id="b">2</p><p id="a">3</p><img src="a.png" alt="A" {past}><table border="1"><tr><td valign="top" halign="left">4</td></tr></table>'
    page = read_page(tmp_path, f'{html}<a href="https://doi.org/1<2>3">DOI</a>')
    tidied = '<p id="a">1</p><p id="b">2</p><p>3</p><img src="a.png" alt="A"><table><tr><td>4</td></tr></table><a href="https://doi.org/1%3C2%3E3">DOI</a>'
    assert xml(page.article) == f'<div class="page"><section><h1>a</h1>{tidied}</section></div>'


@pytest.mark.parametrize(
    ("href", "where"),
    [
        ("", ("chapters/one", "")),
        ("#a%20b", ("chapters/one", "a b")),
        ("two.html", ("chapters/two", "")),
        ("../%C3%BCber.html#a#b", ("über", "a#b")),
        ("two.html.html", ("chapters/two.html", "")),
    ],
)
def test_a_link_leads_to_a_page_and_a_place_on_it(href, where):
    assert manuscript.locate(SimpleNamespace(name="chapters/one"), href) == where


def test_a_page_has_the_sections_that_can_be_linked_and_a_title_a_files_name(tmp_path):
    page = read_page(tmp_path, '<section id="a"><h2>A <em>b</em></h2><section id="c"><h3>C</h3></section></section><section><h2>D</h2></section><section id="e"><h2>E</h2></section>')
    assert page.sections == [("a", "A b"), ("e", "E")]
    assert [manuscript.slug(title) for title in ("Größe & Maß: 2. Teil!", "Book")] == ["größe-maß-2-teil", "book"]


OF_PARTS = """\
format: jb-book
root: index
parts:
- caption: One
  chapters:
  - file: a
    sections:
    - file: b
      sections:
      - file: c
    - file: d
  - file: figures
- chapters:
  - file: e
"""


def test_the_manuscript_has_all_pages_in_their_order_but_those_of_figures_alone(tmp_path, monkeypatch):
    (tmp_path / "_toc.yml").write_text(OF_PARTS)
    (tmp_path / "_config.yml").write_text('title: "Größe"\nauthor: Ada\ninstitution: TU\nsubtitle: Less', "utf-8")
    monkeypatch.setattr(chapters, "BOOK", tmp_path)
    for name in ("index", *"abcde"):
        read_page(tmp_path, "<p>Text</p>", name)
    read_page(tmp_path, '<ul class="figures"><li>1</li></ul>', "figures")
    foot = '<div class="extra_footer">\n<p>Free, <br>as in Maß.</p> <p>Of another.</p><div>x</div></div><div class="footer"><p>No</p></div>'
    (tmp_path / "index.html").write_text(f"<html><body><article><section><h1>  Start\n</h1></section></article>{foot}</body></html>", "utf-8")
    book = manuscript.read(tmp_path)
    assert (book.title, book.subtitle, book.author) == ("Größe", "Less", "Ada, TU")
    assert [(part.caption, [page.title for page in part.pages]) for part in book.parts] == [("", ["Start"]), ("One", list("abcd")), ("", ["e"])]
    assert [page.name for page in book.pages] == ["index", *"abcde"] and book.foot == "<p>Free, <br/>as in Maß.</p>\n<p>Of another.</p>"
    (tmp_path / "_config.yml").write_text("title: B\nauthor: Ada")
    assert [(book.subtitle, book.author) for book in [manuscript.read(tmp_path, solutions=False)]] == [("", "Ada")]
    (tmp_path / "c.html").unlink()
    with pytest.raises(FileNotFoundError, match="^c.html: no such page; build the site first [(]`make book`[)]$"):
        manuscript.read(tmp_path)


def test_the_digest_is_of_all_that_is_printed_and_of_what_prints_it(tmp_path, monkeypatch):
    monkeypatch.setattr(chapters, "BOOK", tmp_path)
    for file in ("theme/paper/a.css", "theme/other/a.css", "tools/b.py", "tools/b.toml"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("1")
    page = read_page(tmp_path, "<p>Text</p>")

    def digest(**changed):
        return manuscript.Manuscript(**{"title": "A", "subtitle": "B", "author": "C", "foot": "D", "parts": [manuscript.Part("", [page])], **changed}).digest()

    first = digest()
    others = [digest(**{part: "x"}) for part in ("title", "subtitle", "author", "foot")] + [digest(parts=[manuscript.Part("", [manuscript.Page("b", "a", page.article)])])]
    for file in ("theme/paper/a.css", "tools/b.py"):
        (tmp_path / file).write_text("2")
        others.append(digest())
        (tmp_path / file).write_text("1")
    (tmp_path / "tools" / "b.toml").write_text("2")
    assert digest() == first and re.fullmatch("[0-9a-f]{64}", first)
    others.append(digest(parts=[manuscript.Part("", [page, read_page(tmp_path, "<p>Text</p>")])]))
    page.article.find(".//p").text = "Another"
    assert len({first, *others, digest()}) == 10


def test_long_lines_of_code_are_marked_unless_a_token_goes_over_their_end(tmp_path):
    long = "x" * 41
    code = f'{long} <span class="o">=</span> <span class="mi">1</span>\ny <span class="o">=</span> <span class="mi">2</span>\n'
    page = read_page(tmp_path, f'<div><pre><span></span>{code}</pre><pre><span class="sd">"{long}\n{long}"</span>\n</pre></div>')
    first, second = page.article.iter("pre")
    assert [(span.get("class"), span.text_content()) for span in first.iter("span")] == [("line", f"{long} = 1\n"), ("mi", "1"), ("mi", "2")]
    assert [(span.get("class"), span.text_content()) for span in second.iter("span")] == [("sd", f'"{long}\n{long}"')]
    assert first.text_content() == f"{long} = 1\ny = 2\n"


def test_links_to_places_stay_those_to_the_site_alone_do_not_and_those_to_nothing_are_mistakes(tmp_path):
    one = read_page(tmp_path, '<a id="here">Here</a> <a href="two.html#there">there</a> <a href="search.html?q=x">search</a> <a href="mailto:a@b.c">mail</a>', "one")
    two = read_page(tmp_path, '<p id="there">There.</p><a href="one.html">one</a>', "two")
    book = manuscript.Manuscript("A book", "", "", "", [manuscript.Part("", [one, two])])
    manuscript.check_links(book)
    assert [link.text for page in book.pages for link in page.article.iter("a")] == ["Here", "there", "mail", "one"]
    two.article.get_element_by_id("there").attrib["id"] = "elsewhere"
    with pytest.raises(ValueError, match="^one: a link to two.html#there, which is nowhere in the book$"):
        manuscript.check_links(book)


def test_the_one_page_of_the_pdf_has_each_place_once_and_a_picture_alone_is_a_figure(tmp_path):
    html = '<h2 id="a/b">Part</h2><h3>3</h3><h4>4</h4><h5>5</h5>'
    html += '<figure id="f"><img src="../x.png" alt="X"><figcaption>An X.</figcaption></figure><a href="two.html#t">t</a> <a href="https://x.org">x</a> <a>y</a>'
    (tmp_path / "chapters").mkdir()
    page = read_page(tmp_path, html, "chapters/one")
    told = lxml.html.fromstring(pdf.body(page, manuscript.Part("Part I", [page]), tmp_path))
    assert [(node.tag, node.get("class")) for node in told.iter("h1", "h2", "h3", "h4", "h5", "h6")] == [(f"h{level + 1}", f"level-{level}") for level in (1, 2, 3, 4)] + [("h5", None)]
    assert [node.get("id") for node in told.xpath(".//*[@id]")] == ["chapters-one--a-b", "chapters-one--f"]
    assert not list(told.iter("figure", "figcaption")) and [node.get("class") for node in told.xpath(".//div")] == ["figure", "figcaption"]
    assert [link.get("href") for link in told.iter("a")] == ["#chapters-two--t", "https://x.org", None]
    assert told.find(".//img").get("src") == (tmp_path / "x.png").as_uri()
    plain = lxml.html.fromstring(pdf.body(page, manuscript.Part("", [page]), tmp_path))
    assert [node.tag for node in plain.iter("h1", "h2", "h3", "h4", "h5")] == ["h1", "h2", "h3", "h4", "h5"], "no part above it"
    assert next(page.article.iter("figure")).get("id") == "f", "the page itself stays as it was"


class Chromium:
    """Stands for the browser that prints: in the first of its PDFs a place is on page 1, in all later ones on page 2."""

    def __init__(self):
        self.chromium, self.html, self.numbers, self.open = self, "", [], False

    def launch(self, executable_path, args):
        assert executable_path == "/bin/mine" and "--no-sandbox" in args, "as root, in a container for example, it does not start without"
        self.open = True
        return self

    def new_page(self):
        return self

    def goto(self, address):
        self.html = Path(url2pathname(urlsplit(address).path)).read_text("utf-8")

    def evaluate(self, script, numbers):
        assert script == pdf.NUMBER
        self.numbers.append(numbers)

    def pdf(self, path, **settings):
        assert settings == dict.fromkeys(["prefer_css_page_size", "print_background", "tagged", "outline"], True)
        with pikepdf.new() as document:
            for _ in range(2):
                document.add_blank_page()
            place = document.pages[len(self.numbers) > 1]
            document.Root.Dests = pikepdf.Dictionary({"/one": pikepdf.Array([place.obj, pikepdf.Name.Fit])})
            document.save(path)

    def close(self):
        self.open = False


def test_the_pdf_is_printed_until_the_numbers_on_its_pages_are_theirs_and_says_any_title_as_it_is(tmp_path, monkeypatch):
    page, more = read_page(tmp_path, '<div class="highlight"><pre>1</pre></div><section id="s"><h2>S</h2></section>', "one"), read_page(tmp_path, "<p>B</p>", "more")
    page.title = 'Größe & "Maß" <i>'
    book = manuscript.Manuscript("Mine & yours", "Less", "Ada <a@b>", "<p>Free</p>", [manuscript.Part("", [more]), manuscript.Part("Teil 1. Übung", [page])])
    chromium = Chromium()
    monkeypatch.setattr(pdf, "sync_playwright", lambda: nullcontext(chromium))
    monkeypatch.setattr(pdf, "find_chromium", lambda: "/bin/mine")
    pdf.write(book, tmp_path, tmp_path / "book.pdf", FACTS)
    assert chromium.numbers == [{}, {"one": 1}, {"one": 2}] and not chromium.open
    with pikepdf.open(tmp_path / "book.pdf") as document:
        assert document.docinfo["/Author"] == "Ada <a@b>" and document.Root.PageMode == "/UseOutlines"
    assert b"/ObjStm" in (tmp_path / "book.pdf").read_bytes(), "its many small objects are packed"
    files = [Path(url2pathname(urlsplit(file).path)) for file in re.findall(r'(?:href=|url[(])"(file:[^"]+)"', chromium.html)]
    styles = [tmp_path / "_static" / "formulas.css", pdf.PAPER / "paper.css", pdf.PAPER / "print.css"]
    assert files[:3] == styles and len(files) == 3 + len(pdf.FONTS) and [file for file in files if not file.exists()] == styles[:1], "but this, all are there"
    html = BeautifulSoup(chromium.html, "html.parser")
    assert (html.title.text, html.select_one(".author").text, html.select_one("nav ol a[href='#one']").text) == (book.title, book.author, page.title)
    assert html.select_one(".edition").text == "Version 1, today" and html.select_one("nav ol ol a")["href"] == "#one--s" == f"#{html.select_one('#one section section')['id']}"
    assert [section["id"] for section in html.select(".chapter")] == ["more", "one"] and [level.name for level in html.select(".level-1")] == ["h1", "h2"]
    style = html.style.text
    assert ".highlight .k " in style and '{ font-family: "Paper Mono"; font-weight: bold; font-style: italic; src: url("file:' in style
    assert '@page more:left { @top-left { content: "Mine \\26  yours"; } }\n@page more:right { @top-right { content: "more"; } }' in style
    assert '@page one:left { @top-left { content: "Teil 1. Übung"; } }' in style
    assert r'@page one:right { @top-right { content: "Größe \26  \22 Maß\22  \3c i>"; } }' in style


def test_any_text_is_a_string_of_a_style_sheet():
    assert pdf.in_css('a\\b"c<d&e\nf>') == r'"a\5c b\22 c\3c d\26 e\a f>"'


@pytest.mark.parametrize(("where", "identifier"), [(("a/b",), "a-b"), (("a/b", "c/d"), "a-b--c-d"), (("a", ""), "a")])
def test_a_page_and_a_place_on_it_have_an_identifier_of_their_own(where, identifier):
    assert pdf.place(*where) == identifier


def test_a_pdf_without_links_has_no_numbers(tmp_path):
    with pikepdf.new() as document:
        document.add_blank_page()
        document.save(tmp_path / "a.pdf")
    assert pdf.page_numbers(tmp_path / "a.pdf") == {}


@pytest.mark.parametrize("kind", ["pdf", "epub"])
def test_an_edition_is_made_of_its_site_and_named_and_dated_as_the_book(tmp_path, monkeypatch, capsys, kind):
    maker, asked = {"pdf": pdf, "epub": epub}[kind], []
    book = SimpleNamespace(title="Mein Buch", digest=lambda: "of größe")
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\ndescription = "Größe"', "utf-8")
    monkeypatch.setattr(chapters, "BOOK", tmp_path)
    monkeypatch.setattr(build, "SITE", tmp_path / "html")
    monkeypatch.setattr(build, "PAPER", tmp_path / "new" / "paper")
    monkeypatch.setattr(paper, "last_change", lambda: datetime(2001, 3, 4, 5, 6, 7, tzinfo=timezone.utc))
    monkeypatch.setattr(manuscript, "read", lambda *of: (asked.append(of), book)[1])
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(epub, "check", lambda path: ["nobody can say"])

    def write(*of):
        asked.append(of)
        of[2].write_text("made")

    monkeypatch.setattr(maker, "write", write)
    for solutions, site, name in ((True, "html", f"mein-buch.{kind}"), (False, "students", f"mein-buch-without-solutions.{kind}")):
        path = paper.make(kind) if solutions else paper.make(kind, solutions)
        facts = {"version": "1.2.3", "date": "4 March 2001", "modified": "2001-03-04T05:06:07Z", "solutions": solutions}
        assert asked == [(tmp_path / site, solutions), (book, tmp_path / site, build.PAPER / f"unfinished.{kind}", facts)]
        assert path == build.PAPER / name and path.read_text() == "made" and build.made_from(path).read_text("utf-8") == "of größe"
        asked.clear()
    assert capsys.readouterr().out == ("The EPUB was not checked: epubcheck needs a Java.\n" * 2 if kind == "epub" else "")
    assert len(list(build.PAPER.iterdir())) == 4, "nothing half done is left"


def test_without_a_chromium_nothing_is_printed(tmp_path, monkeypatch):
    def launch(**_):
        raise pdf.Error("It is not there\nand more")

    monkeypatch.setattr(pdf, "sync_playwright", lambda: nullcontext(SimpleNamespace(chromium=SimpleNamespace(launch=launch))))
    with pytest.raises(ValueError, match="^no Chromium to print with: install one, or name it in CHROMIUM [(]It is not there[)]$"):
        pdf.write(manuscript.Manuscript("A", "", "B", "", []), tmp_path, tmp_path / "book.pdf", FACTS)
    assert not (tmp_path / "book.pdf").exists()


def test_the_date_is_that_of_the_last_change(tmp_path, monkeypatch):
    monkeypatch.setattr(chapters, "BOOK", tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "951782400")
    assert paper.last_change() == datetime(2000, 2, 29, tzinfo=timezone.utc)
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2002-02-02T12:00:00Z")
    git(tmp_path, "init --quiet", "-c user.name=a -c user.email=a@b commit --quiet --allow-empty -m a")
    assert paper.last_change() == datetime(2002, 2, 2, 12, tzinfo=timezone.utc)
    shutil.rmtree(tmp_path / ".git")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert datetime.now(timezone.utc) - paper.last_change() < timedelta(minutes=1), "of what is in no repository, now"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert datetime.now(timezone.utc) - paper.last_change() < timedelta(minutes=1), "and where there is no git"


def test_front_pages_name_author_subtitle_and_licence(pages):
    assert SETTINGS["subtitle"] in pages[0] and SETTINGS["author"] in pages[0]
    assert re.sub("<.*?>", "", SETTINGS["licence"]).strip() in " ".join(pages[1].split())


def test_pdf_has_outline_tags_and_fonts(printed):
    with pikepdf.open(printed) as pdf:
        def titles(items):
            return [(item.title, titles(item.children)) for item in items]

        with pdf.open_outline() as outline:
            *front, part = titles(outline.root)
        assert [title for title, _ in front] == ["Contents", "The book"]
        assert {tuple(round(float(side)) for side in page.mediabox) for page in pdf.pages} == {(0, 0, 595, 842)}, "A4, in points"
        sections = [("1.1. Summary", []), ("1.2. Check yourself", []), ("1.3. Last section", []), ("Solutions", [])]
        assert part == ("Part I. Counting", [("1. Chapter one", sections), ("2. Chapter two", [("2.1. Summary", [])])])
        assert str(pdf.Root.Lang) == "en" and pdf.Root.MarkInfo.Marked and pdf.Root.PageMode == "/UseOutlines"
        assert str(pdf.docinfo["/Title"]) == SETTINGS["title"] and str(pdf.docinfo["/Author"]).startswith(SETTINGS["author"])
        tags = [item for item in pdf.objects if isinstance(item, pikepdf.Dictionary) and item.get("/Type") == "/StructElem"]
        kinds = {str(tag.S) for tag in tags}
        assert {"/H1", "/H2", "/H3", "/P", "/L", "/Link", "/Figure"} <= kinds, kinds
        told = [str(tag.get("/Alt", "")) for tag in tags if tag.S == "/Figure"]
        assert sorted(told) == ["A grey rectangle", "A grey rectangle Step 2"]
        fonts = [item for item in pdf.objects if isinstance(item, pikepdf.Dictionary) and item.get("/Type") == "/FontDescriptor"]
        assert fonts and all("/FontFile2" in font or "/FontFile3" in font for font in fonts)


def test_links_of_the_pdf_lead_to_their_places(printed, pages):
    with pikepdf.open(printed) as pdf:
        number = {page.objgen: index for index, page in enumerate(pdf.pages)}
        places = {name: number[place[0].objgen] for name, place in pdf.Root.Dests.items()}
        targets = []
        for page in pdf.pages:
            for link in page.get("/Annots", []):
                if "/Dest" in link:
                    targets.append(str(link.Dest))
                else:
                    assert str(link.A.URI).startswith("https://"), link.A.URI
        assert set(targets) <= set(places)
    assert {"/chapters-two", "/chapters-two--two-summary", "/chapters-one--my-exercise", "/chapters-one--summary"} <= set(targets)
    assert "2. Chapter two\n" in pages[places["/chapters-two--two-summary"]]
    assert "1. Chapter one\n" in pages[places["/chapters-one--summary"]]
    contents = pages[2]
    assert "Contents\n" in contents
    for title, name in {"1. Chapter one": "/chapters-one", "1.1. Summary": "/chapters-one--summary", "2.1. Summary": "/chapters-two--summary"}.items():
        assert re.search(rf"^{title}\s+{places[name] + 1}$", contents, re.MULTILINE), contents
    exercise = next(text for text in pages if "What is asked." in text)
    solution = next(number for name, number in places.items() if "solution-" in name)
    assert f"Solution, page {solution + 1}" in exercise


def test_pages_have_heads_and_numbers(pages):
    assert "Counting" not in pages[0]
    for index, text in enumerate(pages[2:], start=3):
        assert re.search(rf"(^|\n){index}(\n|$)", text), text
    inside = [(number, text) for number, text in enumerate(pages, start=1) if number > 4 and "hapter" in text]
    for number, text in inside[1:]:
        head = "Part I. Counting" if number % 2 == 0 else "Chapter"
        assert head in text.split("\n")[0] or head in text.split("\n")[-2:][0], text


def test_solutions_and_answers_stand_at_the_end_of_the_chapter(pages):
    text = "\n".join(pages)
    order = ["What is asked.", "Last section\n", "\nSolutions\n", "No, that is a feedback.", "Solution to Exercise 1.1", "the secret"]
    places = [text.rindex(part) for part in order]
    assert places == sorted(places)
    assert "a. Five" in text and "b. Four" in text


def test_long_code_goes_on_in_the_next_line(printed):
    document = pypdfium2.PdfDocument(printed)
    for page in document:
        text = page.get_textpage()
        if "word39" in text.get_text_bounded():
            break
    said = text.get_text_bounded()
    assert all(re.search(rf"{word}\b", said) for word in WORDS)
    start, end = said.index("total = sum"), said.index("word39")
    boxes = [text.get_charbox(index) for index in range(start, end + 6)]
    width, _ = page.get_size()
    assert all(50 < left <= right < width - 50 for left, _, right, _ in boxes if right > left)
    lines = {round(bottom / 3) for _, bottom, _, _ in boxes if bottom}
    assert len(lines) >= 3
    assert 2 <= said.count("\N{RIGHTWARDS ARROW WITH HOOK}") <= len(lines)
    document.close()


def test_a_knob_prints_the_position_that_it_starts_at(pages):
    text = " ".join("\n".join(pages).split())
    assert "Step 2 Picture 2 of 3; on the site a slider turns through them." in text
    assert "Step 1" not in text and "Step 3" not in text
    assert "folded()" in text


def test_epub_is_whole(packed, book):
    with zipfile.ZipFile(packed) as archive:
        names = archive.namelist()
        assert names[0] == "mimetype" and archive.infolist()[0].compress_type == zipfile.ZIP_STORED
        assert archive.read("mimetype") == b"application/epub+zip"
        package = lxml.etree.fromstring(archive.read("book/package.opf"))
        texts = {name: lxml.etree.fromstring(archive.read(name)) for name in names if name.endswith(".xhtml")}
        colors = archive.read("book/code.css").decode()
    items = {f"book/{item.get('href')}": item for item in package.iterfind(".//{*}item")}
    assert set(items) == set(names) - {"mimetype", "META-INF/container.xml", "book/package.opf"}
    read = [item.get("idref") for item in package.iterfind(".//{*}itemref")]
    assert [name for identifier in read for name in items if items[name].get("id") == identifier] == [
        f"book/{name}.xhtml" for name in ("title-page", "nav", "chapters/index", "chapters/one", "chapters/two")
    ]
    places = {name: [node.get("id") for node in text.iter() if node.get("id")] for name, text in texts.items()}
    followed = 0
    for name, text in texts.items():
        assert len(set(places[name])) == len(places[name])
        assert [link.get("href").rpartition("/")[2] for link in text.iter("{*}link")] == ["formulas.css", "paper.css", "code.css"]
        assert not list(text.iter("{*}script", "{*}details", "{*}button"))
        assert bool(list(text.iter("{http://www.w3.org/1998/Math/MathML}math"))) == ("mathml" in items[name].get("properties", ""))
        for node in text.iter("{*}a", "{*}img", "{*}link"):
            to = node.get("href", node.get("src"))
            if not to.startswith("https:"):
                path, _, place = to.partition("#")
                target = os.path.normpath(PurePosixPath(name).parent / path).replace("\\", "/") if path else name
                assert target in names and (not place or place in places[target]), to
                followed += 1
        assert all(image.get("alt") for image in text.iter("{*}img"))
    assert followed > 15
    tokens = {node.get("class") for node in texts["book/chapters/one.xhtml"].iterfind(".//{*}div[@class='highlight']//{*}span") if node.get("class") != "line"}
    assert tokens and all(f"\n.highlight .{token} {{ color:" in colors for token in tokens), "code has its colours"
    one = "".join(texts["book/chapters/one.xhtml"].itertext())
    assert "the secret" in one and "Step 2" in one and "Step 3" not in one


def test_same_text_gives_the_same_epub(book, tmp_path):
    site = book / "_build" / "html"
    for name in ("first", "second"):
        epub.write(manuscript.read(site), site, tmp_path / name, FACTS)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


ARTICLE = """<div><h1>One</h1><p><a href="two.html">a</a><a href="two.html#x">b</a><a href="https://x.org/a.html">c</a><a href="#y">d</a><a href="a.html.zip">e</a><a \
id="n">f</a></p><img src="../_images/a.webp" alt="A"><img src="../_images/b.svg" alt="B"><math displaystyle="true"><mfrac displaystyle="false" \
scriptlevel="1"><mi>x</mi></mfrac><mstyle displaystyle="true"><mi scriptlevel="2">y</mi></mstyle></math></div>"""
XHTML = """<div><h1>One</h1><p><a href="two.xhtml">a</a><a href="two.xhtml#x">b</a><a href="https://x.org/a.html">c</a><a href="#y">d</a><a href="a.html.zip">e</a><a \
id="n">f</a></p><img src="../_images/a.png" alt="A"/><img src="../_images/b.svg" alt="B"/><math displaystyle="true"><mstyle displaystyle="false" \
scriptlevel="1"><mfrac><mi>x</mi></mfrac></mstyle><mstyle displaystyle="true"><mstyle scriptlevel="2"><mi>y</mi></mstyle></mstyle></math></div>"""


def test_an_epub_is_packed_of_these_files_and_says_what_each_is(tmp_path, monkeypatch):
    site = tmp_path / "site"
    for name, content in {"_static/formulas.css": b"m {}", "_static/formulas.woff2": b"font", "_images/b.svg": "<svg>ö</svg>".encode()}.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_bytes(content)
    Image.linear_gradient("L").resize((90, 60)).convert("RGBA").save(site / "_images" / "a.webp", lossless=True)
    one, home = (manuscript.Page(name, title, lxml.html.fragment_fromstring(text)) for name, title, text in (("chapters/one", "One & all", ARTICLE), ("home", "Home", "<p>Hi</p>")))
    book = manuscript.Manuscript("A book", "", "Ada", "<p>foot</p>", [manuscript.Part("", [home]), manuscript.Part("Part I", [one])])
    assert epub.body(one) == (XHTML, ["_images/a.webp", "_images/b.svg"])
    assert lxml.html.tostring(one.article, encoding="unicode") == ARTICLE, "the page itself stays"
    epub.write(book, site, tmp_path / "a.epub", FACTS)
    with zipfile.ZipFile(tmp_path / "a.epub") as archive:
        names = [(info.filename, info.compress_type == zipfile.ZIP_DEFLATED, info.date_time) for info in archive.infolist()]
        read = {name.removeprefix("book/"): archive.read(name) for name in archive.namelist()}
    texts = ["title-page.xhtml", "nav.xhtml", "home.xhtml", "chapters/one.xhtml"]
    from_site = ["_images/a.png", "_images/b.svg", "_static/formulas.css", "_static/formulas.woff2"]
    wanted = ["mimetype", "META-INF/container.xml", *(f"book/{name}" for name in ["paper.css", "code.css", *texts, "package.opf", *from_site])]
    assert names == [(name, name != "mimetype", (1980, 1, 1, 0, 0, 0)) for name in wanted]
    assert read["META-INF/container.xml"].decode() == epub.CONTAINER and read["paper.css"] == (epub.PAPER / "paper.css").read_bytes()
    assert [read[name] for name in from_site[1:]] == ["<svg>ö</svg>".encode(), b"m {}", b"font"]
    with Image.open(io.BytesIO(read["_images/a.png"])) as picture, Image.open(site / "_images" / "a.webp") as seen:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "P", (90, 60))
        assert max(most for _, most in ImageChops.difference(picture.convert("RGB"), seen.convert("RGB")).getextrema()) < 5
    package = lxml.etree.fromstring(read["package.opf"])
    text, css = "application/xhtml+xml", "text/css"
    told = [("paper.css", css, None), ("code.css", css, None), (texts[0], text, None), (texts[1], text, "nav"), (texts[2], text, None), (texts[3], text, "mathml")]
    told += list(zip(from_site, ["image/png", "image/svg+xml", css, "font/woff2"], [None] * 4))
    items = list(package.iterfind(".//{*}item"))
    assert [(item.get("href"), item.get("media-type"), item.get("properties")) for item in items] == told
    assert [item.get("id") for item in items] == [f"item-{number}" for number in range(10)]
    assert [item.get("idref") for item in package.iterfind(".//{*}itemref")] == ["item-2", "item-3", "item-4", "item-5"]
    assert package.findtext(".//{*}identifier") == f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, 'A book, Ada')}"
    assert package.findtext(".//{*}title") == "A book" and FACTS["modified"] in read["package.opf"].decode()
    pages = {name: lxml.etree.fromstring(read[name]) for name in texts}
    assert [page.findtext(".//{*}title") for page in pages.values()] == ["A book", "Contents", "Home", "One & all"]
    for name, page in pages.items():
        up = "../" if "/" in name else ""
        assert [link.get("href") for link in page.iter("{*}link")] == [f"{up}_static/formulas.css", f"{up}paper.css", f"{up}code.css"]
    assert XHTML in read["chapters/one.xhtml"].decode() and "Version 1, today" in "".join(pages["title-page.xhtml"].itertext())
    assert [link.get("href") for link in pages["nav.xhtml"].iter("{*}a")] == ["home.xhtml", "chapters/one.xhtml"]
    monkeypatch.setattr(epub, "EpubCheck", lambda path: SimpleNamespace(messages=[SimpleNamespace(location=f"{path}:1", message="an error")] * 2))
    assert epub.check("a.epub") == ["a.epub:1: an error"] * 2


def test_epubcheck_is_asked(packed, tmp_path):
    if not shutil.which("java"):
        assert not os.environ.get("CI"), "no Java: .ci/run installs one"
        return
    spoiled = tmp_path / "spoiled.epub"
    with zipfile.ZipFile(packed) as sound, zipfile.ZipFile(spoiled, "w") as archive:
        for name in sound.namelist():
            archive.writestr(name, sound.read(name).replace(b"<h1>", b"<h1><section>").replace(b"</h1>", b"</section></h1>"))
    faults = epub.check(spoiled)
    assert any("one.xhtml" in fault and "section" in fault for fault in faults), faults


def test_an_epub_that_is_not_valid_is_told_and_leaves_the_last_good_one(book, tmp_path, monkeypatch):
    monkeypatch.setattr(chapters, "BOOK", book)
    monkeypatch.setattr(build, "SITE", book / "_build" / "html")
    monkeypatch.setattr(build, "PAPER", tmp_path / "paper")
    monkeypatch.setattr(epub, "write", lambda book, site, path, facts: path.write_text(facts["date"]))
    monkeypatch.setattr(shutil, "which", {"java": "/bin/java"}.get)
    monkeypatch.setattr(epub, "check", lambda path: [] if path.exists() else ["it is not there"])
    good = paper.make("epub")
    assert good.read_text() == "29 February 2000" and good.name == f"{manuscript.slug(SETTINGS['title'])}.epub"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    monkeypatch.setattr(epub, "check", lambda path: ["one.xhtml: an error", "two.xhtml: another"])
    with pytest.raises(ValueError, match="^The EPUB is not valid:\none.xhtml: an error\ntwo.xhtml: another$"):
        paper.make("epub")
    assert good.read_text() == "29 February 2000" and build.made_from(good).exists()


def test_solutions_can_be_left_out(book, tmp_path):
    site = book / "_build" / "html"
    epub.write(manuscript.read(site, solutions=False), site, tmp_path / "without.epub", {**FACTS, "solutions": False})
    with zipfile.ZipFile(tmp_path / "without.epub") as archive:
        one = archive.read("book/chapters/one.xhtml").decode()
        assert "without solutions" in archive.read("book/title-page.xhtml").decode()
    assert "What is asked." in one and "Five" in one
    assert "secret" not in one and "feedback" not in one and "olution" not in one


def test_site_offers_what_is_of_its_text(book, printed, packed):
    site, page = book / "_build" / "html", book / "_build" / "html" / "chapters" / "one.html"
    size = f"{packed.stat().st_size / 1e6:.1f} MB"
    assert (site / packed.name).read_bytes() == packed.read_bytes() and (site / printed.name).exists()
    text = page.read_text("utf-8")
    assert text.count('class="paper-edition"') == 2 and f'href="../{packed.name}" download>Whole book: EPUB, {size}</a>' in text
    home = (site / "chapters" / "index.html").read_text("utf-8")
    assert re.search(rf'<p class="paper-editions">.*href="../{printed.name}" download>PDF, .*, .*EPUB, {size}</a>\.</p>', home)

    # A fault leaves the last good file, and a site with another text does not offer it.
    good = packed.read_bytes()
    page.write_text(text.replace("#my-exercise", "#nowhere").replace("What is asked", "What was asked"), "utf-8")
    status, said = run(book, "paper.py", "epub")
    assert status == 1 and "nowhere" in said and "Traceback" not in said
    assert packed.read_bytes() == good
    page.write_text(text.replace("What is asked", "What was asked"), "utf-8")
    status, said = run(book, "paper.py", "pdf")
    assert status == 0, said
    assert page.read_text("utf-8").count('class="paper-edition"') == 1 and not (site / packed.name).exists()

    # The students' site offers the one without solutions, and the book's does not.
    for tool, *arguments in (("build.py",), ("paper.py", "pdf")):
        status, said = run(book, tool, *arguments, "--solutions", "no")
        assert status == 0, said
    students, without = site.with_name("students"), f"{printed.stem}-without-solutions.pdf"
    assert {path.name for path in packed.parent.glob("*.pdf")} == {printed.name, without}
    assert [path.name for path in students.glob("*.pdf")] == [without] and not (site / without).exists()
    one = (students / "chapters" / "one.html").read_text("utf-8")
    assert f'href="../{without}" download' in one and "What is asked." in one and "secret" not in one
    page.unlink()
    status, said = run(book, "paper.py", "pdf")
    assert status == 1 and "chapters/one.html: no such page; build the site first" in said
    page.write_text(text, "utf-8")
