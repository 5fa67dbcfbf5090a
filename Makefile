# make help prints what there is. Everything runs in .venv, which the first target that needs it makes.
#   make demo CLIP=my.mp4      another video
#   make PYTHON=/path/to/python3.11 test

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast lint format zip bench clean

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
PYTHON ?=

# BSD-3-Clause demo clip inside a wheel; see NOTICE.
CLIP_WHEEL := sports2d==0.8.34
DEMO_CLIP := .cache/clips/demo.mp4
CLIP ?= $(DEMO_CLIP)
FETCHED := $(filter $(DEMO_CLIP),$(CLIP))

# mypy needs a folder called pose2pose, whatever this checkout is called.
SOURCE := .cache/src/pose2pose
TYPED := __init__.py addon backend training tools

# What `blender --command extension ...` runs, from the bpy module.
EXTENSION := import sys, bpy; from bl_pkg import bl_extension_cli as cli; sys.exit(cli.cli_extension_handler(sys.argv[1:]))

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

setup: $(READY) ## make .venv with everything in it (the other targets do so themselves)

demo: $(READY) $(FETCHED) ## a real clip to out/demo: takes, overlay, .blend, contact sheet
	@start=$$SECONDS
	rm -rf out/demo
	$(BIN)/pose2pose capture "$(CLIP)" -o out/demo
	$(BIN)/pose2pose animate out/demo -o out/demo/demo.blend
	$(BIN)/python -m pose2pose.backend.contact_sheet out/demo -o out/demo.png
	cat <<TEXT
	done in $$((SECONDS - start)) s
	  out/demo.png           frames, overlay, and the armature from the front and the side
	  out/demo/overlay.mp4   the body over the video
	  out/demo/demo.blend    the keyed armature; open it in Blender
	  out/demo/              one take (.npz) per person, summary.json
	TEXT

test: $(READY) ## every test, slow ones included
	$(BIN)/pytest --durations=10

test-fast: $(READY) ## the tests that take seconds
	$(BIN)/pytest -m "not slow"

lint: $(READY) | $(SOURCE) ## ruff (rules and format), mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	cd $(dir $(SOURCE))
	"$(CURDIR)/$(BIN)/mypy" --config-file "$(CURDIR)/pyproject.toml" --cache-dir "$(CURDIR)/.mypy_cache" \
		$(addprefix pose2pose/,$(TYPED))

format: $(READY) ## let ruff write the format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

zip: $(READY) ## the Blender extension, as dist/pose2pose-VERSION.zip
	@mkdir -p dist
	export BLENDER_USER_RESOURCES="$(CURDIR)/.cache/blender"
	$(BIN)/python -c '$(EXTENSION)' validate .
	$(BIN)/python -c '$(EXTENSION)' build --source-dir . --output-dir dist

bench: $(READY) $(FETCHED) ## times and memory as a table and in out/bench.json (BENCH=--long: 2,000 frames too)
	@mkdir -p out
	$(BIN)/python tools/bench.py "$(CLIP)" -o out/bench.json $(BENCH)

clean: ## remove everything that make made, the environment included
	rm -rf $(VENV) .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist out *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	python=$$(tools/find_python.sh "$(PYTHON)")
	"$$python" -m venv $(VENV)

$(READY): pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python tools/system_libraries.py
	$(BIN)/python -m pip install --progress-bar off -c constraints.txt -e '.[backend,blender,training,dev]'
	@touch $@

$(SOURCE):
	@mkdir -p $(dir $@) && ln -sfn ../.. $@

$(DEMO_CLIP): | $(READY)
	@mkdir -p $(dir $@)
	$(BIN)/python -m pip download --quiet --no-deps --dest $(dir $@) $(CLIP_WHEEL)
	$(BIN)/python - $(dir $@)sports2d-*.whl $@ <<'PYTHON'
	import pathlib, sys, zipfile
	wheel, clip = sys.argv[1:]
	pathlib.Path(clip).write_bytes(zipfile.ZipFile(wheel).read("Sports2D/Demo/demo.mp4"))
	PYTHON
