"""Tests the compiled codec and its TCP transport under AddressSanitizer and UndefinedBehaviorSanitizer.

`python -m tests.asan` compiles a copy of the package in build/asan with both sanitizers, and runs tests there. A read
past the end of the receive buffer, provoked first, must be reported: a run that could not fail would be worth nothing.
"""

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TREE = ROOT / "build" / "asan"
TESTS = (
    "tests/websocket/test_receive_buffer.py",
    "tests/websocket/test_echo.py",
    "tests/websocket/test_echo_stateful.py",
    "tests/websocket/test_echo_differential.py",
    "tests/codec/test_accept_key.py",
    "tests/codec/test_plain_request.py",
    "tests/tcp/test_accept.py",
    "tests/tcp/test_epoll_transport.py",
    "tests/tcp/test_lockstep.py",
    "tests/counting/test_cells.py",
    "tests/tls/test_client_hello.py",
)
FLAGS = "-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g -O1"
# The exit code of a process that ended with a report.
REPORTED = 99
OPTIONS = {"ASAN_OPTIONS": f"detect_leaks=0:exitcode={REPORTED}", "UBSAN_OPTIONS": "print_stacktrace=1"}
COMPILER = os.environ.get("CC", "gcc")


def build() -> None:
    """Copy the sources to build/asan and compile them there."""
    shutil.rmtree(TREE, ignore_errors=True)
    compiled = shutil.ignore_patterns("*.so", "__pycache__", "frames")
    for name in ("wsecho", "tests", "fuzz"):
        shutil.copytree(ROOT / name, TREE / name, ignore=compiled)
    for name in ("setup.py", "pyproject.toml", "requirements.txt", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, TREE)
    flags = {"CFLAGS": FLAGS, "LDFLAGS": FLAGS, "WSECHO_REQUIRE_NATIVE": "1"}
    command = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"]
    subprocess.run(command, cwd=TREE, env={**os.environ, **flags}, check=True)


def environment() -> dict[str, str]:
    """Return the environment for a Python that loads sanitized extensions: its own allocator would hide the ends."""
    library = subprocess.run([COMPILER, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    return {
        **os.environ,
        "LD_PRELOAD": library.stdout.strip(),
        **OPTIONS,
        "PYTHONMALLOC": "malloc",
    }


def run(*arguments: str, capture: bool = False) -> subprocess.CompletedProcess[str]:
    """Run Python in the sanitized tree."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=TREE, env=environment(), text=True, capture_output=capture, check=False)


def require_sanitized_modules() -> None:
    """In the sanitized tree, which ROOT is there: fail unless these are its own modules, and instrumented."""
    for built in ROOT.glob("wsecho/**/*.so"):
        name = built.relative_to(ROOT).as_posix().partition(".")[0].replace("/", ".")
        file = Path(importlib.import_module(name).__file__ or "")
        assert file.is_relative_to(ROOT), f"{file} is not in {ROOT}"
        symbols = file.read_bytes()
        assert b"__asan_report_load" in symbols, f"{file} was not built with AddressSanitizer"
        assert b"__ubsan_handle" in symbols, f"{file} was not built with UndefinedBehaviorSanitizer"


def read_past_the_end() -> None:
    """In the sanitized tree: let the compiled buffer look at one byte more than it has."""
    from wsecho.codec.native.receive_buffer import ReceiveBuffer

    buffer = ReceiveBuffer(64, 64)
    buffer.validate_utf8(0, len(buffer) + 2, 0)


def require_that_it_reports() -> None:
    """Fail unless a read past the end ends the process with a report."""
    broken = run("-c", "from tests import asan; asan.read_past_the_end()", capture=True)
    assert broken.returncode == REPORTED, f"a read past the end went unnoticed: {broken}"
    assert "AddressSanitizer: heap-buffer-overflow" in broken.stderr
    assert "bytes.h" in broken.stderr


def check_byte_loops() -> None:
    """Compile the C loops alone, and hold them against naive ones in memory of exactly the size they may touch."""
    program = TREE / "bytes_fuzzer"
    sources = ["-DREPLAY", f"-I{TREE}/wsecho/codec/native", str(TREE / "fuzz" / "bytes_fuzzer.c"), "-o", str(program)]
    subprocess.run([COMPILER, *FLAGS.split(), *sources], check=True)
    subprocess.run([program], env={**os.environ, **OPTIONS}, check=True)


def main() -> int:
    """Build, make sure of the build, run the tests there; return their exit code."""
    build()
    check_byte_loops()
    run("-c", "from tests import asan; asan.require_sanitized_modules()").check_returncode()
    require_that_it_reports()
    # Capturing descriptors would swallow the report.
    options = ("-q", "-p", "no:cacheprovider", "--capture=sys", "--timeout=600")
    return run("-m", "pytest", *options, *TESTS, *sys.argv[1:]).returncode


if __name__ == "__main__":
    sys.exit(main())
