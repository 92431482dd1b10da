# make demo | test | test-quick | check | man | docs | fuzz | train-clevr | train-general | export-clevr | export-general
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
SCENE = tests/scenes/100020

.PHONY: demo test test-quick check fuzz fuzz-ci format man docs clean
.PHONY: train-clevr train-general export-clevr export-general need-clevr need-general

$(BIN)/mtcodec: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet -e .
	touch $@

$(VENV)/test-ready: $(BIN)/mtcodec
	@echo "Tests need torch, ray and others: 0.5 GB to download, 2 GB on disk, 2 minutes; 3.3 GB where torch brings CUDA."
	$(BIN)/pip install --quiet "torch==2.13.0" || $(BIN)/pip install --quiet torch
	$(BIN)/pip install --quiet -e ".[test]"
	touch $@

$(VENV)/check-ready: $(VENV)/test-ready
	$(BIN)/pip install --quiet -e ".[check]"
	touch $@

demo: $(BIN)/mtcodec  ## encode a bundled scene, look into it, decode depth alone, draw before and after
	rm -rf demo && mkdir demo
	$(BIN)/mtcodec encode $(SCENE) -o demo/scene.mtc --quality 30 --quiet
	$(BIN)/mtcodec info demo/scene.mtc
	$(BIN)/mtcodec decode demo/scene.mtc --tasks depth -o demo/depth_only
	$(BIN)/mtcodec decode demo/scene.mtc -o demo/scene
	$(BIN)/python tests/tools/compare.py $(SCENE) demo/scene demo/comparison.png
	@ls -l demo/scene.mtc $(SCENE)

test: $(VENV)/test-ready  ## all tests
	$(BIN)/python -m pytest

test-quick: $(VENV)/test-ready  ## tests without servers, other processes, training and fuzzing: two minutes on one core
	$(BIN)/python -m pytest -m quick

check: $(VENV)/check-ready  ## format, lint, types, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

$(VENV)/fuzz-ready: $(VENV)/test-ready
	$(BIN)/pip install --quiet -e ".[fuzz]" || echo "no atheris here: mutated files only"
	touch $@

SECONDS ?= 600
SEED ?= 0
fuzz: $(VENV)/fuzz-ready  ## hostile bytes into the decoders, for SECONDS; what does harm is kept in tests/hostile/found
	@found=0; half=$$(($(SECONDS) / 2)); \
	$(BIN)/python tests/tools/fuzz.py --files 1000000000 --seconds $$half --seed $(SEED) --keep tests/hostile/found || found=1; \
	if $(BIN)/python -c "import atheris" 2>/dev/null; \
	then $(BIN)/python tests/tools/coverage.py --seconds $$half --seed $(SEED) || found=1; fi; exit $$found

fuzz-ci:  ## two minutes of the same, with seeds that do not change
	$(MAKE) fuzz SECONDS=120 SEED=1

$(VENV)/train-ready: $(BIN)/mtcodec
	$(BIN)/pip install --quiet "torch==2.13.0" || $(BIN)/pip install --quiet torch
	$(BIN)/pip install --quiet -e ".[train,evaluate]"
	touch $@

RUNS ?= runs
THREADS ?= 1
MINUTES ?= 40
TRAIN = OMP_WAIT_POLICY=PASSIVE nice -n 15 $(BIN)/mtcodec train --threads $(THREADS)
DATA_clevr = "$(CLEVR)"
DATA_general = "$(VARIED)" "$(VARIED)" "$(REAL)" "$(CLEVR)"
SETTINGS_clevr = --batch 8 --rate 3e-3 --task-quality-prob 0.3 --task-dropout 0.1
SETTINGS_general = --batch 8 --rate 3e-3 --task-quality-prob 0.1 --task-dropout 0.1 --held-out 8

need-clevr:
	@test -n "$(CLEVR)" || { echo "say where scenes are: make train-clevr CLEVR=path/to/clevr/train" >&2; exit 1; }

need-general:
	@test -n "$(VARIED)" -a -n "$(REAL)" -a -n "$(CLEVR)" || { echo "say where scenes are: make train-general" \
	"VARIED=path/to/varied/train REAL=path/to/real/train CLEVR=path/to/clevr/train" >&2; exit 1; }

train-clevr train-general: train-%: need-% $(VENV)/train-ready  ## go on with RUNS/NAME, from the shipped weights, until stopped
	@mkdir -p "$(RUNS)"
	if test -e "$(RUNS)/$*.ckpt"; then set -- --resume; else set -- --init $* $(SETTINGS_$*); fi; \
	$(TRAIN) $(DATA_$*) "$$@" -o "$(RUNS)/$*.safetensors"

export-clevr export-general: export-%: need-% $(VENV)/train-ready  ## weights of that run, MINUTES later; it goes on
	$(TRAIN) $(DATA_$*) --decay $(MINUTES) -o "$(RUNS)/$*.safetensors"

format: $(VENV)/check-ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

man: $(BIN)/mtcodec  ## the manual page, out of the help: man build/man/mtcodec.1
	$(BIN)/python tests/tools/man.py build/man/mtcodec.1

$(VENV)/docs-ready: $(BIN)/mtcodec
	$(BIN)/pip install --quiet -e ".[docs]"
	touch $@

docs: $(VENV)/docs-ready  ## README and docs as a site that needs no network: build/site/index.html
	$(BIN)/python tests/tools/website.py

clean:
	rm -rf demo build dist .pytest_cache .mypy_cache .ruff_cache
