"""Every page in a real browser: it fits, it can be read by everyone and worked from the keyboard."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import ALL_SECTIONS

#: The rules of axe-core that a theme or a colour makes a difference to, and those of an article that its width does.
OF_COLOR = ["color-contrast", "link-in-text-block"]
OF_WIDTH = ["scrollable-region-focusable", "target-size"]

#: Marks the first element with text of each kind: with the colours and sizes of its own and the grounds behind it that no
#: other before it has. axe takes twenty milliseconds for an element, and a chapter has thousands of signs and words alike.
MARK_KINDS = """() => {
    const seen = new Set(), grounds = new Map([[null, ""]]);
    const ground = (element) => {
        if (!grounds.has(element)) {
            const { backgroundColor, backgroundImage, opacity } = getComputedStyle(element);
            grounds.set(element, [ground(element.parentElement), element.tagName, backgroundColor, backgroundImage, opacity].join());
        }
        return grounds.get(element);
    };
    document.querySelectorAll("[data-kind]").forEach((element) => delete element.dataset.kind);
    for (const element of document.body.querySelectorAll("*")) {
        if (![...element.childNodes].some((node) => node.nodeType == Node.TEXT_NODE && node.data.trim())) continue;
        if (!element.checkVisibility({ visibilityProperty: true })) continue;
        const { color, fontSize, fontWeight, textDecorationLine, borderBottomStyle } = getComputedStyle(element);
        const kind = [ground(element), color, fontSize, fontWeight, textDecorationLine, borderBottomStyle].join();
        if (!seen.has(kind)) element.dataset.kind = "";
        seen.add(kind);
    }
}"""


def faults(opened, context=None, **options):
    """Return what axe-core finds, under some of its options and in a part of the page."""
    # The style sheets are there; axe would fetch them once more, by wrong addresses.
    options = {"preload": False, "resultTypes": ["violations"], **options}
    found = Axe().run(opened, context=context, options=options).response["violations"]
    return [(fault["id"], node["html"]) for fault in found for node in fault["nodes"]]


def faults_of_color(opened, theme):
    """Return the faults in a theme of one element of each kind."""
    opened.emulate_media(color_scheme=theme, reduced_motion="reduce")
    opened.wait_for_function("(theme) => document.documentElement.dataset.theme == theme", arg=theme)
    opened.evaluate(MARK_KINDS)
    return faults(opened, {"include": [["[data-kind]"]]}, runOnly=OF_COLOR)


@pytest.mark.parametrize("width", [1280, 390])
def test_page_fits_and_is_accessible_in_both_themes(visit, page, width):
    opened = visit(page, viewport={"width": width, "height": 900}, color_scheme="light")
    opened.add_style_tag(content=ALL_SECTIONS)
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    opened.evaluate("Promise.allSettled([...document.images].map((image) => ((image.loading = 'eager'), image.decode())))")
    assert opened.evaluate("[...document.images].filter((image) => !image.naturalWidth).map((image) => image.src)") == []
    squeezed = "(image) => image.width && getComputedStyle(image).objectFit == 'fill' && Math.abs(image.width * image.naturalHeight / (image.height * image.naturalWidth) - 1) > 0.03"
    assert opened.evaluate(f"[...document.images].filter({squeezed}).map((image) => image.src)") == []
    # Answers and solutions are opened, or axe would not see them.
    opened.evaluate("document.querySelectorAll('details:not([open]) > summary, .toggle-button-hidden').forEach((toggle) => toggle.click())")
    others = {"rules": {rule: {"enabled": False} for rule in OF_COLOR}}
    if width < 960 and opened.locator("article").count():  # menus are folded away; the article has the same elements as on a wide page
        assert faults(opened, {"include": [["article"]]}, runOnly=OF_WIDTH) == []
        others["context"] = {"exclude": [["article"]]}
    assert faults(opened, **others) == []
    for theme in ("light", "dark"):
        assert faults_of_color(opened, theme) == [], theme


def test_keyboard_reaches_every_control(visit, pages):
    for page in pages:
        opened = visit(page, viewport={"width": 1280, "height": 900})
        wanted = opened.evaluate("""() => {
            const all = "a[href], button, summary, input";
            const controls = [...document.querySelectorAll(all)].filter((c) => c.checkVisibility({ visibilityProperty: true }));
            controls.forEach((control) => (control.dataset.wanted = ""));
            document.activeElement.blur();
            document.addEventListener("focusin", ({ target }) => {
                if (target.matches(all) && getComputedStyle(target).outlineStyle != "none") delete target.dataset.wanted;
            });
            return controls.length;
        }""")
        for count in range(2 * wanted + 50):
            opened.keyboard.press("Tab")
            if count % 20 == 0 and not opened.evaluate("document.querySelectorAll('[data-wanted]').length"):
                break
        assert opened.evaluate("[...document.querySelectorAll('[data-wanted]')].map((control) => control.outerHTML)") == [], page
