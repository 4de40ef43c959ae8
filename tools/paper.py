"""Make the PDF or the EPUB of the built site into _build/paper, and offer it on the site; on any fault, leave the last good one."""

import argparse
import os
import shutil
import subprocess
import sys
import tomllib
from datetime import datetime, timezone

import build
import chapters
import manuscript


def last_change():
    """Return when the text was last committed, or what SOURCE_DATE_EPOCH says instead, so that the same text has the same date."""
    asked = ["git", "-C", chapters.BOOK, "log", "-1", "--format=%ct"]
    try:
        seconds = os.environ.get("SOURCE_DATE_EPOCH") or subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    except OSError:  # no git
        seconds = ""
    return datetime.fromtimestamp(int(seconds), timezone.utc) if seconds else datetime.now(timezone.utc)


def make(kind, solutions=True):
    """Make a file of the built site.

    Parameters
    ----------
    kind : {"pdf", "epub"}
        What to make.
    solutions : bool
        Whether it has the solutions and the answers to the questions.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    ValueError
        If a link leads nowhere, there is no Chromium to print with, or the EPUB is not valid.
    """
    if kind == "pdf":
        import pdf as maker
    else:
        import epub as maker
    site = build.site_of(solutions)
    book = manuscript.read(site, solutions)
    changed = last_change()
    facts = {
        "version": tomllib.loads((chapters.BOOK / "pyproject.toml").read_text("utf-8"))["project"]["version"],
        "date": f"{changed.day} {changed:%B %Y}",
        "modified": f"{changed:%Y-%m-%dT%H:%M:%SZ}",
        "solutions": solutions,
    }
    build.PAPER.mkdir(parents=True, exist_ok=True)
    path = build.PAPER / f"{manuscript.slug(book.title)}{'' if solutions else build.WITHOUT}.{kind}"
    unfinished = build.PAPER / f"unfinished.{kind}"
    maker.write(book, site, unfinished, facts)
    if kind == "epub":
        if not shutil.which("java"):
            print("The EPUB was not checked: epubcheck needs a Java.")
        elif faults := maker.check(unfinished):
            raise ValueError("\n".join(["The EPUB is not valid:", *faults]))
    build.made_from(path).unlink(missing_ok=True)
    unfinished.replace(path)
    build.made_from(path).write_text(book.digest(), "utf-8")
    return path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["pdf", "epub"])
    parser.add_argument("--solutions", choices=["yes", "no"], default="yes")
    arguments = parser.parse_args()
    try:
        wanted = arguments.solutions == "yes"
        made = make(arguments.kind, wanted)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(str(error))
    build.offer(build.site_of(wanted), wanted)
    print(f"The book is in {chapters.name(made)} ({build.size(made)})")
