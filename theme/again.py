"""The book's local Sphinx extension that spares a build what it does not need, or has done already: in itself, or the last time.

Nothing of it changes a page. If build.py says by the variable BOOK_PLAIN_WORDS that plain words of pages alone have
changed, numbers and citations are those of the last build, and only the pages with these words are written.
"""

import contextlib
import functools
import hashlib
import importlib.metadata
import json
import os
import shutil
from pathlib import Path

import jinja2
import pybtex.plugin
from lighten import KEPT
from sphinx.environment import CONFIG_OK
from sphinx.environment.collectors.toctree import TocTreeCollector

CARDS = "_images/social_previews"

# It looks through everything that is installed, for each citation.
pybtex.plugin.find_plugin = functools.cache(pybtex.plugin.find_plugin)


def keep_templates(app):
    """Let the theme's templates be compiled once, not in each build."""
    if templates := getattr(app.builder, "templates", None):
        folder = KEPT / "templates"
        folder.mkdir(parents=True, exist_ok=True)
        templates.environment.bytecode_cache = jinja2.FileSystemBytecodeCache(str(folder))


def kept_cards(app):
    """Return the folder of the cards of shared links that earlier builds have drawn in the same way; their names tell the words on them."""
    config = app.config
    pictures = {Path(app.srcdir, picture).read_bytes() for name in ("image", "image_mini") if (picture := config.ogp_social_cards.get(name))}
    drawn = config.ogp_social_cards, config.html_baseurl, sorted(pictures), *map(importlib.metadata.version, ("sphinxext-opengraph", "matplotlib"))
    return KEPT / f"cards-{hashlib.sha256(repr(drawn).encode()).hexdigest()[:20]}"


def copy_new(source, target):
    """Copy the files of a folder, if there is one, that are not in another."""
    target.mkdir(parents=True, exist_ok=True)
    for path in source.glob("*"):
        if not (target / path.name).exists():
            shutil.copy(path, target)


def recall_cards(app):
    if app.builder.name == "html":
        copy_new(kept_cards(app), Path(app.outdir, CARDS))


def remember_cards(app, error):
    if not error and app.builder.name == "html":
        copy_new(Path(app.outdir, CARDS), kept_cards(app))


def recall_index(app):
    """Give the search the index entries of pages that are not written anew: Sphinx stores its memory before pages are written."""
    with contextlib.suppress(FileNotFoundError), open(os.path.join(app.doctreedir, "index_entries.json"), encoding="utf-8") as file:
        app.env._search_index_index_entries.update({name: list(map(tuple, entries)) for name, entries in json.load(file).items()})


def remember_index(app, error):
    if not error and app.builder.name == "html":
        with open(os.path.join(app.doctreedir, "index_entries.json"), "w", encoding="utf-8") as file:
            json.dump(app.env._search_index_index_entries, file)


def spare(app, env, docnames):
    """Keep from being made anew what does not depend on plain words, and open a page once that others look into."""
    builder, prepare = app.builder, app.builder.prepare_writing
    words_alone = bool(os.environ.get("BOOK_PLAIN_WORDS")) and env.config_status == CONFIG_OK and builder.name == "html"

    def prepare_writing(written):
        if words_alone:
            written.intersection_update(docnames)  # Sphinx adds the pages above in the table of contents
        if env._write_doc_doctree_cache.keys() >= written:  # else one that is opened would be changed when it is written
            env.get_doctree = functools.lru_cache(4)(env.get_doctree)
        prepare(written)

    builder.prepare_writing = prepare_writing
    if not words_alone:
        return
    builder.gen_indices = builder.gen_pages_from_extensions = builder.gen_additional_pages = lambda: None
    numbers = {name: env.toc_fignumbers[name] for name in docnames if name in env.toc_fignumbers}
    TocTreeCollector.assign_figure_numbers = lambda self, env: env.toc_fignumbers.update(numbers) or []
    citations = env.domains["cite"]
    if not any(key.docname in docnames for key in citations.bibliographies):
        citations.env_updated = list


def setup(app):
    app.connect("builder-inited", keep_templates)
    app.connect("builder-inited", recall_cards)
    app.connect("builder-inited", recall_index)
    app.connect("env-before-read-docs", spare)
    app.connect("build-finished", remember_index)
    app.connect("build-finished", remember_cards, priority=910)  # after those that no page has any more are deleted
    return {"parallel_read_safe": True, "parallel_write_safe": True}
