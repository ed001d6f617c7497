"""Measures one server once: starts it, runs a workload on it, stops it, and returns the figures."""

import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.client import Client
from benchmarks.exchange import echo_once
from benchmarks.machine import cores_for
from benchmarks.peers import Peer
from benchmarks.resident import peak, reset_peak, resident
from benchmarks.scraper import scrape, scraping
from benchmarks.servers import BenchmarkError, RunningServer, log_of, running
from benchmarks.turns import late
from benchmarks.workloads import Workload

# The figures of one measurement by name: numbers, and a few texts.
Sample = dict[str, Any]

# Idle connections that are open before the first reading, so that what the server allocates only once is not counted.
FIRST_CONNECTIONS = 100
SETTLE_SECONDS = 0.5
# How often a server whose event loop is watched is scraped, and how long a scrape is observed: it takes milliseconds.
SCRAPES = 40
SCRAPE_SECONDS = 0.05


@dataclass(frozen=True)
class Trial:
    """A server, a workload, and what is needed to measure them. `rate`: messages per second of an open loop."""

    peer: Peer
    workload: Workload
    program: Path
    certificate: tuple[Path, Path] | None
    rate: float = 0.0

    @property
    def client(self) -> Client:
        return Client(self.program, cores_for(self.workload.workers).client, self.peer.warm_up)

    def server(self) -> AbstractContextManager[RunningServer]:
        """Start the server anew; it runs during the block."""
        command = self.peer.start_command(self.workload, self.certificate)
        cores = cores_for(self.workload.workers).server
        return running(self.peer.name, command, cores, self.peer.announcements(self.workload))


def measure_echo(trial: Trial) -> Sample:
    """Measure a closed loop: the client sends a new message for each echo."""
    with trial.server() as server:
        window = trial.client.run("echo", server, trial.workload)
    return {
        "cpu_us": window["server_cpu_seconds"] / window["messages"] * 1e6,
        "per_second": window["messages_per_second"],
        "server_busy": window["server_cpu_seconds"] / window["seconds"],
        "client_busy": window["client_cpu_seconds"] / window["seconds"],
        "wire_bytes": window["wire_bytes_received_per_message"],
        **{key: window[key] for key in ("extensions", "echoes_compressed", "declined") if trial.workload.deflate},
    }


def measure_handshakes(trial: Trial) -> Sample:
    """Measure connections that are opened and closed: TCP, perhaps TLS, opening handshake, one echo, close."""
    with trial.server() as server:
        window = trial.client.run("handshakes", server, trial.workload)
    return {
        "cpu_us": window["server_cpu_us_per_handshake"],
        "per_second": window["handshakes_per_second"],
        "server_busy": window["server_cpu_seconds"] / window["seconds"],
    }


def measure_idle(trial: Trial) -> Sample:
    """Measure the resident memory that each of many idle connections adds."""
    workload, client = trial.workload, trial.client
    with trial.server() as server, client.holding(server, workload, FIRST_CONNECTIONS):
        time.sleep(SETTLE_SECONDS)
        before = resident(server.pids())
        with client.holding(server, workload, workload.connections) as held:
            time.sleep(SETTLE_SECONDS)
            after = resident(server.pids())
    return {
        "rss_kib": (after.rss - before.rss) / workload.connections / 1024,
        "pss_kib": (after.pss - before.pss) / workload.connections / 1024,
        **{key: held[key] for key in ("extensions", "declined") if workload.deflate},
    }


def measure_growth(trial: Trial) -> Sample:
    """Measure how far the resident memory rises above its size before the load, at its peak."""
    with trial.server() as server:
        pids = server.pids()
        reset_peak(pids)
        before = resident(pids).rss
        trial.client.run("echo", server, trial.workload)
        return {"mib": (peak(pids) - before) / 2**20}


def measure_start(trial: Trial) -> Sample:
    """Measure the time from the start of the process to its first echo."""
    started = time.monotonic()
    with trial.server() as server:
        echo_once(server.port)
        return {"seconds": time.monotonic() - started}


def measure_open_loop(trial: Trial) -> Sample:
    """Measure an open loop: the client sends messages at a fixed rate, however late the echoes are."""
    with trial.server() as server, scraping(server.port) if trial.peer.scraped else nullcontext():
        window = trial.client.run("open", server, trial.workload, "--rate", f"{trial.rate:.0f}")
    latency = {f"{name.replace('.', '_')}_us": value for name, value in window["latency_us"].items()}
    return latency | {
        "rate": window["rate_achieved"],
        "late_us": window["sends_late"]["max_us"],
        "cpu_us": window["server_cpu_seconds"] / window["messages"] * 1e6,
    }


def measure_turns(trial: Trial) -> Sample:
    """Measure how long iterations of the event loop take, during a scrape and in an equally long time without one."""
    with trial.server() as server:
        time.sleep(SETTLE_SECONDS)
        times = scrape(server.port, SCRAPES, 2 * SCRAPE_SECONDS)
    try:
        found = json.loads(log_of(trial.peer.name).read_text().splitlines()[-1])["turns"][0]
    except (IndexError, KeyError, TypeError, ValueError):
        raise BenchmarkError("the turns of the loop are not in its log") from None
    turns = list(zip(found[::2], found[1::2], strict=True))
    scraped = [within(turns, at, at + SCRAPE_SECONDS) for at in times]
    quiet = [within(turns, at + SCRAPE_SECONDS, at + 2 * SCRAPE_SECONDS) for at in times]
    return {
        "late_us": median(late(some, 0.001) for some in scraped) * 1e6,
        "quiet_late_us": median(late(some, 0.001) for some in quiet) * 1e6,
        "longest_us": median(max(some, default=0.0) for some in scraped) * 1e6,
        "quiet_longest_us": median(max(some, default=0.0) for some in quiet) * 1e6,
        "cpu_us": median(sum(some) for some in scraped) * 1e6,
    }


def within(turns: Sequence[tuple[float, float]], start: float, end: float) -> list[float]:
    """Return the lengths of the iterations that ended between two times."""
    return [length for at, length in turns if start <= at < end]


MEASUREMENTS: dict[str, Callable[[Trial], Sample]] = {
    "echo": measure_echo,
    "handshakes": measure_handshakes,
    "idle": measure_idle,
    "growth": measure_growth,
    "start": measure_start,
    "open": measure_open_loop,
    "turns": measure_turns,
}


def measure(trial: Trial) -> Sample:
    """Perform the measurement that the workload names. Raises BenchmarkError."""
    return MEASUREMENTS[trial.workload.kind](trial)
