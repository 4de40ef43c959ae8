"""Every page in a real browser: it fits, it can be read by everyone and worked from the keyboard."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import ALL_SECTIONS

#: The rules of axe-core that a theme or a colour makes a difference to, and those of an article that its width does.
OF_COLOR = ["color-contrast", "link-in-text-block"]
OF_WIDTH = ["scrollable-region-focusable", "target-size"]

#: Marks the first element with text of each kind that is not among the `seen` ones: with the colours and sizes of its own
#: and the grounds behind it. axe takes twenty milliseconds for an element, and a chapter has thousands of signs and words alike.
MARK_KINDS = """(seen) => {
    const theme = document.documentElement.dataset.theme, found = new Set(), known = new Set(seen);
    const grounds = new Map([[null, ""]]);
    const ground = (element) => {
        if (!grounds.has(element)) {
            const { backgroundColor, backgroundImage, opacity } = getComputedStyle(element);
            grounds.set(element, [ground(element.parentElement), element.tagName, backgroundColor, backgroundImage, opacity].join());
        }
        return grounds.get(element);
    };
    for (const element of document.body.querySelectorAll("*")) {
        if (![...element.childNodes].some((node) => node.nodeType == Node.TEXT_NODE && node.data.trim())) continue;
        if (!element.checkVisibility({ visibilityProperty: true })) continue;
        const { color, fontSize, fontWeight, textDecorationLine, borderBottomStyle } = getComputedStyle(element);
        const kind = [ground(element), color, fontSize, fontWeight, textDecorationLine, borderBottomStyle].join();
        if (known.has(kind) || found.has(kind)) continue;
        found.add(kind);
        element.setAttribute(`data-kind-${theme}`, "");
    }
    return [...found];
}"""

#: Leaves of code and of formulas in a sentence their bare text, unless something in them was marked: half of a chapter's
#: elements are signs and words there, and no other rule than those of colour has a say in them.
WITHOUT_SIGNS = """() => {
    for (const box of document.querySelectorAll("article math:not(div.math math), article .highlight pre"))
        if (!box.querySelector("[data-kind-light], [data-kind-dark], [id], [role], [href], [tabindex]")) box.replaceChildren(box.textContent);
}"""


def faults(opened, context=None, **options):
    """Return what axe-core finds, under some of its options and in a part of the page."""
    # The style sheets are there; axe would fetch them once more, by wrong addresses.
    options = {"preload": False, "resultTypes": ["violations"], **options}
    found = Axe().run(opened, context=context, options=options).response["violations"]
    return [(fault["id"], node["html"]) for fault in found for node in fault["nodes"]]


def take_theme(opened, theme):
    opened.emulate_media(color_scheme=theme, reduced_motion="reduce")
    opened.wait_for_function("(theme) => document.documentElement.dataset.theme == theme", arg=theme)


def faults_of_color(opened, seen):
    """Return the faults, in both themes, of one element of each kind that is not among the `seen` ones; faultless kinds join them."""
    found, kinds = [], []
    for theme in ("light", "dark"):
        take_theme(opened, theme)
        kinds += opened.evaluate(MARK_KINDS, list(seen))
    opened.evaluate(WITHOUT_SIGNS)
    for theme in ("dark", "light"):
        take_theme(opened, theme)
        if opened.locator(f"[data-kind-{theme}]").count():
            found += [(theme, *fault) for fault in faults(opened, {"include": [[f"[data-kind-{theme}]"]]}, runOnly=OF_COLOR)]
    seen.update([] if found else kinds)
    return found


@pytest.fixture(scope="module")
def seen():
    """The kinds of elements that some page before had, without a fault: most are on every page."""
    return set()


def test_page_fits_and_is_accessible_in_both_themes(visit, page, seen):
    for width in (1280, 390):
        opened = visit(page, viewport={"width": width, "height": 900}, color_scheme="light")
        opened.add_style_tag(content=ALL_SECTIONS)
        assert opened.evaluate("document.documentElement.scrollWidth") <= width
        opened.evaluate("Promise.allSettled([...document.images].map((image) => ((image.loading = 'eager'), image.decode())))")
        assert opened.evaluate("[...document.images].filter((image) => !image.naturalWidth).map((image) => image.src)") == []
        squeezed = "(image) => image.width && getComputedStyle(image).objectFit == 'fill' && Math.abs(image.width * image.naturalHeight / (image.height * image.naturalWidth) - 1) > 0.03"
        assert opened.evaluate(f"[...document.images].filter({squeezed}).map((image) => image.src)") == []
        # Answers and solutions are opened, or axe would not see them.
        opened.evaluate("document.querySelectorAll('details:not([open]) > summary, .toggle-button-hidden').forEach((toggle) => toggle.click())")
        assert faults_of_color(opened, seen) == []
        others = {"rules": {rule: {"enabled": False} for rule in OF_COLOR}}
        if width < 960 and opened.locator("article").count():  # menus are folded away; the article has the same elements as on a wide page
            assert faults(opened, {"include": [["article"]]}, runOnly=OF_WIDTH) == []
            others["context"] = {"exclude": [["article"]]}
        assert faults(opened, **others) == []


#: The controls that are to be seen on a page.
CONTROLS = """[...document.querySelectorAll("a[href], button, summary, input")].filter((each) => each.checkVisibility({ visibilityProperty: true }))"""


def test_keyboard_reaches_every_control(visit, pages):
    """By its place in the order of the keyboard and the ring around it; the two pages with most kinds of controls key by key."""
    by_key = {"chapters/index.html", "chapters/gaussian-mixtures.html"} & set(pages)
    for page in pages:
        opened = visit(page, viewport={"width": 1280, "height": 900})
        opened.keyboard.press("Tab")  # from here on the browser shows where the focus is
        missed = opened.evaluate(f"""() => {CONTROLS}.filter((each) => {{
            each.focus({{ preventScroll: true }});
            return each.tabIndex < 0 || document.activeElement != each || getComputedStyle(each).outlineStyle == "none";
        }}).map((each) => each.outerHTML)""")
        assert missed == [], page
        if page not in by_key:
            continue
        wanted = opened.evaluate(f"""() => {{
            const controls = {CONTROLS};
            controls.forEach((control) => (control.dataset.wanted = ""));
            document.activeElement.blur();
            document.addEventListener("focusin", ({{ target }}) => delete target.dataset.wanted);
            return controls.length;
        }}""")
        for count in range(2 * wanted + 50):
            opened.keyboard.press("Tab")
            if count % 20 == 0 and not opened.evaluate("document.querySelectorAll('[data-wanted]').length"):
                break
        assert opened.evaluate("[...document.querySelectorAll('[data-wanted]')].map((control) => control.outerHTML)") == [], page
