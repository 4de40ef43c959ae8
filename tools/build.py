"""Build the site from the stored outputs; on any fault, leave the last good site as it was.

    python tools/build.py                   the book, into _build/html
    python tools/build.py --solutions no    the students' edition, into _build/students

A build starts from nothing, but for two cases: nothing has changed, and nothing but plain words of chapters has. Then the
pages that do not depend on these words are those of the last build, which had no fault.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import chapters
import editions
import manuscript

sys.path.insert(0, str(chapters.BOOK / "theme"))

import book_theme

SITE = chapters.BOOK / "_build" / "html"
PAPER = SITE.with_name("paper")  # the PDF and the EPUB: see paper.py
WITHOUT = "-without-solutions"  # how their names end in the students' edition

#: Jupyter Book, without looking for garbage on its way and without taking itself apart at the end: that saves a quarter of a build
#: from nothing and a third of one after a changed sentence, and takes half a gigabyte of memory, not a quarter.
JUPYTER_BOOK = """\
import gc, os, sys
gc.disable()
from jupyter_book.cli.main import main
try:
    main()
except SystemExit as end:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(end.code or 0)
"""


def in_cell(place):
    """Turn myst-nb's line number of a notebook, the cell's number times 10,000 plus its line, into words."""
    return f".ipynb, cell {int(place[1])}, line {int(place[2])}:"


def made_from(path):
    """Return the file beside a PDF or EPUB that has the digest of its text."""
    return path.with_name(f"{path.name}.digest")


def size(path):
    """Return the size of a file in words."""
    return f"{path.stat().st_size / 1e6:.1f} MB"


def site_of(solutions):
    """Return the folder of the site with solutions, or of that without, the students' edition."""
    return SITE if solutions else SITE.with_name("students")


def offer(site, solutions=True):
    """Put the PDF and the EPUB on a site and into its menus, if they have its text; take away those that have an older one."""
    made = sorted(path.with_suffix("") for path in PAPER.glob("*.digest"))
    made = [path for path in made if path.stem.endswith(WITHOUT) != solutions]
    digest = manuscript.read(site, solutions).digest() if made else ""
    offered = [path for path in reversed(made) if path.exists() and made_from(path).read_text("utf-8") == digest]
    for path in made:
        shutil.copy(path, site) if path in offered else (site / path.name).unlink(missing_ok=True)
    for page in site.rglob("*.html"):
        up = "../" * (len(page.relative_to(site).parts) - 1)
        links = [(f'href="{up}{path.name}" download', f"{path.suffix[1:].upper()}, {size(path)}") for path in offered]
        entries = "".join(f'<li class="paper-edition"><a class="btn btn-sm dropdown-item" {to}>Whole book: {words}</a></li>\n' for to, words in links)
        sentence = "The whole book, to print or for an e-reader: " + ", ".join(f"<a {to}>{words}</a>" for to, words in links) + "." if links else ""
        text = page.read_text("utf-8")
        new = re.sub(r'<li class="paper-edition">.*?</li>\n', "", text)
        new = re.sub(r'(dropdown-download-buttons.*?<ul class="dropdown-menu">\n)', rf"\1{entries}", new, count=1, flags=re.DOTALL)
        new = re.sub(r'<p class="paper-editions">.*?</p>', f'<p class="paper-editions">{sentence}</p>', new)
        if new != text:
            page.write_text(new, "utf-8", newline="\n")


def skeleton(text):
    """Return a notebook without the plain words of its prose: what other pages, the index and the fonts may depend on.

    Headings, labels, directives and their options stay, and in a line what is between signs: roles, code, formulas, links.
    A cell stays whole whose words other pages show, or that has a line of dashes, which makes a heading of the one above.
    """
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            kept, text = [], "".join(cell["source"])
            whole = re.search(r"\{(glossary|figure)\}|^\s*(=+|-+)\s*$", text, re.MULTILINE)
            for line in text.splitlines():
                marked = whole or re.match(r"\s*(#|\(.*\)=|```|:::|:[\w-]+:|\||- ?\[)", line)
                kept.append(line if marked else re.findall(r"\{[^}]*\}`[^`]*`|`[^`]*`|\$[^$]*\$|!?\[[^\]]*\](?:\([^)]*\))?|<[^>]*>|[{}$`<>\[\]]|\*\*[^*]*\*\*", line))
            cell["source"] = [line for line in kept if line]
    return json.dumps(notebook)


def digest(text):
    return hashlib.sha256(text if isinstance(text, bytes) else text.encode()).hexdigest()


def made_of(before):
    """Return what a site is made of: a digest of each file of the book and of what is around it, and of each notebook's skeleton.

    `before` is the same of the last build: a notebook that has not changed since has its skeleton still.
    """
    # The folders' names tell what is installed, and its versions.
    around = [sys.version, *sorted({path.name for place in sys.path for path in Path(place).glob("*.dist-info")})]
    around += [book_theme.git(chapters.BOOK, "remote", "get-url", "origin"), book_theme.branch(chapters.BOOK)]
    files, skeletons = {"around": digest(json.dumps(around))}, {}
    for folder, names, found in os.walk(chapters.BOOK):
        names[:] = [name for name in names if not name.startswith((".", "_build", "__pycache__")) and (name != "tests" or Path(folder) != chapters.BOOK)]
        for path in (Path(folder, name) for name in found):
            content, name = path.read_bytes(), chapters.name(path)
            files[name] = digest(content)
            if name in before["skeletons"] and files[name] == before["files"][name]:
                skeletons[name] = before["skeletons"][name]
            elif path.suffix == ".ipynb" and path.parent.name == "chapters":
                try:
                    skeletons[name] = digest(skeleton(content))
                except (ValueError, KeyError, TypeError):
                    pass  # no notebook: what is wrong is told where it is read
    return {"files": files, "skeletons": skeletons}


def last_made_of(last):
    """Return what the last build was made of; of nothing, if there is none."""
    try:
        return json.loads((last / "made_of.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {"files": {}, "skeletons": {}}


def changes(before, now):
    """Return the names of what has changed since the last build, and whether that is plain words of notebooks alone."""
    changed = {name for name, _ in set(before["files"].items()) ^ set(now["files"].items())}
    return changed, all(now["skeletons"].get(name, 1) == before["skeletons"].get(name, 2) for name in changed)


def build(site=SITE, solutions=True):
    """Build the book and put it at `site` once it is complete; return a list of faults, empty if all is well."""
    # A build that was killed leaves the first two behind; the reader's site is never among them.
    work, previous, last = (site.with_name(f"{name}-{site.name}") for name in ("unfinished", "previous", "last"))
    shutil.rmtree(work, ignore_errors=True)
    if previous.exists() and not site.exists():
        previous.rename(site)
    shutil.rmtree(previous, ignore_errors=True)

    before = last_made_of(last)
    now = made_of(before)
    changed, words_alone = changes(before, now)
    words_alone &= solutions  # the students' edition is made of a copy of the source, in which every file is new
    if not changed and site.exists():
        print("Nothing has changed since the last build.")
        return []
    if words_alone and last.exists():
        last.rename(work)
        (work / "_build" / "raw").rename(work / "_build" / "html")  # theme/lighten.py keeps the pages as Sphinx wrote them
    else:
        shutil.rmtree(last, ignore_errors=True)

    try:
        pages = chapters.pages()
        faults = [fault for path in chapters.notebooks() if chapters.name(path) in changed or not words_alone for fault in chapters.faults(path)]
    except (FileNotFoundError, ValueError) as error:
        return [str(error)]
    if faults:
        return [*faults, "Run `make execute`, or mend the chapter, and build again."]

    source = chapters.BOOK
    if not solutions:
        source = work / "source"
        try:
            editions.students_source(source)
        except ValueError as error:
            return [str(error)]
    jupyter_book = [sys.executable, "-c", JUPYTER_BOOK]
    strictly = ["-W", "-n", "--keep-going", "--quiet", "--path-output", work]
    # Warnings and errors come on stderr; stdout only names the unfinished folder.
    known = {**os.environ, "BOOK_PLAIN_WORDS": "yes" if words_alone else ""}  # see theme/again.py
    run = subprocess.run([*jupyter_book, "build", *strictly, source], env=known, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    told = run.stderr.decode("utf-8", "replace")
    print(re.sub(r"\.ipynb:(\d+)(\d{4}):", in_cell, told), end="", file=sys.stderr)
    if run.returncode != 0:
        return ["The build stopped at the warnings above."]
    built = work / "_build" / "html"
    missing = [chapters.name(path) for path in pages if not (built / path.relative_to(chapters.BOOK)).with_suffix(".html").exists()]
    if missing:
        return [f"The build made no page of {page}" for page in missing]

    offer(built, solutions)
    if site.exists():
        site.rename(previous)
    built.rename(site)
    shutil.rmtree(previous, ignore_errors=True)
    (work / "made_of.json").write_text(json.dumps(now), "utf-8")
    work.rename(last)
    return []


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--solutions", choices=["yes", "no"], default="yes")
    wanted = parser.parse_args().solutions == "yes"
    if faults := build(site_of(wanted), wanted):
        sys.exit("\n".join(faults))
    print(f"The book is built: open {chapters.name(site_of(wanted))}/index.html")
    if unused := chapters.left_out():
        print("Not in _toc.yml, so not in the book:", ", ".join(map(chapters.name, unused)))
