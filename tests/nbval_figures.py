"""A pytest plugin that adds to nbval: each figure is compared too, in the same execution, and no cell is excused.

Solutions are run after the chapter's last cell, since readers do exercises when they like, or never: they give what they gave
in their places, and so does the chapter without them. Then each check of an exercise is given the worksheet's stub and the wrong answers in its metadata, and must refuse each with a hint.

pyproject.toml loads it with `-p`, so that it also holds when a single chapter is tested.
"""

import ast
import base64
import os
from unittest import mock

# Threads of linear algebra that wait for each other do so asleep, in all that the tests start: by default they spin first, and
# where two tests share two cores, that makes small fits ten times as slow.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")

import pytest
from figures import assert_looks_like
from nbformat.v4 import new_code_cell, new_output
from nbval.plugin import IPyNbCell, IPyNbFile

import chapters
import execute
import own_table


#: Where each core has a chapter of its own, processes for its fits would only take turns, and each imports scikit-learn first:
#: a fifth of the time. A chapter that is tested alone has its processes, and so have `make execute` and `make kinds`.
ONE_PROCESS = {"LOKY_MAX_CPU_COUNT": "1"}

# A check refuses an answer by an assertion with a hint; nothing else counts, but that checks.py sees for itself where nothing was put in.
REFUSED = """\
answered = {{**globals()}}
exec({wrong!r}, answered)
try:
    assert all(answered.get(name) is not ... for name in {names}), "Put something in."
    exec({check!r}, {{**answered}})
    print("taken for right")
except AssertionError as refusal:
    print("a hint" if str(refusal) else "no hint")
"""


def to_be_refused(told, reads_the_table):
    """Yield (name, answer) of what a check must refuse: the worksheet's stub, and the answers that are wrong.

    They are wrong on the wind farm; where a chapter reads another table in its place, one may be right by chance.
    """
    if "starter" in told:
        yield "stub", told["starter"]
    if not (reads_the_table and own_table.in_use()):
        yield from ((f"wrong answer {number}", wrong) for number, wrong in enumerate(told.get("wrong", []), start=1))


class Chapter(IPyNbFile):
    """A notebook, executed in other circumstances than `make execute` has: outputs must not depend on them."""

    def setup(self):
        told = {"OMP_NUM_THREADS": "2", "PYTHONHASHSEED": "random", "BOOK_TABLE": ""}
        if len({item.path for item in self.session.items if isinstance(item, ChapterCell)}) > 1:
            told |= ONE_PROCESS
        with mock.patch.dict(os.environ, told):
            super().setup()

    def collect(self):
        later, solutions = [], chapters.in_solutions(chapters.read(self.path))
        reads_the_table = bool(execute.CALL.search(self.path.read_text("utf-8")))
        for cell in super().collect():
            place = f"{self.path.name}, code cell {cell.cell_num}"
            if cell.options != {"check": True}:
                raise self.CollectError(f"{place} asks nbval to excuse it")
            if cell.cell.source.strip() and cell.cell.execution_count is None:
                raise self.CollectError(f"{place} was saved without having been run, so there is nothing to compare")
            same = ChapterCell.from_parent(self, name=cell.name, cell_num=cell.cell_num, cell=cell.cell, options=cell.options)
            if cell.cell.id in solutions:
                later.append(same)
            else:
                yield same
        yield from later
        for same in later:
            told = same.cell.metadata.get("check", {})
            for which, wrong in to_be_refused(told, reads_the_table):
                code = same.cell.source
                names = sorted({node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)})
                asked = new_code_cell(REFUSED.format(wrong=wrong, check=code, names=names), execution_count=1, outputs=[new_output("stream", text="a hint\n")])
                yield ChapterCell.from_parent(self, name=f"{same.name}, {which}", cell_num=same.cell_num, cell=asked, options=same.options)


class ChapterCell(IPyNbCell):
    def compare_outputs(self, test, ref, skip_compare=None):
        return super().compare_outputs(test, ref, skip_compare) and self.compare_figures(figures(test), figures(ref))

    def compare_figures(self, drawn, stored):
        try:
            assert len(drawn) == len(stored), f"{len(drawn)} figure(s), but {len(stored)} are stored"
            for actual, expected in zip(drawn, stored, strict=True):
                assert_looks_like(actual, expected)
        except AssertionError as error:
            self.comparison_traceback.append(str(error))
            return False
        return True


def figures(outputs):
    """Return the PNGs of a cell's outputs."""
    data = [output.get("data", {}) for output in outputs]
    return [base64.b64decode(each["image/png"]) for each in data if "image/png" in each]


def pytest_ignore_collect(collection_path):
    """Leave out the chapters that `_toc.yml` leaves out."""
    return True if collection_path.suffix == ".ipynb" and collection_path in chapters.left_out() else None


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path, parent):
    nodes = yield
    return [Chapter.from_parent(parent, path=file_path) if isinstance(node, IPyNbFile) else node for node in nodes]
