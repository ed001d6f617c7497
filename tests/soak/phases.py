"""The phases, one after the other on one server, and what each of them must show."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Any

from tests.shared.processes import children, wait_until
from tests.shared.server import RunningServer
from tests.soak import crowds, hostile
from tests.soak.hostile import Mix
from tests.soak.observation import KIBIBYTE, MEBIBYTE, Observed
from tests.soak.report import Report
from wsecho.options.config import Config

WORKERS = 2
# What phases may take beyond their time: opening, closing, the last answers.
_PATIENCE = 120.0


@dataclass(frozen=True)
class Plan:
    """How long, and how much at once. `seconds` are those of load, without the phases' beginnings and ends."""

    seconds: float = 600.0
    connections: int = 10_000
    churn_rate: float = 500.0
    mix: Mix = field(default_factory=Mix)

    @property
    def options(self) -> tuple[str, ...]:
        """The server's: hostile peers are ended several times while they are there."""
        patience = f"{min(10.0, self.hostile_seconds / 4):.1f}s"
        limits = ("--handshake-timeout", patience, "--stall-timeout", patience, "--max-message-size", "1MiB")
        return ("--workers", str(WORKERS), *limits)

    @property
    def idle_seconds(self) -> float:
        return 0.2 * self.seconds

    @property
    def busy_seconds(self) -> float:
        return 0.25 * self.seconds

    @property
    def churn_seconds(self) -> float:
        return 0.2 * self.seconds

    @property
    def hostile_seconds(self) -> float:
        return 0.2 * self.seconds

    @property
    def death_seconds(self) -> float:
        return max(5.0, 0.02 * self.seconds)


class Soak:
    """Runs the phases. Crowds are processes of their own, so that none delays another."""

    def __init__(self, plan: Plan, server: RunningServer, crowd: ProcessPoolExecutor) -> None:
        self._plan = plan
        self._server = server
        self._crowd = crowd
        self._observed = Observed(server)
        self._report = Report()
        self._lost_with_workers = 0

    def run(self) -> Report:
        self._let(crowds.steady, 100, 0.0, 1.0).result(_PATIENCE)  # warm-up: what is made once is made
        self._descriptors = self._observed.descriptors()
        busy_p99 = self._idle_and_busy()
        self._churn()
        self._hostile(busy_p99)
        self._death()
        self._drain()
        return self._report

    def _let(self, crowd: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        return self._crowd.submit(crowds.in_this_process, crowd, self._server.port, *arguments)

    def _idle_and_busy(self) -> float:
        """Ten thousand, first silent, then at a message a second. Returns the busy ones' 99th percentile in seconds."""
        plan, report, observed = self._plan, self._report, self._observed
        before = observed.memory()
        began = monotonic()
        crowd = self._let(crowds.steady, plan.connections, plan.idle_seconds, plan.busy_seconds)
        observed.wait_for_connections(plan.connections, _PATIENCE)
        report.told("idle", "connections", plan.connections)
        report.told("idle", "seconds until all were open", monotonic() - began)
        canary = self._let(crowds.canary, plan.idle_seconds * 0.8)
        with observed.use() as use:
            sleep(plan.idle_seconds * 0.8)
        each = (observed.memory() - before) / plan.connections / KIBIBYTE
        report.at_most("idle", "resident memory a connection, KiB", each, 12)
        report.at_most("idle", "processor, percent of a core", 100 * use.cores, 15)
        report.at_most("idle", "canary's 99th percentile, ms", 1000 * canary.result(_PATIENCE).percentile(99), 10)
        with observed.use() as use:
            books = crowd.result(plan.idle_seconds + plan.busy_seconds + _PATIENCE)
        report.told("busy", "messages", books.sent)
        report.true("busy", "messages lost", books.lost)
        report.true("busy", "messages out of order", books.wrong)
        report.true("busy", "connections refused", books.failed_to_connect)
        report.true("busy", "connections that ended unasked", books.unexpected_ends)
        report.told("busy", "processor, percent of a core", 100 * use.cores)
        report.told("busy", "median, ms", 1000 * books.percentile(50))
        report.at_most("busy", "99th percentile, ms", 1000 * books.percentile(99), 50)
        self._nothing_is_left("busy")
        return books.percentile(99)

    def _churn(self) -> None:
        plan, report, observed = self._plan, self._report, self._observed
        opened = observed.metric("websocket_connections_total")
        crowd = self._let(crowds.churn, plan.churn_rate, plan.churn_seconds)
        sleep(plan.churn_seconds * 0.3)
        before = observed.memory()
        with observed.use() as use:
            books = crowd.result(plan.churn_seconds + _PATIENCE)
        report.told("churn", "connections", books.echoed)
        report.told("churn", "connections a second", books.echoed / plan.churn_seconds)
        report.told("churn", "processor, percent of a core", 100 * use.cores)
        report.true("churn", "connections refused", books.failed_to_connect)
        report.true("churn", "messages lost", books.lost)
        report.true("churn", "ends without the client's own code", books.ends.total() - books.ends[1000])
        counted = observed.metric("websocket_connections_total") - opened
        report.true("churn", "connections that the metrics do not know", abs(counted - books.ends.total()))
        self._nothing_is_left("churn")
        growth = (observed.memory() - before) / MEBIBYTE
        report.at_most("churn", "growth of resident memory, MiB", growth, 1)
        report.true("churn", "growth of resident memory, MiB, generously", growth, 8)

    def _hostile(self, busy_p99: float) -> None:
        plan, report, observed = self._plan, self._report, self._observed
        before = observed.memory()
        good = self._let(crowds.steady, plan.connections, 0.0, plan.hostile_seconds)
        observed.wait_for_connections(plan.connections, _PATIENCE)
        bad = self._let(hostile.assault, plan.mix, plan.hostile_seconds)
        peak, end = 0, monotonic() + plan.hostile_seconds
        while monotonic() < end:
            peak = max(peak, observed.memory())
            sleep(1.0)
        books, damage = good.result(_PATIENCE), bad.result(_PATIENCE)
        report.true("hostile", "good clients' messages lost", books.lost)
        report.true("hostile", "good clients cut off or refused", books.unexpected_ends + books.failed_to_connect)
        report.told("hostile", "good clients' median, ms", 1000 * books.percentile(50))
        at_most = max(2 * busy_p99, 0.05)
        report.at_most("hostile", "good clients' 99th percentile, ms", 1000 * books.percentile(99), 1000 * at_most)
        report.told("hostile", "dripping requests ended", damage.dripped)
        report.told("hostile", "clients that did not read cut off", damage.cut_off)
        report.told("hostile", "bombs and violations answered", damage.answered)
        report.true("hostile", "bombs and violations without the right Close", damage.unanswered)
        report.true("hostile", "peers that were never dealt with", (damage.dripped == 0) + (damage.cut_off == 0))
        # Who does not read while writing a long message may be lent memory, up to a limit for each worker.
        lent = WORKERS * Config().loan_limit
        bound = plan.connections * 12 * KIBIBYTE + plan.mix.slow_readers * MEBIBYTE / 8 + lent
        report.true("hostile", "growth of resident memory, MiB", (peak - before) / MEBIBYTE, bound / MEBIBYTE)
        self._nothing_is_left("hostile")

    def _death(self) -> None:
        """A worker is killed under load."""
        plan, report, observed = self._plan, self._report, self._observed
        count = plan.connections // 5
        crowd = self._let(crowds.through_a_death, count, plan.death_seconds)
        observed.wait_for_connections(count, _PATIENCE)
        killed = monotonic()
        os.kill(children(self._server.pid)[0], signal.SIGKILL)
        died = self._server.wait_for_log("worker died")
        self._server.wait_for_log("worker replaced")
        report.at_most("death", "seconds until the worker was replaced", monotonic() - killed, 1)
        survivors = crowd.result(plan.death_seconds + _PATIENCE)
        self._lost_with_workers = died["lost_connections"]
        report.told("death", "connections", count)
        report.told("death", "connections lost with the worker", died["lost_connections"])
        report.true("death", "other connections broken", abs(survivors.broken - died["lost_connections"]))
        report.true("death", "other connections' messages lost", survivors.books.lost)
        report.at_most("death", "seconds until all were back", survivors.seconds_until_all_were_back, 5)
        self._nothing_is_left("death")

    def _drain(self) -> None:
        plan, report = self._plan, self._report
        count = plan.connections
        echoed = self._observed.metric("websocket_messages_sent_total") + count
        crowd = self._let(crowds.until_the_goodbye, count)
        wait_until(lambda: self._observed.metric("websocket_messages_sent_total") == echoed, _PATIENCE)
        began = monotonic()
        exit_code = self._server.stop()
        report.at_most("drain", "seconds until the exit", monotonic() - began, 8)
        books = crowd.result(_PATIENCE)
        cut_off = sum(self._server.wait_for_log("stopped")["cut_off"] for _ in range(WORKERS))
        report.told("drain", "connections", count)
        report.true("drain", "connections without 1001", books.ends.total() - books.ends[1001])
        report.true("drain", "messages lost", books.lost)
        report.true("drain", "connections cut off", cut_off)
        report.true("drain", "exit code", exit_code)

    def _nothing_is_left(self, phase: str) -> None:
        report, observed = self._report, self._observed
        observed.wait_for_connections(0, _PATIENCE)
        report.true(phase, "descriptors left behind", observed.left_over(self._descriptors))
        seen = self._server.metrics()
        ended = seen["websocket_connection_duration_seconds_count"] + self._lost_with_workers
        report.true(phase, "connections that never ended", seen["websocket_connections_total"] - ended)


def soak(plan: Plan) -> Report:
    """Start a server, put it through everything, and tell how that went."""
    server = RunningServer(*plan.options)
    try:
        # Never by fork: a crowd must not inherit sockets.
        with ProcessPoolExecutor(3, multiprocessing.get_context("spawn")) as crowd:
            report = Soak(plan, server, crowd).run()
        complaints = [line for line in server.complaints() if line not in _of_the_death(server)]
        report.true("log", "lines of errors", len(complaints))
        return report
    finally:
        server.close()


def _of_the_death(server: RunningServer) -> list[dict[str, Any]]:
    return [line for line in server.logs if line["event"] == "worker died"]
