"""The built site in a real browser: it works, every link leads somewhere, and it asks no other host for anything."""

import base64
import gzip
import hashlib
import importlib.metadata
import io
import re
import subprocess
from collections import Counter
from html import unescape

import book_theme
import chapters
import check_fork
import formulas
import lxml.html
import pytest
import standard
from conftest import PAGES
from fontTools.ttLib import TTFont
from PIL import Image


def test_formulas_have_their_font_and_none_is_left_as_tex(visit, site, pages):
    font = set(TTFont(site / formulas.CUT).getBestCmap())
    for page in pages:
        body = (site / page).read_text("utf-8").partition("<article")[2].partition("</article>")[0]
        assert not re.search(r"\\[a-zA-Z(\[]|\$", re.sub(r"<(pre|code|math)\b.*?</\1>", "", body, flags=re.DOTALL)), page
        for leaf, text in re.findall(r"<(mi|mn|mo|mtext)\b[^>]*>([^<]*)", body):
            letters = unescape(text).replace("\N{VARIATION SELECTOR-1}", "")  # which of two calligraphic hands, if there are two
            if leaf == "mi" and len(letters) == 1:
                letters = formulas.ITALIC.get(letters, letters)
            assert set(map(ord, letters)) <= font, f"{page}: {letters}"
    fraction = next(page for page in pages if re.search(r'<div class="math[^>]*>\s*<math((?!</math>).)*<mfrac', (site / page).read_text("utf-8"), re.DOTALL))
    opened = visit(fraction, java_script_enabled=False)
    assert opened.locator("div.math mfrac").first.bounding_box()["height"] > 24  # one line below the other
    assert opened.evaluate("document.fonts.check('1em Formulas')")
    assert ord("√") in font  # no leaf has it


@standard.asked(page="kernel-density")
def test_a_root_ends_with_what_is_under_it(visit):
    """A browser that has wider signs of roots keeps room for the widest behind each."""
    roots = visit("chapters/kernel-density.html").locator("article msqrt")
    ends = roots.evaluate_all("all => all.map((root) => root.getBoundingClientRect().right - root.lastElementChild.getBoundingClientRect().right)")
    assert ends and max(ends) < 2, ends


def test_a_formula_is_copied_as_its_tex(visit, site, pages):
    opened = visit(next(page for page in pages if re.search(r"<p>[^<]*<math", (site / page).read_text("utf-8"))))
    told = opened.evaluate("""() => {
        const cell = [...document.querySelectorAll("article p")].find((cell) => cell.querySelector("math"));
        getSelection().selectAllChildren(cell);
        const event = new ClipboardEvent("copy", { clipboardData: new DataTransfer(), cancelable: true });
        document.dispatchEvent(event);
        return [event.clipboardData.getData("text/plain"), cell.querySelector("math").getAttribute("alttext")];
    }""")
    assert f"${told[1]}$" in told[0]


def found(visit, typed):
    """Return the addresses that a search finds, the best first."""
    opened = visit(f"search.html?q={typed}")
    opened.wait_for_load_state("networkidle")  # each result is fetched for a line of its text
    return opened.locator("#search-results a").evaluate_all("all => all.map((link) => link.getAttribute('href'))")


SEARCHES = [("latent", "glossary"), ("EM", "expectation-maximisation"), ("naïve", "not-so-naive-bayes")]


@pytest.mark.parametrize(("typed", "first"), [(typed, first) for typed, first in SEARCHES if f"chapters/{first}.html" in PAGES])
def test_search_finds_what_a_reader_types(visit, typed, first):
    assert f"chapters/{first}.html" in found(visit, typed)[0]


@standard.asked(page="kernel-density")
def test_search_finds_a_name_of_the_code(visit):
    """On the pages that have its words; which of them comes first depends on the others of the book."""
    assert any("chapters/kernel-density.html" in address for address in found(visit, "kernel_density"))


# --- licences ------------------------------------------------------------------------------------------------------------


TABLES = (chapters.BOOK / "chapters" / "licences.md").read_text("utf-8").splitlines() if "chapters/licences.html" in PAGES else []
ORIGINS = [line.strip("| ").split(" | ") for line in TABLES if line.endswith("` |")]  # what, from, licence, files


def by_row(site):
    """Return the files that each row of the page on licences names."""
    return [{path for pattern in re.findall("`(.+?)`", row[3]) for path in site.glob(pattern) if path.is_file()} for row in ORIGINS]


def not_once(site):
    """Return the files of a site that no row of the page on licences names, or more than one."""
    times = Counter(path for files in by_row(site) for path in files)
    return {path.relative_to(site).as_posix(): times[path] for path in site.rglob("*") if path.is_file() and times[path] != 1}


@standard.asked(page="licences")
def test_each_file_of_the_site_has_its_origin_and_licence(site):
    assert not_once(site) == {}
    later = ("`live/", "`*.pdf`")  # what `make live`, `make pdf` and `make epub` add
    assert [row[3] for row, files in zip(ORIGINS, by_row(site)) if not files and not row[3].startswith(later)] == []


@standard.asked(page="licences")
def test_licences_of_packages_are_those_of_their_metadata():
    packages = {row[1].strip("`"): row[2] for row in ORIGINS if re.fullmatch(r"`[\w-]+`", row[1])}
    assert {"sphinx", "sphinx-book-theme"} <= set(packages)
    for package, licence in packages.items():
        told = importlib.metadata.metadata(package)
        declared = " ".join([told.get("License-Expression") or "", *[kind for kind in told.get_all("Classifier", []) if kind.startswith("License")]])
        assert licence in declared or licence.partition("-")[0] in declared.split(" :: ")[-1].split(), (package, licence, declared)


# --- knobs ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def with_knobs(site, pages):
    """The pages on which the reader turns something."""
    found = [page for page in pages if 'class="knob"' in (site / page).read_text("utf-8")]
    assert found
    return found


#: Returns of a knob which positions are seen, by readers and by screen readers; whether its controls are; where its slider stands
#: and what that says; the caption and the picture's words of each position; and how high the knob is, on which the rest of the page hangs.
STATE = """(knob) => {
    const seen = (each) => each.checkVisibility({ visibilityProperty: true }), slider = knob.querySelector("input");
    const positions = [...knob.querySelectorAll(".knob-position")];
    return {
        seen: positions.flatMap((each, number) => (seen(each) ? [number] : [])),
        controls: seen(knob.querySelector(".knob-controls")),
        start: Number(slider.getAttribute("value")),
        value: slider.valueAsNumber,
        told: slider.getAttribute("aria-valuetext"),
        captions: positions.map((each) => each.querySelector("figcaption").textContent),
        alts: positions.map((each) => each.querySelector("img").alt),
        height: knob.getBoundingClientRect().height,
    };
}"""


def test_page_and_knobs_read_without_scripts(visit, site, pages, with_knobs):
    """Seen in a browser where something could be hidden: positions of a knob, a solution."""
    for page in pages:
        article = lxml.html.parse(site / page, lxml.html.HTMLParser(encoding="utf-8")).find(".//article")
        assert "```" not in article.text_content(), f"{page} shows a directive as text"
        assert article.find(".//h1") is not None
        if page not in with_knobs and not article.find_class("solution"):
            continue
        opened = visit(page, java_script_enabled=False)
        assert opened.locator("article h1").is_visible()
        parts = opened.locator(".solution > *")
        assert parts.evaluate_all("all => all.filter((each) => !each.checkVisibility({ visibilityProperty: true })).length") == 0
        knobs = opened.locator(".knob").all()
        assert bool(knobs) == (page in with_knobs)
        for knob in knobs:
            state = knob.evaluate(STATE)
            assert state["seen"] == list(range(len(state["captions"])))
            places = knob.locator(".knob-position").evaluate_all("all => all.map((each) => each.getBoundingClientRect().toJSON())")
            assert all(upper["bottom"] <= lower["top"] for upper, lower in zip(places, places[1:]))
            assert not state["controls"]


def test_knobs_are_turned_by_keys_mouse_and_touch_move_nothing_else_and_stand_on_paper(visit, with_knobs):
    for page in with_knobs:
        opened = visit(page, viewport={"width": 390, "height": 900}, has_touch=True)
        opened.evaluate("Promise.allSettled([...document.querySelectorAll('.knob img')].map((image) => ((image.loading = 'eager'), image.decode())))")
        opened.emulate_media(media="print")
        for state in (knob.evaluate(STATE) for knob in opened.locator(".knob").all()):
            assert state["seen"] == [state["start"]]
            assert not state["controls"]
        opened.emulate_media(media="screen")
        for knob in opened.locator(".knob").all():
            slider, back, forward = knob.locator("input"), knob.get_by_label("Back"), knob.get_by_label("Forward")
            knob.scroll_into_view_if_needed()
            height = knob.evaluate(STATE)["height"]

            def stands_at(position):
                state = knob.evaluate(STATE)
                assert (state["seen"], state["value"], state["told"]) == ([position], position, state["captions"][position])
                assert state["alts"][position].endswith(state["told"])
                assert state["height"] == height

            last = knob.locator(".knob-position").count() - 1
            assert knob.get_by_label(knob.locator("label").text_content()).get_attribute("type") == "range"
            stands_at(int(slider.get_attribute("value")))
            slider.focus()
            for key, position in {"Home": 0, "ArrowRight": 1, "ArrowUp": 2, "ArrowLeft": 1, "End": last, "PageUp": last}.items():
                opened.keyboard.press(key)
                stands_at(position)
            back.click()
            stands_at(last - 1)
            forward.tap()
            stands_at(last)
            forward.press("Enter")
            stands_at(last)
            assert knob.locator("output").text_content() == knob.locator("figcaption").last.text_content()
            box = slider.bounding_box()
            assert min(box["height"], *(button.bounding_box()[side] for button in (back, forward) for side in ("width", "height"))) >= 44
            slider.click(position={"x": 2, "y": box["height"] / 2})
            stands_at(0)
            opened.touchscreen.tap(box["x"] + box["width"] - 2, slider.bounding_box()["y"] + box["height"] / 2)
            stands_at(last)


def test_what_turns_all_knobs_is_light(site):
    assert sum(len(gzip.compress((site / "_static" / name).read_bytes())) for name in ("book.js", "book.css")) < 100_000


def test_figures_are_those_of_the_notebooks_and_lighter(site):
    for path in chapters.notebooks():
        outputs = [output for _, cell in chapters.code_cells(chapters.read(path)) for output in cell.outputs]
        weight = 0  # of the page's figures on the site, less that of the stored ones: how small a PNG is depends on the processor
        for stored in map(base64.b64decode, filter(None, (output.get("data", {}).get("image/png") for output in outputs))):
            shown = site / "_images" / f"{hashlib.sha256(stored).hexdigest()}.webp"  # as myst-nb names it
            weight += shown.stat().st_size - len(stored)
            with Image.open(shown) as ours, Image.open(io.BytesIO(stored)) as theirs:
                assert ours.convert("RGB").tobytes() == theirs.convert("RGB").tobytes(), path.name
        assert weight <= 0, path.name


# --- links ---------------------------------------------------------------------------------------------------------------


def test_every_link_and_anchor_leads_somewhere(site):
    assert check_fork.dead_links(site) == []


REMOTE = ("remote", "get-url", "origin")


@pytest.mark.parametrize(
    ("remote", "page"),
    [
        ("https://github.com/owner/book.git", "https://github.com/owner/book"),
        ("https://user:secret@github.com/owner/book", "https://github.com/owner/book"),
        ("http://git.example.org:8080/group/owner/book/\n", "https://git.example.org:8080/group/owner/book"),
        ("git@github.com:owner/book.git", "https://github.com/owner/book"),
        ("github.com:owner/book", "https://github.com/owner/book"),
        ("ssh://git@gitlab.com:2222/owner/book.git", "https://gitlab.com/owner/book"),
        ("", ""),
        ("/srv/git/book.git", ""),
        ("../book.git", ""),
        ("./a:b/book.git", ""),
        ("C:\\books\\book", ""),
        ("C:/books/book", ""),
        ("file:///srv/git/book.git", ""),
        ("git://github.com/owner/book", ""),
        ("https://github.com", ""),
        ("https://[github.com/owner/book", ""),
    ],
)
def test_web_address_of_a_remote(remote, page):
    assert book_theme.web_address(remote) == page


def test_origin_and_branch_are_those_of_the_book_alone(tmp_path, monkeypatch):
    (tmp_path / "book").mkdir()
    for command in ("init --quiet --initial-branch autumn", "remote add origin https://user:secret@github.com/owner/book.git"):
        subprocess.run(["git", "-C", tmp_path, *command.split()], check=True)
    assert book_theme.web_address(book_theme.git(tmp_path, *REMOTE)) == "https://github.com/owner/book"
    assert book_theme.git(tmp_path / "book", *REMOTE) == book_theme.git(tmp_path / "missing", *REMOTE) == ""
    for name in ("GITHUB_BASE_REF", "GITHUB_REF_NAME", "CI_COMMIT_REF_NAME"):
        monkeypatch.delenv(name, raising=False)
    assert book_theme.branch(tmp_path / "book") == "main"
    monkeypatch.setenv("GITHUB_REF_NAME", "spring")  # set where the workflow has checked out a commit, not a branch
    assert (book_theme.branch(tmp_path), book_theme.branch(tmp_path / "book")) == ("autumn", "spring")
    monkeypatch.setenv("GITHUB_REF_NAME", "12/merge")  # of a pull request
    monkeypatch.setenv("GITHUB_BASE_REF", "summer")
    assert book_theme.branch(tmp_path / "book") == "summer"


def test_a_commit_that_is_checked_out_is_linked_by_the_remotes_default_branch(tmp_path, monkeypatch):
    for name in ("GITHUB_BASE_REF", "GITHUB_REF_NAME", "CI_COMMIT_REF_NAME"):
        monkeypatch.delenv(name, raising=False)
    as_somebody = "-c user.name=a -c user.email=a@b"
    for command in (
        "init --quiet --initial-branch work", f"{as_somebody} commit --quiet --allow-empty -m one", "update-ref refs/remotes/origin/master HEAD",
        "symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/master", "checkout --quiet --detach",
    ):
        subprocess.run(["git", "-C", tmp_path, *command.split()], check=True)
    assert book_theme.branch(tmp_path) == "master"


@pytest.mark.parametrize(
    ("repository", "site"),
    [
        ("https://github.com/Owner/book", "https://owner.github.io/book/"),
        ("https://github.com/Owner/owner.github.io", "https://owner.github.io/"),
        ("https://git.example.org/owner/book", ""),
        ("", ""),
    ],
)
def test_address_of_the_site(repository, site):
    assert book_theme.site_address(repository) == site
