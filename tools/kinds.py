"""Execute the chapters as on other kinds of machine, and print each cell that does not give its stored outputs.

    python tools/kinds.py                        every chapter on every kind
    python tools/kinds.py --kind AVX topics      these chapters, on the kinds whose names begin so

A processor is simulated by keeping OpenBLAS, NumPy and the C library from instructions; another architecture cannot be.
What cannot be had here is named with its reason, and the other kinds still run.
"""

import argparse
import asyncio
import base64
import os
import platform
import subprocess
import sys
import tomllib
from itertools import zip_longest
from pathlib import Path

from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from numpy._core._multiarray_umath import __cpu_features__
from tqdm import tqdm

import chapters
from execute import in_one_piece

sys.path.append(str(chapters.BOOK / "tests"))
from figures import assert_looks_like  # the tests' eye, in the tests' folder

ENVIRONMENTS = chapters.BOOK / "_build" / "kinds"
DISTURB = Path(__file__).with_name("disturb.py")
#: The versions that Pyodide 0.27.7 brings to a reader's browser, under Python 3.12.
BROWSER = "numpy==2.0.2 scipy==1.14.1 scikit-learn==1.6.1 matplotlib==3.8.4 pandas==2.2.3 seaborn==0.13.2"

# NumPy's names for groups of instructions, those of its releases before 2.4 too: an unknown name is passed over.
NUMPY_AVX512 = "X86_V4 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR"
NUMPY_AVX2 = "X86_V3 AVX F16C FMA3 AVX2"
GLIBC_AVX512 = "-AVX512F,-AVX512VL,-AVX512BW,-AVX512DQ"
GLIBC_AVX2 = "-AVX,-AVX2,-FMA,-FMA4"


def processor(core, numpy, glibc):
    """Return the environment variables under which a process takes the paths of an x86-64 processor."""
    return {"OPENBLAS_CORETYPE": core, "NPY_DISABLE_CPU_FEATURES": numpy, "GLIBC_TUNABLES": f"glibc.cpu.hwcaps={glibc}"}


NO_AVX = processor("Nehalem", f"{NUMPY_AVX2} {NUMPY_AVX512}", f"{GLIBC_AVX2},{GLIBC_AVX512}")
AVX2 = processor("Haswell", NUMPY_AVX512, GLIBC_AVX512)
AVX512 = {"OPENBLAS_CORETYPE": "SkylakeX"}

#: name: what the processor must have, what its kernels are told, and of an environment of its own: Python, versions
KINDS = {
    "no AVX": ("", {**NO_AVX, "OMP_NUM_THREADS": "1"}),
    "no AVX, two threads": ("", {**NO_AVX, "OMP_NUM_THREADS": "2"}),
    "AVX2": ("AVX2", {**AVX2, "OMP_NUM_THREADS": "1"}),
    "AVX2, two threads": ("AVX2", {**AVX2, "OMP_NUM_THREADS": "2"}),
    "AVX-512": ("AVX512F", {**AVX512, "OMP_NUM_THREADS": "1"}),
    "AVX-512, two threads": ("AVX512F", {**AVX512, "OMP_NUM_THREADS": "2"}),
    "newest versions": ("", {"OMP_NUM_THREADS": "1"}, "3.13", ""),
    "browser's versions": ("", {**NO_AVX, "OMP_NUM_THREADS": "1"}, "3.12", BROWSER),
    "disturbed": ("", {"OMP_NUM_THREADS": "1", "BOOK_DISTURB": "1"}),
}


def impossible(kind):
    """Return why a kind cannot be simulated on this machine, or ""."""
    needs, setting, *_ = KINDS[kind]
    if "OPENBLAS_CORETYPE" in setting and platform.machine().lower() not in ("x86_64", "amd64"):
        return f"this machine is {platform.machine()}, and only x86-64 can play another x86-64"
    if needs and not __cpu_features__.get(needs):
        return f"this processor has no {needs}"
    return ""


def environment(kind):
    """Return the Python of a kind's environment, installed anew; raise CalledProcessError with the installer's words."""
    _, _, *own = KINDS[kind]
    if not own:
        return sys.executable
    python, versions = own
    project = tomllib.loads((chapters.BOOK / "pyproject.toml").read_text("utf-8"))["project"]
    folder = ENVIRONMENTS / kind.replace("'", "").replace(" ", "-")
    uv = [sys.executable, "-m", "uv", "--quiet"]
    for command in (
        [*uv, "venv", "--clear", "--python", python, folder],
        [*uv, "pip", "install", "--python", folder, *project["dependencies"], *versions.split()],
    ):
        subprocess.run(command, check=True, capture_output=True, encoding="utf-8")
    return str(next(path for path in (folder / "bin" / "python", folder / "Scripts" / "python.exe") if path.exists()))


async def outputs(path, python, setting, gate, bar):
    """Execute a chapter; return the outputs of each of its code cells, by the cell's number, and what ended it early."""
    notebook = chapters.read(path)
    cells = dict(chapters.code_cells(notebook))
    client = NotebookClient(
        notebook,
        timeout=900,
        kernel_name="python3",
        allow_errors=True,
        record_timing=False,
        extra_arguments=["--log-level=ERROR", f"--IPKernelApp.exec_files={DISTURB}"],
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_executed=lambda **_: bar.update(),
    )
    told = {**os.environ, "PYTHONHASHSEED": "random", "PYTHONPATH": str(chapters.BOOK), **setting}
    async with gate:
        client.create_kernel_manager().kernel_spec.argv[0] = python
        try:
            await client.async_execute(env={name: value for name, value in told.items() if name != "BOOK_TABLE"})
        except (CellTimeoutError, DeadKernelError) as error:
            return {}, str(error).strip().splitlines()[0]
    return {number: in_one_piece(cell.outputs) for number, cell in cells.items()}, ""


def values(output):
    """Return what an output shows, {kind of output: text}, without its figure."""
    if output.output_type == "error":
        return {"error": f"{output.ename}: {output.evalue}"}
    if output.output_type == "stream":
        return {output.name: output.text}
    return {kind: text for kind, text in output.data.items() if kind != "image/png"}


def part(actual, stored):
    """Return the first line in which two texts differ, of each, and say where."""
    for number, pair in enumerate(zip_longest(actual.splitlines(), stored.splitlines(), fillvalue="(nothing)"), start=1):
        if pair[0] != pair[1]:
            column = next((i for i, (a, b) in enumerate(zip(*pair)) if a != b), min(map(len, pair)))
            near = slice(max(0, column - 60), column + 60)
            return f"line {number}, column {column + 1}\n    now:    {pair[0][near]}\n    stored: {pair[1][near]}"
    return "only in white space at the ends of lines"


def difference(actual, stored, *, figures):
    """Return how the outputs of a cell, with or without its figures, differ from the stored ones, or ""."""
    for mine, theirs in zip_longest(actual, stored):
        if mine is None or theirs is None:
            return f"{len(actual)} output(s), {len(stored)} stored; the first of the odd ones: {str(values(mine or theirs))[:200]}"
        pictures = [each.get("data", {}).get("image/png") for each in (mine, theirs)]
        mine, theirs = values(mine), values(theirs)
        for kind in sorted({*mine, *theirs}, key=lambda kind: (kind != "error", kind == "text/html", kind)):
            if mine.get(kind) != theirs.get(kind):
                return f"{kind}, {part(mine.get(kind, '(nothing)'), theirs.get(kind, '(nothing)'))}"
        if not figures or pictures[0] == pictures[1]:
            continue
        if None in pictures:
            return f"{'no figure' if pictures[0] is None else 'a figure'}, and {'one' if pictures[1] else 'none'} is stored"
        try:
            assert_looks_like(*map(base64.b64decode, pictures))
        except AssertionError as error:
            return str(error)
    return ""


def compares_figures(kind):
    """Return whether a kind's figures must look like the stored ones: another version of matplotlib lays them out otherwise."""
    return not any("matplotlib==" in versions for versions in KINDS[kind][3:])


async def run(kind, paths):
    """Execute chapters on a kind of machine; print the cells that differ, and return how many, of how many."""
    python, setting = environment(kind), KINDS[kind][1]
    gate = asyncio.Semaphore(max(1, (os.cpu_count() or 1) // int(setting["OMP_NUM_THREADS"])))
    stored = {path: dict(chapters.code_cells(chapters.read(path))) for path in paths}
    with tqdm(total=sum(map(len, stored.values())), unit="cell", desc=kind, disable=None, leave=False) as bar:
        results = await asyncio.gather(*(outputs(path, python, setting, gate, bar) for path in paths))
    differing = 0
    for path, (found, ended) in zip(paths, results):
        if ended:
            differing += 1
            print(f"{kind}: {chapters.name(path)}: {ended}")
        for number, actual in found.items():
            if how := difference(actual, stored[path][number].outputs, figures=compares_figures(kind)):
                differing += 1
                print(f"{kind}: {chapters.name(path)}, cell {number}: {how}", flush=True)
    return differing, sum(map(len, stored.values()))


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kind", action="append", default=[], help=f"the beginning of a name, of: {', '.join(KINDS)}")
    parser.add_argument("chapter", nargs="*", help="a chapter's name, such as topics; without any, all of them")
    asked = parser.parse_args(arguments)
    kinds = [kind for kind in KINDS if not asked.kind or kind.startswith(tuple(asked.kind))]
    paths = [path for path in chapters.notebooks() if not asked.chapter or path.stem in asked.chapter]
    if unknown := {*asked.chapter} - {path.stem for path in paths}:
        parser.error(f"no chapter is called {', '.join(sorted(unknown))}")
    if not kinds:
        parser.error(f"no kind begins with {' or '.join(asked.kind)}")

    summary, red = [], False
    for kind in kinds:
        if reason := impossible(kind):
            summary.append(f"{kind}: left out, {reason}")
            continue
        try:
            differing, cells = asyncio.run(run(kind, paths))
        except subprocess.CalledProcessError as error:
            red = True
            summary.append(f"{kind}: its environment could not be installed:\n{error.stderr.strip()}")
            continue
        red |= differing > 0
        summary.append(f"{kind}: {differing} of {cells} cells differ{'' if compares_figures(kind) else ' (text alone is compared)'}")
    print("\n".join(summary))
    return red


if __name__ == "__main__":
    sys.exit(main())
