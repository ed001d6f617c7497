"""The table of workloads: what the client does with a server during a measurement, and which servers take part."""

from dataclasses import dataclass, replace

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True)
class Workload:
    """One workload. `kind` names the measurement; `rounds` is how often each server is started anew and measured."""

    name: str
    title: str
    kind: str = "echo"
    rounds: int = 3
    connections: int = 100
    size: int = 20
    in_flight: int = 1
    payload: str = "text"
    seconds: float = 1.0
    deflate: bool = False
    tls: bool = False
    used_once: bool = False  # one message was echoed on each idle connection
    workers: int = 1
    servers: tuple[str, ...] = ()  # the only servers that are measured; empty: all
    half_of: str = ""  # the closed loop whose throughput is halved for the rate of this open loop

    @property
    def features(self) -> frozenset[str]:
        """The features that a server needs."""
        wanted = {"deflate": self.deflate, "tls": self.tls, "workers": self.workers > 1}
        return frozenset(name for name, is_wanted in wanted.items() if is_wanted)


OPEN_LOOP_SERVERS = (
    "floor",
    "wsecho",
    "wsecho-scraped",
    "bun",
    "picows",
    "gorilla",
    "ws",
    "uvicorn",
    "aiohttp",
    "websockets",
)

WORKLOADS = (
    Workload("ping-20", "ping-pong, 20 B", size=20, rounds=5),
    Workload("ping-1k", "ping-pong, 1 KiB", size=KIB, rounds=5),
    Workload("ping-16k", "ping-pong, 16 KiB", size=16 * KIB, rounds=5),
    Workload("ping-20-binary", "ping-pong, 20 B binary", size=20, payload="binary"),
    Workload("ping-1k-binary", "ping-pong, 1 KiB binary", size=KIB, payload="binary"),
    Workload("ping-16k-binary", "ping-pong, 16 KiB binary", size=16 * KIB, payload="binary"),
    Workload("flight-16", "16 in flight, 20 B", in_flight=16, rounds=5),
    Workload("flight-100", "100 in flight, 20 B", in_flight=100, rounds=5),
    Workload("ping-1m", "1 MiB, 10 connections", size=MIB, connections=10, payload="binary"),
    Workload("ping-16m", "16 MiB, 4 connections", size=16 * MIB, connections=4, payload="binary"),
    Workload("deflate-1k", "permessage-deflate, 1 KiB JSON", size=KIB, payload="json", deflate=True),
    Workload("deflate-64k", "permessage-deflate, 64 KiB JSON", size=64 * KIB, payload="json", deflate=True),
    Workload("wss-1k", "wss, 1 KiB", size=KIB, tls=True),
    Workload("wss-64k", "wss, 64 KiB", size=64 * KIB, tls=True),
    Workload("workers-1", "16 in flight, 1 KiB, one worker", size=KIB, in_flight=16),
    Workload("workers-2", "16 in flight, 1 KiB, two workers", size=KIB, in_flight=16, workers=2),
    Workload("handshakes", "handshake", "handshakes", connections=50),
    Workload("handshakes-wss", "wss handshake", "handshakes", connections=50, tls=True),
    Workload("idle", "idle connection", "idle", rounds=1, connections=10_000),
    Workload("idle-deflate", "idle connection, deflate negotiated", "idle", rounds=1, connections=10_000, deflate=True),
    Workload(
        "idle-deflate-used",
        "idle connection, deflate used once",
        "idle",
        rounds=1,
        connections=10_000,
        size=KIB,
        payload="json",
        deflate=True,
        used_once=True,
    ),
    Workload("idle-wss", "idle wss connection", "idle", rounds=1, connections=10_000, tls=True),
    Workload("growth", "100 x 16 MiB at once", "growth", rounds=1, size=16 * MIB, payload="binary", seconds=6.0),
    Workload("start", "start to first echo", "start", rounds=5, connections=1),
    Workload(
        "open-1k",
        "open loop at half the throughput, 1 KiB",
        "open",
        rounds=5,
        size=KIB,
        seconds=4.0,
        servers=OPEN_LOOP_SERVERS,
        half_of="ping-1k",
    ),
    Workload("scrape", "what a scrape holds up", "turns", servers=("wsecho-watched",), connections=1),
)
BY_NAME = {workload.name: workload for workload in WORKLOADS}

QUICK = (
    "ping-20",
    "ping-1k",
    "ping-16k",
    "flight-16",
    "ping-1m",
    "deflate-1k",
    "wss-1k",
    "handshakes",
    "idle",
    "start",
)
QUICK_IDLE_CONNECTIONS = 1000


def chosen(names: list[str]) -> list[Workload]:
    """Return the workloads of these names, and those that they depend on, in the order of the table."""
    wanted = set(names) | {BY_NAME[name].half_of for name in names if BY_NAME[name].half_of}
    return [workload for workload in WORKLOADS if workload.name in wanted]


def quickened(workload: Workload) -> Workload:
    """Return the workload with fewer rounds and connections and a shorter window; its figures are indications."""
    connections = QUICK_IDLE_CONNECTIONS if workload.kind == "idle" else workload.connections
    return replace(workload, rounds=min(2, workload.rounds), seconds=0.5, connections=connections)
