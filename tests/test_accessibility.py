"""Every page in a real browser: it fits, it can be read by everyone and worked from the keyboard."""

import pytest
from axe_playwright_python.sync_playwright import Axe


@pytest.mark.parametrize("width", [1280, 390])
def test_page_fits_and_is_accessible_in_both_themes(visit, page, width):
    opened = visit(page, viewport={"width": width, "height": 900}, color_scheme="light")
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    opened.evaluate("Promise.allSettled([...document.images].map((image) => ((image.loading = 'eager'), image.decode())))")
    assert opened.evaluate("[...document.images].filter((image) => !image.naturalWidth).map((image) => image.src)") == []
    # Answers and solutions are opened, or axe would not see them.
    opened.evaluate("document.querySelectorAll('details:not([open]) > summary, .toggle-button-hidden').forEach((toggle) => toggle.click())")
    for theme in ("light", "dark"):
        opened.emulate_media(color_scheme=theme, reduced_motion="reduce")
        opened.wait_for_function("(theme) => document.documentElement.dataset.theme == theme", arg=theme)
        # The style sheets are there; axe would fetch them once more, by wrong addresses.
        found = Axe().run(opened, options={"preload": False, "resultTypes": ["violations"]}).response["violations"]
        assert [(fault["id"], node["html"]) for fault in found for node in fault["nodes"]] == [], theme


def test_keyboard_reaches_every_control(visit, pages):
    for page in pages:
        opened = visit(page, viewport={"width": 1280, "height": 900})
        wanted = opened.evaluate("""() => {
            const controls = [...document.querySelectorAll("a[href], button, summary, input")].filter((c) => c.checkVisibility({ visibilityProperty: true }));
            controls.forEach((control) => (control.dataset.wanted = ""));
            return controls.length;
        }""")
        opened.evaluate("document.activeElement.blur()")
        for _ in range(2 * wanted + 50):
            opened.keyboard.press("Tab")
            if not opened.evaluate("""() => {
                const at = document.activeElement;
                if (at.matches("a, button, summary, input") && getComputedStyle(at).outlineStyle != "none") delete at.dataset.wanted;
                return document.querySelectorAll("[data-wanted]").length;
            }"""):
                break
        assert opened.evaluate("[...document.querySelectorAll('[data-wanted]')].map((control) => control.outerHTML)") == [], page
