"""Chapters on the wind farm run unchanged on a reader's own table, named in BOOK_TABLE."""

import os

import numpy as np
import pandas as pd
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

import chapters

READERS = [path for path in chapters.notebooks() if "load_table()" in path.read_text("utf-8")]


@pytest.fixture
def plant(tmp_path):
    """Three months of a distillation train: hourly, negative and large numbers, text, blanks and infinities in its cells."""
    rng = np.random.default_rng(1)
    hours = pd.date_range("2021-01-01", periods=2_200, freq="h")
    columns = {f"x{i}: tray {i}": rng.normal(50 * i - 60, 10, len(hours)).round(2).astype(str) for i in range(1, 46)}
    table = pd.DataFrame({"Date": hours, **columns})
    for bad in ("", "Bad", "inf", "#N/A"):
        table.iloc[rng.integers(0, len(table), 50), rng.integers(1, 46, 50)] = bad
    path = tmp_path / "plant.csv"
    table.to_csv(path, index=False)
    return path


def run(path, table):
    folder = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(chapters.read(path), timeout=300, kernel_name="python3", resources=folder)
    client.execute(env={**os.environ, "BOOK_TABLE": str(table)})


@pytest.mark.parametrize("path", READERS, ids=chapters.name)
def test_runs_on_a_readers_table(path, plant):
    run(path, plant)


@pytest.mark.parametrize("path", READERS[:1], ids=chapters.name)
def test_the_setting_is_what_is_read(path, tmp_path):
    with pytest.raises(CellExecutionError, match="No table at .*nowhere.csv"):
        run(path, tmp_path / "nowhere.csv")
