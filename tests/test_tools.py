"""The commands behind `make execute` and `make book`, on a book of two small pages: what they do, and how they fail."""

import argparse
import asyncio
import base64
import contextlib
import importlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import memory
import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image, ImageChops, ImageStat

import build
import chapters
import execute

ROOT = chapters.BOOK
METADATA = {"language_info": {"name": "python"}, "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
TEXT = "# Eins\n\nA citation {cite:p}`someone` and a link to {doc}`index`."
TOC = "format: jb-book\nroot: chapters/index\nchapters:\n  - file: chapters/eins\n"
BIBLIOGRAPHY = "@book{someone, author = {Someone, A.}, title = {A Book}, publisher = {P}, year = {2000}}\n"


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A book of two pages, executed, in a folder whose name has spaces and letters beyond ASCII."""
    book = tmp_path / "Mein Buch, übersetzt"
    copy_tools(book)
    monkeypatch.setattr(chapters, "BOOK", book)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    write(book, "import helpers\nprint(1 + 1)", "picture = helpers.plot_image\nprint(open('../data/table.csv').read())")
    return book


def copy_tools(book):
    """Put all of a book but its chapters into a folder, with a first page; what builds keep is this book's."""
    link_kept(book)
    for folder in ("tools", "helpers", "theme"):
        shutil.copytree(ROOT / folder, book / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("_config.yml", "pyproject.toml", "requirements.txt"):
        shutil.copy(ROOT / file, book)
    for folder in ("data", "chapters"):
        (book / folder).mkdir()
    (book / "data" / "table.csv").write_text("1\n")
    (book / "_toc.yml").write_text(TOC)
    (book / "references.bib").write_text(BIBLIOGRAPHY)
    (book / "chapters" / "index.md").write_text("# The book\n\n{doc}`eins`\n\n```{bibliography}\n```\n")


def link_kept(book):
    """Let a book in a folder have what this one's builds keep, so that no test makes style, templates and figures anew."""
    kept = ROOT / "_build" / "kept"
    kept.mkdir(parents=True, exist_ok=True)
    (book / "_build").mkdir(parents=True)
    with contextlib.suppress(OSError):  # Windows allows links to some only
        (book / "_build" / "kept").symlink_to(kept, target_is_directory=True)


def chapter(book):
    return book / "chapters" / "eins.ipynb"


def write(book, *sources, text=TEXT):
    """Write the chapter as if it had just been executed: the outputs are made up, the rest is not."""
    cells = [new_code_cell(source, execution_count=count) for count, source in enumerate(sources, start=1)]
    save(book, new_notebook(cells=[new_markdown_cell(text), *cells], metadata=METADATA))


def save(book, notebook, *, current=True):
    if current:
        notebook.metadata["executed_with"] = chapters.fingerprint(notebook)
    nbformat.write(notebook, chapter(book))


def start(book, tool, *arguments, **options):
    command = [sys.executable, book / "tools" / tool, *arguments]
    return subprocess.Popen(command, cwd=book, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", errors="replace", **options)


def run(book, tool, *arguments):
    """Run a tool; return its exit status, and what it printed."""
    process = start(book, tool, *arguments, env={**os.environ, "PYTHONIOENCODING": "utf-8"})
    printed, errors = process.communicate()
    return process.returncode, printed + errors


def append(path, text):
    path.write_text((path.read_text("utf-8") if path.exists() else "") + text, "utf-8")


def edit_code(book):
    notebook = chapters.read(chapter(book))
    notebook.cells[1].source += "  # an edit"
    save(book, notebook, current=False)


def edit_prose(book):
    notebook = chapters.read(chapter(book))
    notebook.cells[0].source += " More."
    notebook.cells[1].metadata["tags"] = ["hide-input"]
    save(book, notebook, current=False)


def forget_a_run(book):
    notebook = chapters.read(chapter(book))
    notebook.cells[2].execution_count = None
    save(book, notebook, current=False)


def run_elsewhere(book):
    notebook = chapters.read(chapter(book))
    notebook.cells[1].outputs = [new_output("stream", text="of another table")]
    save(book, notebook, current=False)


def run_twice(book):
    notebook = chapters.read(chapter(book))
    notebook.cells[2].execution_count = 51
    save(book, notebook, current=False)


STALE = {
    "code": edit_code,
    "run elsewhere": run_elsewhere,
    "a cell run twice": run_twice,
    "a helper": lambda book: append(book / "helpers" / "images.py", "\nEDIT = 1\n"),
    "what a helper imports": lambda book: append(book / "helpers" / "_checks.py", "\nEDIT = 1\n"),
    "the package": lambda book: append(book / "helpers" / "__init__.py", "\nEDIT = 1\n"),
    "style": lambda book: append(book / "helpers" / "book.mplstyle", "\nlines.linewidth: 3\n"),
    "data": lambda book: append(book / "data" / "table.csv", "2\n"),
    "pins": lambda book: append(book / "requirements.txt", "numpy==1.0\n"),
    "a cell never run": forget_a_run,
}


@pytest.mark.parametrize("edit", STALE.values(), ids=STALE)
def test_an_edit_makes_a_chapter_stale(book, edit):
    assert not chapters.faults(chapter(book))
    edit(book)
    assert chapters.faults(chapter(book)) == [{
        forget_a_run: "chapters/eins.ipynb, cell 3: saved without having been run",
        run_twice: "chapters/eins.ipynb, cell 3: run as number 51, but it stands at 2",
    }.get(edit, "chapters/eins.ipynb: code, outputs, helpers, data or pins are not those of its last `make execute`")]


def test_each_fault_of_a_chapter_is_told_with_its_cell(book):
    notebook = chapters.read(chapter(book))
    notebook.cells.insert(1, new_code_cell(" \n"))  # a cell without code has no number and no fault
    notebook.cells[2].outputs = [
        new_output("stream", name="stderr", text="\nUserWarning: mind\nthe gap\n"), new_output("stream", text="fine"),
        new_output("error", ename="ValueError", evalue="no", traceback=[]), new_output("display_data"),
    ]
    notebook.cells[3].execution_count = None
    save(book, notebook)
    assert chapters.faults(chapter(book)) == [
        "chapters/eins.ipynb, cell 3: printed a warning: UserWarning: mind", "chapters/eins.ipynb, cell 3: raised ValueError: no",
        "chapters/eins.ipynb, cell 4: saved without having been run",
    ]
    assert chapters.name(book.parent / "elsewhere.ipynb") == str(book.parent / "elsewhere.ipynb") and chapters.name("a/b") == "a/b"


def test_a_chapter_depends_on_the_modules_of_the_names_in_it_and_on_the_data_that_it_or_they_name(book):
    folder, data = book / "helpers", book / "data"
    shutil.rmtree(folder)
    folder.mkdir()
    for name, text in {
        "__init__.py": 'import x\nHOMES = {"one": ["first"], "two": ["second", "third"]}\nlist(HOMES)\n', "style.mplstyle": "", "two.py": "x = 'named'\n",
        "one.py": "from helpers.base import x\nimport helpers.two\nfrom os import path\nfrom . import two\n", "base.py": "from helpers.deep import y\nfrom helpers.one import x\n", "deep.py": "",
    }.items():
        (folder / name).write_text(text)
    always = ["__init__.py", "style.mplstyle"]
    for code, used in {
        "print(1)": [], "my_helpers.first()": [], "import helpers": always, "helpers.firsts()": always, "helpers.first()": ["__init__.py", "base.py", "deep.py", "one.py", "style.mplstyle"],
        "from helpers import third": [*always, "two.py"], "import helpers.two": [*always, "two.py"], "helpers, two": always,
    }.items():
        assert [path.name for path in chapters.used_helpers(code)] == used, code

    (data / "deeper").mkdir()
    for name in ("named.csv", "mine.csv.xz", "theirs.csv", "make.py", "deeper/named.csv"):
        (data / name).write_text("")
    notebook = new_notebook(cells=[new_code_cell('helpers.second("mine", theirs, "make")')])
    kept = chapters.fingerprint(notebook)
    for name, counts in {"named.csv": True, "mine.csv.xz": True, "theirs.csv": False, "make.py": False, "deeper/named.csv": False}.items():
        (data / name).write_text("1")
        assert (chapters.fingerprint(notebook) != kept) == counts, name
        (data / name).write_text("")
    (data / "mine.csv.xz").rename(data / "mine.csv")
    assert chapters.fingerprint(notebook) != kept, "files that change their names"


def test_prose_and_metadata_and_pins_of_tools_and_unread_data_do_not(book):
    edit_prose(book)
    append(book / "references.bib", "\n")
    append(book / "requirements.txt", "sphinx==1.0\n")
    append(book / "data" / "other.csv", "3\n")
    assert not chapters.faults(chapter(book))


def append_docstring(path):
    text = path.read_text("utf-8")
    path.write_text(text.replace('"""', '"""An edit. ', 1).replace("\n    return ", "\n    # a remark\n    return ", 1), "utf-8")


def test_what_helpers_say_and_those_that_a_chapter_does_not_use_do_not(book):
    for name in ("__init__", "images", "_checks"):
        append_docstring(book / "helpers" / f"{name}.py")
        append(book / "helpers" / f"{name}.py", "\n\n# A remark.\n")
    append(book / "helpers" / "mixtures.py", "\nEDIT = 1\n")
    assert not chapters.faults(chapter(book))
    write(book, "print(1 + 1)", "print(1)")
    append(book / "helpers" / "images.py", "\nEDIT = 1\n")
    assert not chapters.faults(chapter(book))


def test_code_is_the_text_without_what_nobody_runs(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(
        '"""Says.\n\nMuch.\n"""\n\nx = "# no remark"  # a remark\n\n\n'
        'class C:\n    """Says."""\n\n    def f(self):\n        """Says\n        more.\n        """\n        return """ # x\n\n  y"""\n'
    )
    assert chapters.code_of(path).decode() == 'x = "# no remark"\nclass C:\n    def f(self):\n        return """ # x\n  y"""'
    (tmp_path / "style").write_bytes(b"# \xff\n")
    assert chapters.code_of(tmp_path / "style") == b"# \xff\n"


def test_execute_stores_outputs_once_and_then_executes_nothing(book):
    edit_code(book)
    status, printed = run(book, "execute.py")
    assert status == 0, printed
    notebook = chapters.read(chapter(book))
    assert [cell.outputs[0].text for cell in notebook.cells[1:]] == ["2\n", "1\n\n"]
    assert not chapters.faults(chapter(book))
    assert not any("execution" in cell.metadata for cell in notebook.cells)  # no timestamps, so a second run stores the same

    before = chapter(book).stat().st_mtime_ns
    status, printed = run(book, "execute.py")
    assert (status, chapter(book).stat().st_mtime_ns) == (0, before)
    assert printed == "Nothing to execute: the outputs of every chapter are current.\n"

    stored = chapter(book).read_bytes()
    status, printed = run(book, "execute.py", chapter(book))  # named, so executed though it is current
    assert status == 0, printed
    assert chapter(book).stat().st_mtime_ns > before
    assert chapter(book).read_bytes() == stored


def test_execute_stores_what_a_cell_prints_in_one_piece(book):
    late = "print('at once')\ntime.sleep(1)\nprint('and later')\n"
    write(book, f"import time\n{late}display(1)\n{late}")
    status, printed = run(book, "execute.py", chapter(book))
    assert status == 0, printed
    outputs = chapters.read(chapter(book)).cells[1].outputs
    kinds = [(output.get("name"), output.get("text")) for output in outputs]
    together = ("stdout", "at once\nand later\n")
    assert kinds == [together, (None, None), together]


def test_what_is_printed_is_joined_as_far_as_nothing_else_is_in_between():
    def printed(*pieces):
        return [new_output("stream", name=name, text=text) if name else new_output("display_data") for name, text in pieces]

    pieces = printed(("stdout", "a"), ("stdout", "b"), ("stderr", "c"), ("stderr", "d"), ("stdout", "e"), ("", ""), ("", ""), ("stdout", "f"), ("stdout", "g"))
    assert execute.in_one_piece(pieces) == printed(("stdout", "ab"), ("stderr", "cd"), ("stdout", "e"), ("", ""), ("", ""), ("stdout", "fg"))
    assert execute.in_one_piece([]) == []


def test_kernels_have_one_thread_and_the_books_table(monkeypatch, capsys):
    monkeypatch.setenv("BOOK_TABLE", "/a/table.csv")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    execute.settle_environment()
    assert (os.environ.get("OMP_NUM_THREADS"), os.environ.get("BOOK_TABLE")) == ("1", None)
    told = capsys.readouterr()
    assert told.out == "" and told.err == (
        "BOOK_TABLE=/a/table.csv is not used here: the book shows its own table. To make yours the book's, see README.md.\n"
    )
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    execute.settle_environment()
    assert os.environ["OMP_NUM_THREADS"] == "3" and capsys.readouterr() == ("", "")


class Kernel:
    """Stands for nbclient's client: each cell prints its number in two pieces, the one at which it fails does as it is told."""

    def __init__(self, notebook, on_cell_start, on_cell_executed, **settings):
        self.notebook, self.begin, self.end, self.settings = notebook, on_cell_start, on_cell_executed, settings
        Kernel.made.append(settings)

    async def async_execute(self):
        if isinstance(self.fails, DeadKernelError):
            raise self.fails
        for count, (number, cell) in enumerate(chapters.code_cells(self.notebook), start=1):
            self.begin(cell=cell, cell_index=number - 1)
            if self.fails and count == 2:
                raise self.fails
            cell.execution_count, cell.metadata["execution"] = count, {}
            cell.outputs = [new_output("stream", text=str(number)), new_output("stream", text="!\n"), new_output("display_data", data={"image/png": CURVES})]
            self.end(cell=cell, cell_index=number - 1, execute_reply={})
        self.notebook.metadata.update(kernelspec={"name": "other"}, language_info={"name": "python", "version": "0"})


class Bar:
    def __init__(self, **told):
        self.told, self.done, self.written = told, 0, []
        Bar.made.append(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def update(self):
        self.done += 1

    def write(self, text, file):
        self.written.append((text, file))


@pytest.mark.parametrize(
    ("fails", "told", "done", "written"),
    [
        (None, [], 2, []),
        (CellExecutionError("All of it", "NameError", "no x"), ["chapters/eins.ipynb, cell 3: raised NameError: no x"], 1, ["All of it"]),
        (CellTimeoutError("too long"), ["chapters/eins.ipynb, cell 3: too long"], 1, []),
        (DeadKernelError("Kernel died"), ["chapters/eins.ipynb, cell None: Kernel died"], 0, []),
    ],
)
def test_a_chapter_is_stored_as_its_kernel_left_it_or_not_at_all(book, monkeypatch, capsys, fails, told, done, written):
    Kernel.made, Bar.made, Kernel.fails = [], [], fails
    monkeypatch.setattr(execute, "NotebookClient", Kernel)
    monkeypatch.setattr(execute, "tqdm", Bar)
    notebook = chapters.read(chapter(book))
    notebook.cells[1].metadata["execution"] = {"iopub.execute_input": "2000"}
    notebook.cells[1].source += "\n1"
    save(book, notebook, current=False)
    before = chapter(book).read_bytes()
    assert asyncio.run(execute.main([chapter(book)])) == told
    assert capsys.readouterr().out == f"Executed: {'nothing to the end' if told else 'chapters/eins.ipynb'}\n"
    [bar] = Bar.made
    assert bar.told == {"total": 2, "unit": "cell", "desc": "1 chapter(s)", "disable": None}
    assert bar.done == done and bar.written == [(text, sys.stderr) for text in written]
    assert Kernel.made == [{
        "timeout": 300, "kernel_name": "python3", "record_timing": False, "extra_arguments": ["--log-level=ERROR"],
        "resources": {"metadata": {"path": str(book / "chapters")}},
    }]
    assert {path.name for path in (book / "chapters").iterdir()} == {"eins.ipynb", "index.md"}
    if told:
        assert chapter(book).read_bytes() == before
        return
    stored = chapters.read(chapter(book))
    assert [[output.get("text", "png") for output in cell.outputs] for _, cell in chapters.code_cells(stored)] == [["2!\n", "png"], ["3!\n", "png"]]
    assert {output.data["image/png"].strip() for _, cell in chapters.code_cells(stored) for output in cell.outputs[1:]} == {execute.lighter(CURVES)} != {CURVES}
    assert stored.metadata == {**METADATA, "executed_with": chapters.fingerprint(stored)}


def drawn(colors):
    """Return a PNG in base64, as a kernel sends it: a strip of each colour, or one pixel of each of 65,536."""
    pixels = np.repeat(np.array(colors, np.uint8)[None], 40, axis=0) if colors else np.indices((256, 256)).T
    written = io.BytesIO()
    Image.fromarray(pixels if colors else np.dstack([pixels, pixels[..., :1]]).astype(np.uint8)).save(written, "png", dpi=(192, 192))
    return base64.b64encode(written.getvalue()).decode()


CURVES = drawn([(255, 255, 255), (23, 74, 124), (176, 66, 24)] * 20)


def test_a_figure_is_stored_with_fewer_colors_where_nobody_sees_it():
    curves, shades = drawn([(255, 255, 255), (23, 74, 124), (176, 66, 24)] * 200), drawn(None)
    stored = Image.open(io.BytesIO(base64.b64decode(execute.lighter(curves))))
    assert stored.mode == "P"
    assert stored.info["dpi"] == pytest.approx((192, 192), abs=0.01)
    assert ImageChops.difference(stored.convert("RGB"), Image.open(io.BytesIO(base64.b64decode(curves)))).getbbox() is None
    assert execute.lighter(shades) == shades
    few = np.full((3000, 3000, 3), 255, np.uint8)  # 1,024 small dots, each of a colour of its own: little in all, much where they are
    for place, (red, green) in enumerate(np.ndindex(32, 32)):
        few[10 + 18 * red : 16 + 18 * red, 10 + 18 * green : 16 + 18 * green] = 8 * red, 8 * green, place % 200
    written = io.BytesIO()
    Image.fromarray(few).save(written, "png")
    dots = base64.b64encode(written.getvalue()).decode()
    assert execute.lighter(dots) == dots
    written = io.BytesIO()
    Image.new("RGBA", (40, 40), (23, 74, 124, 0)).save(written, "png")
    transparent = base64.b64encode(written.getvalue()).decode()
    assert execute.lighter(transparent) == transparent


def in_base64(pixels):
    written = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(written, "png")
    return base64.b64encode(written.getvalue()).decode()


def seen(stored, picture):
    """Return whether a picture was stored with fewer colours, and how far both are apart."""
    first, second = (Image.open(io.BytesIO(base64.b64decode(each))) for each in (stored, picture))
    return first.mode == "P", max(ImageStat.Stat(ImageChops.difference(first.convert("RGB"), second.convert("RGB"))).rms)


def test_smoothed_curves_keep_their_edges_and_a_map_of_more_shades_than_a_palette_has_keeps_them_all():
    y, x = np.mgrid[:400, :400]
    curves = np.full((400, 400, 3), 255.0)
    for number, color in enumerate([(23, 74, 124), (176, 66, 24), (40, 120, 60), (90, 20, 90)]):
        line = np.clip(2.5 - np.abs(np.hypot(x - 100 - 60 * number, y - 200) - 80), 0, 1)[..., None]
        curves = curves * (1 - line) + line * color
    fewer, apart = seen(execute.lighter(in_base64(curves)), in_base64(curves))
    assert fewer and apart < 0.15  # the other way to choose the colours, or this one without its second look at them, comes to 0.17 and more
    steps, colors = np.linspace(0, 1, 300)[None, :, None], np.array([[23, 74, 124], [176, 66, 24], [40, 120, 60], [90, 20, 90]])
    for shades in (1, 2, 4):
        shaded = in_base64(np.concatenate([np.repeat(255 * (1 - steps) + color * steps, 100, axis=0) for color in colors[:shades]]))
        assert seen(execute.lighter(shaded), shaded)[0] == (shades < 3)
    assert execute.spots(*(Image.new("RGB", (9, 9), (9, shade, 0)) for shade in (3, 8))) == 5


def test_execute_names_the_cell_that_raises_and_leaves_the_file(book):
    write(book, "1", "def f():\n    return 1 / 0\n\nf()")
    before = chapter(book).read_bytes()
    process = start(book, "execute.py", chapter(book))
    printed, errors = process.communicate()
    assert (process.returncode, printed) == (1, "Executed: nothing to the end\n"), "faults are no output"
    assert "1 / 0" in errors and "chapters/eins.ipynb, cell 3: raised ZeroDivisionError: division by zero" in errors
    assert chapter(book).read_bytes() == before
    assert [path.name for path in (book / "chapters").iterdir() if path.suffix not in (".ipynb", ".md")] == []


def test_execute_says_which_cell_warns_and_when_the_kernel_dies(book):
    write(book, "1", "import warnings\nwarnings.warn('Mind the gap')")
    status, printed = run(book, "execute.py", chapter(book))
    assert status == 1
    assert "chapters/eins.ipynb, cell 3: printed a warning: " in printed and "Mind the gap" in printed

    write(book, "1", "import os\nos._exit(3)")
    before = chapter(book).read_bytes()
    status, printed = run(book, "execute.py", chapter(book))
    assert status == 1
    assert "chapters/eins.ipynb, cell 3: " in printed and "Traceback" not in printed
    assert chapter(book).read_bytes() == before


def first_output(book, output):
    notebook = chapters.read(chapter(book))
    notebook.cells[1].outputs = [output]
    save(book, notebook)


BAD = {
    "a chapter that raised": (
        lambda book: first_output(book, new_output("error", ename="ValueError", evalue="no such thing", traceback=[])),
        "chapters/eins.ipynb, cell 2: raised ValueError: no such thing",
    ),
    "a chapter that warned": (
        lambda book: first_output(book, new_output("stream", name="stderr", text="UserWarning: mind\n")),
        "chapters/eins.ipynb, cell 2: printed a warning: UserWarning: mind",
    ),
    "a chapter not run": (forget_a_run, "chapters/eins.ipynb, cell 3: saved without having been run"),
    "a stale chapter": (edit_code, "chapters/eins.ipynb: code, outputs, helpers, data or pins are not those of its last `make execute`"),
    "no JSON": (lambda book: chapter(book).write_text('{"cells": ['), "chapters/eins.ipynb: not a readable notebook ("),
    "an empty file": (lambda book: chapter(book).write_text(""), "chapters/eins.ipynb: not a readable notebook ("),
    "no text at all": (lambda book: chapter(book).write_bytes(b"\xff\xfe\x00"), "chapters/eins.ipynb: not a readable notebook ("),
    "no notebook": (lambda book: chapter(book).write_text('{"a": 1}'), "chapters/eins.ipynb: not a readable notebook ("),
    "a missing page": (lambda book: chapter(book).unlink(), "_toc.yml names chapters/eins, but there is no chapters/eins.ipynb or"),
    "a broken _toc.yml": (lambda book: (book / "_toc.yml").write_text("format: jb-book\nroot: [\n"), "_toc.yml: not a readable"),
    "a malformed _toc.yml": (lambda book: (book / "_toc.yml").write_text("format: jb-book\nroot: [1]\n"), "_toc.yml: not a readable"),
    "no _toc.yml": (lambda book: (book / "_toc.yml").unlink(), "_toc.yml"),
}


def test_build_names_each_fault_and_leaves_the_site(book):
    site = book / "_build" / "html"
    site.mkdir(parents=True)
    (site / "index.html").write_text("the last good site")
    sound = {path: path.read_bytes() for path in (chapter(book), book / "_toc.yml")}
    for name, (spoil, message) in BAD.items():
        spoil(book)
        status, printed = run(book, "build.py")
        assert status == 1 and message in printed and "Traceback" not in printed, f"{name}: {printed}"
        assert [path.read_text() for path in site.iterdir()] == ["the last good site"], name
        for path, content in sound.items():
            path.write_bytes(content)


def stop(process):
    """Kill a process and those it started."""
    if os.name == "posix":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True)
    process.communicate()


def contents(site):
    return {path.relative_to(site).as_posix(): path.read_bytes() for path in site.rglob("*") if path.is_file()}


def test_build_makes_a_whole_site_or_keeps_the_last_one(book):
    site, halfway = book / "_build" / "html", book / "_build" / "unfinished-html" / "_build" / "html"
    process = start(book, "build.py", start_new_session=True)
    deadline = time.monotonic() + 100
    while process.poll() is None and not list(halfway.rglob("*.html")) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert process.poll() is None, "the build ended before it could be killed"
    stop(process)
    assert list(halfway.rglob("*.html")) and not site.exists()

    # Started again, it works.
    status, printed = run(book, "build.py")
    assert status == 0, printed
    assert "The book is built: open _build/html/index.html" in printed
    good = contents(site)
    assert {"index.html", "chapters/index.html", "chapters/eins.html", "searchindex.js"} <= set(good)
    assert b"A Book" in good["chapters/index.html"]
    assert {path.name for path in site.parent.iterdir()} == {"html", "kept", "last-html"}

    # With nothing changed, nothing is done. With a word of a chapter changed, the site is what a build from nothing makes.
    assert run(book, "build.py") == (0, "Nothing has changed since the last build.\nThe book is built: open _build/html/index.html\n")
    edited = chapter(book).read_text("utf-8").replace("A citation", "A new citation")
    chapter(book).write_text(edited, "utf-8")
    folder = (site.parent / "last-html").stat().st_ino
    assert run(book, "build.py")[0] == 0
    assert (site.parent / "last-html").stat().st_ino == folder, "it did not go on from the last build"
    warm = contents(site)
    assert b"A new citation" in warm["chapters/eins.html"]
    shutil.rmtree(site.parent / "last-html")
    assert run(book, "build.py")[0] == 0
    assert contents(site) == warm
    good = warm

    # Killed between its last two steps, it left the last good site under another name; even a build that fails brings it back.
    site.rename(site.with_name("previous-html"))
    write(book, text="# Eins\n\n[a](nowhere.md) {doc}`absent` {ref}`missing` {cite:p}`nobody` {cite:p}`someone` {term}`unheard`\n\n{doc}`index`\n\n$\\frac{1}{2$")
    notebook = chapters.read(chapter(book))
    outputs = [new_output("stream", text=text) for text in ("Step 0: a line", "Step 1: another, where a figure should be")]
    notebook.cells.append(new_code_cell("turn()", execution_count=1, outputs=outputs, metadata={"knob": {"label": "Step"}}))
    save(book, notebook)
    status, printed = run(book, "build.py")
    assert status == 1
    assert "a knob's outputs must be a line of text and a figure by turns" in printed
    warnings = [line for line in printed.splitlines() if "eins.ipynb, cell 1, line " in line]
    for name in ("nowhere.md", "absent", "missing", "nobody", "unheard", r"formula \frac{1}{2, after '\\frac{1}{2': "):
        assert any(name in line for line in warnings), f"{name}: {printed}"
    assert contents(site) == good

    site.rename(site.with_name("previous-html"))
    write(book, "1")
    first_output(book, new_output("stream", name="stderr", text="mind"))
    assert run(book, "build.py")[0] == 1
    assert contents(site) == good


@pytest.mark.parametrize(
    ("edit", "words_alone"),
    [
        (lambda text: text.replace("A citation", "One"), True),
        (lambda text: text + "\n\nA new paragraph.", True),
        (lambda text: text.replace("# Eins", "# Zwei"), False),
        (lambda text: text.replace("`someone`", "`nobody`"), False),
        (lambda text: text + "\n\n(label)=\n", False),
        (lambda text: text + " $x$", False),
        (lambda text: text + " [a](b)", False),
        (lambda text: text + "\n\n```{note}\nMind.\n```", False),
        (lambda text: text + " <a href='b'>", False),
        (lambda text: text + "\n\n```{index} word\n```", False),
        (lambda text: text + "\n\nA heading\n---", False),
    ],
)
def test_a_build_goes_on_from_the_last_where_plain_words_alone_have_changed(book, edit, words_alone):
    before = build.skeleton(chapter(book).read_text("utf-8"))
    notebook = chapters.read(chapter(book))
    notebook.cells[0].source = edit(notebook.cells[0].source)
    save(book, notebook, current=False)
    assert (build.skeleton(chapter(book).read_text("utf-8")) == before) == words_alone
    notebook.cells[1].metadata["tags"] = ["remove-cell"]
    save(book, notebook, current=False)
    assert build.skeleton(chapter(book).read_text("utf-8")) != before


def test_another_version_of_a_package_makes_another_site(book, tmp_path, monkeypatch):
    before = build.made_of({"files": {}, "skeletons": {}})
    assert build.changes(before, build.made_of(before)) == (set(), True)
    (tmp_path / "installed" / "numpy-0.0.dist-info").mkdir(parents=True)
    with monkeypatch.context() as patch:
        patch.syspath_prepend(tmp_path / "installed")
        assert build.changes(before, build.made_of(before)) == ({"around"}, False)
    for name in ("git", "branch"):  # the address and the branch are in the pages' buttons
        with monkeypatch.context() as patch:
            patch.setattr(build.book_theme, name, lambda *_: "elsewhere")
            assert build.changes(before, build.made_of(before)) == ({"around"}, False)
    assert build.changes(before, build.made_of(before)) == (set(), True)


def test_a_notebook_that_has_not_changed_keeps_its_skeleton_and_what_is_none_has_none(book):
    first = build.made_of({"files": {}, "skeletons": {}})
    assert first["skeletons"] == {"chapters/eins.ipynb": build.digest(build.skeleton(chapter(book).read_text("utf-8")))}
    kept = {"files": first["files"], "skeletons": {"chapters/eins.ipynb": "kept"}}
    assert build.made_of(kept) == kept
    for name, text in {"chapters/no json.ipynb": "{", "chapters/no notebook.ipynb": "{}", "chapters/a list.ipynb": "[]", "data/far.ipynb": '{"cells": []}'}.items():
        (book / name).write_text(text)
    assert build.made_of(kept)["skeletons"] == kept["skeletons"]
    edit_prose(book)
    assert build.made_of(kept)["skeletons"] == {"chapters/eins.ipynb": build.digest(build.skeleton(chapter(book).read_text("utf-8")))}


def test_the_tests_are_no_part_of_a_site_and_a_folder_of_that_name_elsewhere_is(book):
    before = build.made_of({"files": {}, "skeletons": {}})
    for folder in (book / "tests", book / "data" / "tests"):
        folder.mkdir()
        (folder / "more.csv").write_text("1\n")
    assert build.changes(before, build.made_of(before)) == ({"data/tests/more.csv"}, False)


@pytest.mark.parametrize("directive", ["glossary", "figure", "note"])
def test_words_that_other_pages_show_are_no_plain_words(directive):
    def notebook(words):
        return new_notebook(cells=[new_markdown_cell(f"```{{{directive}}} a\n:name: b\n\nword\n  {words}.\n```", id="a")])

    before, after = (build.skeleton(nbformat.writes(notebook(words))) for words in ("Its meaning", "Another one"))
    assert (before == after) == (directive == "note")


def test_a_site_offers_the_editions_that_have_its_text_and_is_as_it_was_without_them(tmp_path, monkeypatch):
    site, one = tmp_path / "html", tmp_path / "html" / "chapters" / "one.html"
    one.parent.mkdir(parents=True)
    plain = '<div class="dropdown-download-buttons">\n<ul class="dropdown-menu">\n<li>.ipynb</li>\n</ul></div>\n<ul class="dropdown-menu">\n</ul><p class="paper-editions"></p>\n'
    for page in (site / "index.html", one):
        page.write_text(plain, "utf-8")
    monkeypatch.setattr(build, "PAPER", tmp_path / "paper")
    monkeypatch.setattr(build.manuscript, "read", lambda site, solutions: SimpleNamespace(digest=lambda: f"text of {site.name}"))
    build.offer(site)
    build.PAPER.mkdir()
    for name in ("book.pdf", "book.epub", f"book{build.WITHOUT}.pdf"):
        (build.PAPER / name).write_bytes(bytes(1_200_000))
        build.made_from(build.PAPER / name).write_text("text of html")
    assert one.read_text() == plain
    for _ in range(2):  # the second time, it is done already
        build.offer(site)
        assert {path.name for path in site.iterdir()} == {"book.pdf", "book.epub", "chapters", "index.html"}
        for page, up in ((one, "../"), (site / "index.html", "")):
            html = BeautifulSoup(page.read_text("utf-8"), "html.parser")
            menu, other = html.select("ul")
            assert [item.text for item in menu.select("li")] == ["Whole book: PDF, 1.2 MB", "Whole book: EPUB, 1.2 MB", ".ipynb"] and not other.select("li")
            assert html.select_one("p.paper-editions").text.endswith("for an e-reader: PDF, 1.2 MB, EPUB, 1.2 MB.")
            assert [(link["href"], link.has_attr("download")) for link in html.select("a")] == [(f"{up}book.{kind}", True) for kind in ("pdf", "epub")] * 2
    for kind in ("pdf", "epub"):
        build.made_from(build.PAPER / f"book.{kind}").write_text("an older text")
    build.offer(site)
    assert one.read_text() == plain and {path.name for path in site.iterdir()} == {"chapters", "index.html"}
    build.made_from(build.PAPER / "book-of-which-nothing-is-left.pdf").write_text("text of html")
    build.offer(site)
    assert one.read_text() == plain

    # The students' edition has its own, made of a text without solutions.
    monkeypatch.setattr(build.manuscript, "read", lambda site, solutions: SimpleNamespace(digest=lambda: f"{'' if solutions else 'no '}solutions of {site.name}"))
    for path in build.PAPER.glob("*.digest"):
        path.write_text("no solutions of html")
    build.offer(site, solutions=False)
    assert re.findall(r'href="(.*?)" download>(.*?)<', (site / "index.html").read_text()) == [
        (f"book{build.WITHOUT}.pdf", "Whole book: PDF, 1.2 MB"), (f"book{build.WITHOUT}.pdf", "PDF, 1.2 MB")
    ]
    assert {path.name for path in site.iterdir()} == {f"book{build.WITHOUT}.pdf", "chapters", "index.html"}


class Sphinx:
    """Jupyter Book in a moment: each text is its page. It keeps what it was asked, and which pages of an earlier build it found."""

    def __init__(self):
        self.asked, self.status, self.told, self.forgotten = [], 0, b"", ""

    def run(self, command, env, stdout, stderr):
        assert command[:3] == [sys.executable, "-c", build.JUPYTER_BOOK] and env["PATH"] == os.environ["PATH"]
        assert (stdout, stderr) == (subprocess.DEVNULL, subprocess.PIPE)
        *strictly, work, source = command[3:]
        assert strictly == ["build", "-W", "-n", "--keep-going", "--quiet", "--path-output"]
        html = work / "_build" / "html"
        found = sorted(path.relative_to(work).as_posix() for path in (work / "_build").rglob("*.html"))
        self.asked.append((work.name, source.name, env["BOOK_PLAIN_WORDS"], found))
        (html / "chapters").mkdir(parents=True, exist_ok=True)
        for path in (source / "chapters").iterdir():
            if path.suffix in (".md", ".ipynb") and path.stem != self.forgotten:
                (html / "chapters" / f"{path.stem}.html").write_text(path.read_text("utf-8"), "utf-8")
        shutil.copytree(html, html.with_name("raw"), dirs_exist_ok=True)
        return SimpleNamespace(returncode=self.status, stderr=self.told)


@pytest.fixture
def sphinx(monkeypatch, tmp_path):
    sphinx = Sphinx()
    monkeypatch.setattr(build, "subprocess", SimpleNamespace(run=sphinx.run, DEVNULL=subprocess.DEVNULL, PIPE=subprocess.PIPE))
    monkeypatch.setattr(build, "PAPER", tmp_path / "paper")
    return sphinx


def say(book, words):
    path = chapter(book)
    path.write_text(re.sub("A .*citation", words, path.read_text("utf-8")), "utf-8")


def test_a_build_takes_from_the_last_one_what_it_can_and_puts_a_site_up_when_it_is_whole(book, sphinx, capsys):
    site = book / "_build" / "html"
    here, page = site.parent, site / "chapters" / "eins.html"
    pages = ["_build/html/chapters/eins.html", "_build/html/chapters/index.html"]
    anew, on = ("unfinished-html", book.name, "", []), ("unfinished-html", book.name, "yes", pages)

    def built(asked, faults=()):
        sphinx.asked.clear()
        assert build.build(site) == [*faults]
        assert sphinx.asked == ([asked] if asked else []) and not (here / "previous-html").exists()
        assert faults or {path.name for path in here.iterdir()} == {"html", "kept", "last-html"}
        return capsys.readouterr()

    assert built(anew).out == ""
    assert built(None).out == "Nothing has changed since the last build.\n"
    say(book, "A new citation")
    built(on)
    assert "A new citation" in page.read_text("utf-8")
    shutil.rmtree(site)
    built(on)
    append(book / "data" / "more.csv", "1\n")
    built(anew)
    (here / "last-html" / "made_of.json").write_text("{")
    built(anew)

    # What fails leaves the site as it was, under its name even after a build that was killed.
    good = contents(site)
    say(book, "A spoiled citation")
    site.rename(site.with_name("previous-html"))
    sphinx.status, sphinx.told = 1, "chapters/eins.ipynb:10007: WARNING: größer\n".encode() + b"\xff\n"
    assert built(on, ["The build stopped at the warnings above."]).err == "chapters/eins.ipynb, cell 1, line 7: WARNING: größer\n\ufffd\n"
    sphinx.status, sphinx.forgotten = 0, "eins"
    built(anew, ["The build made no page of chapters/eins.ipynb"])
    stale = "chapters/eins.ipynb: code, outputs, helpers, data or pins are not those of its last `make execute`"
    edit_code(book)
    built(None, [stale, "Run `make execute`, or mend the chapter, and build again."])
    (book / "_toc.yml").unlink()
    assert "_toc.yml" in build.build(site)[0]
    assert contents(site) == good


def test_the_students_edition_is_built_of_a_source_of_its_own_and_from_nothing(book, sphinx):
    site = build.site_of(False)
    assert build.site_of(True) == build.SITE and site == build.SITE.with_name("students")
    site = book / "_build" / "students"
    for words in ("A citation", "A new citation"):
        say(book, words)
        assert build.build(site, solutions=False) == []
        assert (site / "chapters" / "eins.html").is_file()
    assert sphinx.asked == [("unfinished-students", "source", "", [])] * 2
    write(book, text="# Eins\n\n```{solution-end}\n```")
    assert build.build(site, solutions=False) == ["chapters/eins.ipynb: cell 1: a solution ends that did not begin"]


def test_chapters_are_folded_for_jupyterlab_and_nothing_else_is_changed(book, tmp_path):
    path = chapter(book)
    notebook = chapters.read(path)
    notebook.cells += [new_markdown_cell("```{solution-start} a\n:class: dropdown\n```"), new_code_cell("1", metadata={"tags": ["hide-input"]})]
    notebook.cells += [new_markdown_cell("```{solution-end}\n```")]
    nbformat.write(notebook, path)
    before = path.read_bytes()
    lab = tmp_path / "home" / "lab"
    status, printed = run(book, "fold.py", lab)
    assert status == 0, printed
    assert path.read_bytes() == before
    *same, start, code, end = chapters.read(lab / path.name).cells
    assert same == chapters.read(path).cells[:-3]
    assert (start.source, start.metadata) == ("#### Solution", {"jp-MarkdownHeadingCollapsed": True})
    assert code.metadata["jupyter"] == {"source_hidden": True}
    assert (end.source, end.metadata) == ("#### Back to the chapter", {})
    status, printed = run(book, "fold.py")  # on Binder, where they are
    assert status == 0, printed
    assert path.read_bytes() == (lab / path.name).read_bytes()


def test_memory_is_told_of_a_kernel_and_of_what_its_fits_start(book, monkeypatch):
    grow = "text = 'x' * {} * 10**6; print({}, flush=True); import time; time.sleep(99)"
    fit = f"import subprocess, sys; fit = subprocess.Popen([sys.executable, '-S', '-c', {grow.format(90, 0)!r}], stdout=-1); fit.stdout.read(1)"
    started, looks = [], []

    class Process(memory.psutil.Process):
        def children(self, **how):
            looks.append(how)
            return [each for each in super().children(**how) if each.pid in started]  # and not what other tests have left

    class Client:
        def __init__(self, notebook, **settings):
            assert notebook == chapters.read(chapter(book)) and settings == {
                "timeout": 1800, "kernel_name": "python3", "extra_arguments": ["--log-level=ERROR"], "resources": {"metadata": {"path": str(book / "chapters")}}
            }

        def execute(self):
            with subprocess.Popen([sys.executable, "-S", "-c", f"{fit}; {grow.format(40, 'fit.pid')}"], stdout=subprocess.PIPE) as kernel:
                started[:] = kernel.pid, int(kernel.stdout.readline())
                wanted, deadline = len(looks) + 2, time.monotonic() + 30
                while len(looks) < wanted and time.monotonic() < deadline:
                    time.sleep(0.01)
                for each in started:
                    os.kill(each, signal.SIGTERM)

    monkeypatch.setattr(memory, "NotebookClient", Client)
    monkeypatch.setattr(memory, "SECONDS", 0.01)
    monkeypatch.setattr(memory.psutil, "Process", Process)
    kernel, others = memory.peaks(chapter(book))
    assert 40e6 < kernel < 90e6 < others < 140e6
    looked = len(looks)
    time.sleep(0.05)
    assert len(looks) == looked, "nobody looks any more"


def test_memory_is_the_most_that_was_seen_at_once_and_nobody_looks_on_after_a_cell_that_raises(book, monkeypatch):
    def process(parent, memory, running=True):
        return SimpleNamespace(ppid=lambda: parent, memory_info=lambda: SimpleNamespace(rss=memory() if callable(memory) else memory), is_running=lambda: running)

    def gone():
        raise memory.psutil.NoSuchProcess(3)

    seen = [[process(1, 5), process(2, 3), process(2, 4)], [process(2, gone), process(1, 4), process(2, 6), process(1, 99, running=False)]]
    looks, threads = [], threading.active_count()

    def children(recursive):
        looks.append(recursive)
        return seen[min(len(looks), 2) - 1]

    class Client:
        def __init__(self, notebook, **_):
            pass

        def execute(self):
            deadline = time.monotonic() + 30
            while len(looks) < 3 and time.monotonic() < deadline:
                time.sleep(0.001)
            if not seen[1]:
                raise ValueError("a cell has raised")

    monkeypatch.setattr(memory, "NotebookClient", Client)
    monkeypatch.setattr(memory, "SECONDS", 0.001)
    monkeypatch.setattr(memory, "psutil", SimpleNamespace(Process=lambda: SimpleNamespace(pid=1, children=children), Error=memory.psutil.Error, NoSuchProcess=memory.psutil.NoSuchProcess))
    assert memory.peaks(chapter(book)) == (5, 7) and all(looks)
    seen[1].clear()
    with pytest.raises(ValueError, match="a cell has raised"):
        memory.peaks(chapter(book))
    assert threading.active_count() == threads


@pytest.mark.parametrize("name", ["grade", "kinds", "live", "live_check"])
def test_a_tool_that_is_asked_says_what_it_does_and_takes(name, capsys, monkeypatch):
    tool, told = importlib.import_module(name), []
    add = argparse.ArgumentParser.add_argument
    monkeypatch.setattr(argparse.ArgumentParser, "add_argument", lambda parser, *names, **settings: (told.append(settings["help"]), add(parser, *names, **settings))[1])
    monkeypatch.setenv("COLUMNS", "1000")
    with pytest.raises(SystemExit) as end:
        tool.main(["--help"])
    _, does, *_ = capsys.readouterr().out.split("\n\n")
    assert end.value.code == 0 and does == tool.__doc__.partition("\n")[0]
    assert all(help[0].islower() for help in told), "of each of its arguments"
