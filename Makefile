# `make demo` shows what PlexSpaces does; `make test` checks all of it. Both work on a fresh machine.
# Everything is built with the release profile, so that wasmtime is compiled once.

CARGO ?= cargo
PYTHON ?= python3
VENV := target/venv
VENV_STAMP := $(VENV)/.installed
TEST_TOOLS_STAMP := $(VENV)/.test-tools
BINARY := target/release/plexspaces

.PHONY: demo test guests build fmt
.DEFAULT_GOAL := build

# Cargo shares one target folder and the guests' scripts call plexspaces: one target at a time.
.NOTPARALLEL:

build:
	@echo "== building plexspaces (the first time takes some minutes)"
	$(CARGO) build --release -p plexspaces

$(VENV_STAMP): examples/calculator/requirements.txt
	@echo "== installing componentize-py into $(VENV)"
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(TEST_TOOLS_STAMP): tests/requirements.txt $(VENV_STAMP)
	@echo "== installing what the tests need into $(VENV)"
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

guests: build $(VENV_STAMP)
	@echo "== building the guests"
	PLEXSPACES_GUEST_RUSTC="$$(scripts/rust-guest-toolchain.sh target/guest-toolchain)" \
	PLEXSPACES_COMPONENTIZE_PY=$(VENV)/bin/componentize-py \
	scripts/build-guests.sh $(BINARY)

demo: build $(VENV_STAMP)
	@echo "== building the example's Python actors"
	PLEXSPACES_COMPONENTIZE_PY=$(VENV)/bin/componentize-py scripts/build-guests.sh $(BINARY) python
	scripts/demo.sh $(BINARY) target/guests

test: build guests $(TEST_TOOLS_STAMP)
	@echo "== formatting"
	$(CARGO) fmt --all --check
	@echo "== lints"
	$(CARGO) clippy --release --workspace --all-targets -- -D warnings
	@echo "== tests"
	$(CARGO) test --release --workspace

fmt:
	$(CARGO) fmt --all
