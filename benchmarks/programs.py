"""Compiles the C programs of this folder: `floor`, a minimal echo server, and `load`, the client.

    python benchmarks/programs.py [--into FOLDER] [NAME ...]

The compiler is $CC, by default cc. $CFLAGS are added to the flags. Exit code 1: a program could not be compiled, and
stderr says why.
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent / "build" / "bench"

SOURCES = {"floor": ["floor.c"], "load": ["load/*.c"]}
LIBRARIES = {"floor": [], "load": ["-lssl", "-lcrypto", "-lz"]}
# The Debian package that contains a header, for the error message. `make bench` installs them if root runs it.
PACKAGES = {"openssl/": "libssl-dev", "zlib.h": "zlib1g-dev"}
OTHER_HEADERS = "libc6-dev"


class CompilationError(Exception):
    """A program could not be compiled; the text says what is missing or wrong."""


def compile_program(name: str, into: Path = BUILD) -> Path:
    """Compile a program of SOURCES and return its path. Raises CompilationError."""
    into.mkdir(parents=True, exist_ok=True)
    program = into / name
    sources = [str(source) for pattern in SOURCES[name] for source in sorted(HERE.glob(pattern))]
    command = [os.environ.get("CC", "cc"), "-O2", "-Wall", "-Wextra", *os.environ.get("CFLAGS", "").split()]
    command += ["-o", str(program), *sources, *LIBRARIES[name]]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise CompilationError(f"{command[0]} is not installed (Debian packages: gcc, libc6-dev)") from None
    except subprocess.CalledProcessError as error:
        raise CompilationError(explain(name, error.stderr)) from None
    return program


def explain(name: str, errors: str) -> str:
    """Return a short explanation of the compiler's errors if a header is missing, otherwise all of them."""
    missing = re.search(r"fatal error: (\S+): No such file", errors)
    if not missing:
        return f"{name} does not compile:\n{errors}"
    header = missing[1]
    package = next((package for start, package in PACKAGES.items() if header.startswith(start)), OTHER_HEADERS)
    return f"{name} needs {header}, which is not installed (Debian package: {package})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", metavar="NAME", nargs="*", help=" or ".join(SOURCES))
    parser.add_argument("--into", type=Path, default=BUILD, metavar="FOLDER", help="default: build/bench")
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.names) - SOURCES.keys()):
        parser.error(f"{', '.join(unknown)}: not among {', '.join(SOURCES)}")
    try:
        for name in arguments.names or SOURCES:
            print(compile_program(name, arguments.into))
    except CompilationError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
