"""The benchmark suite: how it computes its figures, and that it measures at all. No speed is required here."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import fleet, peers, targets, turns, workloads
from benchmarks.exchange import echo_once
from benchmarks.machine import ALLOWED, share_out
from benchmarks.peers import BY_NAME, PEERS
from benchmarks.report import report
from benchmarks.resident import resident
from benchmarks.results import Results, Series, read
from benchmarks.rounds import order, run_rounds
from benchmarks.scraper import REQUEST, read_answer
from benchmarks.servers import BenchmarkError, RunningServer, running
from benchmarks.summary import summary
from tests.shared.server import PATIENCE, ROOT
from tests.shared.server import RunningServer as WsechoServer

PING = workloads.BY_NAME["ping-20"]
DEFLATE = workloads.BY_NAME["deflate-1k"]
IDLE = workloads.BY_NAME["idle"]


def echoes(*costs: float, **more: Any) -> list[dict[str, Any]]:
    common = {"per_second": 1000.0, "server_busy": 0.5, "client_busy": 0.4, "wire_bytes": 22.0}
    return [{"cpu_us": cost} | common | more for cost in costs]


def results(*series: Series, **changes: Any) -> Results:
    measured = [row for row in workloads.WORKLOADS if any(one.workload == row.name for one in series)]
    names = [peer.name for peer in PEERS if any(one.server == peer.name for one in series)]
    complete = Results(
        date="2031-05-07",
        commit="abc1234",
        command="python -m benchmarks.bench",
        machine={"CPU": "Abacus", "cores": "2", "virtual": "no", "kernel": "Linux 9.9", "Python": "CPython 3.11.7"},
        servers={name: {"title": BY_NAME[name].title, "version": f"{name} 1.0"} for name in names},
        missing={},
        workloads=measured,
        series=list(series),
    )
    return replace(complete, **changes)


def rows(table: str) -> dict[str, list[str]]:
    """Return the cells of a table's rows by their first cell."""
    cells = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in table.splitlines() if "|" in line]
    return {row[0]: row[1:] for row in cells}


# ---- sums ----


def test_a_ratio_is_taken_within_each_round() -> None:
    # The machine is half as fast in the second round. The medians alone would yield 1.5, whatever the servers do.
    found = results(
        Series("ping-20", "floor", echoes(2.0, 4.0, 2.0)), Series("ping-20", "wsecho", echoes(3.0, 6.0, 2.2))
    )
    assert found.ratio("ping-20", "wsecho", "floor") == pytest.approx(1.5)
    assert found.median("ping-20", "wsecho") == 3.0
    assert found.find("ping-20", "wsecho").range("cpu_us") == (2.2, 6.0)  # type: ignore[union-attr]


def test_there_is_no_ratio_to_what_was_not_measured() -> None:
    found = results(Series("ping-20", "wsecho", echoes(3.0)), Series("ping-20", "floor", failed="wrong echo"))
    assert found.ratio("ping-20", "wsecho", "floor") is None
    assert found.ratio("ping-20", "wsecho", "bun") is None


def test_results_come_back_from_their_file(tmp_path: Path) -> None:
    found = results(
        Series("ping-20", "floor", echoes(2.5)),
        Series("ping-20", "wsecho", failed="no echo"),
        Series("deflate-1k", "floor", unsupported="knows no compression"),
        missing={"bun": "npm was not found"},
        disturbance={"used by others": 0.01},
        guards={"bytes per idle connection": "1,200"},
    )
    found.write(tmp_path / "results.json")
    assert read(tmp_path / "results.json") == found


def test_the_report_shows_the_guards() -> None:
    found = results(Series("ping-20", "wsecho", echoes(3.0)), guards={"bytes per idle connection": "1,200"})
    assert "- bytes per idle connection: 1,200" in report(found).splitlines()


# ---- the order of measurements ----


def test_every_round_measures_every_server_and_begins_with_another() -> None:
    servers = list(PEERS[:5])
    rounds = [order(servers, number) for number in range(5)]
    assert all(sorted(peer.name for peer in one) == sorted(peer.name for peer in servers) for one in rounds)
    assert len({one[0].name for one in rounds}) > 2
    assert rounds[1] != rounds[0]


def test_a_server_that_fails_once_has_no_figure_and_the_others_go_on() -> None:
    asked = []

    def measure(peer: peers.Peer) -> dict[str, Any]:
        asked.append(peer.name)
        if peer.name == "wsecho" and asked.count("wsecho") == 2:
            raise BenchmarkError("connection 7: echo 3 is wrong")
        return {"cpu_us": 1.0}

    floor, wsecho = run_rounds(replace(PING, rounds=4), PEERS[:2], measure)
    assert len(floor.samples) == 4
    assert (wsecho.samples, wsecho.failed) == ([], "connection 7: echo 3 is wrong")
    assert asked.count("wsecho") == 2


@pytest.mark.parametrize(
    ("allowed", "workers", "server", "client"),
    [
        ([0, 1], 1, (0,), 1),
        ([2, 5, 6], 1, (2,), 5),
        ([0, 1, 2], 2, (0, 1), 2),
        ([0, 1], 2, (0, 1), 1),
        ([3], 1, (3,), 3),
    ],
)
def test_server_and_client_have_cores_of_their_own_where_there_are_enough(
    allowed: list[int], workers: int, server: tuple[int, ...], client: int
) -> None:
    cores = share_out(allowed, workers)
    assert (cores.server, cores.client) == (server, client)


# ---- which options each server gets ----


def test_a_server_that_cannot_run_a_workload_gives_the_reason() -> None:
    assert BY_NAME["floor"].unsupported(DEFLATE) == "knows no compression"
    assert BY_NAME["wsecho"].unsupported(DEFLATE) is None
    assert all(peer.unsupported(PING) is None for peer in PEERS)


def test_an_open_loop_brings_along_the_workload_that_its_rate_comes_from() -> None:
    assert [row.name for row in workloads.chosen(["open-1k"])] == ["ping-1k", "open-1k"]


def test_every_name_of_a_workload_or_server_is_one() -> None:
    named = {name for row in workloads.WORKLOADS for name in row.servers} | set(peers.QUICK) | set(peers.OURS)
    assert named <= BY_NAME.keys()
    judged = {target.workload for target in targets.TARGETS}  # type: ignore[attr-defined]
    assert judged | set(workloads.QUICK) <= workloads.BY_NAME.keys()


def test_peers_are_pinned_to_the_version() -> None:
    pins = [line for line in peers.PYTHON_PINS.read_text().splitlines() if line and not line.startswith("#")]
    assert [pin for pin in pins if not re.fullmatch(r"[\w-]+==[\w.]+", pin)] == []
    manifest = json.loads((peers.HERE / "package.json").read_text())
    locked = json.loads((peers.HERE / "package-lock.json").read_text())["packages"]
    for name, version in (manifest["dependencies"] | manifest["optionalDependencies"]).items():
        assert locked[f"node_modules/{name}"]["version"] == version


# ---- what is reported ----


def test_the_summary_compares_cpu_time_and_shows_memory_as_it_is() -> None:
    table = rows(
        summary(
            results(
                Series("ping-20", "floor", echoes(2.0)),
                Series("ping-20", "wsecho", echoes(2.5)),
                Series("ping-20", "bun", echoes(2.0)),
                Series("ping-20", "picows", echoes(10.0)),
                Series("idle", "wsecho", [{"rss_kib": 4.0, "pss_kib": 4.0}]),
                Series("idle", "picows", [{"rss_kib": 28.0, "pss_kib": 28.0}]),
            ),
            "name",
        )
    )
    assert table["workload"] == ["floor (C)", "wsecho", "Bun", "picows"]
    assert table["ping-pong, 20 B"] == ["2.00 µs", "2.50 µs (1.25x)", "**0.80x**", "4.0x"]
    assert table["idle connection"] == ["-", "4.00 KiB", "-", "28.0 KiB"]


def test_a_fleet_is_worked_out_from_the_figures_that_there_are() -> None:
    found = results(
        Series("handshakes", "wsecho", echoes(100.0)), Series("idle", "wsecho", [{"rss_kib": 8.0, "pss_kib": 8.0}])
    )
    assert rows(fleet.figures(found)) == rows(
        "| one worker | measured | `--only` |\n| --- | ---: | ---: |\n"
        "| a connection with one echo | 100 µs of CPU time; 1,000 a second on 50% of a core | `handshakes` |\n"
        "| memory of an idle connection | 8.00 KiB | `idle` |"
    )
    needed = rows(fleet.fleet(found))
    assert needed["memory of connections"] == ["1,000,000 x 8.00 KiB", "7.63 GiB", "62.5 MiB"]
    assert needed["all clients connect at once"] == ["1,000,000 x 100 µs", "100 s of a core", "0.80 s of a core"]
    assert "100,000 echoes of 1 KiB a second" not in needed


def test_a_multiple_that_is_no_quotient_of_the_figures_beside_it_is_explained() -> None:
    slow_at_times = Series("ping-20", "wsecho", echoes(2.2, 2.2, 4.4, 4.4, 3.0))
    explained = summary(results(Series("ping-20", "floor", echoes(2.0, 2.0, 4.0, 4.0, 2.0)), slow_at_times), "name")
    assert rows(explained)["ping-pong, 20 B"] == ["2.00 µs", "3.00 µs (1.10x)"]
    assert "For 3.00 µs and 2.00 µs it is 1.10x, not 1.50x." in " ".join(explained.splitlines())
    steady = Series("ping-20", "wsecho", echoes(2.2))
    plain = summary(results(Series("ping-20", "floor", echoes(2.0)), steady), "name")
    assert plain.partition("\n\n")[0].endswith("those within each round.")
    assert "quotient" in report(results(steady))


def test_what_failed_or_is_missing_is_named() -> None:
    found = results(
        Series("ping-20", "floor", echoes(2.0)),
        Series("ping-20", "wsecho", failed="connection 3: echo 9 is wrong"),
        Series("ping-20", "aiohttp", failed="did not start"),
        Series(
            "deflate-1k", "wsecho", echoes(9.0, extensions="permessage-deflate", echoes_compressed=True, declined=7)
        ),
        Series(
            "deflate-1k", "aiohttp", echoes(90.0, extensions="permessage-deflate", echoes_compressed=False, declined=0)
        ),
        Series("deflate-1k", "floor", unsupported="knows no compression"),
        missing={"bun": "npm was not found"},
    )
    short = summary(found, "name")
    assert rows(short)["ping-pong, 20 B"] == ["2.00 µs", "failed", "failed"]
    assert "bun (npm was not found)" in short
    whole = report(found)
    for told in (
        "| wsecho | failed: connection 3: echo 9 is wrong |",
        "| floor (C) | not measured: knows no compression |",
        "bun: not installed: npm was not found",
        "permessage-deflate; echoes are not compressed",
        "permessage-deflate; declined on 7 connections",
    ):
        assert told in whole


def test_a_machine_that_others_used_is_called_so() -> None:
    series = Series("ping-20", "wsecho", echoes(2.5))
    quiet, busy = ({"used by others": share, "stolen by the host": 0.01} for share in (0.01, 0.3))
    for disturbance, told in ((quiet, False), (busy, True)):
        found = results(series, disturbance=disturbance)
        assert ("others used 31% of it" in report(found)) is told
        assert ("others used 31% of it" in summary(found, "name")) is told


@pytest.mark.parametrize(
    ("floor", "wsecho", "bun", "short"),
    [
        (2.0, 2.2, 2.4, []),
        (2.0, 2.4, 2.6, ["ping-pong, 20 B: at most 1.15x the floor (1.20x)"]),
        (2.0, 2.2, 2.1, ["ping-pong, 20 B: cheaper than every peer (Bun 0.95x)"]),
    ],
)
def test_targets_that_do_not_hold_are_named(floor: float, wsecho: float, bun: float, short: list[str]) -> None:
    found = results(
        Series("ping-20", "floor", echoes(floor)),
        Series("ping-20", "wsecho", echoes(wsecho)),
        Series("ping-20", "bun", echoes(bun)),
    )
    assert summary(found, "name").splitlines()[-1] == f"Targets that wsecho missed: {'; '.join(short) or 'none'}."
    assert report(found).count("MISSED") == len(short)


def test_the_target_on_scrapes_is_one_on_the_difference() -> None:
    for scraped, holds in ((1100.0, True), (1300.0, False)):
        sample = {"late_us": scraped, "quiet_late_us": 200.0, "longest_us": 1500.0}
        found = results(Series("scrape", "wsecho-watched", [sample]))
        assert targets.UnmovedByScrapes("scrape", 1000.0).verdict(found).holds is holds


def test_an_iteration_delays_what_is_due_during_it_and_after_it() -> None:
    # At half the possible load, an iteration of 2 ms delays what is due within 4 ms: four thousandths of a second.
    assert turns.late([0.002], 0.004) < 1e-6
    assert turns.late([0.002], 0.002) == pytest.approx(0.001)
    assert turns.late([0.002, 0.001], 0.004) == pytest.approx(0.0005)
    assert turns.late([], 0.001) == 0


# ---- real runs ----


def python_server(program: str) -> AbstractContextManager[RunningServer]:
    return running("test", [sys.executable, "-c", program], ALLOWED[:1])


def test_a_server_that_does_not_start_is_quoted() -> None:
    with pytest.raises(BenchmarkError, match="did not start: no such option"), python_server("exit('no such option')"):
        pass


def test_nothing_is_left_of_a_server_and_its_workers() -> None:
    program = (
        "import subprocess; worker = subprocess.Popen(['sleep', '60']); print('port 1', flush=True); worker.wait()"
    )
    with python_server(program) as server:
        pids = server.pids()
        assert len(pids) == 2
        assert all(os.sched_getaffinity(pid) == set(ALLOWED[:1]) for pid in pids)
        assert resident(pids).rss >= resident(pids).pss > 0
    assert wait_until(lambda: not any(is_running(pid) for pid in pids))
    assert os.sched_getaffinity(0) == set(ALLOWED)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not holds() and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    return holds()


def test_scrapes_are_read_to_the_end_and_nothing_else_counts_as_one(server: WsechoServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as connection:
        for _ in range(3):
            connection.sendall(REQUEST)
            read_answer(connection)
        connection.sendall(REQUEST.replace(b"/metrics", b"/nothing"))
        with pytest.raises(OSError, match="not an answer to a scrape"):
            read_answer(connection)


def test_the_first_echo_is_an_echo(server: WsechoServer) -> None:
    echo_once(server.port)


def test_a_small_run_measures_and_writes_what_it_found(tmp_path: Path) -> None:
    small = ("--only", "ping-20,deflate-1k,start", "--peers", "floor,wsecho", "--rounds", "1", "--seconds", "0.2")
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.bench", *small, "--into", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    if "is not installed" in run.stderr:
        pytest.skip(run.stderr.strip())
    assert run.returncode == 0, run.stderr
    written = {path.suffix: path for path in tmp_path.iterdir()}
    assert written[".md"].read_text() == run.stdout.removesuffix("\n")
    found = read(written[".json"])
    for workload, server in (
        ("ping-20", "floor"),
        ("ping-20", "wsecho"),
        ("deflate-1k", "wsecho"),
        ("start", "wsecho"),
    ):
        figure = found.median(workload, server)
        assert figure is not None
        assert figure > 0
    assert found.find("deflate-1k", "wsecho").samples[0]["echoes_compressed"]  # type: ignore[union-attr]
    assert "not measured: knows no compression" in run.stdout
