"""The decks of slides in a real browser: they fit, say what their chapters say, and are worked from the keyboard."""

import re
from types import SimpleNamespace

import chapters
import lxml.html
import pypdfium2
import pytest
import slides
import yaml
from docutils import nodes
from sphinx.errors import ExtensionError
from test_accessibility import OF_COLOR, faults, faults_of_color

DECKS = [path.stem for path in chapters.notebooks() if "## Check yourself" in path.read_text("utf-8")]
DECK = "k-means"  # has a knob, figures, formulas, code and questions
WIDE = {"width": 1280, "height": 720}

#: Shows all slides at once, each in its frame, and returns what leaves its frame or scrolls in it.
CLIPPED = """async () => {
    const faults = [];
    for (const slide of Reveal.getSlides()) slide.style.display = "flex";
    await Promise.allSettled([...document.images].map((image) => ((image.loading = "eager"), image.decode())));
    await document.fonts.ready;
    Reveal.getSlides().forEach((slide, number) => {
        const frame = slide.getBoundingClientRect();
        for (const element of slide.querySelectorAll("*")) {
            if (element.closest("aside, math, .visually-hidden")) continue;
            const { width, right, bottom } = element.getBoundingClientRect();
            const small = element.tagName == "IMG" && width < 250;
            const scrolls = element.matches(".math, pre, .table") && element.scrollWidth > element.clientWidth + 1;
            if (small || scrolls || right > frame.right + 1 || bottom > frame.bottom + 1) faults.push(`${number + 1}: ${element.outerHTML.slice(0, 80)}`);
        }
    });
    return faults;
}"""


@pytest.fixture(params=DECKS)
def deck(request):
    """The name of a chapter; the test runs for each that has a deck."""
    return request.param


@pytest.fixture
def show(visit):
    """Return a function that opens a deck as slides."""

    def show(name, **settings):
        opened = visit(f"slides/{name}.html", **{"viewport": WIDE, **settings})
        opened.locator(".reveal.ready").wait_for()
        return opened

    return show


def words(text):
    return " ".join(text.split())


def letters(text):
    return re.sub(r"\W", "", text)


def test_deck_has_the_chapters_words_and_pictures(site, deck):
    page, shown = (lxml.html.parse(site / folder / f"{deck}.html", lxml.html.HTMLParser(encoding="utf-8")).getroot() for folder in ("chapters", "slides"))
    sections = shown.findall(".//section")
    assert 20 <= len(sections) <= 30
    title = yaml.safe_load((chapters.BOOK / "_config.yml").read_text("utf-8"))["title"]
    assert [sections[0][0].text, shown.findtext(".//title").rpartition(" – ")[2]] == [title, title]
    text = words(page.find(".//article").text_content())
    said = [words(each.text_content()) for paragraph in shown.xpath("//section[h2]/p | //section/ul/li | //section/ol/li/div/p | //aside/p") for each in slides.sentences(paragraph)]
    assert [sentence for sentence in said if sentence not in text] == [] and len(said) > 50
    pictures = page.xpath("//article//img/@src")
    assert set(shown.xpath("//main//img/@src")) <= set(pictures) and shown.xpath("//main//img/@src")
    assert all(image.get("alt") for image in shown.iter("img"))
    assert shown.xpath("//section/@class")[-1].startswith("of-summary")
    spoken = [section for section in sections if re.match("of-(figure|knob|formula|table|code)", section.get("class"))]
    assert sum(bool(section.findall("aside")) for section in spoken) >= 0.9 * len(spoken)
    assert len(shown.xpath("//section[starts-with(@class, 'of-knob')]")) == len(page.xpath("//article//div[@class='knob']"))
    assert len(shown.xpath("//section[starts-with(@class, 'of-exercise')]")) == len(page.xpath("//article//div[@class='exercise admonition']"))


def test_nothing_is_clipped(show, deck):
    assert show(deck).evaluate(CLIPPED) == []


def test_a_changed_figure_changes_its_slide_alone(site, tmp_path):
    page = tmp_path / f"{DECK}.html"
    text = (site / "chapters" / page.name).read_text("utf-8")
    page.write_text(text, "utf-8")
    before = slides.deck(page)["slides"]
    picture = next(slide for slide in before if slide.kind == "figure").nodes[-1].find(".//img").get("src")
    page.write_text(text.replace(picture, "../_images/new.webp"), "utf-8")
    after = slides.deck(page)["slides"]
    pairs = [(old.kind, slides.together(old.nodes), slides.together(new.nodes)) for old, new in zip(before, after, strict=True)]
    changed = [(kind, "new.webp" in new) for kind, old, new in pairs if old != new]
    assert changed == [("figure", True)]


def test_keys_turn_slides_and_knobs(show):
    opened = show(DECK)
    at = "Reveal.getIndices().h"
    opened.keyboard.press("ArrowRight")
    assert opened.evaluate(at) == 1
    number = opened.evaluate("Reveal.getSlides().findIndex((slide) => slide.querySelector('.knob'))")
    opened.evaluate("(number) => Reveal.slide(number)", number)
    knob = opened.locator("section.present .knob")
    seen = "all => all.findIndex((each) => each.checkVisibility({ visibilityProperty: true }))"
    for key, target, position in [("End", "input", 9), ("ArrowLeft", "input", 8), (" ", "[aria-label=Back]", 7), ("Enter", "[aria-label=Forward]", 8)]:
        knob.locator(target).press(key)
        assert (knob.locator(".knob-position").evaluate_all(seen), opened.evaluate(at)) == (position, number)
    knob.locator("input").click(position={"x": 5, "y": 5})
    opened.keyboard.press("ArrowRight")
    assert opened.evaluate(at) == number + 1, "after the mouse, the keys are the deck's"


def test_answers_come_one_by_one(show):
    opened = show(DECK)
    opened.evaluate("Reveal.slide(Reveal.getSlides().findIndex((slide) => slide.className.startsWith('of-question')))")
    told = opened.locator("section.present .fragment")
    seen = "all => all.filter((each) => each.checkVisibility({ visibilityProperty: true, opacityProperty: true })).length"
    assert told.count() == opened.locator("section.present .answers > li").count() >= 2
    for count in range(told.count() + 1):
        assert told.evaluate_all(seen) == count
        opened.keyboard.press("ArrowRight")


def test_speakers_view_has_the_notes_and_asks_no_other_host(show, address):
    opened, asked = show(DECK), []
    opened.context.on("request", lambda request: asked.append(request.url))
    opened.evaluate("Reveal.slide(3)")
    said = opened.evaluate("Reveal.getCurrentSlide().querySelector('aside').textContent")
    with opened.expect_popup() as popup:
        opened.keyboard.press("s")
    speaker = popup.value
    speaker.locator(".speaker-controls-notes .value").get_by_text(words(said)[:30]).first.wait_for()
    speaker.frame_locator("#current-slide iframe").locator("section.present").wait_for()
    assert asked and all(url.startswith((address, "about:")) for url in asked)


def test_deck_prints_one_slide_to_a_page(show):
    opened = show(DECK)
    titles = opened.locator("section h2").all_text_contents()
    for address in ("", "?view=print"):
        opened.goto(opened.url.partition("?")[0].partition("#")[0] + address)
        opened.locator(".reveal.ready").wait_for()
        printed = pypdfium2.PdfDocument(opened.pdf(prefer_css_page_size=True, print_background=True))
        pages = [letters(page.get_textpage().get_text_range()) for page in printed]
        assert len(pages) == len(titles) + 1
        assert all(letters(title) in page for title, page in zip(titles, pages[1:]))


def test_deck_is_a_page_on_a_phone_and_without_scripts(visit):
    for settings in ({}, {"java_script_enabled": False}):
        opened = visit(f"slides/{DECK}.html", viewport={"width": 390, "height": 844}, **settings)
        assert all(section.is_visible() for section in opened.locator("section").all())
        tops = opened.locator("section").evaluate_all("all => all.map((each) => each.getBoundingClientRect().top)")
        assert tops == sorted(tops) and tops[-1] > 844
        assert opened.evaluate("document.documentElement.scrollWidth") <= 390


def test_deck_is_accessible_in_both_themes(visit, show):
    for opened in (show(DECK, color_scheme="light"), visit(f"slides/{DECK}.html", viewport={"width": 390, "height": 844}, color_scheme="light")):
        assert faults(opened, rules={rule: {"enabled": False} for rule in OF_COLOR}) == []
        assert faults_of_color(opened, set()) == []


def test_deck_is_linked_from_its_page_and_for_teachers(site, visit):
    for name in DECKS:
        assert f'href="../slides/{name}.html"' in (site / "chapters" / f"{name}.html").read_text("utf-8")
    opened = visit("chapters/teaching.html", viewport=WIDE)
    assert opened.locator(".decks a").evaluate_all("all => all.map((each) => each.getAttribute('href'))") == [f"../slides/{name}.html" for name in DECKS]
    opened.locator(".decks a").first.click()
    opened.locator(".reveal.ready").wait_for()


# --- the rule ------------------------------------------------------------------------------------------------------------


def block(kind, part, steered=False):
    return slides.Slide(kind, [], "", part, part, steered)


def test_rule_takes_the_best_of_each_part_first_and_what_is_marked():
    found = [block("figure", 1), block("figure", 1), block("notes", 1), block("code", 2), block("exercise", 2), block("code", 3, steered=True), block("formula", 3)]
    assert slides.choose(found, 9) == [0, 1, 3, 4, 5, 6]
    assert slides.choose(found, 4) == [0, 4, 5, 6]  # not the code of part 2: a part's formula is better
    assert slides.choose(found, 5) == [0, 3, 4, 5, 6]  # not the second figure of part 1
    assert slides.choose(found, 1) == [4]


def test_author_steers_the_rule_by_the_metadata_of_a_cell():
    app = SimpleNamespace()
    for kind in slides.STEERED:
        cell = nodes.container(cell_index=3, cell_metadata={"slideshow": {"slide_type": kind}})
        slides.mark_cells(app, nodes.section("", cell), "chapters/topics")
        assert cell["classes"] == [f"slideshow-{kind}"]
    cell["cell_metadata"]["slideshow"]["slide_type"] = "fragment"
    with pytest.raises(ExtensionError, match="chapters/topics, cell 4: .*'fragment'.* slide, skip, notes"):
        slides.mark_cells(app, nodes.section("", cell), "chapters/topics")


@pytest.mark.parametrize(("mark", "kinds"), [("", ["notes", "figure"]), ("slideshow-skip", ["notes"]), ("slideshow-notes", ["notes", "notes"]), ("slideshow-slide", ["notes", "figure"])])
def test_cells_are_taken_as_they_are_marked(mark, kinds):
    cell = f'<div class="cell {mark} container"><div class="cell_input"><div class="highlight"><pre>draw()</pre></div></div><div class="cell_output"><img src="a.webp" alt="A"></div></div>'
    article = lxml.html.fragment_fromstring(f"<article><section><h1>T</h1><section id='a'><h2>A</h2><p>Look at it.</p>{cell}</section></section></article>")
    found = slides.blocks(article)
    assert [each.kind for each in found] == kinds
    assert [each.steered for each in found][-1:] == [mark == "slideshow-slide"]


@pytest.mark.parametrize(("size", "ratio"), [('width="800" height="400"', 2), ("", 1.5), ('width="50%" height="400"', 1.5)])
def test_a_picture_whose_size_is_not_known_has_its_place(size, ratio):
    assert slides.ratio(lxml.html.fragment_fromstring(f'<img src="a.svg" {size}>')) == ratio
