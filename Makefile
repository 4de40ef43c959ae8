# Two commands do everything: `make book` and `make test`. The others are for authors.
# PYTHON chooses the Python that the environment is made from: make book PYTHON=python3.12
PYTHON ?= python3
SOLUTIONS ?= yes
ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif
READY := .venv/ready
MUTANTS = $(BIN)/python -m uv tool run --from cosmic-ray==8.7.0

.PHONY: book live live-check pdf epub worksheets key grade test lint audit mutants check check-fork chapter drop links execute kinds bench bench-growth pins clean

book: $(READY)            ## Build the site into _build/html; SOLUTIONS=no builds that for students into _build/students
	$(BIN)/python tools/build.py --solutions $(SOLUTIONS)

live: book                ## Build the site, and let its chapters run in the reader's browser; RUNTIME=FOLDER has the runtime's files
	$(BIN)/python tools/live.py --solutions $(SOLUTIONS) $(if $(RUNTIME),--runtime "$(RUNTIME)")

live-check: live          ## Run every chapter in a browser and compare what it shows: make live-check, or CHAPTER=topics
	$(BIN)/python tools/live_check.py $(CHAPTER)

pdf epub: book            ## Build the site, and of it a PDF or an EPUB into _build/paper; SOLUTIONS=no leaves the solutions out
	$(BIN)/python tools/paper.py $@ --solutions $(SOLUTIONS)

worksheets key: $(READY)  ## For a class, into _build/worksheets or _build/key: notebooks with checks, without solutions or with them
	$(BIN)/python tools/editions.py $@

grade: $(READY)           ## Grade the worksheets in a folder, into _build/grades.csv: make grade HANDINS=/path/to/folder
	$(BIN)/python tools/grade.py "$(HANDINS)"

test: $(READY)            ## Re-execute every chapter, build the site, open it in a browser
	$(BIN)/python -m pytest

lint: $(READY)            ## Read code and notebooks for mistakes, in a second
	$(BIN)/python -m ruff check

audit: $(READY)           ## Ask whether a pinned version has a known vulnerability (needs a network)
	$(BIN)/python -m uv tool run pip-audit@2.10.1 --requirement requirements.txt --no-deps --disable-pip --strict --progress-spinner off

mutants: $(READY)         ## Which small mistakes in a module its tests overlook: make mutants MODULE=tools/fold.py TESTS="tests/test_tools.py -k folded" (needs a network)
	mkdir -p _build
	printf '[cosmic-ray]\nmodule-path = "%s"\ntest-command = "%s"\ntimeout = 600\nexcluded-modules = []\ndistributor.name = "local"\n' \
		"$(MODULE)" "$(BIN)/python -m pytest -n0 -x -q $(TESTS)" > _build/mutants.toml
	$(MUTANTS) cosmic-ray baseline _build/mutants.toml
	$(MUTANTS) cosmic-ray init --force _build/mutants.toml _build/mutants.sqlite
	$(MUTANTS) cosmic-ray exec _build/mutants.toml _build/mutants.sqlite
	$(MUTANTS) cr-report --surviving-only --show-diff _build/mutants.sqlite

check: $(READY)           ## One chapter's own tests, in a minute: make check CHAPTER=topics
	$(BIN)/python -m pytest chapters/$(CHAPTER).ipynb tests/test_chapters.py tests/test_site.py tests/test_galleries.py tests/test_accessibility.py tests/test_slides.py -k "$(CHAPTER)"

check-fork: book          ## What a fork still has to change, and what it has broken
	$(BIN)/python tools/check_fork.py

links: $(READY)           ## Ask for every address outside of the book that a page names (needs a network)
	$(BIN)/jupyter-book build --builder linkcheck --path-output _build/links .

chapter: $(READY)         ## Begin a chapter from the template: make chapter NAME=my-chapter
	$(BIN)/python tools/chapter.py new "$(NAME)"

drop: $(READY)            ## Leave a page out of the book: make drop NAME=topics
	$(BIN)/python tools/chapter.py drop "$(NAME)"

execute: $(READY)         ## Re-execute the chapters that are stale, in place
	$(BIN)/python tools/execute.py

kinds: $(READY)           ## Re-execute the chapters as on other processors and with other versions: make kinds, or make kinds KIND=AVX2
	$(BIN)/python tools/kinds.py $(if $(KIND),--kind "$(KIND)")

bench: $(READY)           ## Compare the speed of the sweeps and densities with that of a plain loop
	$(BIN)/python tools/bench.py

bench-growth: $(READY)    ## What 16, 32 and 64 chapters cost to build: from nothing, after one changed sentence, with nothing changed
	$(BIN)/python tools/growth.py

pins: $(READY)            ## Refresh requirements.txt from pyproject.toml (needs a network)
	$(BIN)/python -m uv pip compile --universal --python-version 3.11 --fork-strategy fewest --upgrade \
		--all-extras --quiet --custom-compile-command "make pins" --output-file requirements.txt pyproject.toml

clean:                    ## Remove what was built and the environment
	rm -rf _build .venv

# The last step writes the marker, so a set-up that was interrupted is taken up again.
$(READY): requirements.txt pyproject.toml
	$(PYTHON) -c "import sys; sys.version_info >= (3, 11) or sys.exit('This book needs Python 3.11 or newer, but $(PYTHON) is ' + sys.version.split()[0] + '. Name another one: make book PYTHON=python3.12')"
	@echo "Setting up .venv, once: about 0.9 GB, a minute or two."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --requirement requirements.txt
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/python -c "open('$(READY)', 'w').close()"
