PYTHON ?= python3
IMAGE ?= trialgraph:test
WORKERS ?= 2
RUN := .venv/bin/python

.PHONY: help demo test lint audit docs reference image lock clean
.DELETE_ON_ERROR:

help:    ## show this list
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1	\2/p' Makefile

demo: .venv/runtime    ## simulate a small trial and analyse it; open demo/group/index.html
	$(RUN) run.py demo demo

test: .venv/develop    ## run every test; those of the image need an engine and `make image`
	$(RUN) -m pytest --numprocesses $(WORKERS) --dist loadgroup --no-loadscope-reorder

lint: .venv/develop    ## check style, format and types
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

audit: .venv/develop    ## look the pinned packages up in the database of advisories
	$(RUN) -m pip_audit --requirement requirements.txt --disable-pip --progress-spinner off

docs: .venv/develop    ## build the site; open docs/_build/index.html
	$(RUN) -m sphinx -W --keep-going -b html docs docs/_build

reference: .venv/develop    ## renew what `trialgraph verify` compares with, after numbers were meant to change
	$(RUN) -m benchmarks.reference

image:    ## build the image
	docker build --tag $(IMAGE) .

lock: .venv/lock    ## resolve the dependencies anew and pin them by hash
	$(COMPILE) pyproject.toml --all-extras --output-file requirements.txt
	$(COMPILE) pyproject.toml --all-extras --resolution lowest-direct --output-file requirements-lowest.txt
	$(COMPILE) --group test --group lint --group docs --constraint requirements.txt --output-file requirements-dev.txt

clean:    ## remove what the other targets made
	rm -rf .venv .pytest_cache .ruff_cache demo docs/_build docs/generated

COMPILE = $(RUN) -m uv pip compile --quiet --upgrade --universal --python-version 3.11 --fork-strategy fewest \
	--generate-hashes --annotation-style line --custom-compile-command 'make lock'

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed: make PYTHON=...")'
	$(PYTHON) -m venv .venv

.venv/runtime: requirements.txt | .venv/bin/python
	$(RUN) -m pip install --quiet --require-hashes --requirement requirements.txt
	@touch $@

.venv/develop: requirements-dev.txt .venv/runtime
	$(RUN) -m pip install --quiet --require-hashes --requirement requirements-dev.txt
	@touch $@

.venv/lock: | .venv/bin/python
	$(RUN) -m pip install --quiet uv
	@touch $@
