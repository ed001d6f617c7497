"""Which modules a running server has imported, and whether Python had to compile them."""

import os
import signal
from typing import Any

from tests.shared.server import RunningServer

EVENT = "modules"

# Starts the server by its real entry point. On SIGUSR1 a process of it logs the modules that it has imported, each with
# whether there is valid bytecode of it. What is in the interpreter or in a shared library has none and needs none.
CODE = f"""
import json, os, signal, struct, sys

UNCHECKED = struct.pack("<I", 1)  # PEP 552

def is_compiled(module):
    spec = getattr(module, "__spec__", None)
    if spec is None or not spec.has_location or not str(spec.origin).endswith(".py"):
        return True
    try:
        with open(spec.cached, "rb") as file:
            head = file.read(16)
    except OSError:
        return False
    if head[4:8] == UNCHECKED:
        return True
    facts = os.stat(spec.origin)
    return head[4:] == struct.pack("<III", 0, int(facts.st_mtime), facts.st_size)

def report(number, frame):
    modules = {{name: is_compiled(module) for name, module in list(sys.modules.items())}}
    os.write(1, json.dumps({{"event": "{EVENT}", "severity": "INFO", "modules": modules}}).encode() + b"\\n")

signal.signal(signal.SIGUSR1, report)
from wsecho.__main__ import main
sys.exit(main())
"""


def imported(server: RunningServer, pid: int | None = None) -> dict[str, bool]:
    """Return the modules that a server whose command runs CODE, or one process of it, has imported so far.

    The values say which of them need no compilation.
    """
    os.kill(pid or server.pid, signal.SIGUSR1)
    modules: dict[str, bool] = server.wait_for_log(EVENT)["modules"]
    return modules


def uncompiled(modules: dict[str, Any]) -> set[str]:
    """Return the modules that had to be compiled."""
    return {name for name, is_compiled in modules.items() if not is_compiled}
