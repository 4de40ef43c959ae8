"""Begin a chapter, or leave a page out of the book.

    python tools/chapter.py new NAME     a chapter that runs and passes every check, to be written over
    python tools/chapter.py drop NAME    take a page out of _toc.yml, and name the sentences that still point to it
"""

import argparse
import asyncio
import os
import re
import sys

import execute
import left_out  # in theme/: see chapters.py
import nbformat
import yaml
from sphinx_external_toc.parsing import MalformedError, parse_toc_data

import chapters

TEMPLATE = "my-chapter"
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
ROW = re.compile(r"^\| \{doc\}`[\w-]+` \|[^|\n]*\|\n", re.MULTILINE)  # of the table for teachers: what builds on what

CLASS = re.compile(r"^```\{chapter-guide\}.*?^```\n", re.MULTILINE | re.DOTALL)  # of the guide for teachers
NEW_CLASS = """
```{{chapter-guide}} {name}
**90 minutes:** the text, aloud (60); the exercises (30).

**Ask the room.**

- *What is the first question?* This is its answer.
- *What is the second question?* This is its answer.
- *What is the third question?* This is its answer.

**What the exercises test.** {exercises}.
```
"""


def replace(path, text):
    """Write a file whole, or leave it as it was."""
    whole = path.with_name(f"{path.name}.unfinished")
    whole.write_text(text, "utf-8", newline="\n")
    os.replace(whole, path)


def depth(line):
    return len(line) - len(line.lstrip(" "))


def entry(lines, docname):
    """Return the first line of a page's entry in `_toc.yml` and the first after it, what is below the page included."""
    first = next((at for at, line in enumerate(lines) if re.match(rf" *- file: *[\"']?{re.escape(docname)}(\.\w+)?[\"']? *(#.*)?$", line)), None)
    if first is None:
        raise ValueError(f"_toc.yml has {docname}, but no line of its own for it such as `- file: {docname}`; edit the file by hand.")
    end = first + 1
    while end < len(lines) and lines[end].strip() and depth(lines[end]) > depth(lines[first]):
        end += 1
    return first, end


def checked(lines, wanted):
    """Return lines as the text of a `_toc.yml` that names the pages that it should, in order."""
    text = "\n".join(lines) + "\n"
    try:
        found = list(parse_toc_data(yaml.safe_load(text)))
    except (yaml.YAMLError, MalformedError):
        found = None
    if found != wanted:
        raise ValueError("_toc.yml is written in a way that cannot be edited line by line; edit the file by hand.")
    return text


def toc_with(docname):
    """Return the text of `_toc.yml` with a page after the last of the numbered parts."""
    site = chapters.contents()
    parts = [part for part in site.root.subtrees if part.numbered and part.items]
    if not parts:
        raise ValueError("_toc.yml has no part with `numbered: true` and a chapter in it, so there is no place for a new one.")
    lines = (chapters.BOOK / "_toc.yml").read_text("utf-8").splitlines()
    first, end = entry(lines, str(parts[-1].items[-1]))
    before = list(parse_toc_data(yaml.safe_load("\n".join(lines[:end]))))
    lines.insert(end, f"{' ' * depth(lines[first])}- file: {docname}")
    names = list(site)
    return checked(lines, [*before, docname, *names[len(before):]])


def toc_without(docname):
    """Return the text of `_toc.yml` without a page and what is below it, and without a part that is left empty."""
    lines = (chapters.BOOK / "_toc.yml").read_text("utf-8").splitlines()
    first, end = entry(lines, docname)
    below = re.findall(r"- file: *[\"']?([^\s\"'#]+)", "\n".join(lines[first + 1 : end]))
    alone = end == len(lines) or depth(lines[end]) != depth(lines[first]) or not lines[end].lstrip().startswith("- ")
    del lines[first:end]
    part = first - 1
    if alone and re.match(r" *(chapters|sections): *(#.*)?$", lines[part]):  # its part goes, from the line with a dash above
        while not lines[part].lstrip().startswith("- "):
            part -= 1
        if "- file:" in lines[part]:
            part = first - 1  # a page with an empty list below it: only the list goes
        del lines[part:first]
    return checked(lines, [name for name in chapters.contents() if name not in (docname, *below)])


def new(name):
    """Make a chapter of the template, execute it, and enter it; return its faults."""
    folder = chapters.pages()[0].parent
    path = folder / f"{name}.ipynb"
    if not NAME.fullmatch(name):
        raise ValueError(f"NAME must be small letters and digits in words with dashes, such as word-dice, but is {name!r}.")
    if taken := [other for other in folder.iterdir() if other.stem == name]:
        raise ValueError(f"NAME must be new, but there is {chapters.name(taken[0])}.")
    toc = toc_with(path.relative_to(chapters.BOOK).with_suffix("").as_posix())
    notebook = chapters.read(chapters.BOOK / "tools" / "template.ipynb")
    for cell in notebook.cells:
        cell.id = cell.id.replace("template", name)[-64:]
        cell.source = cell.source.replace(TEMPLATE, name).replace("# My chapter", f"# {name.replace('-', ' ').capitalize()}")
    teaching = folder / "teaching.md"
    table = teaching.read_text("utf-8") if teaching.exists() else ""
    rows = list(ROW.finditer(table))
    whole = False
    try:
        nbformat.write(notebook, path)
        if faults := asyncio.run(execute.main([path])):
            return faults
        if rows:
            text = f"{table[:rows[-1].end()]}| {{doc}}`{name}` | nothing |\n{table[rows[-1].end():]}"
            if classes := list(CLASS.finditer(text)):
                labels = re.findall(r"^:label: (\S+)", "\n".join(cell.source for cell in notebook.cells), re.MULTILINE)
                told = NEW_CLASS.format(name=name, exercises="; ".join(f"{{ref}}`{label}`: what it is for" for label in labels))
                text = text[: classes[-1].end()] + told + text[classes[-1].end() :]
            replace(teaching, text)
        replace(chapters.BOOK / "_toc.yml", toc)
        whole = True
    finally:
        if not whole:  # a fault, or Ctrl+C: no chapter that is half there
            path.unlink(missing_ok=True)
            if rows:
                replace(teaching, table)
    print(f"{chapters.name(path)} runs and stands in _toc.yml, last of the numbered parts; move its line where it belongs.")
    print("Its card is on the home page" + (", and its row in teaching.md." if rows else "; teaching.md has no table of what builds on what."))
    print("For a path of the home page, add its name there. Then write over it, and: make execute; make check CHAPTER=" + name)
    return []


def sentences_about(path):
    """Return each sentence of the book's other pages that points to a page, with file and cell.

    Rows of tables that are about that page alone go with it: see theme/left_out.py.
    """
    labels, found = left_out.read(path).labels, []
    for other in chapters.pages():
        cells = chapters.read(other).cells if other.suffix == ".ipynb" else [{"cell_type": "markdown", "source": other.read_text("utf-8")}]
        for number, cell in enumerate(cells, start=1):
            for line in cell["source"].splitlines() if cell["cell_type"] == "markdown" and other != path else ():
                pointed = re.findall(r"\{\w+(?::\w+)?\}`(?:[^`<]*<)?([^`<>]+)>?`|\]\(#?([^)\s#]+)", line)
                named = {re.sub(r"\.(ipynb|md)$", "", target).lower() for both in pointed for target in both if target}
                if named & {path.stem, *labels} and not re.match(rf"\| \{{doc\}}`{path.stem}` \|", line):
                    found.append(f"{chapters.name(other)}, cell {number}: {line.strip()}")
    return found


def drop(name):
    """Take a page out of `_toc.yml`; its file stays."""
    others = chapters.pages()[1:]
    path = next((page for page in others if page.stem == name), None)
    if path is None:
        raise ValueError(f"NAME must be a page of _toc.yml other than its root, but is {name!r}; those are {', '.join(page.stem for page in others)}.")
    told = sentences_about(path)
    replace(chapters.BOOK / "_toc.yml", toc_without(path.relative_to(chapters.BOOK).with_suffix("").as_posix()))
    print(f"{name} is no longer in the book: cards, lists, paths and tables follow, and references to it show its title.")
    print(f"{chapters.name(path)} stays; its line in _toc.yml brings it back. If you delete it, the build names each reference as a mistake.")
    if told:
        print(f"{len(told)} sentences still point to it; read whether they make sense without it:", *told, sep="\n")
    return []


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["new", "drop"])
    parser.add_argument("name", metavar="NAME")
    asked = parser.parse_args()
    execute.settle_environment()
    try:
        sys.exit("\n".join({"new": new, "drop": drop}[asked.what](asked.name)) or 0)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(str(error))
