"""The book's local Sphinx extension: it links the repository, and mends what keeps readers out."""

import contextlib
import json
import os
import re
import subprocess
import unicodedata
from html import escape
from urllib.parse import urlsplit

from docutils import nodes
from sphinx.search.en import SearchEnglish
from sphinx.util import logging

MYBINDER = "https://mybinder.org"


def web_address(remote):
    """Return the https address of the page of a git remote, without user and password; "" if it has none.

    Known are http(s)://, ssh:// and git's short form user@host:path; a local path has no page.
    """
    remote = remote.strip()
    if "://" not in remote and (short := re.fullmatch(r"(?:[^/@:]+@)?([^/@:]{2,}):(?!\\)(.+)", remote)):
        remote = f"ssh://{short[1]}/{short[2]}"
    try:
        parts = urlsplit(remote)
        port = f":{parts.port}" if parts.port and parts.scheme.startswith("http") else ""
    except ValueError:
        return ""
    path = parts.path.strip("/").removesuffix(".git")
    if parts.scheme not in ("http", "https", "ssh") or not parts.hostname or not path:
        return ""
    return f"https://{parts.hostname}{port}/{path}"


def git(folder, *command):
    """Return what git says of the repository at `folder`; "" if there is none, or no git."""
    here = {**os.environ, "GIT_CEILING_DIRECTORIES": os.path.dirname(folder)}  # not a repository that the folder lies in
    try:
        asked = subprocess.run(["git", "-C", folder, *command], capture_output=True, text=True, env=here)
    except OSError:
        return ""
    return asked.stdout.strip() if asked.returncode == 0 else ""


def branch(folder):
    """Return the branch of the repository at `folder`; the one that GitHub's workflow runs for, if it has checked out a commit."""
    return git(folder, "branch", "--show-current") or os.environ.get("GITHUB_REF_NAME", "") or "main"


def site_address(repository):
    """Return where GitHub Pages publishes a repository; "" for other hosts, whose addresses are not known."""
    host, _, path = repository.removeprefix("https://").partition("/")
    owner, _, name = path.partition("/")
    if host != "github.com" or not name or "/" in name:
        return ""
    pages = f"{owner.lower()}.github.io"
    return f"https://{pages}/" if name.lower() == pages else f"https://{pages}/{name}/"


def link_repository(app, config):
    """Tell the theme where the repository is, and which buttons that allows."""
    options = config.html_theme_options
    repository = web_address(options.get("repository_url") or git(app.srcdir, "remote", "get-url", "origin"))
    host, *path = repository.removeprefix("https://").split("/")
    provider = next((name for name in ("github", "gitlab", "bitbucket") if name in host), "")
    linked = bool(provider) and len(path) >= 2
    options["repository_url"] = repository if linked else ""
    options["repository_provider"] = provider
    options["repository_branch"] = options.get("repository_branch") or branch(app.srcdir)
    options["use_repository_button"] = options["use_edit_page_button"] = options["use_source_button"] = linked
    options["use_issues_button"] = linked and provider != "bitbucket"
    if host in ("github.com", "gitlab.com") and len(path) == 2:
        options["launch_buttons"] = {"binderhub_url": MYBINDER, "notebook_interface": "jupyterlab"}
    config.html_baseurl = config.html_baseurl or site_address(repository)
    config.ogp_site_url = config.html_baseurl


KNOB = """\
<div class="knob" role="group" aria-labelledby="{id}-label">
<div class="knob-controls">
<label id="{id}-label" for="{id}">{label}</label>
<button type="button" aria-label="Back" value="-1">\N{MINUS SIGN}</button>
<input type="range" id="{id}" min="0" max="{last}" value="{start}" autocomplete="off">
<button type="button" aria-label="Forward" value="1">+</button>
<output for="{id}" class="visually-hidden"></output>
</div>
<div class="knob-positions">
"""


def make_knobs(app, doctree, docname):
    """Turn the outputs of each cell with `knob` in its metadata, a line of text and a figure by turns, into a knob.

    The text becomes the figure's caption and the end of its alternative text. Which position is seen is a matter of
    book.css and book.js; without scripts it is all of them.
    """
    def html(text):
        return nodes.raw("", text, format="html")

    for cell in list(doctree.findall(nodes.container)):
        knob = cell.get("cell_metadata", {}).get("knob")
        if not knob:
            continue
        output = next(part for part in cell.findall(nodes.container) if part.get("nb_element") == "cell_code_output")
        found = list(output.findall(lambda node: isinstance(node, (nodes.literal_block, nodes.image))))
        texts, images = found[::2], found[1::2]
        if len(texts) != len(images) or not all(isinstance(image, nodes.image) for image in images):
            logging.getLogger(__name__).warning("a knob's outputs must be a line of text and a figure by turns", location=cell)
            return
        start = knob.get("start", 0)
        identifier = f"knob-{cell['cell_index']}"
        opening = KNOB.format(id=identifier, label=escape(knob["label"]), last=len(texts) - 1, start=start)
        output.children = [html(opening)]
        for number, (text, image) in enumerate(zip(texts, images)):
            told = text.astext().strip()
            image["alt"] = f"{image.get('alt', '')} {told}".strip()
            seen = " shown" if number == start else ""
            output += [html(f'<figure class="knob-position{seen}">\n'), image.deepcopy(), html(f"<figcaption>{escape(told)}</figcaption></figure>\n")]
        output += html("</div></div>")


class SearchWords(SearchEnglish):
    """The words of the search: without accents, and a name of code in its parts, in the index and in what a reader types."""

    js_splitter_code = r'''
function splitQuery(query) {
  return query.normalize("NFD").replace(/\p{M}/gu, "").split(/[^\p{L}\p{N}]+/u).filter((word) => word);
}
'''

    def split(self, text):
        plain = "".join(letter for letter in unicodedata.normalize("NFD", text) if not unicodedata.combining(letter))
        return re.findall(r"[^\W_]+", plain)


def recall_index(app):
    """Give the search the index entries of pages that are not written anew: Sphinx stores its memory before pages are written."""
    with contextlib.suppress(FileNotFoundError), open(os.path.join(app.doctreedir, "index_entries.json"), encoding="utf-8") as file:
        app.env._search_index_index_entries.update({name: list(map(tuple, entries)) for name, entries in json.load(file).items()})


def remember_index(app, error):
    if not error and app.builder.name == "html":
        with open(os.path.join(app.doctreedir, "index_entries.json"), "w", encoding="utf-8") as file:
            json.dump(app.env._search_index_index_entries, file)


# What axe-core finds wrong in the HTML of the extensions, and what it should be.
MENDED = {
    '<summary aria-label="Toggle hidden content">': "<summary>",  # the label hid the words that are seen
    'role="doc-biblioentry"': 'role="listitem"',  # a deprecated role, in a list that wants items
    "<th></th>": "<td></td>",  # pandas leaves the corner of a table empty
    # Not of axe: the positions of a knob that are not seen are fetched when the reader comes near.
    '<figure class="knob-position">\n<img ': '<figure class="knob-position">\n<img loading="lazy" ',
}


def mend_page(app, pagename, templatename, context, doctree):
    """Mend the HTML of a page before it is written."""
    if doctree is None:  # search and index are the theme's alone
        return
    for wrong, right in MENDED.items():
        context["body"] = context["body"].replace(wrong, right)
    if not app.config.html_baseurl:  # a card's address is then relative to the page, and the page's own is unknown
        tags = re.sub(r'<meta property="og:url".*?>\n', "", context["metatags"])
        context["metatags"] = tags.replace('content="_images', f'content="{context["pathto"]("_images", 1)}')


def setup(app):
    app.add_search_language(SearchWords)
    app.connect("config-inited", link_repository)
    app.connect("doctree-resolved", make_knobs)
    app.connect("html-page-context", mend_page, priority=900)  # after those who write
    app.connect("builder-inited", recall_index)
    app.connect("build-finished", remember_index)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
