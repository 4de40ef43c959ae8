"""Execute the chapters whose outputs are stale, in parallel, and store their outputs in place.

    python tools/execute.py             the stale chapters of the book
    python tools/execute.py CHAPTER ... these chapters, stale or not
"""

import asyncio
import base64
import io
import os
import re
import sys
import warnings
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from PIL import Image, ImageChops, ImageFilter, ImageStat
from tqdm import tqdm

import chapters
import own_table

#: How a chapter asks for the book's table; the parentheses hold what it needs of it.
CALL = re.compile(r"helpers\.load_table\(((?:\w+=\d+(?:, )?)*)\)")


def in_one_piece(outputs):
    """Join what was printed without a figure in between: it arrives in one piece or in several, by chance.

    nbclient's `coalesce_streams` would join it across figures too, and take a knob its captions.
    """
    joined = []
    for output in outputs:
        if joined and output.output_type == "stream" and joined[-1].get("name") == output.name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def spots(drawn, fewer):
    """Return how far two pictures are apart, of 255, where they are most: in the mean of five by five pixels, as the tests see them."""
    seen = [each.convert("RGB").filter(ImageFilter.BoxBlur(2)) for each in (drawn, fewer)]
    return max(most for _, most in ImageChops.difference(*seen).getextrema())


def lighter(picture):
    """Return a figure (PNG, base64) with 256 colours where nobody sees the difference: a third of the bytes.

    Curves and letters have a few colours and those of their smoothed edges; a photograph or a shaded map may have more.
    """
    drawn = Image.open(io.BytesIO(base64.b64decode(picture)))
    resolution = drawn.info.get("dpi")
    if "A" in drawn.getbands() and drawn.getchannel("A").getextrema()[0] < 255:
        return picture  # transparent somewhere: a palette would put that on black
    drawn = drawn.convert("RGB")
    # Of the two ways to choose the colours, one is better for edges and one for dots.
    fewer = min((drawn.quantize(256, way, kmeans=1, dither=Image.Dither.NONE) for way in (Image.Quantize.MAXCOVERAGE, Image.Quantize.MEDIANCUT)), key=lambda each: spots(drawn, each))
    shades = max(ImageStat.Stat(ImageChops.difference(drawn, fewer.convert("RGB"))).rms)
    if shades > 0.7 or spots(drawn, fewer) > 8:  # of 255; above it shaded maps show steps, and a coloured dot gets its neighbour's colour
        return picture
    written = io.BytesIO()
    fewer.save(written, "png", optimize=True, dpi=resolution)
    return base64.b64encode(written.getvalue()).decode()


async def execute(path, gate, bar):
    """Execute one notebook and store it, or leave its file untouched; return its faults."""
    notebook = chapters.read(path)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # timestamps, which would differ in every run
    place = {}

    def about_to_run(cell, cell_index):
        place["cell"] = cell_index + 1

    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        record_timing=False,
        extra_arguments=["--log-level=ERROR"],  # the kernel's own notices are no concern of an author
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_start=about_to_run,
        on_cell_executed=lambda **_: bar.update(),
    )
    async with gate:
        try:
            await client.async_execute()
        except CellExecutionError as error:
            bar.write(error.traceback, file=sys.stderr)
            return [f"{chapters.name(path)}, cell {place['cell']}: raised {error.ename}: {error.evalue}"]
        except (CellTimeoutError, DeadKernelError) as error:
            return [f"{chapters.name(path)}, cell {place.get('cell')}: {error}"]
    for _, cell in chapters.code_cells(notebook):
        cell.outputs = in_one_piece(cell.outputs)
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = lighter(output.data["image/png"])
    # Neither the kernel's name nor the Python that happened to run it belongs to the chapter.
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata["language_info"] = {"name": "python"}
    notebook.metadata["executed_with"] = chapters.fingerprint(nbformat.reads(nbformat.writes(notebook), as_version=4))
    whole = path.with_suffix(".unfinished")
    nbformat.write(notebook, whole)
    os.replace(whole, path)
    return chapters.faults(path)


async def main(paths):
    """Execute notebooks side by side, one a core; return the faults of all of them."""
    gate = asyncio.Semaphore(os.cpu_count() or 1)
    cells = sum(len(list(chapters.code_cells(chapters.read(path)))) for path in paths)
    with tqdm(total=cells, unit="cell", desc=f"{len(paths)} chapter(s)", disable=None) as bar:
        faults = await asyncio.gather(*(execute(path, gate, bar) for path in paths))
    print("Executed:", ", ".join(chapters.name(path) for path, found in zip(paths, faults) if not found) or "nothing to the end")
    return sum(faults, [])


def faults_of_the_table(paths):
    """Return what the chapters would say against the book's own table, each sentence with those that would say it.

    It is asked before they run: they take minutes, and a page with a warning is not published.
    """
    if not own_table.in_use():
        return []
    from helpers.tables import book_table, load_table  # only here: they take a second

    table, found = book_table(), {}
    for path in paths:
        asked = CALL.findall("\n".join(cell.source for _, cell in chapters.code_cells(chapters.read(path))))
        for needs in dict.fromkeys(asked):
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                try:
                    load_table(table, **{name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", needs)})
                    sentences = [str(warning.message) for warning in told]
                except ValueError as error:
                    sentences = [str(error)]
            for sentence in sentences:
                found.setdefault(sentence, []).append(path.stem)
    told = [f"data/{sentence} ({', '.join(dict.fromkeys(names))})" for sentence, names in found.items()]
    return told and [*told, "No chapter was executed.", what_to_change()]


def what_to_change():
    """Return what to do where chapters warn of the book's own table, or stop at it."""
    return (
        f"The book has no page with a warning or an error. Where one is about your table, change data/{next(own_table.DATA.glob('own_table.*')).name}, "
        "then run `make execute` again: write a column that is counted in another unit in that unit yourself, under a name that says so; "
        "delete one that holds one value only; most chapters take the first two columns, so put none there that often rests at one value, "
        "and no two that say the same; a chapter that needs more than the table has is left out by `make drop NAME=…`."
    )


def settle_environment():
    """Set what kernels are started with."""
    # One thread a kernel: kernels side by side use the cores better than threads inside small fits.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # The book shows its own table, whatever table the reader is working on.
    if table := os.environ.pop("BOOK_TABLE", ""):
        print(f"BOOK_TABLE={table} is not used here: the book shows its own table. To make yours the book's, see README.md.", file=sys.stderr)


if __name__ == "__main__":
    settle_environment()
    try:
        if sys.argv[1:]:
            stale = [Path(argument).resolve() for argument in sys.argv[1:]]
        else:
            stale = [path for path in chapters.notebooks() if chapters.faults(path)]
        if not stale:
            print("Nothing to execute: the outputs of every chapter are current.")
            sys.exit()
        if faults := faults_of_the_table(stale):
            sys.exit("\n".join(faults))
        faults = asyncio.run(main(stale))
        if faults and own_table.in_use():
            faults.append(what_to_change())
        sys.exit("\n".join(faults) or 0)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(str(error))
