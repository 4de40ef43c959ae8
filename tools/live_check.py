"""Run chapters in Chromium from their own pages of the site, and compare what they show with what is stored.

    python tools/live_check.py [--record] [CHAPTER ...]

The site must have its live part (`make live`). Text must be equal, except in the cells that theme/live/measured.json holds
with the reason; figures are another version's, and are not compared. --record writes there how long slow cells take.
"""

import argparse
import json
import sys
import time

import nbformat
from playwright.sync_api import Error, sync_playwright

import build
import chapters
import live
import pdf
from execute import in_one_piece
from kinds import difference

SLOW = 5  # seconds: what takes longer is said beforehand
IDLE = "() => ![...document.querySelectorAll('.live-note')].some((note) => /^(Waiting|Running)/.test(note.textContent))"
NOTES = "() => [...document.querySelectorAll('.cell:not(.live-answer) .live-note')].map((note) => note.textContent)"


def run(page, address, *, last=None, minutes=15):
    """Run the cells of a page, all or those up to one; return the notebook that it saves, the seconds of each cell, and those of the start."""
    page.goto(address)
    began = time.monotonic()
    page.click(".live-start")
    page.get_by_role("button", name=f"Run up to here: Cell {last}" if last else "Run all", exact=True, include_hidden=True).dispatch_event("click")  # a solution's is folded away
    page.wait_for_function("() => document.querySelector('.live-own')", timeout=600_000)
    started = time.monotonic() - began
    page.wait_for_function(IDLE, timeout=60_000 * minutes)
    seconds = [float(note.split()[-2]) if note.endswith(" s.") else None for note in page.evaluate(NOTES)]
    with page.expect_download() as download:
        page.get_by_role("button", name="Save notebook").click()
    return nbformat.reads(download.value.path().read_text("utf-8"), as_version=4), seconds, started


def compare(saved, path, last=None):
    """Return how the cells of a saved notebook, all or the first ones, differ from the stored one, {number of the code cell: words}."""
    page = chapters.own_table.as_shown(chapters.read(path))
    stored = {cell.id: cell for _, cell in chapters.code_cells(page) if "remove-cell" not in cell.metadata.get("tags", [])}
    shown = [(cell, stored[cell.id]) for _, cell in chapters.code_cells(saved) if cell.id in stored]
    assert len(shown) == len(stored), f"{chapters.name(path)}: {len(stored)} cells are stored, and {len(shown)} came back"
    told = {}
    for number, (mine, theirs) in enumerate(shown[:last], start=1):
        if how := difference(in_one_piece(mine.outputs), theirs.outputs, figures=False):
            told[str(number)] = how
    return told


def check(page, address, path, held):
    """Run and compare a chapter; return its faults, one sentence each, and what was measured."""
    saved, seconds, started = run(page, address)
    name = chapters.name(path)
    faults = [f"{name}, code cell {number}: did not run to its end" for number, each in enumerate(seconds, start=1) if each is None]
    differing = compare(saved, path)
    faults += [f"{name}, code cell {number}: {how}" for number, how in differing.items() if number not in held.get("differs", {})]
    print(f"{path.stem}: {sum(filter(None, seconds)):.0f} s after a start of {started:.0f} s, {len(seconds)} cells, {len(differing)} differ", flush=True)
    for number, how in differing.items():
        if number in held.get("differs", {}):
            print(f"  cell {number}, {held['differs'][number]}: {how}")
    return faults, {str(number): round(each) for number, each in enumerate(seconds, start=1) if each and each >= SLOW}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--record", action="store_true", help="write how long the slow cells take")
    parser.add_argument("chapter", nargs="*", help="a chapter's name, such as topics; without any, all of them")
    asked = parser.parse_args(arguments)
    paths = [path for path in chapters.notebooks() if not asked.chapter or path.stem in asked.chapter]
    if unknown := {*asked.chapter} - {path.stem for path in paths}:
        parser.error(f"no chapter is called {', '.join(sorted(unknown))}")
    if not (build.SITE / "live").exists():
        return "The site has no live part: make live"
    faults = []
    with live.serve(build.SITE) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=pdf.find_chromium(), args=["--no-sandbox"])
        reader = browser.new_context()  # one who goes from chapter to chapter: all but the first start as Python was kept
        for path in paths:
            page = reader.new_page()
            address = f"http://127.0.0.1:{server.server_port}/{path.relative_to(chapters.BOOK).with_suffix('.html').as_posix()}"
            measured = json.loads(live.MEASURED.read_text("utf-8"))
            try:
                found, slow = check(page, address, path, measured.get(path.stem, {}))
            except Error as error:
                found, slow = [f"{chapters.name(path)}: {str(error).strip().splitlines()[0]}"], {}
            faults += found
            print(*(f"  {fault}" for fault in found), sep="\n", end="\n" if found else "", flush=True)
            if asked.record and slow:
                measured.setdefault(path.stem, {})["seconds"] = slow
                live.MEASURED.write_text(json.dumps(measured, indent=1, sort_keys=True) + "\n", "utf-8")
            page.close()
        server.shutdown()
    return "\n".join(faults)


if __name__ == "__main__":
    sys.exit(main())
