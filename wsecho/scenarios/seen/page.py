"""The page /seen, which shows what the server saw of each connection under a key. Payloads are never kept or shown."""

import asyncio
import json
import os
from collections.abc import Iterator
from functools import partial
from time import monotonic
from typing import Any

from wsecho.http.response import Deferred, Response
from wsecho.scenarios.seen.blocks import Block
from wsecho.scenarios.seen.keys import Kept, Keys
from wsecho.scenarios.seen.summary import (
    ENDS,
    EVENTS,
    HEAD,
    OPCODE_NAMES,
    OPCODES,
    RECEIVED,
    SENT,
    SUMMARY,
    Counts,
    Event,
    Summary,
    decoded,
)

_FIN, _RESERVED_BITS = 0x80, 0x70
_FIELDS = (
    ("Content-Type", "application/json"),
    ("Cache-Control", "no-store"),
    ("Access-Control-Allow-Origin", "*"),
    ("X-Content-Type-Options", "nosniff"),
)


def page(keys: Keys, key: str, name: str, turn: asyncio.Lock) -> Deferred:
    """Return the page for `key`, which connections with this `name` are counted under. One is made at a `turn`."""
    return Deferred(partial(_made, keys, key, name, turn))


async def _made(keys: Keys, key: str, name: str, turn: asyncio.Lock) -> Response:
    # Thousands of frames take tens of milliseconds, in which other connections are served: hence a thread. The threads
    # of several pages would take most of the interpreter's time.
    await turn.acquire()
    making = asyncio.create_task(_encoded_in_thread(keys, key, name))
    # A client that leaves does not stop the thread, so it does not end the turn either.
    making.add_done_callback(lambda _: turn.release())
    return Response(200, _FIELDS, await asyncio.shield(making))


async def _encoded_in_thread(keys: Keys, key: str, name: str) -> bytes:
    return await asyncio.to_thread(_encoded, keys.kept(name, monotonic()), key)


def _encoded(kept: Kept, key: str) -> bytes:
    connections = list(_connections(kept.blocks))
    document = {
        "key": key,
        "attempts": kept.attempts,
        "connections_not_kept": max(kept.attempts - len(connections), 0),
        "connections": connections,
    }
    return json.dumps(document, ensure_ascii=False).encode() + b"\n"


def _connections(blocks: list[Block]) -> Iterator[dict[str, Any]]:
    """Yield the connections in the order in which they began."""
    by_owner: dict[int, list[Block]] = {}
    for block in reversed(blocks):
        if block.kind == SUMMARY:
            by_owner[block.owner] = [block]
        elif block.owner in by_owner:
            # Otherwise the beginning of the connection was not kept.
            by_owner[block.owner].append(block)
    for owner, (first, *others) in by_owner.items():
        summary = Summary.from_buffer_copy(first.data)
        head = b"".join(block.data for block in others if block.kind == HEAD)
        events = [event for block in others if block.kind == EVENTS for event in decoded(block.data)]
        yield _connection(owner, summary, head, events)


def _connection(owner: int, summary: Summary, head: bytes, events: list[Event]) -> dict[str, Any]:
    line, *fields = head.decode("latin-1").split("\r\n")
    is_over = summary.over >= 0
    return {
        "connection": f"{owner:016x}",
        "attempt": summary.attempt,
        "began": round(summary.began, 6),
        "request": line,
        "fields": [field.split(": ", 1) for field in fields],
        "fields_not_kept": not summary.has_whole_head,
        "status": summary.status or None,
        "answered": _time(summary.answered),
        "over": _time(summary.over),
        "lost": not is_over and not _is_alive(summary.pid),
        "received": _counts(summary.directions[RECEIVED]),
        "sent": _counts(summary.directions[SENT]),
        "close": {"received": _close(summary, RECEIVED), "sent": _close(summary, SENT)},
        "tcp": {"client": _end(summary, 0), "server": _end(summary, 1), "timeout": summary.timed_out},
        "events": [_event(event) for event in events],
        "events_not_kept": summary.events_not_kept,
    }


def _time(seconds: float) -> float | None:
    return None if seconds < 0 else round(seconds, 6)


def _counts(counts: Counts) -> dict[str, Any]:
    return {
        "bytes": counts.bytes,
        "frames": {
            name: {"count": count, "payload": payload}
            for name, count, payload in zip(OPCODE_NAMES, counts.frames, counts.payload, strict=True)
            if count
        },
    }


def _close(summary: Summary, direction: int) -> dict[str, Any] | None:
    code = summary.close_codes[direction]
    size = summary.close_sizes[direction]
    return {"at": _time(summary.closed[direction]), "code": code, "size": size} if code else None


def _end(summary: Summary, side: int) -> dict[str, Any] | None:
    how = summary.ends[side]
    return {"at": _time(summary.ended[side]), "how": ENDS[how]} if how else None


def _event(event: Event) -> dict[str, Any]:
    frame = event.frame
    shown: dict[str, Any] = {
        "at": round(event.seconds, 6),
        "from": "server" if event.is_sent else "client",
        "frame": OPCODES.get(frame.opcode, f"0x{frame.opcode:X}"),
        "size": frame.size,
        "final": bool(frame.first & _FIN),
    }
    if bits := (frame.first & _RESERVED_BITS) >> 4:
        shown["reserved"] = bits
    if frame.code:
        shown["code"] = frame.code
    # Only where it is not as it must be (RFC 6455 section 5.1).
    if frame.is_masked is event.is_sent:
        shown["masked"] = frame.is_masked
    if not frame.is_complete:
        shown["complete"] = False
    return shown


def _is_alive(pid: int) -> bool:
    """Return whether a process exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
