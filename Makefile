# make help prints what there is. Everything runs in .venv, which the first target that needs it makes.
#   make demo CLIP=my.mp4      another video
#   make test-blender BPY=5.0.1           tests/addon in another Blender's bpy module
#   make PYTHON311=/path/to/python test   (PYTHON313 for the bpy of Blender 5.1 and later)

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast test-blender ui-test pictures lint format zip bench clean

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
PYTHON311 ?=
PYTHON313 ?=

# The oldest Blender that the manifest names, as a module; .venv holds a newer one.
BPY ?= 4.2.23
BPY_VENV := .cache/bpy-$(BPY)
BPY_READY := $(BPY_VENV)/.installed
BPY_PYTHON := $(if $(filter 4.% 5.0.%,$(BPY)),3.11,3.13)
# Blender 4.2 carries numpy 1.24, though its module is content with any.
BPY_NUMPY := $(if $(filter 4.2.%,$(BPY)),numpy==1.24.3,numpy)

# BSD-3-Clause demo clip inside a wheel; see NOTICE.
CLIP_WHEEL := sports2d==0.8.34
DEMO_CLIP := .cache/clips/demo.mp4
CLIP ?= $(DEMO_CLIP)
FETCHED := $(filter $(DEMO_CLIP),$(CLIP))

# mypy needs a folder called pose2pose, whatever this checkout is called.
SOURCE := .cache/src/pose2pose
TYPED := __init__.py addon backend training tools

TEST_BLENDER = POSE2POSE_TEST_PYTHON="$(CURDIR)/$(BIN)/python" $(BPY_VENV)/bin/pytest tests/addon --durations=5

# A small Debian with a real Blender, for the tests with a window. UI_TEST=required fails where it cannot be made.
BLENDER_ROOT ?= .cache/blender-root
UI_TEST ?=
ZIP := dist/pose2pose-$(shell sed -n 's/^version = "\(.*\)"/\1/p' blender_manifest.toml).zip

# What `blender --command extension ...` runs, from the bpy module.
EXTENSION := import sys, bpy; from bl_pkg import bl_extension_cli as cli; sys.exit(cli.cli_extension_handler(sys.argv[1:]))

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

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

test: $(READY) $(BPY_READY) ## every test, slow ones included; those of the add-on in Blender 4.2's bpy too
	@status=0
	$(BIN)/pytest --durations=10 || status=$$?
	$(TEST_BLENDER) || status=$$?
	exit $$status

test-fast: $(READY) ## the tests that take seconds
	$(BIN)/pytest -m "not slow"

test-blender: $(READY) $(BPY_READY) ## the tests of the add-on in another bpy (BPY=5.0.1), the backend from .venv
	$(TEST_BLENDER)

ui-test: $(READY) zip ## the panel in a real Blender window, with mouse and keys; screenshots in out/ui
	@mkdir -p .cache
	log=.cache/blender-root.log
	if ! tools/blender_root.sh $(BLENDER_ROOT) > $$log 2>&1; then
		echo "skipped: $$(tail -n 1 $$log)"
		[ "$(UI_TEST)" != required ]
		exit
	fi
	export POSE2POSE_BLENDER_ROOT="$(abspath $(BLENDER_ROOT))" POSE2POSE_EXTENSION="$(abspath $(ZIP))"
	$(BIN)/pytest tests/ui --maxfail=1 --durations=5

pictures: ## the README's pictures of the panel, from the screenshots of ui-test
	$(BIN)/python tools/panel_pictures.py out/ui docs

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
	python=$$(tools/find_python.sh 3.11 "$(PYTHON311)")
	"$$python" -m venv $(VENV)

$(READY): pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python tools/system_libraries.py
	$(BIN)/python -m pip install --progress-bar off -c constraints.txt -e '.[backend,blender,training,dev]'
	@touch $@

$(BPY_VENV)/bin/python:
	python=$$(tools/find_python.sh $(BPY_PYTHON) "$(PYTHON$(subst .,,$(BPY_PYTHON)))")
	"$$python" -m venv $(BPY_VENV)

# A path entry instead of an installation: as in Blender's Python there is no torch, and PyAV only for the tests' clips.
$(BPY_READY): constraints.txt | $(BPY_VENV)/bin/python $(SOURCE)
	grep -Ev '^(bpy|numpy)==' constraints.txt > $(BPY_VENV)/constraints.txt
	$(BPY_VENV)/bin/python -m pip install --progress-bar off -c $(BPY_VENV)/constraints.txt \
		bpy==$(BPY) $(BPY_NUMPY) pytest hypothesis av
	site=$$($(BPY_VENV)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
	echo "$(CURDIR)/$(dir $(SOURCE))" > "$$site/pose2pose.pth"
	touch $@

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
