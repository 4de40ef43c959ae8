"""The texts of `data/`: a novel, twenty addresses, a list of names and one of stop words.

The chapter `data-sheet` describes them.
"""

from pathlib import Path

import pandas as pd

from helpers._checks import describe

FOLDER = Path(__file__).parents[1] / "data"
TEXTS = ("moby_dick", "state_of_the_union", "first_names", "stop_words")


def load_texts(name):
    """Load one of the book's collections of texts.

    Parameters
    ----------
    name : str
        - ``"moby_dick"``: 135 rows, one a chapter, with the columns `chapter` (int), `title` and `text`;
        - ``"state_of_the_union"``: 20 rows, one an address to the Congress of the United States, 1841 to 1860, with
          `year` (int), `president` and `text`;
        - ``"first_names"``: 8,849 rows with `name` and `list` ("female" or "male"; a name may stand on both);
        - ``"stop_words"``: 301 rows, each a `word` in lower case that says little about a subject.

    Returns
    -------
    DataFrame
        In the order of the source; nothing is changed or left out, and no cell is missing, not even for Nan, who is
        a person.

    Raises
    ------
    ValueError
        If there is no collection of that name.

    Examples
    --------
    >>> load_texts("moby_dick")["title"][0]
    'Loomings.'
    """
    if name not in TEXTS:
        raise ValueError(f"name must be one of {', '.join(TEXTS)}, but is {describe(name)}.")
    return pd.read_csv(FOLDER / f"{name}.csv.xz", keep_default_na=False)
