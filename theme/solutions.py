"""Where the solutions of a notebook's exercises are, and what a notebook or a page is without them.

A solution is the cells between one with `solution-start` and one with `solution-end`. Nothing else reads these marks.
"""

import re

import nbformat

#: The directive that begins or ends a solution: its fence, which of the two, the label.
MARK = re.compile(r"^([`:]{3,})\{solution-(start|end)\} *(\S*)[^\n]*\n(?::[^\n]*\n|\s*\n)*\1[ \t]*$", re.MULTILINE)


def places(notebook):
    """Yield (cell, label, part) for each cell: of a solution its label and "start", "inside" or "end"; else None and ""."""
    label = None
    for cell in notebook.cells:
        mark = MARK.search(cell.source) if cell.cell_type == "markdown" else None
        if mark and mark[2] == "start":
            label = mark[3]
        yield cell, label, mark[2] if mark else "inside" if label is not None else ""
        if mark and mark[2] == "end":
            label = None


def faults(notebook):
    """Return where a solution could be taken for text, or text for a solution; cells are counted from 1."""
    found, inside = [], False
    for number, cell in enumerate(notebook.cells, start=1):
        text = cell.source if cell.cell_type == "markdown" else ""
        marks = list(MARK.finditer(text))
        if len(marks) != len(re.findall(r"\{solution(?:-start|-end)?\}(?!`)", text)) or len(marks) > 1:
            found.append(f"cell {number}: a solution stands between solution-start and solution-end, each in a cell of its own")
        for mark in marks[:1]:
            if (mark[2] == "start") == inside:
                found.append(f"cell {number}: {'a solution begins within another' if inside else 'a solution ends that did not begin'}")
            inside = mark[2] == "start"
            beyond = text[: mark.start()] if inside else text[mark.end() :]
            if beyond.strip():
                found.append(f"cell {number}: text {'before the beginning' if inside else 'after the end'} of a solution: {beyond.strip()[:60]}")
    return found + ["a solution does not end"] * inside


def without_words(text, told):
    """Return a text without the words that speak of solutions; ValueError if it does not have them."""
    for words in told:
        if words not in text:
            raise ValueError(f'"with_solutions" names words that the text does not have: {words}')
        text = text.replace(words, "")
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")


def replaced(notebook, by):
    """Return a copy of a notebook in which `by(label, cells)` gives the cells that stand in the place of each solution.

    The words that the metadata `with_solutions` of a Markdown cell lists are left out: they speak of what is not there.

    Raises
    ------
    ValueError
        If it is not clear what belongs to a solution, or a cell does not have such words.
    """
    if unclear := faults(notebook):
        raise ValueError("; ".join(unclear))
    copy = nbformat.from_dict(notebook)
    cells, solution = [], []
    for cell, label, part in places(copy):
        if part:
            solution.append(cell)
        elif told := cell.metadata.pop("with_solutions", []):
            cell.source = without_words(cell.source, told)
        if part == "end":
            cells += by(label, solution)
            solution = []
        elif not part:
            cells.append(cell)
    copy.cells = cells
    return copy


def page_without(text):
    """Return a `.md` page without what speaks of solutions: the words in comments such as ``% with_solutions: these words``.

    Of a page with the comment ``% for instructors`` only the title is left, so that links to it still lead somewhere.
    """
    marked = r"^% with_solutions: (.*)\n?"
    told = re.findall(marked, text, re.MULTILINE)
    text = without_words(re.sub(marked, "", text, flags=re.MULTILINE), told) + "\n" if told else text
    if re.search(r"^% for instructors$", text, re.MULTILINE):
        title = re.search(r"^# .+$", text, re.MULTILINE)[0]
        return f"{title}\n\nThis page is for those who teach, and is not part of the students' edition.\n"
    return text


def check_of(cells):
    """Return the cell of a solution that checks its exercise; None if none does."""
    return next((cell for cell in cells if "check" in cell.metadata), None)
