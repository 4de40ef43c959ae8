"""Every page in a real browser: it fits, it can be read by everyone and worked from the keyboard."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import ALL_SECTIONS, PAGES

#: The rules of axe-core that a theme or a colour makes a difference to, and those of an article that its width does.
OF_COLOR = ["color-contrast", "link-in-text-block"]
OF_WIDTH = ["scrollable-region-focusable", "target-size"]

#: The widths of a window: beside the text there is place for the menus, or they are folded away.
WIDE, NARROW = 1280, 390

#: Marks, with the name of a state of the page, the first element with text of each kind that is not among the `seen` ones: with
#: the colours and sizes of its own, the grounds behind it, and the text around it. axe takes twenty milliseconds for an element,
#: and a chapter has thousands of signs and words alike.
MARK_KINDS = """([state, seen]) => {
    const found = new Set(), known = new Set(seen);
    const grounds = new Map([[null, ""]]);
    const ground = (element) => {
        if (!grounds.has(element)) {
            const { backgroundColor, backgroundImage, opacity } = getComputedStyle(element);
            const own = [backgroundColor, backgroundImage, opacity].join();
            grounds.set(element, ground(element.parentElement) + (own == "rgba(0, 0, 0, 0),none,1" ? "" : own));
        }
        return grounds.get(element);
    };
    for (const element of document.body.querySelectorAll("*")) {
        if (![...element.childNodes].some((node) => node.nodeType == Node.TEXT_NODE && node.data.trim())) continue;
        if (!element.checkVisibility({ visibilityProperty: true })) continue;
        const { color, fontSize, fontWeight, textDecorationLine, borderBottomStyle } = getComputedStyle(element);
        const around = element.parentElement, region = element.closest("article, aside, dialog, footer, header, nav");
        const place = [region?.tagName, around.tagName, getComputedStyle(around).color, element.tagName];
        const kind = [ground(element), place, color, fontSize, fontWeight, textDecorationLine, borderBottomStyle].join();
        if (known.has(kind) || found.has(kind)) continue;
        found.add(kind);
        element.dataset.kinds = `${element.dataset.kinds ?? ""} ${state}`;
    }
    return [...found];
}"""

#: Leaves of code and of formulas in a sentence their bare text, unless something in them was marked: half of a chapter's
#: elements are signs and words there, and no other rule than those of colour has a say in them.
WITHOUT_SIGNS = """() => {
    for (const box of document.querySelectorAll("article math:not(div.math math), article .highlight pre"))
        if (!box.querySelector("[data-kinds], [id], [role], [href], [tabindex]")) box.replaceChildren(box.textContent);
}"""


def faults(opened, context=None, **options):
    """Return what axe-core finds, under some of its options and in a part of the page."""
    if not opened.evaluate("'axe' in window"):  # half a megabyte to read
        opened.evaluate(Axe().axe_script)
    # The style sheets are there; axe would fetch them once more, by wrong addresses.
    options = {"preload": False, "resultTypes": ["violations"], **options}
    found = opened.evaluate("([context, options]) => axe.run(context ?? document, options).then(({ violations }) => violations)", [context, options])
    return [(fault["id"], node["html"]) for fault in found for node in fault["nodes"]]


def take(opened, width, theme):
    opened.set_viewport_size({**opened.viewport_size, "width": width})
    opened.emulate_media(color_scheme=theme, reduced_motion="reduce")
    opened.wait_for_function("(theme) => document.documentElement.dataset.theme == theme", arg=theme)


def faults_of_color(opened, seen, *widths):
    """Return the faults, at some widths and in both themes, of one element of each kind that is not among the `seen` ones; faultless kinds join them."""
    found, kinds = [], []
    first, *more = widths or [opened.viewport_size["width"]]
    states = [(first, "light"), (first, "dark"), *((width, theme) for width in more for theme in ("dark", "light"))]
    for width, theme in states:  # from one to the next, and back, a single thing changes: each change is a page drawn anew
        take(opened, width, theme)
        kinds += opened.evaluate(MARK_KINDS, [f"{theme}-{width}", [*seen, *kinds]])
    opened.evaluate(WITHOUT_SIGNS)
    for width, theme in reversed(states):
        marked = f"[data-kinds~={theme}-{width}]"
        if opened.locator(marked).count():
            take(opened, width, theme)
            found += [(width, theme, *fault) for fault in faults(opened, {"include": [[marked]]}, runOnly=OF_COLOR)]
    take(opened, *states[0])
    seen.update([] if found else kinds)
    return found


@pytest.fixture(scope="module")
def seen():
    """The kinds of elements that some page before had, without a fault: most are on every page."""
    return set()


#: The controls that are to be seen on a page.
CONTROLS = """[...document.querySelectorAll("a[href], button, summary, input")].filter((each) => each.checkVisibility({ visibilityProperty: true }))"""


def missed_by_keyboard(opened):
    """Return the controls that have no place in the order of the keyboard, or no ring around them when they are reached."""
    opened.keyboard.press("Tab")  # from here on the browser shows where the focus is
    return opened.evaluate(f"""() => {CONTROLS}.filter((each) => {{
        each.focus({{ preventScroll: true }});
        return each.tabIndex < 0 || document.activeElement != each || getComputedStyle(each).outlineStyle == "none";
    }}).map((each) => each.outerHTML)""")


def test_page_fits_and_is_accessible_in_both_themes_and_from_the_keyboard(visit, page, seen):
    opened = visit(page, viewport={"width": WIDE, "height": 900}, color_scheme="light")
    opened.add_style_tag(content=ALL_SECTIONS)
    for width in (WIDE, NARROW):
        take(opened, width, "light")
        assert opened.evaluate("document.documentElement.scrollWidth") <= width
        opened.evaluate("Promise.allSettled([...document.images].map((image) => ((image.loading = 'eager'), image.decode())))")
        assert opened.evaluate("[...document.images].filter((image) => !image.naturalWidth).map((image) => image.src)") == []
        squeezed = "(image) => image.width && getComputedStyle(image).objectFit == 'fill' && Math.abs(image.width * image.naturalHeight / (image.height * image.naturalWidth) - 1) > 0.03"
        assert opened.evaluate(f"[...document.images].filter({squeezed}).map((image) => image.src)") == []
    # Answers and solutions are opened, or axe would not see them.
    opened.evaluate("document.querySelectorAll('details:not([open]) > summary, .toggle-button-hidden').forEach((toggle) => toggle.click())")
    assert faults_of_color(opened, seen, NARROW, WIDE) == []
    others = {"rules": {rule: {"enabled": False} for rule in OF_COLOR}}
    take(opened, NARROW, "light")
    around = {}
    if opened.locator("article").count():  # menus are folded away; the article has the same elements as on a wide page
        assert faults(opened, {"include": [["article"]]}, runOnly=OF_WIDTH) == []
        around = {"context": {"exclude": [["article"]]}}
    assert faults(opened, **around, **others) == []
    take(opened, WIDE, "light")
    assert faults(opened, **others) == []
    assert missed_by_keyboard(opened) == []


@pytest.mark.parametrize("page", sorted({"chapters/index.html", "chapters/gaussian-mixtures.html"} & set(PAGES)))
def test_keyboard_reaches_every_control_key_by_key(visit, page):
    """On the two pages with most kinds of controls."""
    opened = visit(page, viewport={"width": WIDE, "height": 900})
    wanted = opened.evaluate(f"""() => {{
        const controls = {CONTROLS};
        controls.forEach((control) => (control.dataset.wanted = ""));
        document.addEventListener("focusin", ({{ target }}) => delete target.dataset.wanted);
        return controls.length;
    }}""")
    for count in range(2 * wanted + 50):
        opened.keyboard.down("Tab")  # held down, as it moves the focus: without its way up it takes half as long
        if count % 20 == 0 and not opened.evaluate("document.querySelectorAll('[data-wanted]').length"):
            break
    assert opened.evaluate("[...document.querySelectorAll('[data-wanted]')].map((control) => control.outerHTML)") == []
