"""The book's local Sphinx extension: it links the repository, and mends what keeps readers out."""

import functools
import os
import re
import subprocess
import unicodedata
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from docutils import nodes
from sphinx.errors import ConfigError
from sphinx.search.en import SearchEnglish
from sphinx.util import logging


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
    """Return the branch of the repository at `folder`.

    A workflow has checked out a commit, not a branch: then it is the one that a pull request goes to, or that was pushed;
    else the default branch of the remote.
    """
    told = (os.environ.get(name, "") for name in ("GITHUB_BASE_REF", "GITHUB_REF_NAME", "CI_COMMIT_REF_NAME"))
    default = git(folder, "rev-parse", "--abbrev-ref", "origin/HEAD").removeprefix("origin/")
    return next(filter(None, (git(folder, "branch", "--show-current"), *told, default)), "main")


def site_address(repository):
    """Return where GitHub Pages publishes a repository; "" for other hosts, whose addresses are not known."""
    host, _, path = repository.removeprefix("https://").partition("/")
    owner, _, name = path.partition("/")
    if host != "github.com" or not name or "/" in name:
        return ""
    pages = f"{owner.lower()}.github.io"
    return f"https://{pages}/" if name.lower() == pages else f"https://{pages}/{name}/"


def read_settings(folder):
    """Return the settings in `_config.yml`, of which Jupyter Book leaves out `institution`, `licence` and `based_on`."""
    path = Path(folder, "_config.yml")
    return yaml.safe_load(path.read_text("utf-8")) if path.exists() else {}


def foot(settings):
    """Return the licence and what the book is based on, as paragraphs of HTML; the original names no other book."""
    lines = [f"<p>{settings['licence'].strip()}</p>"] if settings.get("licence") else []
    for book in settings.get("based_on") or []:
        if missing := {"title", "author", "licence"} - set(book):
            raise ConfigError(f"based_on in _config.yml: a book has title, author and licence, but {book} lacks {', '.join(sorted(missing))}")
        if book["title"] != settings["title"]:
            name = f"<cite>{escape(book['title'])}</cite>"
            linked = f'<a href="{escape(book["url"])}">{name}</a>' if book.get("url") else name
            lines.append(f'<p class="based-on">Based on {linked} by {escape(book["author"])}, {escape(book["licence"])}; changed.</p>')
    return "\n".join(lines)


def address(given):
    """Return the address of the site with a slash at its end, without which its last folder would be taken for a file."""
    parts = urlsplit(given)
    if given and not (parts.scheme in ("http", "https") and parts.netloc):
        raise ConfigError(f"html.baseurl in _config.yml, or BOOK_ADDRESS, is {given!r}: an address such as https://example.org/course/ is expected")
    return given.rstrip("/") + "/" if given else ""


def link_repository(app, config):
    """Tell the theme where the repository is, which buttons that allows, and what stands at the foot of a page."""
    settings, options = read_settings(app.srcdir), config.html_theme_options
    repository = web_address(options.get("repository_url") or git(app.srcdir, "remote", "get-url", "origin"))
    host, *path = repository.removeprefix("https://").split("/")
    provider = next((name for name in ("github", "gitlab", "bitbucket") if name in host), "")
    linked = bool(provider) and len(path) >= 2
    options["repository_url"] = repository if linked else ""
    options["repository_provider"] = provider
    options["repository_branch"] = options.get("repository_branch") or branch(app.srcdir)
    options["use_repository_button"] = options["use_edit_page_button"] = options["use_source_button"] = linked
    options["use_issues_button"] = linked and provider != "bitbucket"
    launch = options.get("launch_buttons", {}) if linked and len(path) == 2 else {}
    if host not in ("github.com", "gitlab.com"):  # the theme's links to a Binder know no other
        launch = {name: value for name, value in launch.items() if name != "binderhub_url"}
    options["launch_buttons"] = launch
    options["extra_footer"] = options.get("extra_footer", "") + foot(settings)
    config.author = ", ".join(filter(None, (config.author, settings.get("institution"))))
    config.html_baseurl = address(os.environ.get("BOOK_ADDRESS") or config.html_baseurl or site_address(repository))
    config.ogp_site_url = config.html_baseurl
    config.ogp_site_name = config.html_title
    if config.html_logo:
        config.html_favicon = config.html_logo
        picture = Path(config.html_logo).with_suffix(".png").as_posix()  # matplotlib, which draws the cards, reads no SVG
        config.ogp_social_cards = {"image": picture, "image_mini": picture, **(config.ogp_social_cards or {})}


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

    @functools.cache  # noqa: B019  one object a build, and most words come many times
    def stem(self, word):
        return super().stem(word)


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


# --- what is found without its address: the root, and nothing ------------------------------------------------------------

LOST = """\
<h1>Page not found</h1>
<p>There is no page at this address: it may have been renamed, or left out.
The contents of the book are in the menu, its <a href="{home}">first page</a> says where to begin, and the <a href="search.html">search</a> finds a word.</p>
"""
ROOT = """\
<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="0; url={home}">
{head}
</head>
<body><p><a href="{home}">{title}</a></p></body>
</html>
"""


def lost_page(app):
    """Yield the page that a server shows in place of one that it has not."""
    if app.builder.name == "html":
        home = app.builder.get_target_uri(app.config.root_doc)
        yield "404", {"title": "Page not found", "body": LOST.format(home=home)}, "page.html"


def finish_site(app, error):
    """Let the page for lost readers be whole at any depth, and put the first page's card on the root, which leads there."""
    if error or app.builder.name != "html":
        return
    site = Path(app.outdir)
    lost = site / "404.html"
    start = urlsplit(app.config.html_baseurl).path or "/"  # an unknown site is taken to have a host of its own
    whole = re.sub(r'\b(href|src|action|data-content_root)="(?!\w+:|[/#])(?:\./)?', rf'\1="{start}', lost.read_text("utf-8"))
    lost.write_text(whole, "utf-8", newline="\n")

    home = app.builder.get_target_uri(app.config.root_doc)
    if "/" in home:
        text = (site / home).read_text("utf-8")
        found = re.findall(r'<title>.*?</title>|<meta (?:property="og:|name="(?:description|twitter:))[^>]*>|<link rel="canonical"[^>]*>', text, re.DOTALL)
        head = "\n".join(found).replace('content="../', 'content="')
        page = ROOT.format(language=app.config.language, home=home, head=head, title=escape(app.config.html_title))
        (site / "index.html").write_text(page, "utf-8", newline="\n")


def setup(app):
    app.add_search_language(SearchWords)
    app.connect("config-inited", link_repository)
    app.connect("doctree-resolved", make_knobs)
    app.connect("html-collect-pages", lost_page)
    app.connect("html-page-context", mend_page, priority=900)  # after those who write
    app.connect("build-finished", finish_site, priority=950)  # after the pages have become lighter
    return {"parallel_read_safe": True, "parallel_write_safe": True}
