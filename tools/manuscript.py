"""The text of the built site as paper and e-readers need it: no controls, everything unfolded, solutions at the chapter's end.

The site's own pages are taken, so that figures and formulas are those that the tests of the site have seen.
Sphinx's singlehtml would make a second build, in which all chapters share one set of anchors (its issue 4814).
"""

import copy
import hashlib
import re
from dataclasses import dataclass
from urllib.parse import unquote, urljoin

import lxml.html
import yaml
from lxml.html import builder
from sphinx_external_toc.parsing import parse_toc_yaml

import chapters

# What only works on a screen, or says what the paper says elsewhere.
UNSEEN = """
    .//script | .//style | .//*[contains(@class, "headerlink")] | .//*[contains(@class, "toctree-wrapper")]
    | .//*[contains(@class, "knob-controls")] | .//details[contains(@class, "hide")]/summary
    | .//*[contains(@class, "paper-editions")] | .//*[contains(@class, "live-bar")] | .//*[contains(@class, "decks")] | .//*[@popover]
"""


@dataclass
class Page:
    """A page of the book: its name is the path of its file without the ending."""

    name: str
    title: str
    article: lxml.html.HtmlElement

    @property
    def sections(self):
        """(identifier, title) of each section."""
        return [(section.get("id"), section.find("h2").text_content()) for section in self.article.xpath(".//section[h2][@id]")]


@dataclass
class Part:
    """A part of the book; the first page, which belongs to none, is in a part without a caption."""

    caption: str
    pages: list


@dataclass
class Manuscript:
    """The whole book in its order, with what its title page says."""

    title: str
    subtitle: str
    author: str
    foot: str  #: HTML of the licence, and of the books that this one is based on
    parts: list

    @property
    def pages(self):
        """All pages, in order."""
        return [page for part in self.parts for page in part.pages]

    def digest(self):
        """Return a digest of all that is in the manuscript, pictures included: their names are digests themselves."""
        digest = hashlib.sha256(f"{self.title}\n{self.subtitle}\n{self.author}\n{self.foot}".encode())
        for page in self.pages:
            digest.update(page.name.encode() + lxml.html.tostring(page.article))
        for file in sorted([*(chapters.BOOK / "theme" / "paper").iterdir(), *(chapters.BOOK / "tools").glob("*.py")]):
            digest.update(file.read_bytes())
        return digest.hexdigest()


def read(site, solutions=True):
    """Return the manuscript of a built site.

    Parameters
    ----------
    site : pathlib.Path
        The folder of the built site.
    solutions : bool
        Whether to move the solutions and the answers of the self-checks to the end of their chapters; else they are left out.

    Raises
    ------
    FileNotFoundError
        If the site has not been built, or lacks a page.
    ValueError
        If a link leads to a place that is not in the book.
    """
    settings = yaml.safe_load((chapters.BOOK / "_config.yml").read_text("utf-8"))
    toc = parse_toc_yaml(chapters.BOOK / "_toc.yml")
    start = toc.root.docname

    def below(name):
        return [name, *(deeper for tree in toc[name].subtrees for item in tree.items for deeper in below(item))]

    parts = [Part("", [read_page(site, start, solutions)])]
    for tree in toc.root.subtrees:
        pages = [read_page(site, name, solutions) for item in tree.items for name in below(item)]
        # A page of all figures has nothing that is not elsewhere, and doubles the size of the file.
        parts.append(Part(tree.caption or "", [page for page in pages if not with_class(page.article, "figures", "ul")]))
    author = ", ".join(filter(None, (settings["author"], settings.get("institution"))))
    book = Manuscript(settings["title"], settings.get("subtitle", ""), author, read_foot(site / f"{start}.html"), parts)
    check_links(book)
    return book


def read_foot(file):
    """Return what stands at the foot of a page about licences, as XHTML."""
    page = lxml.html.parse(file, lxml.html.HTMLParser(encoding="utf-8"))
    return "\n".join(lxml.html.tostring(line, encoding="unicode", method="xml").strip() for line in page.xpath('//div[@class="extra_footer"]/p'))


def read_page(site, name, solutions):
    """Return a page of the site, cleaned."""
    file = site / f"{name}.html"
    if not file.exists():
        raise FileNotFoundError(f"{chapters.name(file)}: no such page; build the site first (`make book`)")
    parser = lxml.html.HTMLParser(encoding="utf-8")
    article = lxml.html.parse(file, parser).getroot().find(".//article")
    article.tag, article.attrib["class"] = "div", "page"
    for node in article.xpath(UNSEEN):
        node.drop_tree()
    unfold(article)
    for code in article.findall(".//pre"):
        plain_code(code)
    place_solutions(article, solutions)
    tidy(article)
    return Page(name, article.find(".//h1").text_content().strip(), article)


def slug(title):
    """Return a title as a file's name."""
    return re.sub(r"\W+", "-", title).strip("-").lower()


def with_class(node, name, tag="*"):
    """Return the elements below `node` that have a class."""
    return node.xpath(f'.//{tag}[contains(concat(" ", @class, " "), " {name} ")]')


def unfold(article):
    """Open what folds, and keep the position of a knob that stands first, with a note of the others."""
    for folded in article.xpath('.//details[not(contains(@class, "sd-dropdown"))]'):
        folded.tag, folded.attrib["class"] = "div", "unfolded"
        for title in folded.findall("summary"):
            title.tag, title.attrib["class"] = "p", "admonition-title"
    for knob in with_class(article, "knob"):
        positions = with_class(knob, "knob-position")
        number = next(number for number, position in enumerate(positions, start=1) if "shown" in position.get("class"))
        for position in positions:
            if "shown" not in position.get("class"):
                position.drop_tree()
        caption = knob.find(".//figcaption")
        caption.append(builder.SPAN(f" Picture {number} of {len(positions)}; on the site a slider turns through them.", builder.CLASS("knob-note")))
        knob.attrib.clear()


def plain_code(code):
    """Drop the tokens that have the colour of the text, most of a page's nodes, and mark the lines that may not fit into one."""
    for token in code.xpath('.//span[not(@class) or contains(" n nn o p w ", concat(" ", @class, " "))]'):
        token.drop_tag()
    lines = lxml.html.tostring(code, encoding="unicode", with_tail=False).partition(">")[2].removesuffix("</pre>").splitlines(keepends=True)
    if any(line.count("<span") != line.count("</span") for line in lines):  # a token goes over the end of a line
        return
    marked = "".join(f'<span class="line">{line}</span>' if len(re.sub("<.*?>", "", line)) > 40 else line for line in lines)
    code.getparent().replace(code, lxml.html.fragment_fromstring(f"<pre>{marked}</pre>"))


def place_solutions(article, wanted):
    """Move the solutions and the answers to self-checks to the end of the page, linked both ways; or leave them out."""
    end = builder.E.section(builder.H2("Solutions"), id="solutions")
    for number, (question, answers) in enumerate(self_checks(article), start=1):
        title = builder.P(builder.CLASS("admonition-title"))
        told = builder.OL(builder.CLASS("answers"), type="a")
        asked = builder.OL(builder.CLASS("answers"), type="a")
        for answer in answers:
            words = copy.deepcopy(with_class(answer, "sd-summary-text")[0])
            asked.append(builder.LI(copy.deepcopy(words)))
            told.append(builder.LI(builder.P(builder.E.em(words)), *with_class(answer, "sd-card-body")[0]))
        back = copy.deepcopy(question[0])
        back.tag, back.tail = "a", None
        back.attrib["href"] = f"#check-{number}"
        title.append(back)
        end.append(builder.DIV(title, told, builder.CLASS("solution"), id=f"check-{number}-answers"))
        question.attrib.update({"id": f"check-{number}", "class": "question"})
        answers[0].addprevious(asked)
        if wanted:
            asked.addnext(builder.P(builder.A("Answers", href=f"#check-{number}-answers"), builder.CLASS("to-solution")))
        for answer in answers:
            answer.drop_tree()
    for solution in with_class(article, "solution"):
        if wanted:
            exercise = article.get_element_by_id(solution.find(".//a").get("href")[1:], None)
            if exercise is not None:  # else check_links says so
                exercise.append(builder.P(builder.A("Solution", href="#" + solution.get("id")), builder.CLASS("to-solution")))
        solution.drop_tree()
        end.append(solution)
    if wanted and len(end) > 1:
        article.find("section").append(end)


def self_checks(article):
    """Return (question, answers) for each self-check: a paragraph in bold with dropdowns behind it. Other dropdowns are opened."""
    found = []
    for dropdown in with_class(article, "sd-dropdown", "details"):
        before = dropdown.getprevious()
        if found and before is found[-1][1][-1]:
            found[-1][1].append(dropdown)
        elif before is not None and before.tag == "p" and len(before) == 1 and before[0].tag == "strong":
            found.append((before, [dropdown]))
        else:
            summary = dropdown.find("summary")
            summary.text, summary[:] = summary.text_content().strip(), []
            summary.tag, summary.attrib["class"] = "p", "admonition-title"
            dropdown.tag, dropdown.attrib["class"] = "div", "admonition"
    return found


def tidy(article):
    """Leave what XHTML allows: an identifier once a page, and no attribute of HTML's past."""
    seen = set()
    for node in article.iter(lxml.html.etree.Element):
        for attribute in ("loading", "decoding", "border", "valign", "halign", "aria-describedby"):
            node.attrib.pop(attribute, None)
        if "href" in node.attrib:
            node.attrib["href"] = node.get("href").replace("<", "%3C").replace(">", "%3E")  # in the DOIs of some journals
        if identifier := node.get("id"):
            if identifier in seen:
                del node.attrib["id"]
            seen.add(identifier)


def check_links(book):
    """Unlink what is on the site alone, its search for example; raise ValueError for a place that is nowhere."""
    places = {page.name: {node.get("id") for node in page.article.iter() if node.get("id")} for page in book.pages}
    for page in book.pages:
        for link in page.article.findall(".//a"):
            href = link.get("href", "")
            if re.match(r"\w+:", href):
                continue
            name, place = locate(page, href)
            if name not in places:
                link.drop_tag()
            elif place and place not in places[name]:
                raise ValueError(f"{page.name}: a link to {href}, which is nowhere in the book")


def locate(page, href):
    """Return the name of the page that a link of `page` leads to, and the place on it, "" for its beginning."""
    path, _, place = href.partition("#")
    target = urljoin(page.name, path) if path else page.name
    return unquote(target).removesuffix(".html"), unquote(place)
