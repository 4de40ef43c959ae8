"""The set-up: the pins cover what we chose, and Binder would install those very pins."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

BOOK = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((BOOK / "pyproject.toml").read_text("utf-8"))
LINES = (BOOK / "requirements.txt").read_text("utf-8").splitlines()
PINS = [Requirement(line) for line in LINES if line and not line.lstrip().startswith("#")]


def chosen():
    """Return every requirement that pyproject.toml chooses."""
    project = PYPROJECT["project"]
    optional = project["optional-dependencies"].values()
    return [Requirement(text) for text in sum(optional, project["dependencies"])]


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_pin_is_exact():
    loose = [str(pin) for pin in PINS if not re.fullmatch(r"==[^*,]+", str(pin.specifier))]
    assert not loose


@pytest.mark.parametrize("requirement", chosen(), ids=str)
def test_what_we_chose_is_pinned_to_one_version_that_fits(requirement):
    versions = [str(pin.specifier)[2:] for pin in PINS if canonical(pin.name) == canonical(requirement.name)]
    assert len(versions) == 1, f"{requirement.name} is pinned {len(versions)} times; run `make pins`"
    assert requirement.specifier.contains(versions[0])


def test_every_dependency_has_its_reason():
    text = (BOOK / "pyproject.toml").read_text("utf-8").partition("\n[tool.")[0]
    entries = re.findall(r'^    "[^"]+",(.*)$', text, flags=re.MULTILINE)
    assert len(entries) == len(chosen())
    assert all(re.match(r" +# \w", rest) for rest in entries)


def test_binder_installs_the_chapters_needs_at_the_pinned_versions():
    dry_run = [sys.executable, "-m", "repo2docker", "--no-build", "--no-run", "--debug", "."]
    run = subprocess.run(dry_run, cwd=BOOK, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    dockerfile = run.stdout + run.stderr
    assert "Building conda environment for python=3.12" in dockerfile
    assert re.search(r'COPY [^\n]*src/ .*pip install --no-cache-dir -r "\.binder/requirements\.txt"', dockerfile, re.DOTALL)
    assert '-r "requirements.txt"' not in dockerfile

    # The lines of that file, taken from where pip reads them: a constraint beside it, this package, an extension of JupyterLab.
    lines = (BOOK / ".binder" / "requirements.txt").read_text("utf-8").splitlines()
    constraint, package, extension = [line.split() for line in lines if not line.startswith("#")]
    assert constraint[0] == "--constraint" and (BOOK / ".binder" / constraint[1]).samefile(BOOK / "requirements.txt")
    assert package == ["--editable", "."]
    assert re.fullmatch(r"jupyterlab-myst==[\d.]+", extension[0])
    assert re.search(r"RUN [^\n]*\.binder/postBuild", dockerfile)
