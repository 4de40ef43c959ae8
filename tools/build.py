"""Build the site from the stored outputs into _build/html; on any fault, leave the last good site as it was."""

import re
import shutil
import subprocess
import sys

import chapters
import manuscript

SITE = chapters.BOOK / "_build" / "html"
PAPER = SITE.with_name("paper")  # the PDF and the EPUB: see paper.py


def in_cell(place):
    """Turn myst-nb's line number of a notebook, the cell's number times 10,000 plus its line, into words."""
    return f".ipynb, cell {int(place[1])}, line {int(place[2])}:"


def made_from(path):
    """Return the file beside a PDF or EPUB that has the digest of its text."""
    return path.with_name(f"{path.name}.digest")


def size(path):
    """Return the size of a file in words."""
    return f"{path.stat().st_size / 1e6:.1f} MB"


def offer(site):
    """Put the PDF and the EPUB on a site and into its menus, if they have its text; take away those that have an older one."""
    made = sorted(path.with_suffix("") for path in PAPER.glob("*.digest"))
    digest = manuscript.read(site).digest() if made else ""
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


def build(site=SITE):
    """Build the book and put it at `site` once it is complete; return a list of faults, empty if all is well."""
    # A build that was killed leaves these two behind; the reader's site is never among them.
    work, previous = site.with_name("unfinished"), site.with_name("previous")
    shutil.rmtree(work, ignore_errors=True)
    if previous.exists() and not site.exists():
        previous.rename(site)
    shutil.rmtree(previous, ignore_errors=True)

    try:
        pages = chapters.pages()
        faults = [fault for path in chapters.notebooks() for fault in chapters.faults(path)]
    except (FileNotFoundError, ValueError) as error:
        return [str(error)]
    if faults:
        return [*faults, "Run `make execute`, or mend the chapter, and build again."]

    jupyter_book = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
    strictly = ["-W", "-n", "--keep-going", "--quiet", "--path-output", work]
    # Warnings and errors come on stderr; stdout only names the unfinished folder.
    run = subprocess.run([*jupyter_book, "build", *strictly, chapters.BOOK], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    told = run.stderr.decode("utf-8", "replace")
    print(re.sub(r"\.ipynb:(\d+)(\d{4}):", in_cell, told), end="", file=sys.stderr)
    if run.returncode != 0:
        return ["The build stopped at the warnings above."]
    built = work / "_build" / "html"
    missing = [chapters.name(path) for path in pages if not (built / path.relative_to(chapters.BOOK)).with_suffix(".html").exists()]
    if missing:
        return [f"The build made no page of {page}" for page in missing]

    offer(built)
    if site.exists():
        site.rename(previous)
    built.rename(site)
    shutil.rmtree(previous, ignore_errors=True)
    shutil.rmtree(work, ignore_errors=True)
    return []


if __name__ == "__main__":
    if faults := build():
        sys.exit("\n".join(faults))
    print(f"The book is built: open {chapters.name(SITE)}/index.html")
    if unused := chapters.left_out():
        print("Not in _toc.yml, so not in the book:", ", ".join(map(chapters.name, unused)))
