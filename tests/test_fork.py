"""A fork: a book with another title, branch and address is whole, names what it is based on, and is told what it forgot."""

import base64
import functools
import http.server
import io
import re
import subprocess
import threading

import book_theme
import chapters
import check_fork
import nbformat
import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from conftest import Handler
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from PIL import Image, ImageChops
from test_tools import METADATA, ROOT, copy_tools, run

ADDRESS = "https://example.org/some/sub-path"  # without a slash, and conftest's SUB_PATH
ORIGINAL = {"title": "An Older Book", "author": "the authors of An Older Book", "licence": "CC BY 4.0", "url": "https://example.org/old"}
SETTINGS = {"title": "Autumn Course", "author": "Ada Example", "institution": "Example University", "based_on": [ORIGINAL]}
TOC = "format: jb-book\nroot: chapters/index\nchapters:\n  - file: chapters/one\n"


def git(folder, *commands):
    for command in commands:
        subprocess.run(["git", "-C", folder, *command.split()], check=True, capture_output=True)


def change_settings(book, **changes):
    path = book / "_config.yml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text("utf-8")), **changes}, sort_keys=False), "utf-8")


@pytest.fixture(scope="module")
def fork(tmp_path_factory):
    """The folder of a fork on the branch master, whose site is built for an address without a slash at its end."""
    book = tmp_path_factory.mktemp("fork") / "autumn"
    copy_tools(book)
    settings = yaml.safe_load((book / "_config.yml").read_text("utf-8"))
    change_settings(book, **SETTINGS, html={**settings["html"], "baseurl": ADDRESS}, repository={"url": "", "branch": ""})
    (book / "_toc.yml").write_text(TOC)
    (book / "chapters" / "index.md").write_text("# Autumn Course\n\nRead {doc}`one`, and {cite:t}`someone`.\n\n```{bibliography}\n```\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chapters, "BOOK", book)
        page = new_notebook(cells=[new_markdown_cell("# One\n\nText."), new_code_cell("1", execution_count=1)], metadata=METADATA)
        page.metadata["executed_with"] = chapters.fingerprint(page)
        nbformat.write(page, book / "chapters" / "one.ipynb")
    git(book, "init --quiet --initial-branch master", "remote add origin git@github.com:someone/autumn.git", "add --all")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("BOOK_ADDRESS", raising=False)
        status, printed = run(book, "build.py")
    assert status == 0, printed
    return book


@pytest.fixture(scope="module")
def html(fork):
    """Return a function that reads a page of the fork."""
    return lambda name: BeautifulSoup((fork / "_build" / "html" / name).read_text("utf-8"), "html.parser")


def meta(page, name):
    return page.find("meta", attrs={"property": name})["content"]


# --- the site ------------------------------------------------------------------------------------------------------------


def test_each_page_names_its_authors_and_what_it_is_based_on(html):
    for name in ("chapters/index.html", "chapters/one.html", "404.html"):
        foot = html(name).find("footer", class_="bd-footer-content")
        assert "By Ada Example, Example University" in foot.text
        assert foot.find("a", href="https://creativecommons.org/licenses/by/4.0/")
        [told] = foot.select(".based-on")
        assert told.text == "Based on An Older Book by the authors of An Older Book, CC BY 4.0; changed."
        assert told.a["href"] == ORIGINAL["url"]


def test_the_original_is_based_on_nothing_and_what_it_says_is_no_html():
    settings = {"title": "A & B", "based_on": [{"title": "A & B", "author": "x", "licence": "y"}]}
    assert book_theme.foot(settings) == ""
    assert "<cite>A &amp; B</cite> by x, y; changed" in book_theme.foot({**settings, "title": "C"})


def test_the_tab_says_the_title_once(html):
    assert html("chapters/index.html").title.text == "Autumn Course"
    assert html("chapters/one.html").title.text == "One — Autumn Course"


def test_addresses_keep_their_last_folder(html):
    for name in ("chapters/index.html", "chapters/one.html"):
        page = html(name)
        assert meta(page, "og:url") == page.find("link", rel="canonical")["href"] == f"{ADDRESS}/{name}"
        assert meta(page, "og:image").startswith(f"{ADDRESS}/_images/")
        assert meta(page, "og:site_name") == "Autumn Course"


def test_a_book_without_its_author_is_refused():
    with pytest.raises(book_theme.ConfigError, match="based_on in _config.yml: .*lacks author, licence"):
        book_theme.foot({"title": "A", "based_on": [{"title": "B"}]})


@pytest.mark.parametrize(("given", "address"), [("", ""), (ADDRESS, f"{ADDRESS}/"), (f"{ADDRESS}/", f"{ADDRESS}/"), ("http://a.b", "http://a.b/")])
def test_an_address_ends_with_a_slash(given, address):
    assert book_theme.address(given) == address


@pytest.mark.parametrize("given", ["example.org/course", "/course/", "ftp://example.org"])
def test_what_is_no_address_is_refused(given):
    with pytest.raises(book_theme.ConfigError, match=f"html.baseurl in _config.yml, or BOOK_ADDRESS, is '{given}'.*is expected"):
        book_theme.address(given)


def test_the_root_has_the_first_pages_card_and_leads_there(html, fork):
    root, home = html("index.html"), html("chapters/index.html")
    for name in ("og:title", "og:description", "og:image", "og:url"):
        assert meta(root, name) == meta(home, name)
    assert root.title.text == home.title.text
    assert root.find("meta", attrs={"http-equiv": "refresh"})["content"] == "0; url=chapters/index.html"
    assert (fork / "_build" / "html" / root.a["href"]).is_file()


def test_a_card_without_a_known_address_is_found_from_the_root(site):
    text = (site / "index.html").read_text("utf-8")
    picture = re.search(r'property="og:image" content="([^"]*)"', text)[1]
    assert picture.startswith("http") or (site / picture).is_file()


def test_github_pages_serves_the_files_as_they_are(fork):
    assert (fork / "_build" / "html" / ".nojekyll").is_file()


def test_a_fork_on_master_links_master(html, fork):
    links = [link["href"] for link in html("chapters/one.html").select("a[href*='someone/autumn']")]
    assert "https://mybinder.org/v2/gh/someone/autumn/master?urlpath=lab/tree/chapters/one.ipynb" in links
    assert {"https://github.com/someone/autumn/edit/master/chapters/one.ipynb", "https://github.com/someone/autumn/blob/master/chapters/one.ipynb?plain=1"} <= {*map(str, links)}


def test_a_page_for_lost_readers_is_whole_at_any_depth(fork, browser):
    class Serving(Handler):
        def send_error(self, code, *_):
            self.send_response(code)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write((fork / "_build" / "html" / "404.html").read_bytes())

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Serving, directory=fork / "_build" / "html")) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        start = f"http://127.0.0.1:{server.server_port}/some/sub-path/"
        for width, theme in [(1280, "light"), (390, "dark")]:
            context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=theme, reduced_motion="reduce")
            for missing in ("gone.html", "chapters/gone.html", "a/b/c/"):
                page, asked = context.new_page(), []
                page.on("response", lambda response, asked=asked: asked.append((response.status, response.url)))
                page.goto(start + missing)
                page.wait_for_load_state("networkidle")
                assert [status for status, _ in asked] == [404] + [200] * (len(asked) - 1) and len(asked) > 5, asked
                assert page.locator("article h1").text_content() == "Page not found"
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                assert Axe().run(page).response["violations"] == []
                with page.expect_navigation():
                    page.get_by_role("link", name="first page").click()
                assert page.url == f"{start}chapters/index.html" and page.title() == "Autumn Course"
                page.close()
            context.close()
        server.shutdown()


def test_the_two_logos_are_one_picture(browser):
    logo = ROOT / yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))["logo"]
    with Image.open(logo.with_suffix(".png")) as stored:
        page = browser.new_page(viewport={"width": stored.width, "height": stored.height})
        page.set_content(f'<body style="margin: 0"><img style="width: 100vw; height: 100vh" src="{as_address(logo)}">')
        page.locator("img").evaluate("image => image.decode()")
        seen = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        page.close()
        ours = Image.alpha_composite(Image.new("RGBA", stored.size, "white"), stored.convert("RGBA")).convert("RGB")
    difference = ImageChops.difference(seen, ours).convert("L").point(lambda value: 255 * (value > 60))
    assert sum(difference.histogram()[255:]) < 0.005 * stored.width * stored.height  # edges alone may differ


def as_address(logo):
    """Return a picture as an address that holds it."""
    kind = "svg+xml" if logo.suffix == ".svg" else logo.suffix[1:]
    return f"data:image/{kind};base64,{base64.b64encode(logo.read_bytes()).decode()}"


# --- what a fork is told -------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A small fork in which nothing is left to change and nothing is broken, its site apart."""
    monkeypatch.setattr(check_fork.chapters.own_table, "in_use", lambda: False)  # whatever table the book has
    for name, text in {
        "_config.yml": yaml.safe_dump({
            **SETTINGS, "logo": "logo.svg", "licence": '<a href="https://creativecommons.org/licenses/by/4.0/">CC BY 4.0</a>',
            "repository": {"url": "", "branch": ""}, "html": {"baseurl": ""},
        }, sort_keys=False),
        "_toc.yml": "format: jb-book\nroot: chapters/index\nchapters:\n  - file: chapters/one\n  - file: chapters/data-sheet\n",
        "README.md": "# Autumn Course\n\nBased on An Older Book.\n",
        "CITATION.cff": 'title: "Autumn Course: a course"\nauthors:\n  - name: Ada Example\nversion: 2.0\n',
        "pyproject.toml": '[project]\nname = "autumn-course"\nversion = "2.0"\n',
        "LICENSE": "BSD 3-Clause License\nCopyright (c) 2026 the authors of An Older Book\n",
        "LICENSE-text": "Creative Commons Attribution 4.0 International\n",
        "logo.svg": "<svg/>",
        "chapters/index.md": "# Autumn Course\n",
        "chapters/data-sheet.md": "# Data\n\n**What.** rain\n\n**Licence.** CC0\n\nAnd wind_farm.\n",
        "data/rain.csv": "1\n",
        "data/wind_farm.csv.xz": "2\n",
        "data/make_rain.py": "# writes rain and wind_farm\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    nbformat.write(new_notebook(cells=[new_markdown_cell("# One"), new_markdown_cell("The turbine stands.")]), tmp_path / "chapters" / "one.ipynb")
    git(tmp_path, "init --quiet --initial-branch master", "remote add origin https://github.com/someone/autumn", "add --all")
    monkeypatch.setattr(chapters, "BOOK", tmp_path)
    monkeypatch.setattr(check_fork, "TABLE", check_fork.digest("data/wind_farm.csv.xz"))
    return tmp_path


def told(folder):
    settings = yaml.safe_load((folder / "_config.yml").read_text("utf-8"))
    parts = (check_fork.settings_left, check_fork.repeats, check_fork.addresses, check_fork.notices)
    return [fault for part in parts for fault in part(settings)] + check_fork.data_sheets() + check_fork.claims()


def edit(name, old, new):
    def change(folder):
        text = (folder / name).read_text("utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new), "utf-8")

    return change


def setting(**changes):
    return lambda folder: change_settings(folder, **changes)


FORGOTTEN = [
    (setting(author=ORIGINAL["author"].capitalize()), r"_config.yml:2: author is still 'The authors of an older book'; write your own"),
    (setting(institution=""), r"_config.yml:3: institution is empty"),
    (edit("_config.yml", "institution: Example University\n", ""), r"^_config.yml: institution is empty"),
    (setting(title="An Older Book", based_on=[ORIGINAL]), r"_config.yml:1: title is still 'An Older Book'"),
    (edit("README.md", "# Autumn", "# Spring"), r"README.md:1: says 'Spring Course'; write 'Autumn Course'"),
    (edit("README.md", "# Autumn Course", ""), r"README.md: does not say 'Autumn Course'; write it"),
    (edit("chapters/index.md", "# Autumn", "# Spring"), r"chapters/index.md:1: says 'Spring Course'"),
    (edit("CITATION.cff", "Autumn", "Spring"), r"CITATION.cff:1: says 'Spring Course'"),
    (edit("CITATION.cff", "Ada", "Eve"), r"CITATION.cff:3: says 'Eve Example'; write 'Ada Example'"),
    (edit("CITATION.cff", "2.0", "1.9"), r"CITATION.cff:4: says '1.9'; write '2.0'"),
    (edit("pyproject.toml", "autumn", "spring"), r"pyproject.toml:2: says 'spring-course'; write 'autumn-course'"),
    (edit("_toc.yml", "chapters:\n  -", 'parts:\n- caption: "Part I. An older book"\n  chapters:\n  -'), r"_toc.yml:4: 'An Older Book' is the name of the book"),
    (edit("chapters/index.md", "Course\n", "Course\n\nLike An Older Book.\n"), r"chapters/index.md:3: 'An Older Book' is the name"),
    (edit("README.md", "Based on", "Like"), r"README.md:3: 'An Older Book' is the name"),
    (edit("CITATION.cff", "authors:", "notes: An Older Book\nauthors:"), r"CITATION.cff:2: 'An Older Book' is the name"),
    (lambda folder: git(folder, "remote remove origin"), r"_config.yml: no repository.url, and no git remote"),
    (setting(repository={"url": "https://github.com/old/book"}), r"repository.url is https://github.com/old/book, but the git remote origin is https://github.com/someone/autumn"),
    (lambda folder: git(folder, "remote set-url origin https://git.example.org/a/b"), r"_config.yml:\d+: where will the site be published\?"),
    (setting(based_on=[]), r"_config.yml: based_on is empty"),
    (setting(based_on=[{"title": "An Older Book"}]), r"_config.yml: based_on lacks author, licence"),
    (edit("LICENSE", "authors of An Older", "authors of No Older"), r"LICENSE: the line 'Copyright \(c\) … the authors of An Older Book' is gone"),
    (edit("LICENSE", "BSD 3-Clause", "Some"), r"LICENSE: 'BSD 3-Clause License' is not in it"),
    (lambda folder: (folder / "LICENSE-text").unlink(), r"LICENSE-text: 'Creative Commons"),
    (setting(licence="All rights reserved"), r"_config.yml: licence does not link CC BY 4.0"),
    (lambda folder: (folder / "data" / "snow.csv").write_text("3\n"), r"(?s)data-sheet.md: nothing on data/snow.csv.*data/snow.csv: no script"),
    (edit("chapters/data-sheet.md", "**Licence.**", "Licence:"), r"data-sheet.md: 1 data sets \(\*\*What.\*\*\) have 0 licences"),
    (edit("_toc.yml", "  - file: chapters/data-sheet\n", ""), r"_toc.yml: there is no page data-sheet"),
    (edit("data/wind_farm.csv.xz", "2", "5"), r"chapters/one.ipynb, cells 2: they speak of the wind farm"),
]


def test_a_whole_fork_is_told_nothing(folder):
    assert told(folder) == []


@pytest.mark.parametrize(("forget", "message"), FORGOTTEN, ids=lambda value: value[:40] if isinstance(value, str) else "")
def test_a_fork_is_told_what_it_forgot(folder, forget, message):
    forget(folder)
    assert re.search(message, "\n".join(told(folder))), told(folder)


def test_a_fork_with_a_table_of_its_own_is_told_what_it_leaves_out_and_what_still_speaks_of_the_farm(folder, monkeypatch):
    one = folder / "chapters" / "one.ipynb"
    cells = [new_markdown_cell(text) for text in ("# One", "The turbine stands.", f"The wind is 7 m/s. {check_fork.chapters.own_table.MARK}")]
    tagged = new_code_cell("print('blades of the turbine')", metadata={"tags": [check_fork.chapters.own_table.TAG]})
    more = [new_markdown_cell("A window opens."), new_markdown_cell("The anemometer turns.")]
    nbformat.write(new_notebook(cells=[*cells, new_code_cell("print('wind')"), tagged, *more]), one)
    monkeypatch.setattr(check_fork.chapters.own_table, "in_use", lambda: True)
    found = "\n".join(told(folder))
    assert "chapters/one.ipynb, cell 3: The wind is 7 m/s. (left out with your table: write it anew)" in found
    assert "chapters/one.ipynb, cell 5: the code that begins with `print('blades of the turbine')` (left out" in found
    assert "chapters/one.ipynb, cells 2, 7: they speak of the wind farm" in found  # and a window does not
    assert "chapters/one.ipynb, cells 4: their code speaks of the wind farm" in found


def test_a_fork_is_told_of_the_originals_logo(folder, monkeypatch):
    monkeypatch.setattr(check_fork, "LOGO", check_fork.digest("logo.svg"))
    assert "logo.svg is still the original's" in "\n".join(told(folder))


def test_dead_links_and_addresses_that_git_does_not_have_are_told(fork, tmp_path, monkeypatch):
    monkeypatch.setattr(chapters, "BOOK", fork)
    site = fork / "_build" / "html"
    assert check_fork.dead_links(site) == []
    [unpushed] = check_fork.launch_addresses(site)
    assert "branch master: the links to the repository name it, but origin is not known to have it" in unpushed
    git(fork, "-c user.name=a -c user.email=a@b commit --quiet -m all", "update-ref refs/remotes/origin/master HEAD")
    assert check_fork.launch_addresses(site) == []
    git(fork, "rm --quiet --cached chapters/one.ipynb")
    assert len(check_fork.launch_addresses(site)) == 3  # Binder, the source, the editor
    page = site / "chapters" / "one.html"
    whole = page.read_text("utf-8")
    page.write_text(whole + '<a href="two.html">two</a><a href="#nowhere">x</a><a href="#top">up</a>', "utf-8")
    assert check_fork.dead_links(site) == ["chapters/one.html: #nowhere", "chapters/one.html: two.html"]
    page.write_text(whole, "utf-8")


def test_check_fork_wants_a_built_site(tmp_path):
    with pytest.raises(FileNotFoundError, match="no built site; run `make book` first"):
        check_fork.check(tmp_path)


def test_check_fork_prints_what_it_finds_and_fails(fork):
    status, printed = run(fork, "check_fork.py")
    assert status == 1
    assert re.search(r"^Still to change: \n(  .*\n)*  README.md: does not say 'Autumn Course'; write it\n", printed), printed
    assert re.findall(r"^\w[^:]*", printed, re.MULTILINE)[1:] == ["Notices", "Dead links", "Addresses to launch, edit and report", "Data sheets", "Claims about another table"]
    assert "\nDead links: nothing\n" in printed
