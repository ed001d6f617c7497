"""CPU time, memory and file descriptors of processes that end while they are read.

Modules: `process_usage`.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shared.processes import is_running, wait_until
from wsecho.counting.process_usage import usage


@pytest.mark.parametrize("reads", range(8))
def test_cpu_time_never_decreases_while_the_parent_waits_for_a_child(
    monkeypatch: pytest.MonkeyPatch, reads: int
) -> None:
    program = "import time\nwhile time.process_time() < 0.3: pass"
    with subprocess.Popen([sys.executable, "-c", program]) as child:
        wait_until(lambda: not is_running(child.pid))
        before = cpu_seconds(child.pid)
        left = reads
        read_text = Path.read_text

        def wait_before_a_read(file: Path) -> str:
            nonlocal left
            if left == 0:
                child.wait()
            left -= 1
            return read_text(file)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "read_text", wait_before_a_read)
            meanwhile = cpu_seconds(child.pid)
    assert before <= meanwhile <= cpu_seconds(child.pid)


def cpu_seconds(child: int) -> float:
    used = usage(os.getpid(), [child])
    assert used
    return used.cpu_seconds
