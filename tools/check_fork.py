"""Tell what a fork of the book still has to change, and what it has broken: file, line and what to write."""

import hashlib
import re
import sys
import tomllib
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import yaml

import build
import chapters
import manuscript

sys.path.append(str(chapters.BOOK / "theme"))
import book_theme

# What the original has, to know whether a fork has another.
LOGO = "42dfba1b7ba094b97e5ab61a5ecb629f297c0b1c6db7d039353d67f01b9cf781"
TABLE = "78d4c2878274fdb42889c016fda98896365f61ee3f4dc18563c45b57fb29b8d2"
FARM = re.compile(r"\bwind(?!ow)|\bturbine|\bLa Haute Borne|\bENGIE|\bkW\b|\banemometer", re.IGNORECASE)


def text(name):
    """Return the text of a file of the book, "" if it is not there."""
    path = chapters.BOOK / name
    return path.read_text("utf-8") if path.is_file() else ""


def digest(name):
    """Return the digest of a file of the book, "" if it is not there."""
    path = chapters.BOOK / name
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def lines(name, pattern):
    """Yield "file:line" and the line itself for each line in which the pattern is found."""
    for number, line in enumerate(text(name).splitlines(), start=1):
        if re.search(pattern, line, re.IGNORECASE):
            yield f"{name}:{number}", line.strip()


# --- what is still to change ---------------------------------------------------------------------------------------------


def settings_left(settings):
    """Return which settings say what those of the book that this one is based on say, or nothing."""
    said = {key: next((place for place, _ in lines("_config.yml", rf"^{key}:")), "_config.yml") for key in ("title", "author", "institution", "logo")}
    first = (settings.get("based_on") or [{}])[0]
    found = [
        f"{said[key]}: {key} is still {settings[key]!r}; write your own"
        for key in ("title", "author")
        if settings[key].lower() == first.get(key, "").lower()
    ]
    if not settings.get("institution"):
        found.append(f"{said['institution']}: institution is empty; write where the course is given")
    if digest(settings["logo"]) == LOGO:
        found.append(f"{said['logo']}: {settings['logo']} is still the original's; put your picture there, and beside it the same as PNG")
    return found


def repeats(settings):
    """Return where another file says another title, author or version than the settings, or the name of the book that this one is based on."""
    title, author = settings["title"], settings["author"]
    pages = [chapters.name(path) for path in chapters.pages()]
    version = tomllib.loads(text("pyproject.toml"))["project"]["version"]
    wanted = [  # file, where it says it, what it should say; a longer title may go on behind a colon
        ("README.md", r"^# (.+)", title),
        (pages[0], r'^ *"?# (.+?)(?:\\n)?"?,?$', title),
        ("CITATION.cff", r'^title: "?([^:"]+)', title),
        ("CITATION.cff", r"^ *- name: (.+)", author),
        ("CITATION.cff", r"^version: (.+)", version),
        ("pyproject.toml", r'^name = "(.+)"', manuscript.slug(title)),
    ]
    found = {}
    for name, pattern, value in wanted:
        place, line = next(lines(name, pattern), (name, ""))
        said = re.search(pattern, line, re.IGNORECASE)
        if not said or said[1].strip() != value:
            found[place] = f"{place}: says {said[1]!r}; write {value!r}" if said else f"{place}: does not say {value!r}; write it"
    for book in settings.get("based_on") or []:
        for name in ["README.md", "CITATION.cff", "_toc.yml", *pages]:
            for place, line in lines(name, re.escape(book["title"])):
                if book["title"] != title and "based on" not in line.lower():
                    found.setdefault(place, f"{place}: {book['title']!r} is the name of the book that yours is based on; write another, or 'based on'")
    return list(found.values())


def addresses(settings):
    """Return what is not known of the repository and the site."""
    place = next((place for place, _ in lines("_config.yml", r"^ +baseurl:")), "_config.yml")
    remote = book_theme.web_address(book_theme.git(chapters.BOOK, "remote", "get-url", "origin"))
    repository = book_theme.web_address(settings.get("repository", {}).get("url") or "") or remote
    if not repository:
        return ["_config.yml: no repository.url, and no git remote origin with a page: the book has no buttons that launch, edit and report"]
    found = []
    if remote and remote != repository:
        found.append(f"_config.yml: repository.url is {repository}, but the git remote origin is {remote}; leave it empty, or push there")
    if not (settings.get("html", {}).get("baseurl") or book_theme.site_address(repository)):
        found.append(f"{place}: where will the site be published? Cards of shared links, and the page for a wrong address, need html.baseurl")
    return found


# --- what is broken ------------------------------------------------------------------------------------------------------


def notices(settings):
    """Return which notices that the licences ask for are gone."""
    found = []
    if not settings.get("based_on"):
        found.append("_config.yml: based_on is empty; write the book that yours is made from: title, author, licence, url")
    for book in settings.get("based_on") or []:
        if missing := {"title", "author", "licence"} - book.keys():
            found.append(f"_config.yml: based_on lacks {', '.join(sorted(missing))}")
        elif book["author"].lower() not in text("LICENSE").lower():
            found.append(f"LICENSE: the line 'Copyright (c) … {book['author']}' is gone; put it back, above your own")
    for name, words in {"LICENSE": "BSD 3-Clause License", "LICENSE-text": "Creative Commons Attribution 4.0 International"}.items():
        if words not in text(name):
            found.append(f"{name}: {words!r} is not in it; put the licence back")
    if "creativecommons.org/licenses/by/4.0" not in settings.get("licence", ""):
        found.append("_config.yml: licence does not link CC BY 4.0, under which the text came")
    return found


class Links(HTMLParser):
    """What a page points to, and what in it can be pointed to."""

    def __init__(self, path):
        super().__init__()
        self.targets, self.anchors = set(), {"", "top"}
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors.update(given[name] for name in ("id", "name") if given.get(name))
        self.targets.update(given[name] for name in ("href", "src") if given.get(name))
        if tag == "meta" and given.get("property") == "og:image":
            self.targets.add(given["content"])


def read_links(site):
    """Return the links of each page of a built site, by its name."""
    return {path.relative_to(site).as_posix(): Links(path) for path in site.rglob("*.html") if "_static" not in path.parts}


def dead_links(site):
    """Return the links of a built site that lead to no file or place of it, as "page: link"."""
    pages = read_links(site)
    start = re.search(r'data-content_root="(.*?)"', (site / "404.html").read_text("utf-8"))[1]  # it is found at any depth
    dead = []
    for name, links in pages.items():
        for target in links.targets:
            path, anchor = urldefrag(urljoin(f"//site{start}{name}", target))
            if urlsplit(path).scheme or urlsplit(path).netloc != "site":
                continue
            path = unquote(urlsplit(path).path.removeprefix(start))
            if not (site / path).is_file() or path in pages and unquote(anchor) not in pages[path].anchors:
                dead.append(f"{name}: {target}")
    return sorted(dead)


def launch_addresses(site):
    """Return the links to the repository, and to where a chapter is launched from it, that name what is not there."""
    folder = chapters.BOOK
    tracked = set(book_theme.git(folder, "ls-files", "chapters").splitlines())
    branches = set(book_theme.git(folder, "for-each-ref", "--format=%(refname:lstrip=3)", "refs/remotes/origin").split())
    found = {}
    for page, links in read_links(site).items():
        for target in links.targets:
            place = re.search(r"/(?:blob|edit|v2/g[hl]/[^/]+/[^/?]+)/([^?]+?)(?:/|\?urlpath=lab/tree/)(chapters/[^?#]+)", unquote(target))
            if place and urlsplit(target).netloc:
                branch, path = place.groups()
                if path not in tracked:
                    found[f"{page}: {target} names {path}, which git does not have; commit it"] = None
                if branch not in branches:
                    found[f"branch {branch}: the links to the repository name it, but origin is not known to have it; push it, or set repository.branch in _config.yml"] = None
    return list(found)


def data_sheets():
    """Return the data that no data sheet names, or no script makes, and the sheets without a licence."""
    sheet = next((chapters.name(path) for path in chapters.pages() if path.stem == "data-sheet"), "")
    if not sheet:
        return ["_toc.yml: there is no page data-sheet, which says where the data are from and under which licence"]
    told, found = text(sheet), []
    data = chapters.BOOK / "data"
    scripts = "".join(path.read_text("utf-8") for path in data.glob("*.py"))
    for path in sorted(data.iterdir()):
        if path.is_file() and path.suffix != ".py" and not path.name.startswith("."):
            stem = path.name.partition(".")[0]
            if stem not in told:
                found.append(f"{sheet}: nothing on data/{path.name}; write where it is from and under which licence")
            if stem not in scripts:
                found.append(f"data/{path.name}: no script in data/ makes it; add the one that did")
    if told.count("**What.**") != told.count("**Licence.**"):
        found.append(f"{sheet}: {told.count('**What.**')} data sets (**What.**) have {told.count('**Licence.**')} licences (**Licence.**); each needs one")
    return found


def claims():
    """Return the cells that speak of the wind farm, if the book's table is another, and the marked sentences that it leaves out."""
    own = chapters.own_table.in_use()
    if digest("data/wind_farm.csv.xz") == TABLE and not own:
        return []
    found = [f"{sentence} (left out with your table: write it anew)" for sentence in chapters.sentences_of_the_table()] if own else []
    for path in chapters.notebooks():
        cells = [cell for cell in enumerate(chapters.own_table.as_shown(chapters.read(path)).cells, start=1) if "remove-cell" not in cell[1].metadata.get("tags", [])]
        for kind, speaks in {"markdown": "they speak", "code": "their code speaks"}.items():
            numbers = [str(number) for number, cell in cells if cell.cell_type == kind and FARM.search(cell.source + str(cell.metadata.get("mystnb", "")))]
            if numbers:
                found.append(f"{chapters.name(path)}, cells {', '.join(numbers)}: {speaks} of the wind farm, but the book's table is another")
    return found


def check(site):
    """Return {heading: [what was found, …]}, in the order in which a fork is made.

    Raises
    ------
    FileNotFoundError
        If the site has not been built.
    """
    if not (site / "404.html").exists():
        raise FileNotFoundError(f"{chapters.name(site)}: no built site; run `make book` first")
    settings = yaml.safe_load(text("_config.yml"))
    return {
        "Still to change": [*settings_left(settings), *repeats(settings), *addresses(settings)],
        "Notices": notices(settings),
        "Dead links": dead_links(site),
        "Addresses to launch, edit and report": launch_addresses(site),
        "Data sheets": data_sheets(),
        "Claims about another table": claims(),
    }


if __name__ == "__main__":
    try:
        found = check(build.SITE)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(str(error))
    for heading, faults in found.items():
        print(f"{heading}: {'nothing' if not faults else ''}")
        print("".join(f"  {fault}\n" for fault in faults), end="")
    sys.exit(any(found.values()))
