# Two commands do everything: make demo, make test. Both work in .venv inside this folder.
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
# A pinned torch comes first: any other request may fetch gigabytes of CUDA packages. Set TORCH= to choose another.
TORCH ?= torch==2.13.0
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test check format bench reproduce tables clean

help:  ## show this help
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(STAMP): setup.cfg pyproject.toml Makefile
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV), a minute or two ..."
	$(BIN)/pip install --quiet "$(TORCH)"
	$(BIN)/pip install --quiet --editable ".[dev]"
	touch $@

demo: $(STAMP)  ## the whole way on simulated recordings: pretrain, classify, export, predict
	$(BIN)/ssl-ecg demo --output_dir runs/demo

test: $(STAMP)  ## the whole test suite
	$(BIN)/python -m pytest

check: $(STAMP)  ## lint, format, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)  ## apply the formatter and the safe fixes of the linter
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)  ## measure; DATA=folder of PTB-XL for real records
	$(BIN)/python -m benchmarks --data $(or $(DATA),simulated) --output docs/benchmarks.json

reproduce: $(STAMP)  ## run a table of docs/results anew: DATA=folder of PTB-XL [TABLE=name] [RESULTS=folder]
	@test -n "$(DATA)" || { echo "usage: make reproduce DATA=folder/of/ptb-xl [TABLE=label_efficiency] [RESULTS=runs/results]"; exit 2; }
	$(BIN)/ssl-ecg reproduce recipes/tables/$(or $(TABLE),label_efficiency).yaml --data $(DATA) \
		--results $(or $(RESULTS),runs/results)
	$(BIN)/python docs/insert_tables.py

tables: $(STAMP)  ## copy the tables that commands wrote into README and docs, and list the parts of the code
	$(BIN)/python docs/insert_tables.py
	$(BIN)/python docs/list_parts.py

clean:  ## remove the environment and the demo's output
	rm -rf $(VENV) runs/demo
