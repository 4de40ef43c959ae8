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


def without(*keys):
    def change(folder):
        path = folder / "_config.yml"
        settings = yaml.safe_load(path.read_text("utf-8"))
        path.write_text(yaml.safe_dump({key: value for key, value in settings.items() if key not in keys}, sort_keys=False), "utf-8")

    return change


def elsewhere(folder):
    git(folder, "remote set-url origin https://git.example.org/a/b")
    change_settings(folder, html={"baseurl": "https://example.org/a"})


OLDER = "'An Older Book' is the name of the book that yours is based on; write another, or 'based on'"
FORGOTTEN = [
    (setting(author=ORIGINAL["author"].capitalize()), "_config.yml:2: author is still 'The authors of an older book'; write your own",
     "CITATION.cff:3: says 'Ada Example'; write 'The authors of an older book'"),
    (setting(institution=""), "_config.yml:3: institution is empty; write where the course is given"),
    (edit("_config.yml", "institution: Example University\n", ""), "_config.yml: institution is empty; write where the course is given"),
    (setting(title="An Older Book"), "_config.yml:1: title is still 'An Older Book'; write your own", "README.md:1: says 'Autumn Course'; write 'An Older Book'",
     "chapters/index.md:1: says 'Autumn Course'; write 'An Older Book'", "CITATION.cff:1: says 'Autumn Course'; write 'An Older Book'",
     "pyproject.toml:2: says 'autumn-course'; write 'an-older-book'"),
    (edit("README.md", "# Autumn", "# Spring"), "README.md:1: says 'Spring Course'; write 'Autumn Course'"),
    (edit("README.md", "# Autumn Course", "# An Older Book"), "README.md:1: says 'An Older Book'; write 'Autumn Course'"),
    (edit("README.md", "# Autumn Course", ""), "README.md: does not say 'Autumn Course'; write it"),
    (edit("chapters/index.md", "# Autumn", "# Spring"), "chapters/index.md:1: says 'Spring Course'; write 'Autumn Course'"),
    (edit("CITATION.cff", "Autumn", "Spring"), "CITATION.cff:1: says 'Spring Course'; write 'Autumn Course'"),
    (edit("CITATION.cff", "Ada", "Eve"), "CITATION.cff:3: says 'Eve Example'; write 'Ada Example'"),
    (edit("CITATION.cff", "2.0", "1.9"), "CITATION.cff:4: says '1.9'; write '2.0'"),
    (edit("pyproject.toml", "autumn", "spring"), "pyproject.toml:2: says 'spring-course'; write 'autumn-course'"),
    (edit("_toc.yml", "chapters:\n  -", 'parts:\n- caption: "Part I. An older book"\n  chapters:\n  -'), f"_toc.yml:4: {OLDER}"),
    (edit("chapters/index.md", "Course\n", "Course\n\nLike An Older Book.\n"), f"chapters/index.md:3: {OLDER}"),
    (edit("README.md", "Based on", "Like"), f"README.md:3: {OLDER}"),
    (edit("CITATION.cff", "authors:", "notes: An Older Book\nauthors:"), f"CITATION.cff:2: {OLDER}"),
    (lambda folder: git(folder, "remote remove origin"),
     "_config.yml: no repository.url, and no git remote origin with a page: the book has no buttons that launch, edit and report"),
    (setting(repository={"url": "https://github.com/old/book"}), "_config.yml: repository.url is https://github.com/old/book, "
     "but the git remote origin is https://github.com/someone/autumn; leave it empty, or push there"),
    (lambda folder: git(folder, "remote set-url origin https://git.example.org/a/b"),
     "_config.yml:15: where will the site be published? Cards of shared links, and the page for a wrong address, need html.baseurl"),
    (elsewhere,),
    (without("html", "repository"),),
    (without("based_on"), "_config.yml: based_on is empty; write the book that yours is made from: title, author, licence, url"),
    (setting(based_on=[]), "_config.yml: based_on is empty; write the book that yours is made from: title, author, licence, url"),
    (setting(based_on=[{"title": "An Older Book"}]), "_config.yml: based_on lacks author, licence"),
    (edit("LICENSE", "authors of An Older", "authors of No Older"),
     "LICENSE: the line 'Copyright (c) … the authors of An Older Book' is gone; put it back, above your own"),
    (edit("LICENSE", "BSD 3-Clause", "Some"), "LICENSE: 'BSD 3-Clause License' is not in it; put the licence back"),
    (lambda folder: (folder / "LICENSE-text").unlink(), "LICENSE-text: 'Creative Commons Attribution 4.0 International' is not in it; put the licence back"),
    (setting(licence="All rights reserved"), "_config.yml: licence does not link CC BY 4.0, under which the text came"),
    (edit("_config.yml", "\nlicence: ", "\nlicense: "), "_config.yml: licence does not link CC BY 4.0, under which the text came"),
    (lambda folder: (folder / "data" / "snow.csv").write_text("3\n"),
     "chapters/data-sheet.md: nothing on data/snow.csv; write where it is from and under which licence", "data/snow.csv: no script in data/ makes it; add the one that did"),
    (edit("chapters/data-sheet.md", "**Licence.**", "Licence:"),
     "chapters/data-sheet.md: 1 data sets (**What.**) have 0 licences (**Licence.**); each needs one"),
    (edit("_toc.yml", "  - file: chapters/data-sheet\n", ""),
     "_toc.yml: there is no page data-sheet, which says where the data are from and under which licence"),
    (edit("data/wind_farm.csv.xz", "2", "5"), "chapters/one.ipynb, cells 2: they speak of the wind farm, but the book's table is another"),
]


def test_a_whole_fork_is_told_nothing(folder):
    (folder / "data" / ".hidden").write_text("")
    assert told(folder) == []


@pytest.mark.parametrize(("forget", "messages"), [(forget, messages) for forget, *messages in FORGOTTEN], ids=lambda value: str(value)[2:42] if isinstance(value, list) else "")
def test_a_fork_is_told_what_it_forgot(folder, forget, messages):
    forget(folder)
    assert told(folder) == messages


def test_a_fork_with_a_table_of_its_own_is_told_what_it_leaves_out_and_what_still_speaks_of_the_farm(folder, monkeypatch):
    one = folder / "chapters" / "one.ipynb"
    cells = [new_markdown_cell(text) for text in ("# One", "The turbine stands.", f"The wind is 7 m/s. {check_fork.chapters.own_table.MARK}")]
    tagged = new_code_cell("print('blades of the turbine')", metadata={"tags": [check_fork.chapters.own_table.TAG]})
    more = [new_markdown_cell("A window opens."), new_markdown_cell("The anemometer turns."), new_code_cell("draw()", metadata={"mystnb": {"image": {"alt": "A Turbine"}}})]
    nbformat.write(new_notebook(cells=[*cells, new_code_cell("print('wind')"), tagged, *more]), one)
    monkeypatch.setattr(check_fork.chapters.own_table, "in_use", lambda: True)
    assert told(folder) == [
        "chapters/one.ipynb, cell 3: The wind is 7 m/s. (left out with your table: write it anew)",
        "chapters/one.ipynb, cell 5: the code that begins with `print('blades of the turbine')` (left out with your table: write it anew)",
        "chapters/one.ipynb, cells 2, 7: they speak of the wind farm, but the book's table is another",  # and a window does not
        "chapters/one.ipynb, cells 4, 8: their code speaks of the wind farm, but the book's table is another",
    ]


def test_a_fork_is_told_of_the_originals_logo(folder, monkeypatch):
    monkeypatch.setattr(check_fork, "LOGO", check_fork.digest("logo.svg"))
    assert told(folder) == ["_config.yml:9: logo.svg is still the original's; put your picture there, and beside it the same as PNG"]


LINKS = """<html data-content_root="/some/sub-path/"><meta property="og:image" content="gone.png"><meta property="og:title" content="title.png"><meta name="told">
<a href="chapters/one.html#here">1</a><a href="chapters/one.html#gr%C3%B6%C3%9Fe">2</a><a href="#old">3</a><a href="#top">4</a><a href="">5</a><a name="old">6</a>
<a href="chapters/one%20b.html">7</a><a href="/some/sub-path/index.html?q=1">8</a><a href="book.pdf#page=2">9</a><img src="book.pdf"><a href="mailto:a@b">a</a>
<a href="https://example.org/x">b</a><a href="//elsewhere/x">c</a><a href="/some/other-path/index.html">d</a><a href="chapters/one.html#there">e</a>
<a href="two.html">f</a><img src="b.png">
"""
STORED = "https://github.com/someone/autumn/blob/main/chapters/one.ipynb?plain=1"


def test_links_that_lead_nowhere_are_told_page_by_page_under_their_headings(folder):
    site = folder / "_build" / "html"
    for name, text in {
        "404.html": LINKS, "chapters/one.html": '<p id="here"><a id="größe" href="../index.html">up</a>', "chapters/one b.html": f'<a href="{STORED}">x</a>',
        "index.html": "", "book.pdf": "", "_static/part.html": '<a href="nowhere">x</a>',
    }.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text, "utf-8")
    git(folder, "-c user.name=a -c user.email=a@b commit --quiet -m all", "update-ref refs/remotes/origin/main HEAD")
    found = {"Still to change": [], "Notices": [], "Dead links": [], "Addresses to launch, edit and report": [], "Data sheets": [], "Claims about another table": []}
    assert list(check_fork.check(site).items()) == list({**found, "Dead links": [
        f"404.html: {link}" for link in ("/some/other-path/index.html", "b.png", "chapters/one.html#there", "gone.png", "two.html")
    ]}.items())
    (site / "404.html").write_text('<html data-content_root="/">', "utf-8")
    (site / "chapters" / "one.html").write_text(f"""<a href="{STORED.replace('one', 'two')}">a</a>
        <a href="{STORED.replace('blob/main', 'edit/new/way')}">b</a><a href="https://mybinder.org/v2/gl/someone/autumn/new/way?urlpath=lab/tree/chapters/one.ipynb">c</a>
        <a href="https://mybinder.org/v2/gh/someone%2Fautumn/main?urlpath=lab%2Ftree%2Fchapters%2Fthree.ipynb">d</a><a href="../blob/main/chapters/four.ipynb">e</a>""")
    assert sorted(check_fork.launch_addresses(site)) == [
        "branch new/way: the links to the repository name it, but origin is not known to have it; push it, or set repository.branch in _config.yml",
        f"chapters/one.html: {STORED.replace('one', 'two')} names chapters/two.ipynb, which git does not have; commit it",
        "chapters/one.html: https://mybinder.org/v2/gh/someone%2Fautumn/main?urlpath=lab%2Ftree%2Fchapters%2Fthree.ipynb names chapters/three.ipynb, "
        "which git does not have; commit it",
    ]
    (folder / "LICENSE").unlink()
    change_settings(folder, institution="")
    (folder / "data" / "snow.csv").write_text("snow")
    (folder / "data" / "wind_farm.csv.xz").write_text("mine")
    assert [len(faults) for faults in check_fork.check(site).values()] == [1, 2, 1, 3, 2, 1]


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
