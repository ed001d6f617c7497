"""How much the server's resident memory grows while 100 connections each have one 16 MiB message echoed at once.

    python benchmarks/memory.py [--server NAME] [--connections N] [--mebibytes N] [--bound MIB]

Every connection sends one binary message in one frame and reads the echo while it still sends; the digest of each
echo is compared with that of what was sent. The client is this process, so only the server's own memory counts:
that of its process and of all below it, as /proc/PID/status has it. Growth is the peak (VmHWM, which misses nothing)
less what was resident when the server was ready (VmRSS).

Exit code 0: every echo intact and the growth below the bound. 1: not so.
"""

import argparse
import asyncio
import contextlib
import hashlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from programs import CompilationError, compile_program
from servers import COMMANDS, BenchmarkError, RunningServer, running

MIB = 1024 * 1024
CHUNK_BYTES = 256 * 1024
SHIFT_BYTES = 64 * 1024  # a multiple of the mask's length, so that one masked pool serves every connection
MASK = bytes((0x5A, 0xC3, 0x17, 0xE8))
EXCHANGE_SECONDS = 120.0
SAMPLE_SECONDS = 0.05
SETTLE_SECONDS = 1.0

# The example of RFC 6455 1.3: a key and the answer to it.
REQUEST = (
    b"GET /memory HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
CLOSE = b"\x88\x82" + MASK + bytes((0x03 ^ MASK[0], 0xE8 ^ MASK[1]))  # 1000


class Messages:
    """Different messages for all connections out of one pool of random bytes: each begins a little later in it."""

    def __init__(self, size: int, count: int) -> None:
        pool = os.urandom(size + count * SHIFT_BYTES)
        self.size = size
        self.plain = memoryview(pool)
        self.masked = memoryview(masked(pool))

    def digest(self, index: int) -> bytes:
        """Of the payload that connection `index` sends."""
        return hashlib.sha256(self._cut(self.plain, index)).digest()

    def payload(self, index: int) -> memoryview:
        """What connection `index` sends, masked."""
        return self._cut(self.masked, index)

    def _cut(self, pool: memoryview, index: int) -> memoryview:
        return pool[index * SHIFT_BYTES :][: self.size]


def masked(data: bytes) -> bytes:
    repeated = (MASK * (len(data) // len(MASK) + 1))[: len(data)]
    return (int.from_bytes(data, "little") ^ int.from_bytes(repeated, "little")).to_bytes(len(data), "little")


def header(size: int, mask: bytes = b"") -> bytes:
    """Of a binary message in one frame; a client's has a mask, a server's has none."""
    bit = 0x80 if mask else 0
    if size < 126:
        return bytes((0x82, bit | size)) + mask
    if size < 65536:
        return bytes((0x82, bit | 126)) + size.to_bytes(2) + mask
    return bytes((0x82, bit | 127)) + size.to_bytes(8) + mask


async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection and perform the handshake."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=CHUNK_BYTES)
    writer.write(REQUEST)
    response = await reader.readuntil(b"\r\n\r\n")
    if not response.startswith(b"HTTP/1.1 101 ") or ACCEPT not in response:
        raise BenchmarkError(f"handshake refused: {response[:80]!r}")
    return reader, writer


async def send(writer: asyncio.StreamWriter, payload: memoryview) -> None:
    writer.write(header(len(payload), MASK))
    for start in range(0, len(payload), CHUNK_BYTES):
        writer.write(payload[start : start + CHUNK_BYTES])
        await writer.drain()


async def digest_of_echo(reader: asyncio.StreamReader, size: int) -> bytes:
    """Read one echo of `size` bytes. A frame per message is what was sent, so it is what has to come back."""
    wanted = header(size)
    if (got := await reader.readexactly(len(wanted))) != wanted:
        raise BenchmarkError(f"the echo begins with {got.hex()}, not with {wanted.hex()}")
    digest, left = hashlib.sha256(), size
    while left:
        chunk = await reader.read(min(left, CHUNK_BYTES))
        if not chunk:
            raise BenchmarkError(f"the server closed the connection {left} bytes before the end of the echo")
        digest.update(chunk)
        left -= len(chunk)
    return digest.digest()


async def exchange(port: int, messages: Messages, index: int, everyone: asyncio.Barrier) -> bool:
    """Send one message, once everyone is connected, and say whether its echo is intact."""
    reader, writer = await connect(port)
    await everyone.wait()
    _, digest = await asyncio.gather(send(writer, messages.payload(index)), digest_of_echo(reader, messages.size))
    writer.write(CLOSE)
    with contextlib.suppress(ConnectionError):
        await reader.read()
        writer.close()
        await writer.wait_closed()
    return digest == messages.digest(index)


def memory(pids: Sequence[int], field: str) -> float:
    """MiB of these processes together: VmRSS, resident now, or VmHWM, the most that ever was."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                total += int(line.split()[1])
    return total / 1024


def forget_peak(pids: Sequence[int]) -> None:
    """Let VmHWM begin again from what is resident now: the server's start may have needed more."""
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")


@dataclass(frozen=True)
class Outcome:
    """Memory in MiB, and how many echoes came back as they were sent."""

    before: float
    during: list[float]
    peak: float
    after: float
    intact: int

    @property
    def growth(self) -> float:
        return self.peak - self.before


async def sample(pids: Sequence[int], samples: list[float]) -> None:
    while True:
        samples.append(memory(pids, "VmRSS"))
        await asyncio.sleep(SAMPLE_SECONDS)


async def observe(server: RunningServer, messages: Messages, connections: int) -> Outcome:
    """Run the exchange, and watch the server's memory meanwhile."""
    pids = server.pids()
    forget_peak(pids)
    before = memory(pids, "VmRSS")
    during: list[float] = []
    sampler = asyncio.create_task(sample(pids, during))
    everyone = asyncio.Barrier(connections)
    async with asyncio.timeout(EXCHANGE_SECONDS):
        exchanges = (exchange(server.port, messages, index, everyone) for index in range(connections))
        intact = await asyncio.gather(*exchanges)
    sampler.cancel()
    await asyncio.sleep(SETTLE_SECONDS)
    return Outcome(before, during, memory(pids, "VmHWM"), memory(pids, "VmRSS"), sum(intact))


def report(outcome: Outcome, arguments: argparse.Namespace) -> bool:
    """Print what was seen. True: it is as it should be."""
    passed: bool = outcome.intact == arguments.connections and outcome.growth < arguments.bound
    size = f"{arguments.connections} connections, one message of {arguments.mebibytes} MiB each"
    print(f"{arguments.server}: {size}")
    print(f"  echoes intact     {outcome.intact} of {arguments.connections}")
    print(f"  resident before   {outcome.before:8.1f} MiB")
    print(f"  resident during   {max(outcome.during):8.1f} MiB (highest of {len(outcome.during)} samples)")
    print(f"  peak              {outcome.peak:8.1f} MiB")
    print(f"  resident after    {outcome.after:8.1f} MiB")
    print(f"  growth            {outcome.growth:8.1f} MiB (bound: below {arguments.bound:g} MiB)")
    print("pass" if passed else "FAIL")
    return passed


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", choices=list(COMMANDS), default="wsecho", help="default: wsecho")
    parser.add_argument("--connections", type=int, default=100, help="default: 100")
    parser.add_argument("--mebibytes", type=int, default=16, help="size of each message (default: 16)")
    parser.add_argument("--bound", type=float, default=16.0, help="MiB of growth that are too much (default: 16)")
    arguments = parser.parse_args()
    if not 1 <= arguments.connections <= 500 or not 1 <= arguments.mebibytes <= 64:
        parser.error("--connections has to be 1 to 500, --mebibytes 1 to 64")
    return arguments


def main() -> int:
    arguments = parse_arguments()
    try:
        if arguments.server == "floor":
            compile_program("floor")
        messages = Messages(arguments.mebibytes * MIB, arguments.connections)
        with running(arguments.server) as server:
            outcome = asyncio.run(observe(server, messages, arguments.connections))
    except (BenchmarkError, CompilationError, OSError, asyncio.IncompleteReadError, TimeoutError) as error:
        print(f"FAIL: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0 if report(outcome, arguments) else 1


if __name__ == "__main__":
    sys.exit(main())
