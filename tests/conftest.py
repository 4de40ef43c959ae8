"""The built site in a real browser, for the files of tests that look at it: a worker takes a whole file."""

import functools
import http.server
import os
import threading
from urllib.parse import urlsplit

import build
import chapters
import pdf
import pytest
from filelock import FileLock
from playwright.sync_api import Error, sync_playwright

SUB_PATH = "/some/sub-path/"  # where GitHub Pages would put it: a link that starts at the root breaks here
# Kept from asking for anything themselves, so that every request is the page's.
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
SWITCHES += ["--disable-component-update", "--disable-sync"]

#: Style that lays out all sections at once: one that waits until it comes near would hide how wide or high its content is.
ALL_SECTIONS = "section { content-visibility: visible !important; }"

PAGES = [path.relative_to(chapters.BOOK).with_suffix(".html").as_posix() for path in chapters.pages()]


@pytest.fixture(params=["search.html", "genindex.html", *PAGES])
def page(request):
    """A page of the site; the test runs for each."""
    return request.param


@pytest.fixture
def pages():
    """All pages that have a text of the book."""
    return PAGES


@pytest.fixture(scope="session")
def site(tmp_path_factory, worker_id):
    """The folder of the site, built from the working tree once a run, whichever worker comes first."""
    shared = tmp_path_factory.getbasetemp() if worker_id == "master" else tmp_path_factory.getbasetemp().parent
    folder = shared / "site" / "html"
    with FileLock(shared / "site.lock"):
        if not folder.exists():
            folder.parent.mkdir(exist_ok=True)
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
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=pdf.find_chromium(), args=SWITCHES)
        except Error as error:
            missing = f"no Chromium: install one, or name it in CHROMIUM ({str(error).strip().splitlines()[0]})"
            pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, address):
    """Return a function that opens a page; fail if any page did what it must not."""
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
        return page

    yield visit
    for context in contexts:
        context.close()
    assert wrong == []
