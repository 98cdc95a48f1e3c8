# One-word targets. Each makes .venv and installs what it needs, from Python, make and the package index.
#
#   make demo    transcribe samples/voice-note.flac with Whisper base
#   make serve   the server, on http://127.0.0.1:8000
#   make test    every test; WORKERS=4 runs so many at once
#   make long    the same with their long forms: ten hours of sound, 2 000 requests, 50 killed servers
#   make coverage  the same with branch coverage, which takes half as long again
#   make fuzz    10 000 spoilt requests to the server and 10 000 made from its schema, by another seed each time
#   make lint    ruff, mypy --strict and the contract of imports
#   make fix     what ruff can mend by itself
#   make bench   one table of speeds, with the peers beside it
#   make tiny    train the small Voxtral of the tests anew, from VOXGATE_AUDIO/digits; about an hour
#   make tiny-answers  train the one that answers questions too, from the other; half an hour
#   make docs    write the generated pages of docs/ anew
#   make screenshots  those of docs/page.md, of a real server in Debian's Chromium
#   make test-levels  the tests of Voxtral, held to each level of the kernels that this processor has
#   make kernels the native kernels, where a C++ compiler is; they are optional
#   make kernels-check  the same under the address and undefined-behaviour sanitizers
#   make kernels-check-arm  the same for ARM, by QEMU: packages g++-aarch64-linux-gnu and qemu-user
#   make web     what the pages take from npm: charts and waveforms; they work without, in tables
#   make clients the clients that the tests run, each in an environment of its own
#   make peers   the servers that the benchmarks run beside ours, likewise

PYTHON ?= python3
BIN := .venv/bin
TORCH ?= torch==2.13.0
WORKERS ?= 2

CLIENTS := $(patsubst tests/clients/%.txt,.venv/clients/%/installed,$(wildcard tests/clients/*.txt)) \
	$(patsubst %/package-lock.json,%/node_modules/.package-lock.json,$(wildcard tests/clients/*/package-lock.json))
PEERS := $(patsubst benchmarks/peers/%.txt,.venv/peers/%/installed,$(wildcard benchmarks/peers/*.txt))

# What is built in C++, where it can be.
NATIVE := $(if $(shell command -v c++),kernels)

.PHONY: demo serve web test test-levels long coverage fuzz lint fix bench tiny tiny-answers docs screenshots kernels kernels-check kernels-check-arm clients peers clean
.DELETE_ON_ERROR:

# Stamps: one file for each set of packages, older than what it was installed from means install again.
.venv/core: pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("Voxgate needs Python 3.11 or newer, and $(PYTHON) is %d.%d. Name another: make PYTHON=python3.12 ..." % v[:2])'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable ".[whisper]"
	@touch $@

# PyTorch by itself and first: what else wants it would fetch the newest with gigabytes of CUDA.
# `make TORCH=...` names another build, e.g. one from https://download.pytorch.org/whl/cpu.
.venv/voxtral: .venv/core
	$(BIN)/python -m pip install --quiet $(TORCH)
	$(BIN)/python -m pip install --quiet --editable ".[voxtral]"
	@touch $@

.venv/test .venv/bench: .venv/%: .venv/voxtral
	$(BIN)/python -m pip install --quiet --group $*
	@touch $@

# Built by what the package index has of CMake and Ninja, in an environment that pip makes for it.
.venv/kernels: $(wildcard native/*.* native/*/*) | .venv/core
	$(BIN)/python -m pip install --quiet --force-reinstall --no-deps ./native
	@touch $@

.venv/cmake: .venv/core
	$(BIN)/python -m pip install --quiet cmake
	@touch $@

# Lint reads the types of what the tests and benchmarks import, so it wants those packages too.
.venv/lint: .venv/voxtral
	$(BIN)/python -m pip install --quiet --group lint --group test --group bench
	@touch $@

# Unmodified, and pinned: what they need is theirs alone. The core's pip installs them, theirs are without.
.venv/clients/%/installed: tests/clients/%.txt | .venv/core
	$(INSTALL_PINNED)

.venv/peers/%/installed: benchmarks/peers/%.txt | .venv/core
	$(INSTALL_PINNED)

define INSTALL_PINNED
$(BIN)/python -m venv --without-pip --clear $(@D)
$(BIN)/python -m pip --python $(@D)/bin/python install --quiet --no-compile --requirement $<
@touch $@
endef

# Those in JavaScript, each beside its script, by the Node.js of the package index.
tests/clients/%/node_modules/.package-lock.json: tests/clients/%/package-lock.json .venv/clients/node/installed
	.venv/clients/node/bin/npm ci --prefix $(<D) --silent --ignore-scripts --omit=dev --no-audit --no-fund
	@touch $@

# Node.js of the package index, for its npm alone: nothing is built.
VENDOR := src/voxgate/web/static/vendor

$(VENDOR)/installed: web/package-lock.json .venv/clients/node/installed
	.venv/clients/node/bin/npm ci --prefix web --silent --ignore-scripts --no-audit --no-fund
	mkdir -p $(VENDOR)
	cp web/node_modules/uplot/dist/uPlot.iife.min.js web/node_modules/uplot/dist/uPlot.min.css $(VENDOR)
	cp web/node_modules/uplot/LICENSE $(VENDOR)/uPlot.LICENSE
	cp web/node_modules/wavesurfer.js/dist/wavesurfer.esm.js $(VENDOR)
	cp web/node_modules/wavesurfer.js/LICENSE $(VENDOR)/wavesurfer.LICENSE
	@touch $@

web: $(VENDOR)/installed

serve: .venv/core
	@$(BIN)/voxgate serve

demo: .venv/core
	@$(BIN)/voxgate transcribe samples/voice-note.flac --figures

PYTEST := $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

test: .venv/test clients web $(NATIVE)
	$(PYTEST)

# By the processor's flags; what a level lacks, PyTorch does not use there either.
test-levels: .venv/test $(NATIVE)
	for level in off $$($(BIN)/python -c 'from voxgate.hardware.level import available_levels; print(*available_levels())'); do \
		echo "VOXGATE_KERNELS=$$level"; VOXGATE_KERNELS=$$level $(PYTEST) tests/voxtral || exit; \
	done

long: .venv/test clients web $(NATIVE)
	$(PYTEST) --long

coverage: .venv/test clients web $(NATIVE)
	$(PYTEST) --cov=voxgate --cov-branch --cov-report=term:skip-covered

fuzz: .venv/test
	FUZZ_SEED=$${FUZZ_SEED:-$$(date +%s)} FUZZ_CASES=$${FUZZ_CASES:-10000} \
		$(BIN)/python -m pytest tests/api/test_fuzz.py tests/api/chat/test_fuzz.py tests/api/test_schema.py --capture=no --timeout=3600

lint: .venv/lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo --no-cache
	$(BIN)/mypy

fix: .venv/lint
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/bench peers $(NATIVE)
	$(BIN)/python -m benchmarks

tiny: .venv/test
	$(BIN)/python -m training.digits

tiny-answers: .venv/test
	$(BIN)/python -m training.digits answers

docs: .venv/test
	$(BIN)/python -m docs.generate

screenshots: .venv/test web
	$(BIN)/python -m docs.screenshots

kernels: .venv/kernels

kernels-check: .venv/cmake
	$(BIN)/cmake -S native -B .venv/kernels-check -DVOXGATE_CHECK=ON -DCMAKE_BUILD_TYPE=Debug >/dev/null
	$(BIN)/cmake --build .venv/kernels-check --parallel
	.venv/kernels-check/check

# The last processor has none of the instructions that the kernels need, and runs what is outside them. LeakSanitizer needs
# ptrace, which QEMU lacks.
kernels-check-arm: .venv/cmake
	$(BIN)/cmake -S native -B .venv/kernels-check-arm --toolchain aarch64.cmake -DVOXGATE_CHECK=ON -DCMAKE_BUILD_TYPE=Debug >/dev/null
	$(BIN)/cmake --build .venv/kernels-check-arm --parallel
	for processor in max,pauth-impdef=on neoverse-n1 cortex-a72; do \
		ASAN_OPTIONS=detect_leaks=0 qemu-aarch64 -L /usr/aarch64-linux-gnu -cpu $$processor .venv/kernels-check-arm/check || exit; \
	done

clients: $(CLIENTS)

peers: $(PEERS)

clean:
	rm -rf .venv tests/clients/*/node_modules web/node_modules $(VENDOR) .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache
