"""The book's local Sphinx extension that lays the meaning of each glossary term under the links to it.

A page holds the definitions of the terms that it uses, hidden, and each link names its own as its description, which
screen readers say. terms.js shows them; without scripts, or in a browser without popovers, the link leads to the
glossary, as before. The kept extensions for this fetch a script of 40 KB from another host, and one page a term.

Where the book, in the order of `_toc.yml`, uses a term first, it is set in bold.
"""

import re

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.transforms.post_transforms import SphinxPostTransform

SCRIPT = "terms.js"
LINK = re.compile(r'<a class="reference internal" href="(?P<page>[^"#]+)#(?P<term>term-[\w.-]+)"')


def definitions(app, docname):
    """Return the nodes that define each term of a page, by its anchor."""
    found = {}
    for item in app.env.get_doctree(docname).findall(nodes.definition_list_item):
        body = next(item.findall(nodes.definition), None)
        for term in item.findall(nodes.term):
            for anchor in term["ids"]:
                found[anchor] = body
    return found


def lay_under(app, pagename, templatename, context, doctree):
    """Add the definitions of a page's terms below its text, and name them in its links."""
    if doctree is None or app.builder.name != "html":
        return
    places = {app.builder.get_relative_uri(pagename, docname): docname for docname in app.env.all_docs}
    used = {}

    def describe(link):
        if places.get(link["page"]) is None:
            return link[0]
        used[link["term"]] = places[link["page"]]
        return f'{link[0]} aria-describedby="meaning-{link["term"]}"'

    body = LINK.sub(describe, context["body"])
    defined = {docname: definitions(app, docname) for docname in set(used.values())}
    hidden = []
    for term, docname in used.items():
        text = nodes.container("", *(child.deepcopy() for child in defined[docname][term]))
        document = nodes.document("", "")
        document.settings = doctree.settings
        document.reporter = doctree.reporter
        document += text
        app.env.resolve_references(document, pagename, app.builder)
        html = "".join(app.builder.render_partial(child)["fragment"] for child in text.children)
        hidden.append(f'<div class="meaning" id="meaning-{term}" popover="manual">{html}</div>\n')
    context["body"] = body + "".join(hidden)
    if not hidden:
        context["script_files"] = [script for script in context["script_files"] if SCRIPT not in str(script.filename)]


def terms(doctree):
    """Yield (term in small letters, node) for each reference to the glossary that is not resolved yet, in order."""
    for node in doctree.findall(pending_xref):
        if node["reftype"] == "term":
            yield node["reftarget"].lower(), node


def note_terms(app, doctree):
    """Note which terms a page uses, so that nobody has to open it again for them."""
    terms_of(app.env)[app.env.docname] = [term for term, _ in terms(doctree)]


def terms_of(env):
    """Return the dictionary of the terms of each page, which is kept with the environment."""
    return vars(env).setdefault("terms_used", {})


def merge_terms(app, env, docnames, other):
    terms_of(env).update({name: terms_of(other)[name] for name in docnames if name in terms_of(other)})


def find_first(app, env):
    """Find the page that uses each term first."""
    env.first_pages = {}
    for docname in env.external_site_map:
        for term in terms_of(env)[docname] if docname in env.found_docs else ():
            env.first_pages.setdefault(term, docname)
    return []


class BoldAtFirst(SphinxPostTransform):
    """Set each term in bold where the book uses it first, if it does not stand so in the source."""

    default_priority = 5  # before references are resolved

    def run(self):
        seen = set()
        for term, node in list(terms(self.document)):
            first = self.env.first_pages.get(term) == self.env.docname and term not in seen
            seen.add(term)
            if first and not isinstance(node.parent, nodes.strong):
                node.replace_self(nodes.strong("", "", node.deepcopy()))


def setup(app):
    app.connect("doctree-read", note_terms)
    app.connect("env-merge-info", merge_terms)
    app.connect("env-updated", find_first)
    app.add_post_transform(BoldAtFirst)
    app.add_js_file(SCRIPT, loading_method="defer")
    app.connect("html-page-context", lay_under, priority=850)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
