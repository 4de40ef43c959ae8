"""Every page in a real browser: it fits, it can be read by everyone and worked from the keyboard."""

import pytest
from axe_playwright_python.sync_playwright import Axe

#: The rules of axe-core that a theme or a colour makes a difference to; the first takes most of axe's time.
OF_COLOR = ["color-contrast", "link-in-text-block"]


def faults(opened, **options):
    """Return what axe-core finds, under some of its options or outside of some element."""
    outside_of = options.pop("outside_of", None)
    # The style sheets are there; axe would fetch them once more, by wrong addresses.
    options = {"preload": False, "resultTypes": ["violations"], **options}
    found = Axe().run(opened, context={"exclude": [[outside_of]]} if outside_of else None, options=options).response["violations"]
    return [(fault["id"], node["html"]) for fault in found for node in fault["nodes"]]


def turn(opened, theme):
    opened.emulate_media(color_scheme=theme, reduced_motion="reduce")
    opened.wait_for_function("(theme) => document.documentElement.dataset.theme == theme", arg=theme)


@pytest.mark.parametrize("width", [1280, 390])
def test_page_fits_and_is_accessible_in_both_themes(visit, page, width):
    opened = visit(page, viewport={"width": width, "height": 900}, color_scheme="light")
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    opened.evaluate("Promise.allSettled([...document.images].map((image) => ((image.loading = 'eager'), image.decode())))")
    assert opened.evaluate("[...document.images].filter((image) => !image.naturalWidth).map((image) => image.src)") == []
    squeezed = "(image) => image.width && getComputedStyle(image).objectFit == 'fill' && Math.abs(image.width * image.naturalHeight / (image.height * image.naturalWidth) - 1) > 0.03"
    assert opened.evaluate(f"[...document.images].filter({squeezed}).map((image) => image.src)") == []
    # Answers and solutions are opened, or axe would not see them.
    opened.evaluate("document.querySelectorAll('details:not([open]) > summary, .toggle-button-hidden').forEach((toggle) => toggle.click())")
    turn(opened, "light")
    if width == 1280:
        assert faults(opened) == []
        turn(opened, "dark")
        assert faults(opened, runOnly=OF_COLOR) == [], "dark"
    else:
        # The text has the colours that it has on a wide window; the bars around it have others.
        assert faults(opened, rules={rule: {"enabled": False} for rule in OF_COLOR}) == []
        for theme in ("light", "dark"):
            turn(opened, theme)
            assert faults(opened, runOnly=OF_COLOR, outside_of="article") == [], theme


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
