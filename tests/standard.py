"""The chapter standard, as far as a program can tell: each check takes a page and returns its faults, one sentence each.

A page is a notebook; a `.md` file becomes a notebook of one Markdown cell. Cells are counted from 1.
Numbers and what is switched off stand in pyproject.toml, under [tool.book].
"""

import ast
import io
import re
import tokenize
import tomllib
from decimal import Decimal
from statistics import median

import own_table
from IPython.core.inputtransformer2 import TransformerManager
from nbformat.v4 import new_markdown_cell, new_notebook

import chapters
import solutions

CLOSING = ["Summary", "Symbols", "Where to go next"]
ASKED = tomllib.loads((chapters.BOOK / "pyproject.toml").read_text("utf-8"))["tool"]["book"]
HIDDEN = {"hide-input", "hide-cell", "remove-input", "remove-cell"}
CODE_DIRECTIVES = ("code", "code-block", "code-cell", "literalinclude", "bibliography")


def load(path):
    """Return a page as it is shown; what a `.md` page is given stands in it as a comment: ``% given: 0.5, 1.25``."""
    if path.suffix == ".ipynb":
        page = chapters.read(path)
        if own_table.in_use():  # what is measured of a whole chapter is that with all sentences and cells: others will be written in their place
            whole = own_table.as_shown(chapters.read(path), own=False)
            page.metadata.update(minutes=reading_minutes(whole), typical_lines=typical_lines(whole))
        return own_table.as_shown(page)
    text = path.read_text("utf-8")
    given = [entry.strip() for line in re.findall(r"^% given: (.*)$", text, re.MULTILINE) for entry in line.split(", ")]
    return own_table.as_shown(new_notebook(cells=[new_markdown_cell(text, metadata={"given": given})]))


def markdown_cells(page):
    """Yield (number, cell) for each Markdown cell."""
    return ((number, cell) for number, cell in enumerate(page.cells, start=1) if cell.cell_type == "markdown")


def text_of(page):
    """Return the Markdown of a page without what stands in code blocks."""
    return "\n\n".join(without_code(cell.source) for _, cell in markdown_cells(page))


def without_code(markdown):
    """Return Markdown without its code blocks; directives stay, and so does what is in them."""
    kept, fence = [], None
    for line in markdown.splitlines():
        opening = re.match(r"\s*(`{3,}|~{3,}|:{3,})\s*(?:\{([\w:-]+)\})?(.*)", line)
        if fence:
            if re.fullmatch(rf"\s*{fence[0]}{{{len(fence)},}}\s*", line):
                fence = None
        elif opening and (opening[2] in CODE_DIRECTIVES or (not opening[2] and opening[3].strip())):
            fence = opening[1]
        else:
            kept.append(line)
    return "\n".join(kept)


def prose(markdown):
    """Return what a reader reads of Markdown, mathematics included, without code, targets, options and comments."""
    text = re.sub(r"<!--.*?-->", " ", without_code(markdown), flags=re.DOTALL)
    text = re.sub(r"^\s*(`{3,}|:{3,})(\{[\w:-]+\})?|^%.*$|^\s*:[\w-]+:.*$", " ", text, flags=re.MULTILINE)
    text = re.sub(r"\{math\}`([^`]*)`", r"\1", text)
    text = re.sub(r"\{[\w:]+\}`[^`]*`|(`+)[^`\n].*?\1", " ", text)
    text = re.sub(r"\]\([^)]*\)|https?://\S+", " ", text)
    return text


# --- how long it takes to read -------------------------------------------------------------------------------------

WORDS_A_MINUTE, SECONDS_A_LINE, SECONDS_A_SIGHT = 180, 4, 30  # a sight is a figure or a display formula


def reading_minutes(page):
    """Return the minutes that a page takes to read, in fives, without solutions and folded code."""
    words = lines = sights = 0
    solutions = chapters.in_solutions(page)
    for cell in (cell for cell in page.cells if cell.id not in solutions):
        if cell.cell_type == "markdown":
            text = re.sub(r"^\s*[`:]{3,}\{[\w-]+\}|^\s*:[\w-]+:.*$", " ", without_code(cell.source), flags=re.MULTILINE)
            words += len(re.findall(r"\S*\w\S*", re.sub(r"\$\$.*?\$\$", " ", text, flags=re.DOTALL)))
            sights += text.count("$$") // 2 + text.count("![") + text.count("```{figure}")
        else:
            lines += 0 if HIDDEN & set(cell.metadata.get("tags", [])) else sum(map(bool, cell.source.split("\n")))
            sights += any("image/png" in output.get("data", {}) for output in cell.outputs)
    minutes = words / WORDS_A_MINUTE + (SECONDS_A_LINE * lines + SECONDS_A_SIGHT * sights) / 60
    return max(5, 5 * round(minutes / 5))


# --- numbers -------------------------------------------------------------------------------------------------------

NUMBER = re.compile(
    r"(?P<sign>(?<![\w.)}])[-−])?"
    r"(?<![\w.])(?P<digits>(?:\d{1,3}(?:(?:,|\{,\})\d{3})+|\d*)(?:\.\d+)+)"
    r"(?:[eE](?P<e>[-+]?\d+)|\s*(?:\\times|\\cdot|×|·)\s*10\^\{?(?P<ten>[-−]?\d+)\}?)?"
    r"(?P<percent>(?:\s|~|\\,|\\;)*(?:\\?%|per cent|percent))?"
)
PRINTED = re.compile(r"(?<![\w.])-?(?>(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d*)?(?:[eE][-+]?\d+)?)(?!\.\d)")


def is_backed(number, printed):
    """Tell whether a number of the prose, a match of NUMBER, is a rounding of a printed Decimal.

    A quoted percentage may be a printed share; a number without a sign may be printed with one ("it falls by").
    """
    exponent = int((number["e"] or number["ten"] or "0").replace("−", "-"))
    digits = number["digits"].replace("{,}", "").replace(",", "")
    if digits.count(".") > 1:
        return False
    quoted = Decimal(f"{digits}e{exponent}")
    last_place = Decimal(1).scaleb(quoted.as_tuple().exponent)
    for value in printed:
        for scaled in [value, value.scaleb(2)] if number["percent"] else [value]:
            away = abs(scaled + quoted) if number["sign"] else abs(abs(scaled) - quoted)
            precise = scaled.as_tuple().exponent <= quoted.as_tuple().exponent
            if away == 0 or (precise and away <= last_place / 2):
                return True
    return False


def printed_numbers(page):
    """Return, as Decimals with the precision printed, the numbers with a point or an exponent in a page's text outputs."""
    texts = []
    for _, cell in chapters.code_cells(page):
        for output in cell.outputs:
            if output.output_type == "stream" and output.name == "stdout":
                texts.append(output.text)
            elif not output.get("data", {}).get("text/plain", "<").startswith("<"):
                texts.append(output.data["text/plain"])
    tokens = [token.replace(",", "") for text in texts for token in PRINTED.findall(text.replace("−", "-"))]
    return {Decimal(token) for token in tokens if "." in token or "e" in token.lower()}


def unbacked_numbers(page):
    """Numbers with a decimal point in prose that are neither printed by the page nor marked as given."""
    printed, found = printed_numbers(page), []
    for number, cell in markdown_cells(page):
        text = prose(cell.source)
        given = cell.metadata.get("given", [])
        for match in NUMBER.finditer(text):
            written = (match["sign"] or "") + match["digits"]
            if not {written, match["digits"]} & set(given) and not is_backed(match, printed):
                found.append(f"cell {number}: no output prints {written}, and it is not given")
        for entry in given:
            if not re.search(rf"(?<![\w.]){re.escape(entry)}(?!\w|\.\d)", text):
                found.append(f"cell {number}: {entry} is given, but the text does not say it")
    return found


# --- code cells and their outputs ------------------------------------------------------------------------------------


def not_run_in_order(page):
    """Code cells that were not executed once each, from the first to the last."""
    counts = [(number, cell.execution_count) for number, cell in chapters.code_cells(page)]
    return [f"cell {number}: run as number {count}, not {turn}" for turn, (number, count) in enumerate(counts, start=1) if count != turn]


def unclean_outputs(page):
    """Outputs that no page should show: errors, warnings, addresses, pictures that are not compared."""
    found = []
    for number, cell in chapters.code_cells(page):
        for output in cell.outputs:
            data = output.get("data", {})
            if output.output_type == "error":
                found.append(f"cell {number}: raised {output.ename}")
            if output.get("name") == "stderr" or re.search(r"\w+Warning: ", output.get("text", "")):
                found.append(f"cell {number}: shows a warning")
            if "image/png" not in data and re.match(r"\[?<|Text\(", data.get("text/plain", "")):
                found.append(f"cell {number}: shows the repr {data['text/plain'][:40]}; end the cell with a statement")
            found += [f"cell {number}: has a figure of type {kind}; only PNG is compared" for kind in data if re.match("image/(?!png)", kind)]
    return found


def figures_without_alt_text(page):
    """Figures, in outputs and in Markdown, that say nothing to someone who can't see them."""
    found = []
    for number, cell in chapters.code_cells(page):
        if any("image/png" in output.get("data", {}) for output in cell.outputs):
            alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
            if len(alt) < ASKED["alt_text"]:
                found.append(f"cell {number}: its figure needs alt text of at least {ASKED['alt_text']} characters, and has {len(alt)}")
    for number, cell in markdown_cells(page):
        text = without_code(cell.source)
        found += [f"cell {number}: the image {target} has no alt text" for target in re.findall(r"!\[\s*\]\(([^)]*)\)", text)]
        for body in re.findall(r"\{(?:figure|image)\}(.*?)(?:^`{3,}|^:{3,}|\Z)", text, re.DOTALL | re.MULTILINE):
            if not re.search(r"^:alt: .{10,}", body, re.MULTILINE):
                found.append(f"cell {number}: the image {body.split()[0]} has no alt text")
    return found


def knob_faults(page):
    """What would make a knob of no use: outputs out of turn, a position that says nothing of its own, no name."""
    found = []
    for number, cell in chapters.code_cells(page):
        knob = cell.metadata.get("knob")
        if knob is None:
            continue
        kinds = ["image" if "image/png" in output.get("data", {}) else output.get("name") for output in cell.outputs]
        texts = [output.text.strip() for output in cell.outputs if output.get("name") == "stdout"]
        if kinds != ["stdout", "image"] * max(3, len(texts)):
            found.append(f"cell {number}: a knob has a printed line and a figure by turns, three times or more, not {kinds}")
        found += [f"cell {number}: two positions say '{text}'" for text in dict.fromkeys(texts) if texts.count(text) > 1]
        found += [f"cell {number}: '{text}' tells too little, or takes more than a line" for text in texts if len(text) < 30 or "\n" in text]
        if not knob.get("label") or knob.get("start", 0) not in range(len(texts)):
            found.append(f"cell {number}: a knob needs a label, and a start from 0 to {len(texts) - 1}, but is {dict(knob)}")
    return found


def unstable_sorts(page):
    """Orders in which ties fall as the processor likes: NumPy and pandas sort with other instructions on other processors."""
    found = []
    for number, cell in chapters.code_cells(page):
        for node in ast.walk(ast.parse(re.sub(r"^[%!].*", "", cell.source, flags=re.MULTILINE))):
            name = getattr(getattr(node, "func", None), "attr", "")
            if name in ("argsort", "sort_values", "argpartition") and not any(word.arg == "kind" for word in node.keywords):
                found.append(f"cell {number}: {name} breaks ties by chance; say kind=\"stable\"")
    return found


def relative_files(page):
    """Files that code names by their way from the chapter's folder, which a copy of the notebook elsewhere would not find."""
    way = r"""["'](?:\.\.?/[^"']*|\.\.)["']"""
    named = [(number, found) for number, cell in chapters.code_cells(page) for found in re.findall(way, cell.source)]
    return [f"cell {number}: {found} is only found from here; begin at helpers.tables.DATA" for number, found in named]


def logical_lines(source):
    """Return the number of lines of code that are not blank, one that is wrapped counting once."""
    return sum(token.type == tokenize.NEWLINE for token in tokenize.generate_tokens(io.StringIO(source).readline))


def visible_code(page):
    """Return (number, cell) of each code cell that a reader sees without unfolding it."""
    return [(number, cell) for number, cell in chapters.code_cells(page) if not HIDDEN & set(cell.metadata.get("tags", []))]


def typical_lines(page):
    """Return the lines of the median visible code cell, where wrapped ones count once."""
    return median([logical_lines(cell.source) for _, cell in visible_code(page)] or [0])


def long_cells(page):
    """Visible code cells with too many lines, or with too many in the median, where wrapped ones count once."""
    most, usual = ASKED["visible_lines"], ASKED["typical_lines"]
    lengths = {number: len(cell.source.strip().splitlines()) for number, cell in visible_code(page)}
    found = [f"cell {number}: {length} lines of code, more than {most}" for number, length in lengths.items() if length > most]
    typical = page.metadata.get("typical_lines", typical_lines(page))
    return found + [f"the median cell has {typical} lines, more than {usual}"] * (typical > usual)


def unlabelled_folds(page):
    """Folded code whose label does not say what it does, "Show the code that draws the two densities"."""
    folded = [(number, cell) for number, cell in chapters.code_cells(page) if "hide-input" in cell.metadata.get("tags", [])]
    prompts = [(number, *(cell.metadata.get("mystnb", {}).get(f"code_prompt_{act}", "") for act in ("show", "hide"))) for number, cell in folded]
    return [
        f"cell {number}: folded code needs labels 'Show the code that …' and 'Hide the code that …', not '{show}' and '{hide}'"
        for number, show, hide in prompts
        if len(show) < 20 or hide != show.replace("Show", "Hide", 1) or show == hide
    ]


def wide_lines(page):
    """Lines of code that would scroll sideways at a window of 1280 pixels, folded cells and solutions included."""
    lines = [(number, line) for number, cell in chapters.code_cells(page) for line in cell.source.splitlines()]
    most = ASKED["columns"]
    return [f"cell {number}: {len(line)} characters, more than {most}: {line.strip()}" for number, line in lines if len(line) > most]


def code_without_prose(page):
    """Code cells that no Markdown cell leads up to; what checks an exercise is shown to nobody, and needs none."""
    shown = [cell.cell_type == "code" and "remove-cell" not in cell.metadata.get("tags", []) for cell in page.cells]
    prose = [False, *(cell.cell_type == "markdown" and bool(cell.source.strip()) for cell in page.cells)]
    return [f"cell {number}: no prose before this code cell" for number, _ in chapters.code_cells(page) if shown[number - 1] and not prose[number - 1]]


def wrong_language(page):
    """Metadata that leave the language or the kernel open."""
    if not any(cell.cell_type == "code" for cell in page.cells):
        return []
    found = []
    if page.metadata.get("language_info", {}).get("name") != "python":
        found.append("metadata.language_info.name is not python")
    if page.metadata.get("kernelspec", {}).get("name") != "python3":
        found.append("metadata.kernelspec.name is not python3")
    return found


# --- the text ----------------------------------------------------------------------------------------------------------


def broken_directives(page):
    """Directives that are none: the first line of a fence of backticks may hold no other backtick."""
    lines = [(number, line) for number, cell in markdown_cells(page) for line in cell.source.splitlines()]
    return [f"cell {number}: a backtick in the first line makes this no directive: {line}" for number, line in lines if re.match(r"\s*`{3,}\{[^`]*`", line)]


def headings(page):
    """Return (level, title) of each heading."""
    return [(len(marks), title.strip()) for marks, title in re.findall(r"^(#{1,6}) (.*)$", text_of(page), re.MULTILINE)]


def headings_out_of_order(page):
    """A page has one title, at its top, and its headings go down one level at a time."""
    found, previous = [], 0
    if not re.match(r"(%.*\n|\([\w-]+\)=\n|\s)*# ", text_of(page)):
        found.append("the page does not begin with its title")
    for level, title in headings(page):
        if level > previous + 1:
            found.append(f"the heading '{title}' skips a level")
        if level == 1 and previous:
            found.append(f"'{title}' is a second title")
        previous = level
    return found


def cited(page):
    """Return the keys that a page cites."""
    roles = re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", text_of(page))
    return [key.strip() for role in roles for key in role.split(",")]


def terms(page):
    """Return the term of each reference to the glossary, in order."""
    roles = re.findall(r"\{term\}`([^`]+)`", text_of(page))
    return [re.sub(r".*<(.*)>$", r"\1", role.replace("\n", " ")).strip().lower() for role in roles]


def defined_terms(page):
    """Return the terms that a page's glossary defines, in order."""
    blocks = re.findall(r"^```\{glossary\}\n(.*?)^```", text_of(page), re.DOTALL | re.MULTILINE)
    return [line.strip() for block in blocks for line in block.splitlines() if re.match(r"[^\s:]", line)]


def glossary_faults(glossary, pages):
    """Terms that are not defined, not used, or out of the alphabet's order."""
    names = defined_terms(glossary)
    used = dict.fromkeys(term for page in pages for term in terms(page))
    found = [f"'{term}' is not in the glossary" for term in used if term not in map(str.lower, names)]
    found += [f"no page uses the term '{name}'" for name in names if name.lower() not in used]
    if names != sorted(names, key=str.lower):
        found.append("the glossary is not in alphabetical order")
    return found


def citation_faults(keys, pages):
    """Citations of nothing, and entries of the bibliography that nobody cites."""
    used = {key for page in pages for key in cited(page)}
    found = [f"{key} is cited, but references.bib does not have it" for key in sorted(used - set(keys))]
    return found + [f"{key} is in references.bib, but no page cites it" for key in sorted(set(keys) - used)]


# --- what a chapter has, and other pages need not ------------------------------------------------------------------------


def incomplete_frame(page):
    """A chapter opens with what it is for, and closes with summary, symbols and what is next."""
    opening = text_of(page).split("\n## ")[0]
    wanted = ["{admonition} In this chapter", "You will be able to", "**Time:**", "**Builds on:**"]
    found = [f"the opening lacks '{part}'" for part in wanted if part not in opening]
    closing = [title for level, title in headings(page) if level == 2][-3:]
    if closing != CLOSING:
        found.append(f"the last three sections are {closing}, not {CLOSING}")
    return found


def wrong_time(page):
    """A chapter says the minutes that its page takes to read."""
    told = re.search(r"\*\*Time:\*\* (.*?) to read", text_of(page))
    wanted = f"{page.metadata.get('minutes') or reading_minutes(page)} minutes"
    return [] if told and told[1] == wanted else [f"the opening says '{told and told[1]}' to read, but the page takes {wanted}"]


def exercise_faults(page):
    """Enough exercises, each with a label and a solution of its own."""
    text = text_of(page)
    posed = re.findall(r"\{exercise(?:-start)?\}[^\n]*\n(?::(?!label)[^\n]*\n)*(?::label: (\S+))?", text)
    solved = re.findall(r"\{solution-start\} (\S+)", text)
    found = [] if len(posed) >= ASKED["exercises"] else [f"{len(posed)} exercises, fewer than {ASKED['exercises']}"]
    found += ["an exercise has no label"] * posed.count("")
    found += [f"the label {label} is used twice" for label in set(posed) - {""} if posed.count(label) > 1]
    found += [f"the exercise {label} has no solution" for label in posed if label and label not in solved]
    return found + [f"the solution {label} has no exercise" for label in solved if label not in posed]


def solution_faults(page):
    """Solutions whose extent is not clear, or that draw from a generator with which the text goes on.

    The students' edition leaves solutions out and shows the stored outputs all the same.
    """
    found, made, drawn = solutions.faults(page), set(), {}
    for number, (cell, _, inside) in enumerate(solutions.places(page), start=1):
        if cell.cell_type != "code" or "check" in cell.metadata:
            continue
        tree = ast.parse(TransformerManager().transform_cell(cell.source))
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        new = {
            target.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and "default_rng(" in ast.unparse(node.value)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        if inside:
            drawn |= dict.fromkeys((used | new) & made, number)
        else:
            found += [f"cell {number} goes on with {name}, from which the solution in cell {drawn[name]} draws" for name in sorted((used - new) & set(drawn))]
            made |= new
            drawn = {name: cell for name, cell in drawn.items() if name not in new}
    return found


def question_faults(page):
    """Enough self-check questions, each with at least two answers and feedback for every answer."""
    questions = re.findall(r"^\*\*[^\n]+\*\*\n+((?:```\{dropdown\}.*?^```\s*)+)", text_of(page), re.DOTALL | re.MULTILINE)
    found = [] if len(questions) >= ASKED["questions"] else [f"{len(questions)} self-check questions, fewer than {ASKED['questions']}"]
    for turn, answers in enumerate(questions, start=1):
        each = re.findall(r"```\{dropdown\}([^\n]*)\n(.*?)^```", answers, re.DOTALL | re.MULTILINE)
        if len(each) < 2:
            found.append(f"question {turn} has only one answer")
        found += [f"question {turn}: no feedback for '{answer.strip()}'" for answer, feedback in each if len(prose(feedback).split()) < 3]
    return found


def prerequisite_faults(teaching, openings):
    """Chapters, by name with their openings' line, of which the table for teachers does not say what they build on.

    Its rows on chapters that are not in the book are not looked at: the page leaves them out.
    """
    pages_in = re.compile(r"\{doc\}`([\w-]+)`").findall
    table = dict(re.findall(r"^\| \{doc\}`([\w-]+)` \|(.*)\|$", teaching, re.MULTILINE))
    found = [f"the table has no row that begins with | {{doc}}`{name}` |" for name in openings if name not in table]
    for name, line in openings.items():
        told, wanted = set(pages_in(table.get(name, line))), set(pages_in(line))
        found += [f"the row on {name} does not name {other}, on which its opening says that it builds" for other in sorted(wanted - told)]
        found += [f"the row on {name} names {other}, which its opening does not" for other in sorted(told - wanted)]
    return found


#: Without these a page shows readers something broken: they hold in every fork.
ALWAYS = [not_run_in_order, unclean_outputs, relative_files, knob_faults, broken_directives, headings_out_of_order, wrong_language]
#: What this house asks of every page, and of a chapter.
HOUSE = [figures_without_alt_text, unstable_sorts, unbacked_numbers, long_cells, unlabelled_folds, wide_lines, code_without_prose]
HOUSE_OF_A_CHAPTER = [incomplete_frame, wrong_time, exercise_faults, solution_faults, question_faults]
OF_THE_BOOK = ["home", "cards", "teaching", "terms", "citations"]


def is_asked(check):
    """Return whether pyproject.toml asks for a check of the house, a function of a page or the name of one of the book."""
    return getattr(check, "__name__", check) not in ASKED["off"]


def refuse_unknown(off):
    """Raise a ValueError if a name that is switched off is none of a check of the house."""
    known = [*(check.__name__ for check in HOUSE + HOUSE_OF_A_CHAPTER), *OF_THE_BOOK]
    if unknown := sorted(set(off) - set(known)):
        raise ValueError(f"pyproject.toml, [tool.book], off: {', '.join(unknown)} is no check of the house; those are {', '.join(known)}")


refuse_unknown(ASKED["off"])
OF_A_PAGE = ALWAYS + list(filter(is_asked, HOUSE))
OF_A_CHAPTER = list(filter(is_asked, HOUSE_OF_A_CHAPTER))


def asked(check=None, *, page=None):
    """Keep a test of the whole book if its check is asked for, and if `_toc.yml` has the page that it is about."""
    there = page is None or any(path.stem == page for path in chapters.pages())
    return lambda test: test if there and (check is None or is_asked(check)) else None
