# Two commands do all the set-up on a fresh machine:  make demo   and   make test
# Everything is installed into .venv; models and indexes go below RAGVOICE_HOME (default: the platform's data folder).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := ragvoice ingest finetune tests benchmarks data
OUT := out
RECORDING ?= data/recordings/tf-011-kal.flac

export HF_HUB_DISABLE_TELEMETRY := 1
export LANGSMITH_TRACING := false

.PHONY: demo test test-slow check eval bench clean system browser

demo: $(VENV)/.runtime system
	@mkdir -p $(OUT)
	$(BIN)/ragvoice models pull
	$(BIN)/ragvoice ingest data/documents --index $(OUT)/index
	$(BIN)/ragvoice ask --audio $(RECORDING) --index $(OUT)/index --speak $(OUT)/answer.wav

test: $(VENV)/.complete system browser
	$(BIN)/ragvoice models pull
	HF_HUB_OFFLINE=1 $(BIN)/pytest --numprocesses 2 --dist loadfile

test-slow: $(VENV)/.complete system browser
	$(BIN)/ragvoice models pull
	$(BIN)/ragvoice models pull smollm2-135m-instruct
	HF_HUB_OFFLINE=1 $(BIN)/pytest -m slow

check: $(VENV)/.complete
	$(BIN)/ruff check $(PACKAGES)
	$(BIN)/ruff format --check $(PACKAGES)
	$(BIN)/mypy
	$(BIN)/lint-imports

# The visible question sets stand outside the repository; without them only the sample company is measured.
EVAL_DATA := $(or $(RAGVOICE_EVAL_DATA),../shared/data)
EVAL_LIMIT ?= 40

# Ours beside two plain pipelines (docs/evaluation.md), the report of ours, and retrieval over all questions.
eval: $(VENV)/.complete system
	@mkdir -p $(OUT)
	$(BIN)/ragvoice models pull
	HF_HUB_OFFLINE=1 RAGVOICE_EVAL_DATA=$(EVAL_DATA) $(BIN)/python benchmarks/side_by_side.py --limit $(EVAL_LIMIT)
	$(BIN)/ragvoice evaluate data $(wildcard $(addprefix $(EVAL_DATA)/,offtopic squad2 clapnq mtrag agency_faq)) \
	  --limit $(EVAL_LIMIT) --style both --json $(OUT)/evaluation.json --html $(OUT)/evaluation.html
	HF_HUB_OFFLINE=1 RAGVOICE_EVAL_DATA=$(EVAL_DATA) $(BIN)/python benchmarks/retrieval.py
	HF_HUB_OFFLINE=1 RAGVOICE_EVAL_DATA=$(EVAL_DATA) $(BIN)/python benchmarks/speech.py --only recognition

bench: $(VENV)/.complete system
	$(BIN)/ragvoice models pull
	HF_HUB_OFFLINE=1 $(BIN)/python benchmarks/voice_turn.py

clean:
	rm -rf $(VENV) $(OUT) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# What answering needs, then what the tests need on top. The stamp files are newer than pyproject.toml when installed.
$(VENV)/.runtime: pyproject.toml
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.complete: $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --editable ".[app,talk,hf,finetune,quantised,openai,llamacpp,whisper,documents,pgvector,ray,dev]"
	@touch $@

# Programs that pip cannot install. As root on Debian they are installed; otherwise one message says what to do.
define program
	@command -v $(1) >/dev/null 2>&1 || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
	    (apt-get install -y -qq $(1) || (apt-get update -qq && apt-get install -y -qq $(1))) >/dev/null; \
	  else \
	    echo "ragvoice needs $(1) $(2). Install it: sudo apt-get install $(1)   (macOS: brew install $(1))" >&2; \
	    exit 1; \
	  fi; }
endef

system:
	$(call program,espeak-ng,to speak)

browser:
	$(call program,chromium,to test its pages)
