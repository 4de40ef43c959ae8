"""The book's local Sphinx extension: it links the repository, and mends what keeps readers out."""

import os
import re
import subprocess
from urllib.parse import urlsplit

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


def origin(folder):
    """Return the address of the git remote "origin" of the repository at `folder`; "" if there is none."""
    here = {**os.environ, "GIT_CEILING_DIRECTORIES": os.path.dirname(folder)}  # not a repository that the folder lies in
    try:
        asked = subprocess.run(["git", "-C", folder, "remote", "get-url", "origin"], capture_output=True, text=True, env=here)
    except OSError:  # no git
        return ""
    return asked.stdout if asked.returncode == 0 else ""


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
    repository = web_address(options.get("repository_url") or origin(app.srcdir))
    host, *path = repository.removeprefix("https://").split("/")
    provider = next((name for name in ("github", "gitlab", "bitbucket") if name in host), "")
    linked = bool(provider) and len(path) >= 2
    options["repository_url"] = repository if linked else ""
    options["repository_provider"] = provider
    options["repository_branch"] = options.get("repository_branch") or "main"
    options["use_repository_button"] = options["use_edit_page_button"] = options["use_source_button"] = linked
    options["use_issues_button"] = linked and provider != "bitbucket"
    if host in ("github.com", "gitlab.com") and len(path) == 2:
        options["launch_buttons"] = {"binderhub_url": MYBINDER, "notebook_interface": "jupyterlab"}
    config.html_baseurl = config.html_baseurl or site_address(repository)
    config.ogp_site_url = config.html_baseurl


# What axe-core finds wrong in the HTML of the extensions, and what it should be.
MENDED = {
    '<summary aria-label="Toggle hidden content">': "<summary>",  # the label hid the words that are seen
    'role="doc-biblioentry"': 'role="listitem"',  # a deprecated role, in a list that wants items
    "<th></th>": "<td></td>",  # pandas leaves the corner of a table empty
}


def mend_page(app, pagename, templatename, context, doctree):
    """Mend the HTML of a page before it is written."""
    if doctree is None:  # search and index are the theme's alone
        return
    for wrong, right in MENDED.items():
        context["body"] = context["body"].replace(wrong, right)
    if 'class="math' not in context["body"]:  # Sphinx gives the first page MathJax for the sake of those below it
        context["script_files"] = [script for script in context["script_files"] if "mathjax" not in str(script.filename)]
    if not app.config.html_baseurl:  # a card's address is then relative to the page, and the page's own is unknown
        tags = re.sub(r'<meta property="og:url".*?>\n', "", context["metatags"])
        context["metatags"] = tags.replace('content="_images', f'content="{context["pathto"]("_images", 1)}')


def setup(app):
    app.connect("config-inited", link_repository)
    app.connect("html-page-context", mend_page, priority=900)  # after those who write
    return {"parallel_read_safe": True, "parallel_write_safe": True}
