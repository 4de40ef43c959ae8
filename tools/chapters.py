"""What the book's pages are, what their notebooks were executed with, and what is wrong with them."""

import ast
import functools
import hashlib
import io
import json
import re
import sys
import tokenize
import tomllib
from pathlib import Path

import nbformat
import yaml
from sphinx_external_toc.parsing import MalformedError, parse_toc_yaml

BOOK = Path(__file__).resolve().parents[1]
sys.path.append(str(BOOK / "theme"))  # what the site is made with, where a tool needs it too
import own_table  # noqa: E402
import solutions  # noqa: E402


def contents():
    """Return the site map that `_toc.yml` is."""
    try:
        return parse_toc_yaml(BOOK / "_toc.yml")
    except (yaml.YAMLError, MalformedError, UnicodeDecodeError) as error:
        raise ValueError(f"_toc.yml: not a readable table of contents ({error})") from error


def page(name):
    """Return the path of the page that `_toc.yml` calls `name`; a missing file is an error."""
    files = [path for path in (BOOK / f"{name}.ipynb", BOOK / f"{name}.md") if path.exists()]
    if not files:
        raise FileNotFoundError(f"_toc.yml names {name}, but there is no {name}.ipynb or {name}.md")
    return files[0]


def pages():
    """Return the path of every page that `_toc.yml` names, in order."""
    return [page(name) for name in contents()]


def numbered():
    """Return the path of every chapter, in order: the notebooks of the parts that `_toc.yml` numbers."""
    names = [str(name) for part in contents().root.subtrees if part.numbered for name in part.items]
    return [path for path in map(page, names) if path.suffix == ".ipynb"]


def left_out():
    """Return the path of every page that stands beside those of the book, but not in `_toc.yml`."""
    used = pages()
    beside = {path for folder in {page.parent for page in used} for path in folder.iterdir()}
    return sorted(path for path in beside - set(used) if path.suffix in (".ipynb", ".md"))


def notebooks():
    """Return the path of every page that is a notebook, in the order of `_toc.yml`."""
    return [path for path in pages() if path.suffix == ".ipynb"]


def read(path):
    """Read and validate a notebook.

    Raises
    ------
    ValueError
        If the file is not a valid notebook; the message names it.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except Exception as error:  # JSON, encoding, schema: whatever it is, the file is not a notebook
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(f"{name(path)}: not a readable notebook ({reason})") from error
    return notebook


def name(path):
    """Return `path` as a reader of the repository writes it."""
    path = Path(path)
    return path.relative_to(BOOK).as_posix() if path.is_relative_to(BOOK) else str(path)


def sentences_of_the_table():
    """Return each sentence that is shown only while the wind farm is the book's table, with file and cell, or line.

    With another table an instructor writes them anew; alternative texts of figures and cells of code are among them.
    """
    found = []
    for path in pages():
        if path.suffix == ".ipynb":
            found += [f"{name(path)}, cell {number}: {text}" for number, text in own_table.marked(read(path))]
        else:
            lines = enumerate(path.read_text("utf-8").splitlines(), start=1)
            found += [f"{name(path)}, line {number}: {line.removesuffix(own_table.MARK).strip()}" for number, line in lines if line.endswith(own_table.MARK)]
    return found


def code_cells(notebook):
    """Yield (number, cell) for each code cell that holds code; cells are counted from 1, prose included."""
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == "code" and cell.source.strip():
            yield number, cell


def in_solutions(notebook):
    """Return the ids of the cells that stand in the solution of an exercise."""
    return {cell.id for cell, _, part in solutions.places(notebook) if part}


def kernel_pins():
    """Return the lines of requirements.txt that pin what a chapter needs when it runs, the dependencies in pyproject.toml."""
    needed = tomllib.loads((BOOK / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    names = {re.match(r"[\w.-]+", need)[0] for need in needed}
    pins = (BOOK / "requirements.txt").read_text("utf-8").splitlines()
    return [pin for pin in pins if pin.partition("==")[0] in names]


def code_of(path):
    """Return a module's code without docstrings, comments and empty lines, what no output depends on; other files as they are."""
    return bare(path.read_text("utf-8")).encode() if path.suffix == ".py" else path.read_bytes()


@functools.cache  # chapters use the same helpers
def bare(text):
    """Return the text of a module without docstrings, comments and empty lines: cut, for each Python would write it anew otherwise."""
    lines = text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            lines[token.start[0] - 1] = lines[token.start[0] - 1][: token.start[1]]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node, clean=False) is not None:
            first = node.body[0]
            lines[first.lineno - 1 : first.end_lineno] = [""] * (first.end_lineno - first.lineno + 1)
    return "\n".join(line.rstrip() for line in lines if line.strip())


@functools.cache
def imported_helpers(text):
    """Return the name of each module of `helpers` that the text of another imports from."""
    imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom) and node.module]
    return [node.module.removeprefix("helpers.") for node in imports if node.module.startswith("helpers.")]


def used_helpers(code):
    """Return the files of `helpers` that a chapter's code runs: the package itself, its style, and the modules of the names in it."""
    folder = BOOK / "helpers"
    if not re.search(r"\bhelpers\b", code):
        return []
    package = folder / "__init__.py"
    found = {package, *folder.glob("*.mplstyle")}
    homes = next(ast.literal_eval(node.value) for node in ast.parse(package.read_text("utf-8")).body if isinstance(node, ast.Assign) and node.targets[0].id == "HOMES")
    waiting = [module for module, names in homes.items() if re.search(rf"\b({'|'.join(names)}|helpers\.{module})\b", code)]
    while waiting:
        path = folder / f"{waiting.pop()}.py"
        if path not in found:
            found.add(path)
            waiting += imported_helpers(path.read_text("utf-8"))
    return sorted(found)


def fingerprint(notebook):
    """Return a digest of a notebook's code and outputs, and of all else that the outputs depend on.

    That is the code and style in `helpers` that it uses, the pins of what a kernel imports, and the files of `data` that
    it or those helpers name. The outputs are part of it because a notebook can also be run and saved elsewhere, on a
    reader's own table for example.
    """
    cells = [[cell.source, cell.outputs] for _, cell in code_cells(notebook)]
    sources = "\n".join(source for source, _ in cells)
    files = {path: code_of(path) for path in used_helpers(sources)}
    named = sources + "\n".join(code.decode("utf-8", "replace") for code in files.values())
    for path in sorted((BOOK / "data").iterdir()):
        if path.is_file() and path.suffix != ".py" and re.search(rf"""["'/]{path.name.partition(".")[0]}\b""", named):
            files[path] = path.read_bytes()
    digest = hashlib.sha256(json.dumps([cells, kernel_pins()], sort_keys=True).encode())
    for path, content in files.items():
        digest.update(path.name.encode() + hashlib.sha256(content).digest())
    return digest.hexdigest()


def faults(path):
    """Return why a stored notebook must be executed before it is published, one sentence a fault, with file and cell."""
    notebook = read(path)
    found = []
    for position, (number, cell) in enumerate(code_cells(notebook), start=1):
        place = f"{name(path)}, cell {number}"
        if cell.execution_count is None:
            found.append(f"{place}: saved without having been run")
        elif cell.execution_count != position:
            found.append(f"{place}: run as number {cell.execution_count}, but it stands at {position}")
        for output in cell.outputs:
            if output.output_type == "error":
                found.append(f"{place}: raised {output.ename}: {output.evalue}")
            elif output.get("name") == "stderr":
                found.append(f"{place}: printed a warning: {output.text.strip().splitlines()[0]}")
    if not found and notebook.metadata.get("executed_with") != fingerprint(notebook):
        found.append(f"{name(path)}: code, outputs, helpers, data or pins are not those of its last `make execute`")
    return found
