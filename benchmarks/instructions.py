"""Counts the instructions of a message in the compiled codec, and of a handshake, and the bytes of an idle connection.

    python benchmarks/instructions.py            prints the figures
    python benchmarks/instructions.py --write    also writes them to instructions.json, to be committed

The same code gives the same figures, even on a busy machine. For a message, Valgrind counts the instructions inside the
echo's `receive`, which gets a fixed input. connection_costs.py measures the other two. They depend on the compiler and
on Python, so the versions of both are stored with them.
"""

import json
import platform
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
COMMITTED = HERE / "instructions.json"
RECEIVE = "__pyx_f_6wsecho_5codec_6native_4echo_4Echo_receive"

TEXT, BINARY = 0x1, 0x2
# For each name: the opcode, the payload bytes of a message, and the messages in one read.
READS = {
    "one text of 20 B": (TEXT, 20, 1),
    "16 texts of 20 B": (TEXT, 20, 16),
    "100 binary of 20 B": (BINARY, 20, 100),
    "one text of 1 KiB": (TEXT, 1024, 1),
    "one binary of 16 KiB": (BINARY, 16 * 1024, 1),
}
REPEATS = 500


class MeasurementError(Exception):
    """Something that a measurement needs is missing on this machine; the text is for the user."""


def compiler() -> str:
    """Return what determines the compiled code: processor, compiler and its version."""
    try:
        version = subprocess.run(["cc", "-dumpfullversion"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        raise MeasurementError("there is no C compiler") from None
    # The codec processes long payloads in wider registers if the processor has them.
    wide = ", avx2" if " avx2 " in Path("/proc/cpuinfo").read_text() else ""
    return f"{platform.machine()}{wide}, cc {version.strip()}"


def measure(name: str) -> float:
    """Return the instructions per message of the read with that name. Raises MeasurementError."""
    return _count(name) / (REPEATS * READS[name][2])


def _count(name: str) -> int:
    command = [
        *("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"),
        *("--collect-atstart=no", f"--toggle-collect={RECEIVE}"),
        *(sys.executable, __file__, "--receive", name),
    ]
    try:
        finished = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise MeasurementError("valgrind is not installed") from None
    found = re.search(r"Collected : (\d+)", finished.stderr)
    if finished.returncode or not found or found[1] == "0":
        raise MeasurementError(f"valgrind counted nothing: {finished.stderr[-500:]}")
    return int(found[1])


def receive(name: str) -> None:
    """Let the echo receive the same read repeatedly; this runs under Valgrind."""
    sys.path.insert(0, str(HERE.parent))
    # Only the echo is imported: with the rest of the codec, and asyncio, Valgrind takes 20 times as long.
    from wsecho.codec.native.echo import Echo
    from wsecho.codec.native.message_counters import MessageCounters
    from wsecho.codec.native.receive_buffer import ReceiveBuffer

    from wsecho.websocket.message_counters import EchoRow

    buffer = ReceiveBuffer(64 * 1024, 16 * 1024)
    echo = Echo(buffer, MessageCounters(EchoRow()), 1 << 26, 1 << 20)
    opcode, size, messages = READS[name]
    read = _masked_frame(opcode, size) * messages
    for _ in range(REPEATS):
        buffer.place(buffer.landing, read)
        echo.receive(len(read))


def _masked_frame(opcode: int, size: int) -> bytes:
    length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    mask = b"\x01\x02\x03\x04"
    return bytes((0x80 | opcode,)) + length + mask + bytes(ord("a") ^ mask[index % 4] for index in range(size))


def main() -> None:
    """Print the figures, and write them to the file with --write."""
    sys.path.insert(0, str(HERE.parent))
    from benchmarks.connection_costs import bytes_per_idle_connection, instructions_per_handshake

    figures = {
        "compiler": compiler(),
        "python": platform.python_version(),
        "instructions_per_message": {name: measure(name) for name in READS},
        "instructions_per_handshake": instructions_per_handshake(),
        "bytes_per_idle_connection": bytes_per_idle_connection(),
    }
    text = json.dumps(figures, indent=2) + "\n"
    print(text, end="")
    if "--write" in sys.argv:
        COMMITTED.write_text(text)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--receive"]:
        receive(sys.argv[2])
    else:
        main()
