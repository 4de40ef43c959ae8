"""Publishing: the list of pages that changed, and the commands of the workflows, run where they can be run here."""

import functools
import http.client
import http.server
import os
import re
import shutil
import subprocess
import sys
import threading
import urllib.error
import zlib

import changes
import kinds
import pytest
import yaml
from test_tools import ROOT, run

WORKFLOWS = {path.stem: path.read_text("utf-8") for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))}
STEPS = [(name, job, step) for name, text in WORKFLOWS.items() for job, told in yaml.safe_load(text)["jobs"].items() for step in told["steps"]]
INVENTORY = b"# Sphinx inventory version 2\n# Project: a\n# Version: 1\n# The remainder of this file is compressed using zlib.\n"


def write_site(folder, **pages):
    """Write a site of pages that hold the given HTML."""
    (folder / "chapters").mkdir(parents=True)
    listed = "".join(f"chapters/{name} std:doc -1 chapters/{name}.html {name.title()}\n" for name in pages)
    (folder / "objects.inv").write_bytes(INVENTORY + zlib.compress(listed.encode()))
    for name, html in pages.items():
        page = f'<html><head><title>{os.urandom(4).hex()}</title></head><body><article>{html}</article></body></html>'
        (folder / "chapters" / f"{name}.html").write_text(page, "utf-8")
    return folder


@pytest.fixture
def before(tmp_path):
    same = '<p>As before.</p><p class="paper-editions">PDF</p>'
    return write_site(tmp_path / "before", same=same, text="<p>One.</p>\n<p>Two.</p>", figure='<img src="../_images/a.webp">', gone="<p>x</p>")


@pytest.fixture
def after(tmp_path):
    same = '<p>As before.</p><p class="paper-editions"></p>'
    return write_site(tmp_path / "_build" / "html", same=same, text="<p>One.</p>\n<p>Three.</p>\n<p>Four.</p>", figure='<img src="../_images/b.webp">', new="<p>x</p>")


ROWS = [
    "| Text | `chapters/text.html` | 2 lines of text added, 1 removed |",
    "| Figure | `chapters/figure.html` | 1 pictures new, 1 gone |",
    "| New | `chapters/new.html` | new |",
    "| Gone | `chapters/gone.html` | gone |",
]


def test_pages_that_differ_are_listed_and_no_others(before, after):
    told = changes.report(str(before), after)
    assert told.splitlines()[0] == f"4 of 4 pages differ from {before}"
    assert told.splitlines()[1:] == ["", "| Page | Address | What changed |", "|---|---|---|", *ROWS]  # without the empty line it is no table
    assert changes.report(str(after), after) == f"No page differs from {after}\n"
    assert changes.report("", after) == "No published site to compare with: all pages are new.\n"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("<p>a\n b</p>\n<p>c</p>", "<p>a\nb</p>\n\n<p>c </p>", ""),
        ("<p>-- a</p>", "<p>++ a</p>\n<p>++ b</p>", "2 lines of text added, 1 removed"),
        ("<p>a</p>", "<p>a</p><img src='x/b.webp'>\nd", "1 lines of text added, 0 removed; 1 pictures new, 0 gone"),
        ("<img src='x/a.webp'><img src='b.webp'>", "<img src='y/a.webp'><img src='a.webp'>", "0 pictures new, 1 gone"),
        ("<p>a</p>\n<p>b</p>", "<p>b</p>", "0 lines of text added, 1 removed"),
    ],
)
def test_pages_differ_in_lines_and_pictures(old, new, told):
    old, new = (f"<html><body><p>{text[-9:]}</p><article>{text}</article></body></html>".encode() for text in (old, new))
    assert changes.difference(old, new) == told
    assert (changes.difference(None, new), changes.difference(old, None)) == ("new", "gone")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (urllib.error.HTTPError("x", 404, "Not Found", {}, None), None),
        (urllib.error.URLError(FileNotFoundError(2, "none")), None),
        (urllib.error.HTTPError("x", 500, "Broken", {}, None), "HTTP Error 500: Broken"),
        (urllib.error.URLError("refused"), "<urlopen error refused>"),
        (http.client.HTTPException("half"), "half"),
        (TimeoutError("late"), "late"),
        (ValueError("no address"), "no address"),
    ],
)
def test_a_file_that_is_not_there_is_none_and_a_site_that_does_not_answer_a_mistake(monkeypatch, error, told):
    def urlopen(address, timeout):
        assert (address, timeout) == ("https://a/b", 30)
        raise error

    monkeypatch.setattr(changes.urllib.request, "urlopen", urlopen)
    if told is None:
        assert changes.fetch("https://a/", "b") is None
    else:
        with pytest.raises(ConnectionError, match=f"^{re.escape(f'https://a/b: no answer from the site to compare with ({told})')}$"):
            changes.fetch("https://a/", "b")


def test_a_published_site_is_asked_by_its_address(before, after):
    serving = functools.partial(http.server.SimpleHTTPRequestHandler, directory=before.parent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serving) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        assert changes.report(f"{address}/before", after).splitlines()[4:] == ROWS
        with pytest.raises(ConnectionError, match="objects.inv: no such file, so no site of this book is there"):
            changes.report(f"{address}/elsewhere/", after)
        server.shutdown()


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/book", "no-such-folder", "nonsense://x"])
def test_a_site_that_cannot_be_asked_is_told(after, address):
    with pytest.raises(ConnectionError, match="objects.inv: no"):
        changes.report(address, after)


# --- the workflows -------------------------------------------------------------------------------------------------------


def script(workflow, part):
    """Return the one command of a workflow in which something is said."""
    [found] = [step["run"] for name, _, step in STEPS if name == workflow and part in step.get("run", "")]
    return found


def bash(command, folder, **environment):
    """Run a command as GitHub does, with the programs in `folder`/bin first."""
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    run = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", command], cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, "PATH": path, **environment})
    assert run.returncode == 0, run.stderr
    return run.stdout


def fake(folder, name, text):
    """Put a program into `folder`/bin."""
    (folder / "bin").mkdir(exist_ok=True)
    path = folder / "bin" / name
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)


def test_no_workflow_names_a_branch():
    for name, text in WORKFLOWS.items():
        assert not re.search(r"\b(main|master)\b", text), name
    published = [job for name, job, step in STEPS if "deploy-pages" in step.get("uses", "") or "rsync" in step.get("run", "")]
    jobs = yaml.safe_load(WORKFLOWS["publish"])["jobs"]
    assert sorted(published) == ["host", "pages"] and all(jobs[job]["needs"] == "site" for job in published)
    assert "github.ref_name == github.event.repository.default_branch" in jobs["site"]["if"] and jobs["site"]["needs"] == ["test", "kinds"]


def test_actions_are_named_by_the_commit_of_a_release():
    used = [line.split("uses:")[1].strip() for text in WORKFLOWS.values() for line in text.splitlines() if "uses:" in line]
    assert len(used) == sum("uses" in step for _, _, step in STEPS)
    assert [action for action in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action)] == []
    assert len(set(used)) == len({action.partition("@")[0] for action in used}), "one action in two versions"
    kept_new = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text("utf-8"))["updates"]
    assert [update["package-ecosystem"] for update in kept_new] == ["github-actions"]


def test_the_weekly_look_reports_each_of_its_jobs():
    jobs = yaml.safe_load(WORKFLOWS["weekly"])["jobs"]
    report = jobs.pop("report")
    assert report["needs"] == list(jobs)
    assert re.findall(r"needs\.(\w+)\.result", report["steps"][0]["env"]["RESULTS"]) == list(jobs)


def test_what_the_workflows_make_exists():
    targets = set(re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)[1].split())
    made = [line for _, _, step in STEPS for line in step.get("run", "").splitlines() if line.startswith("make ")]
    assert made
    for line in made:
        assert set(line.partition("#")[0].partition("KIND=")[0].split()[1:]) <= targets, line
    tried = set(yaml.safe_load(WORKFLOWS["publish"])["jobs"]["kinds"]["strategy"]["matrix"]["kind"])
    tried |= set(re.findall(r'KIND="([^$"]+)"', WORKFLOWS["weekly"]))
    assert all(any(kind.startswith(begun) for begun in tried) for kind in kinds.KINDS)


@pytest.mark.parametrize("published", ["by variable", "by pages", "nowhere"])
def test_the_summary_of_a_preview(before, after, tmp_path, published):
    for folder in ("tools", "theme"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / ".venv").mkdir()
    fake(tmp_path / ".venv", "python", f'exec "{sys.executable}" "$@"')
    fake(tmp_path, "gh", f'echo "{before if published == "by pages" else "not found"}"; exit {0 if published == "by pages" else 1}')
    summary = tmp_path / "summary.md"
    variable = str(before) if published == "by variable" else ""
    bash(script("preview", "changes.py"), tmp_path, PUBLISHED=variable, PREVIEW="https://x/1", GITHUB_REPOSITORY="a/b", GITHUB_STEP_SUMMARY=str(summary))
    told = summary.read_text("utf-8").splitlines()
    assert told[0].startswith("[The site to download](https://x/1)")
    assert told[2] == ("No published site to compare with: all pages are new." if published == "nowhere" else f"4 of 4 pages differ from {before}")


@pytest.mark.parametrize(("known", "command"), [("", "issue create --title T --body"), ("7", "issue comment 7 --body")])
def test_the_weekly_look_opens_one_report_and_then_adds_to_it(tmp_path, known, command):
    fake(tmp_path, "gh", f'if [ "$2" = list ]; then echo "{known}"; else echo "$*" >> said; fi')
    bash(script("weekly", "gh issue"), tmp_path, TITLE="T", RESULTS="links: failure", RUN="https://x/2")
    assert (tmp_path / "said").read_text() == f"{command} links: failure. What was printed is in [the run](https://x/2). The published site is as it was.\n"


def test_a_site_is_sent_to_another_host_as_it_is(tmp_path):
    fake(tmp_path, "rsync", 'printf "%s\\n" "$@" > said; cat "$RUNNER_TEMP/key" "$RUNNER_TEMP/known_hosts" >> said')
    bash(script("publish", "rsync"), tmp_path, RUNNER_TEMP=str(tmp_path), DEPLOY_TO="a@b:c", DEPLOY_KEY="secret", DEPLOY_HOST_KEY="b ssh-ed25519 x")
    said = (tmp_path / "said").read_text().splitlines()
    assert said[-4:] == ["site/", "a@b:c", "secret", "b ssh-ed25519 x"] and "--delete-delay" in said
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0


def test_changes_says_how_it_is_called():
    status, printed = run(ROOT, "changes.py")
    assert status == 1 and printed.startswith("usage: changes.py BEFORE")
