# make demo | test | check | evaluate
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
SCENE = tests/scenes/100020

.PHONY: demo test check fuzz format clean

$(BIN)/mtcodec: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet "torch==2.13.0" || $(BIN)/pip install --quiet torch
	$(BIN)/pip install --quiet -e .
	touch $@

$(VENV)/test-ready: $(BIN)/mtcodec
	$(BIN)/pip install --quiet -e ".[test]"
	touch $@

$(VENV)/check-ready: $(VENV)/test-ready
	$(BIN)/pip install --quiet -e ".[check]"
	touch $@

demo: $(BIN)/mtcodec  ## encode a bundled scene, look into it, decode depth alone, draw before and after
	rm -rf demo && mkdir demo
	$(BIN)/mtcodec encode $(SCENE) -o demo/scene.mtc --quality 60 --quiet
	$(BIN)/mtcodec info demo/scene.mtc
	$(BIN)/mtcodec decode demo/scene.mtc --tasks depth -o demo/depth_only
	$(BIN)/mtcodec decode demo/scene.mtc -o demo/scene
	$(BIN)/python docs/compare.py $(SCENE) demo/scene demo/comparison.png
	@ls -l demo/scene.mtc $(SCENE)

test: $(VENV)/test-ready  ## all tests
	$(BIN)/python -m pytest

check: $(VENV)/check-ready  ## format, lint, types, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

SECONDS ?= 600
fuzz: $(VENV)/test-ready  ## mutated files into the decoder, for SECONDS; what does harm is kept in tests/hostile/found
	mkdir -p tests/hostile/found
	$(BIN)/python tests/hostile/fuzz.py --files 1000000000 --seconds $(SECONDS) --seed $$RANDOM$$$$ --keep tests/hostile/found

format: $(VENV)/check-ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf demo build dist .pytest_cache .mypy_cache .ruff_cache
