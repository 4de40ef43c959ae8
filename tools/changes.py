"""List the pages of the built site that differ from another build, in Markdown: changes.py BEFORE [SITE].

BEFORE is the address of a published site, or the folder of a built one; "" if there is none.
"""

import difflib
import http.client
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

import lxml.html
from sphinx.util.inventory import InventoryFile

import build
import chapters


def fetch(start, name):
    """Return the bytes of a file of a site, None if the site has not got it.

    Raises
    ------
    ConnectionError
        If the site cannot be asked.
    """
    try:
        with urllib.request.urlopen(start + name, timeout=30) as answer:
            return answer.read()
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ValueError) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it is the answer, still open
        missing = getattr(error, "code", None) == 404 or isinstance(getattr(error, "reason", None), FileNotFoundError)
        if missing:
            return None
        raise ConnectionError(f"{start}{name}: no answer from the site to compare with ({error})") from error


def pages(start):
    """Return {page: title} of a site, in the order of its inventory."""
    inventory = fetch(start, "objects.inv")
    if inventory is None:
        raise ConnectionError(f"{start}objects.inv: no such file, so no site of this book is there")
    with tempfile.TemporaryFile() as file:
        file.write(inventory)
        file.seek(0)
        documents = InventoryFile.load(file, "", lambda _, uri: uri)["std:doc"]
    return {uri: title for _, _, uri, title in documents.values()}


def content(page):
    """Return the lines of a page's text, and the names of its pictures, which are digests of them."""
    if page is None:
        return [], set()
    article = lxml.html.fromstring(page.decode("utf-8")).find(".//article")
    for offered in article.xpath('.//*[contains(@class, "paper-editions")]'):  # a preview has no PDF
        offered.drop_tree()
    lines = [" ".join(line.split()) for line in article.text_content().splitlines()]
    return [line for line in lines if line], {source.rpartition("/")[2] for source in article.xpath(".//img/@src")}


def difference(before, after):
    """Return in words how two pages differ, "" if they do not; None is no page."""
    if before is None:
        return "new"
    if after is None:
        return "gone"
    (old, old_pictures), (new, new_pictures) = content(before), content(after)
    changes = [line[0] for line in list(difflib.unified_diff(old, new, n=0))[2:]]  # the first two name the files
    parts = [f"{changes.count('+')} lines of text added, {changes.count('-')} removed" if set(changes) & {"+", "-"} else ""]
    parts += [f"{len(new_pictures - old_pictures)} pictures new, {len(old_pictures - new_pictures)} gone" if old_pictures != new_pictures else ""]
    return "; ".join(filter(None, parts))


def report(before, site):
    """Return the list, with a sentence above it.

    Parameters
    ----------
    before : str
        The address of a published site, or the folder of a built one; "" if there is none.
    site : pathlib.Path
        The folder of the built site.
    """
    if not before:
        return "No published site to compare with: all pages are new.\n"
    start, here = ((given if "://" in given else Path(given).resolve().as_uri()).rstrip("/") + "/" for given in (before, str(site)))
    old, new = pages(start), pages(here)
    rows = []
    for page, title in {**new, **old}.items():
        told = difference(fetch(start, page) if page in old else None, fetch(here, page) if page in new else None)
        if told:
            rows.append(f"| {new.get(page, title)} | `{page}` | {told} |")
    if not rows:
        return f"No page differs from {before}\n"
    return "\n".join([f"{len(rows)} of {len(new)} pages differ from {before}", "", "| Page | Address | What changed |", "|---|---|---|", *rows, ""])


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        sys.exit("usage: changes.py BEFORE [SITE]: the address or folder of another build, and the folder of this one")
    site = Path(sys.argv[2]) if len(sys.argv) == 3 else build.SITE
    if not (site / "objects.inv").exists():
        sys.exit(f"{chapters.name(site)}: no built site; run `make book` first")
    try:
        print(report(sys.argv[1], site), end="")
    except ConnectionError as error:
        print(f"The site could not be compared: {error}")  # a preview without a list is still a preview
