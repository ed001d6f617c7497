# `make run` and `make test` work on a fresh machine: they install everything that they need.

VENV := .venv
BIN := $(VENV)/bin
# The Python that .venv is made for. By default it is the one that .venv already has, or else python3.
PYTHON ?= $(if $(wildcard $(BIN)/python),$(BIN)/python,python3)
# `make conformance SECTIONS="6 7"` runs only these sections. With SAMPLE=1, the long sections run all their cases only
# on the compiled codec.
SECTIONS ?=
SAMPLE ?=
SOURCES := setup.py pyproject.toml wsecho/websocket/echo.py wsecho/websocket/inflater.py wsecho/tls/client_hello.py \
	$(wildcard $(foreach folder,codec/native tls/native tcp,$(addprefix wsecho/$(folder)/*., pyx pxd pxi h)))

# Most tests spend their time waiting, so two run at a time. A whole file goes to one process, because its tests share
# servers and images. Files run in the order of their names, in which no long file happens to start last.
TWO_AT_A_TIME := -n 2 --dist loadfile --no-loadscope-reorder
COVERING := access/origins access/policy http/addresses http/credentials \
	$(addprefix proxies/,client connections_per_address forwarded proxy_header trusted_proxies) \
	$(addprefix websocket/,deflate echo handshake inflate_state inflater message_counters receive_buffer)

# Tests of what can differ between versions of Python: the compiled codec, its transport, the wire, TLS, processes, the
# installation.
CORE := $(addprefix websocket/,echo echo_differential inflater) cli processes/binding project/packaging \
	$(addprefix tcp/,epoll_transport lockstep) \
	$(addprefix tls/,certificates peek self_signed server transport) \
	$(addprefix connections/,http_connection loans websocket_connection)

# The test files of modules: that of http/http1 is tests/http/test_http1.py.
TESTS = $(foreach module,$(1),tests/$(dir $(module))test_$(notdir $(module)).py)

.PHONY: run test test-core test-others coverage build lint debian conformance compatibility fuzz fuzz-bytes corpus asan bench \
	bench-page bench-quick soak memory instructions docs screenshots dist clean always
.DELETE_ON_ERROR:

run: build
	$(BIN)/python wsecho.py

# The tests of COVERING run once, under coverage.
test: build debian lint
	$(BIN)/python -m pytest $(TWO_AT_A_TIME) $(addprefix --ignore=,$(call TESTS,$(COVERING)))
	$(MAKE) coverage

test-core: build $(VENV)/.dev
	$(BIN)/python -m pytest $(TWO_AT_A_TIME) $(call TESTS,$(CORE))

# The tests of test-core on each other supported version of Python that this machine has.
test-others: build $(VENV)/.dev
	$(BIN)/python -m tests.other_pythons

coverage: build $(VENV)/.dev
	mkdir -p build
	$(BIN)/python -m coverage run -m pytest --quiet $(call TESTS,$(COVERING))
	$(BIN)/python -m coverage report

build: $(VENV)/.built $(VENV)/.bytecode

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# Debian packages that tests need: a browser, Prometheus, an image builder, two libraries. Without root they are not
# installed; the tests that need them are skipped and say what is missing.
debian:
	sh tests/debian_packages.sh
	sh benchmarks/debian_packages.sh

conformance: build $(VENV)/.dev
	$(BIN)/python -m tests.autobahn --sections $(SECTIONS) $(if $(SAMPLE),--sample)

# Lets real clients perform the scenarios and writes docs/compatibility.md; takes ten minutes. Clients that cannot be
# installed are left out.
compatibility: build $(VENV)/.dev
	-$(BIN)/python -m pip install --quiet --group compatibility
	mkdir -p build/clients
	-npm install --prefix build/clients --no-package-lock --no-audit --no-fund --silent bun deno
	$(BIN)/python -m tests.compatibility

# Seconds for each fuzz target. Inputs that fail are written to build/ and become tests. `make corpus` adds to the seeds
# the inputs that cover more code than the seeds do. Before the targets, the tests that Hypothesis finds examples for run
# with new ones.
TIME ?= 60
fuzz: build $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --group fuzz
	$(BIN)/python -m pytest --quiet -m hypothesis --hypothesis-profile searching
	mkdir -p build
	$(BIN)/python fuzz/http_request.py -max_total_time=$(TIME) -artifact_prefix=build/fuzz-http- fuzz/corpus/http_request
	$(BIN)/python fuzz/proxies.py -max_total_time=$(TIME) -artifact_prefix=build/fuzz-proxies-
	$(BIN)/python fuzz/client_hello.py -max_total_time=$(TIME) -artifact_prefix=build/fuzz-client-hello-
	$(BIN)/python fuzz/frames.py -max_total_time=$(TIME) fuzz/corpus/frames
	$(BIN)/python fuzz/tcp_transport.py --seconds $(TIME)
	$(BIN)/python fuzz/deflate.py -max_total_time=$(TIME) -artifact_prefix=build/fuzz-deflate-
	! command -v clang >/dev/null || $(MAKE) fuzz-bytes

# Fuzzes the C loops over payload bytes by themselves; needs clang and its run-time library (Debian: clang,
# libclang-rt-14-dev).
fuzz-bytes:
	mkdir -p build
	clang -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Iwsecho/codec/native fuzz/bytes_fuzzer.c \
		-o build/bytes_fuzzer
	build/bytes_fuzzer -max_total_time=$(TIME) -max_len=700 -artifact_prefix=build/fuzz-bytes-

corpus: build $(VENV)/.dev
	$(BIN)/python fuzz/frames.py --fold fuzz/corpus/frames

# Runs the tests of the compiled codec and of its TCP transport, and the whole corpus, under AddressSanitizer and
# UndefinedBehaviorSanitizer.
asan: build $(VENV)/.dev
	$(BIN)/python -m tests.asan

# Installs the servers to compare with, measures, and writes benchmarks/results/. Takes 25 minutes.
bench: build
	sh benchmarks/debian_packages.sh
	$(BIN)/python -m benchmarks.bench

# Many connections, churn, hostile clients, a killed worker, a graceful shutdown: `make soak TIME=3600`. The load lasts
# ten minutes unless TIME is given. Needs a quiet machine with two cores, and 20,000 file descriptors for each process.
soak: TIME = 600
soak: build $(VENV)/.dev
	$(BIN)/python -m tests.soak --seconds $(TIME)

bench-quick: build
	sh benchmarks/debian_packages.sh
	$(BIN)/python -m benchmarks.bench --quick

memory: build
	sh benchmarks/debian_packages.sh
	$(BIN)/python -m benchmarks.bench --only growth --peers floor,wsecho

# Writes the instructions and bytes that the tests allow a message and a connection; for use after a change that is
# worth its cost.
instructions: build
	$(BIN)/python benchmarks/instructions.py --write

docs: build
	$(BIN)/python docs/tables.py
	$(BIN)/python deploy/grafana/dashboard.py
	$(BIN)/python deploy/kubernetes/prometheus_rule.py

# Judges the speed of the page in Chromium; needs a machine that does nothing else.
bench-page: build debian $(VENV)/.dev
	WSECHO_JUDGE_SPEED=1 $(BIN)/python -m pytest --quiet -rP tests/page/test_line.py tests/page/test_speed.py \
		tests/page/test_speed_of_log.py tests/page/test_server_panel.py tests/page/test_measure_panel.py

# Takes pictures of the page in all its states, for a person to look at, and the one that README.md shows.
screenshots: build debian $(VENV)/.dev
	WSECHO_SCREENSHOTS=build/screenshots $(BIN)/python -m pytest --quiet tests/page/test_screenshots.py
	cp build/screenshots/json-wide-light.png docs/images/page.png

# Builds what a release contains: the source distribution and, from that, a wheel for this Python and this system.
dist: $(VENV)/.dev
	rm -rf dist
	$(BIN)/uv build --quiet --python $(BIN)/python --out-dir dist

clean:
	rm -rf build dist $(VENV) *.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find benchmarks deploy docs fuzz tests wsecho \( -name __pycache__ -o -name node_modules -o -name '*.so' \) -prune \
		-exec rm -r {} +

# Checked at each run of make, and made again if .venv is for another version than that of PYTHON. If PYTHON has pip,
# that installs pip into .venv in a quarter of the time that venv needs for it.
$(VENV)/pyvenv.cfg: always
	@$(PYTHON) -B -c 'from wsecho.__main__ import require_python; require_python()'
	@version=$$($(PYTHON) -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])'); \
	grep -qsxF "version = $$version" $@ || { \
		echo "$(VENV) is made for Python $$version, and all dependencies are installed in it."; \
		{ $(PYTHON) -m venv --clear --without-pip $(VENV) \
			&& $(PYTHON) -m pip --python $(BIN)/python install --quiet --no-compile pip 2>/dev/null; } \
			|| $(PYTHON) -m venv --clear $(VENV); \
	}

# --no-compile: the server imports only a small part of what is installed, and `wsecho.bytecode` compiles that.
$(VENV)/.installed: $(VENV)/pyvenv.cfg pyproject.toml requirements.txt
	$(BIN)/python -m pip install --quiet --no-compile --requirement requirements.txt $$($(BIN)/python -c \
		'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"])')
	touch $@

# pip supports dependency groups (--group) since 25.1.
$(VENV)/.dev: $(VENV)/.installed tests/clients/package.json
	$(BIN)/python -m pip install --quiet 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --group dev
	! command -v npm >/dev/null || npm install --prefix tests/clients --no-package-lock --no-audit --no-fund --silent
	touch $@

# Builds the compiled codec in place. If that fails, the server uses the Python codec, and the next make tries again.
$(VENV)/.built: $(VENV)/.installed $(SOURCES)
	$(BIN)/python setup.py --quiet build_ext --inplace
	@$(BIN)/python -c 'from wsecho.codec.selection import load; load("compiled")' 2>/dev/null \
		&& touch $@ || echo "The server will use the Python codec, which takes more CPU time per message."

# Written even if the environment lets no start write bytecode.
$(VENV)/.bytecode: $(VENV)/.installed $(wildcard wsecho/*.py wsecho/*/*.py wsecho/*/*/*.py) | $(VENV)/.built
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m wsecho.bytecode
	@touch $@
