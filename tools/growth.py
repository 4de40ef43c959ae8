"""Print what a longer book costs to build: from nothing, after one changed sentence, and with nothing changed.

    python tools/growth.py [--sizes 16 32 64]

The longer books are made of this one, in a temporary folder: its chapters once more under other names, with labels of their
own. Each cost is in seconds of the processor, which other programs disturb less, and of the clock.
"""

import argparse
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import build
import chapters
import left_out
import nbformat
import yaml

SENTENCE = " This sentence is new."


def renamed(notebook, ending):
    """Return a copy of a notebook whose labels have an ending, where they are given and where they are referred to."""
    copy = nbformat.from_dict(notebook)
    texts = [cell for cell in copy.cells if cell.cell_type == "markdown"]
    labels = {next(filter(None, found)) for cell in texts for found in left_out.LABEL.findall(cell.source)}
    label = re.compile(rf"(?<!\{{doc\}}`)(?<![\w-])({'|'.join(map(re.escape, labels))})(?![\w-])")  # a page may be called as a label is
    for cell in texts if labels else ():
        cell.source = label.sub(rf"\1{ending}", cell.source)
        if words := cell.metadata.get("with_solutions"):  # they are found in the text
            cell.metadata["with_solutions"] = [label.sub(rf"\1{ending}", each) for each in words]
    return copy


def grow(folder, size, originals=None):
    """Make a book of `size` numbered chapters in a folder; `originals` says how many of this book's are in it, all of them if not given."""
    unwanted = shutil.ignore_patterns(".*", "_build", "__pycache__")
    shutil.copytree(chapters.BOOK, folder, ignore=unwanted, dirs_exist_ok=True)
    contents = yaml.safe_load((folder / "_toc.yml").read_text("utf-8"))
    parts = [part["chapters"] for part in contents["parts"] if part.get("numbered")]
    kept = [page["file"] for page in itertools.chain(*parts)][:originals]
    for part in parts:
        part[:] = [page for page in part if page["file"] in kept]
    for number, name in zip(range(len(kept), size), itertools.cycle(kept)):
        ending = f"-{1 + number // len(kept)}"
        notebook = renamed(chapters.read(folder / f"{name}.ipynb"), ending)
        nbformat.write(notebook, folder / f"{name}{ending}.ipynb")
        next(part for part in parts if {"file": name} in part).append({"file": name + ending})
    contents["parts"] = [part for part in contents["parts"] if part["chapters"]]
    (folder / "_toc.yml").write_text(yaml.safe_dump(contents, sort_keys=False), "utf-8")


def edit(path):
    """Add a plain sentence to a paragraph of a chapter."""
    notebook = chapters.read(path)
    before = build.skeleton(path.read_text("utf-8"))
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and re.search(r"^[A-Z][^\n]*[^:]\Z", cell.source, re.MULTILINE):
            cell.source += SENTENCE
            if build.skeleton(nbformat.writes(notebook)) == before:
                nbformat.write(notebook, path)
                return
            cell.source = cell.source.removesuffix(SENTENCE)
    raise ValueError(f"{path.name}: no paragraph to which a plain sentence could be added")


def cost(folder):
    """Build a book; return the seconds of the processor and of the clock."""
    before, started = os.times(), time.perf_counter()
    subprocess.run([sys.executable, folder / "tools" / "build.py"], check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system, time.perf_counter() - started


def main(sizes):
    edits = {}
    print("Seconds of the processor, and of the clock")
    print(f"{'chapters':>8} {'from nothing':>16} {'one sentence':>16} {'nothing changed':>16}")
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            book = Path(folder, "book")
            grow(book, size)
            cold = cost(book)
            edit(book / f"{yaml.safe_load((book / '_toc.yml').read_text('utf-8'))['parts'][0]['chapters'][-1]['file']}.ipynb")
            edits[size] = cost(book)
            costs = [cold, edits[size], cost(book)]
        print(f"{size:>8}", *(f"{processor:>8.1f} {clock:>7.1f}" for processor, clock in costs), flush=True)
    ratios = [large / small for large, small in zip(edits[max(sizes)], edits[min(sizes)])]
    print(f"A changed sentence costs {ratios[0]:.2f} times as much in {max(sizes)} chapters as in {min(sizes)}; by the clock {ratios[1]:.2f} times.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[16, 32, 64], help="numbers of chapters")
    main(parser.parse_args().sizes)
