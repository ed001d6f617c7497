"""CPU time, memory and file descriptors of a process and its children, which may end while they are read."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shared.processes import is_running, wait_until
from wsecho.counting import process_usage
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


def test_children_are_included() -> None:
    alone = usage(os.getpid(), ())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        both = usage(os.getpid(), [child.pid])
        child.communicate(b"\n")
    assert alone
    assert both
    assert both.open_descriptors > alone.open_descriptors > 0
    assert both.resident_memory > 0


def test_without_proc_there_is_no_usage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(process_usage, "_PROC", tmp_path)
    assert usage(os.getpid(), ()) is None
