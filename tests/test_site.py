"""The built site in a real browser: it works, it is accessible, and it asks no other host for anything."""

import functools
import http.server
import os
import shutil
import subprocess
import sys
import threading
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error, sync_playwright

BOOK = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(BOOK / "tools"), str(BOOK / "theme")]

import book_theme  # noqa: E402
import build  # noqa: E402
import chapters  # noqa: E402

PAGES = ["search.html", "genindex.html"]
PAGES += [path.relative_to(BOOK).with_suffix(".html").as_posix() for path in chapters.pages()]
SUB_PATH = "/some/sub-path/"  # where GitHub Pages would put it: a link that starts at the root breaks here
# Kept from asking for anything themselves, so that every request is the page's.
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
SWITCHES += ["--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site, built from the working tree."""
    folder = tmp_path_factory.mktemp("site") / "html"
    assert build.build(folder) == []
    return folder


class Handler(http.server.SimpleHTTPRequestHandler):
    """A static file server that has the site under a sub-path and nothing else."""

    def translate_path(self, path):
        return super().translate_path("/" + path.removeprefix(SUB_PATH)) if path.startswith(SUB_PATH) else "/nothing-here"

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address(site):
    """The address of the site on a server of its own."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=site)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}{SUB_PATH}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser():
    """Chromium: the one that CHROMIUM names, the system's, or Playwright's own."""
    names = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=found, args=SWITCHES)
        except Error as error:
            missing = f"no Chromium: install one, or name it in CHROMIUM ({str(error).strip().splitlines()[0]})"
            pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, address):
    """Return a function that opens a page and waits for its formulas; fail if any page did what it must not."""
    contexts, wrong = [], []

    def visit(path, **settings):
        context = browser.new_context(reduced_motion="reduce", **settings)
        contexts.append(context)
        page = context.new_page()
        host = urlsplit(address).netloc
        page.on("request", lambda request: urlsplit(request.url).netloc in (host, "") or wrong.append(f"asked for {request.url}"))
        page.on("response", lambda response: response.ok or response.status == 304 or wrong.append(f"{response.status}: {response.url}"))
        page.on("requestfailed", lambda request: wrong.append(f"failed: {request.url}"))
        page.on("console", lambda message: message.type in ("error", "warning") and wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        assert page.goto(address + path).status == 200
        if settings.get("java_script_enabled", True):
            page.evaluate("() => window.MathJax?.startup?.promise")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("page", PAGES)
def test_page_fits_and_is_accessible_in_both_themes(visit, page, width):
    opened = visit(page, viewport={"width": width, "height": 900}, color_scheme="light")
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    assert opened.evaluate("[...document.images].filter((image) => !image.naturalWidth).map((image) => image.src)") == []
    # Answers and solutions are opened, or axe would not see them.
    opened.evaluate("document.querySelectorAll('details:not([open]) > summary, .toggle-button-hidden').forEach((toggle) => toggle.click())")
    for theme in ("light", "dark"):
        opened.emulate_media(color_scheme=theme, reduced_motion="reduce")
        opened.wait_for_function("(theme) => document.documentElement.dataset.theme == theme", arg=theme)
        # The style sheets are there; axe would fetch them once more, by wrong addresses.
        found = Axe().run(opened, options={"preload": False, "resultTypes": ["violations"]}).response["violations"]
        assert [(fault["id"], node["html"]) for fault in found for node in fault["nodes"]] == [], theme


@pytest.mark.parametrize("page", PAGES)
def test_formulas_are_set_by_the_mathjax_of_the_site(visit, site, page):
    written = (site / page).read_text("utf-8").count('class="math notranslate')
    opened = visit(page)
    assert opened.locator("script[src*='mathjax-']").count() == bool(written)
    assert opened.locator(".math mjx-container").count() == written
    assert opened.locator("mjx-merror, [data-mjx-error]").count() == 0


def test_search_finds_a_word(visit):
    opened = visit("search.html?q=latent")
    opened.locator("#search-results a[href*='chapters/glossary.html']").first.wait_for()


def test_page_reads_without_scripts(visit):
    for page in PAGES[2:]:
        opened = visit(page, java_script_enabled=False)
        assert opened.locator("article h1").is_visible()
        assert all(solution.is_visible() for solution in opened.locator(".solution > *").all())


def test_keyboard_reaches_every_control(visit):
    for page in PAGES[2:]:
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


class Links(HTMLParser):
    """What a page points to, and what in it can be pointed to."""

    def __init__(self, path):
        super().__init__()
        self.targets, self.anchors = set(), {"", "top"}
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors.update(given[name] for name in ("id", "name") if given.get(name))
        self.targets.update(given[name] for name in ("href", "src") if given.get(name))
        if tag == "meta" and given.get("property") == "og:image":
            self.targets.add(given["content"])


def test_every_link_and_anchor_leads_somewhere(site):
    pages = {path.relative_to(site).as_posix(): Links(path) for path in site.rglob("*.html") if "_static" not in path.parts}
    dead = []
    for name, links in pages.items():
        for target in links.targets:
            path, anchor = urldefrag(urljoin(f"//site/{name}", target))
            if urlsplit(path).scheme or urlsplit(path).netloc != "site":
                continue
            path = unquote(urlsplit(path).path.removeprefix("/"))
            if not (site / path).is_file() or path in pages and unquote(anchor) not in pages[path].anchors:
                dead.append(f"{name}: {target}")
    assert sorted(dead) == []


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


def test_origin_is_that_of_the_book_alone(tmp_path):
    (tmp_path / "book").mkdir()
    for command in ("init --quiet", "remote add origin https://user:secret@github.com/owner/book.git"):
        subprocess.run(["git", "-C", tmp_path, *command.split()], check=True)
    assert book_theme.web_address(book_theme.origin(tmp_path)) == "https://github.com/owner/book"
    assert book_theme.origin(tmp_path / "book") == book_theme.origin(tmp_path / "missing") == ""


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
