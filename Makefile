# make demo  sets up and runs the built-in study into runs/demo
# make test  sets up and runs all tests; those of the page need Chromium (RECANT_CHROMIUM names another one) and are skipped without
# make gallery  draws every kind of figure again into docs/gallery.md and figures/gallery
# make test-gpu  on a machine with a CUDA device: parity of every family there, and speed; brings torch with CUDA (3 GB)
# make fuzz  damages a million files and reads them; RECANT_FUZZ_SEED, RECANT_FUZZ_CASES and RECANT_FUZZ_ONLY steer it
PYTHON ?= python3
CARGO ?= cargo
# Idle OpenMP threads sleep instead of spinning: on busy machines spinning costs several times the work itself.
export OMP_WAIT_POLICY ?= passive

.PHONY: demo test gallery fuzz test-gpu build libtorch model lint tools clean

demo: build
	target/release/recant demo --python $(PYTHON)

test: build model
	$(CARGO) test --release --workspace

gallery:
	$(CARGO) run --release -p recant-figures --example gallery -- --book figures/gallery docs/gallery.md

GPU_VENV = .cache/gpu
GPU = LD_LIBRARY_PATH=$$($(GPU_VENV)/bin/python -c 'import torch; print(torch.__path__[0] + "/lib")')

test-gpu: build model
	test -x $(GPU_VENV)/bin/python || $(PYTHON) -m venv $(GPU_VENV)
	$(GPU_VENV)/bin/python -m pip install --quiet torch==2.11.0 transformers==5.23.0
	$(GPU) RECANT_TEST_DEVICE=cuda:0 $(CARGO) test --release --test families -- --test-threads 1
	for dtype in f32 bf16 f16; do $(GPU) $(GPU_VENV)/bin/python benches/models.py models/smollm2-135m-instruct \
		--device cuda:0 --dtype $$dtype --tokens 131072 --peer || exit 1; done

# Overflow counts as a fault here; checks in this package alone, so that nothing else is built again.
CHECKS = --config 'profile.release.package.recant.overflow-checks=true' \
	--config 'profile.release.package.recant.debug-assertions=true'

fuzz: export RECANT_FUZZ_CASES ?= 1000000
fuzz: export RECANT_FUZZ_SEED ?= $(shell date +%s)
fuzz: libtorch
	$(CARGO) test --release $(CHECKS) --test fuzz -- --nocapture --test-threads 1

build: libtorch
	$(CARGO) build --release

# A LIBTORCH or LIBTORCH_USE_PYTORCH of your own wins.
libtorch: tools
ifeq ($(LIBTORCH)$(LIBTORCH_USE_PYTORCH),)
	$(PYTHON) scripts/libtorch.py
endif

model: build
	target/release/recant fetch smollm2 --python $(PYTHON)

lint: libtorch
	$(CARGO) fmt --all --check
	$(CARGO) clippy --release --workspace --all-targets -- -D warnings

tools:
	@need() { command -v "$$1" > /dev/null || { echo "error: $$1 is not installed: install $$2" >&2; exit 1; }; }; \
	need $(CARGO) "Rust (rustup, 1.89 or newer)" && need c++ "a C++ compiler (Debian: g++)" && \
	need $(PYTHON) "Python 3 (Debian: python3)"; \
	$(PYTHON) -m pip --version > /dev/null 2>&1 || { echo "error: $(PYTHON) has no pip: install it (Debian: python3-pip)" >&2; exit 1; }

clean:
	$(CARGO) clean
	rm -rf libtorch models runs .cache
