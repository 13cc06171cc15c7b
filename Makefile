# Everything starts here: `make help`.

PYTHON ?= python3
# pip arguments that choose a build of torch; empty: the version in constraints.txt from pip's own index
TORCH ?=
ARGS ?=
WORKERS ?= 2
HERE := .venv/bin/python
# Two test processes on two cores are faster than four threads fighting over them.
TEST_ENV := OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false HF_HUB_OFFLINE=1 DS_ACCELERATOR=cpu
export TORCH

.PHONY: help bench test install lint docs site release audit constraints clean

help: ## say what there is to make
	@echo "usage: make GOAL"
	@sed -n 's/^\([a-z]*\):.*## /  \1\t/p' Makefile | expand -t 16
	@echo "PYTHON=python3.12 chooses the Python that .venv is made with (3.11 or newer)."
	@echo "TORCH='torch --index-url URL' takes the build for your GPU, URL as on PyTorch's install page;"
	@echo "  without it pip chooses a build of the version in constraints.txt."
	@echo "ARGS='--limit 10' is added to the run of make bench, or to pytest of make test."

bench: ## install into .venv, then train and score the embedded default (minutes on a CPU)
	@$(PYTHON) .ci/install.py bench
	$(HERE) run_bench.py --model scimind --task lpm24 $(ARGS)

test: install lint ## install everything into .venv, then check style and types and run all tests
	$(TEST_ENV) $(HERE) -m pytest -n $(WORKERS) --dist worksteal -m "not gpu" $(ARGS)

install: ## install everything that development needs into .venv
	@$(PYTHON) .ci/install.py test

lint: install ## check style and types
	$(HERE) -m ruff check .
	$(HERE) -m ruff format --check .
	$(HERE) -m mypy

docs: install ## write the generated pages anew
	$(HERE) -m harness.cli.reference docs/reference/cli.md
	$(HERE) -m harness.cli.api_reference docs/reference/api.md
	$(HERE) -m harness.cli.reference_tables docs/reference
	$(HERE) -m harness.metrics.cards
	$(HERE) .ci/site/architecture.py docs/explanation/architecture.svg

site: install ## build the documentation as a site, build/site/site/index.html, without network
	$(HERE) .ci/site/build.py build/site

release: install ## build and check sdist, wheel and bills of materials in dist, and upload nothing
	@$(PYTHON) .ci/install.py release
	$(HERE) .ci/release.py dist

audit: ## look up what is pinned among known vulnerabilities; needs the network
	@$(PYTHON) .ci/install.py release
	$(HERE) -m pip_audit --requirement constraints.txt --no-deps --disable-pip --strict

constraints: install ## write constraints.txt from what .venv holds
	$(HERE) -m pip freeze --exclude-editable | sed 's/+cpu$$//' > constraints.txt

clean: ## remove .venv and every cache; runs are kept
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
