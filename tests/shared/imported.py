"""Which modules a running server has imported."""

import os
import signal
import sys
from pathlib import Path

from tests.shared.processes import wait_until


def reporting(folder: Path) -> list[str]:
    """Return the command of a server whose processes write their modules to a file in `folder` on SIGUSR1."""
    code = (
        "import os, signal, sys\n"
        "def report(number, frame):\n"
        f"    name = {str(folder)!r} + f'/{{os.getpid()}}'\n"
        "    with open(name + '.part', 'w') as file: file.write(chr(10).join(sys.modules))\n"
        "    os.rename(name + '.part', name)\n"
        "signal.signal(signal.SIGUSR1, report)\n"
        "from wsecho.__main__ import main\n"
        "sys.exit(main())"
    )
    return [sys.executable, "-c", code]


def imported(pid: int, folder: Path) -> set[str]:
    """Return the modules that process `pid` of such a server has imported so far."""
    report = folder / str(pid)
    report.unlink(missing_ok=True)
    os.kill(pid, signal.SIGUSR1)
    wait_until(report.exists)
    return set(report.read_text().splitlines())
