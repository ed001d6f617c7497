"""What a web page sees of a row of the catalogue, in a browser that does what the row expects.

A page sees less than an application with a client of its own: no status and no body of a refusal, no pings, no TCP.
"""

from collections.abc import Mapping
from typing import Any

from wsecho.scenarios.language.word import Row

# Parts of `act` that a page cannot do: it sends no pings and no header fields, and the browser reads for it.
_BEYOND_A_PAGE = ("ping", "authenticate as ", "send the token ", "read ")
# What a row needs that a page cannot find out.
_UNKNOWN_TO_A_PAGE = "privilege"
_OFFERS = "offer the subprotocols "


def as_seen(row: Row) -> dict[str, Any]:
    """Return what a page sees, for JSON.

    `visible`: whether a page can do what `act` says and see whether the outcome is right. `opens`, `close`, with
    `codes`, `clean` and `reason`, and `messages`, with `least` and `most`, are what is right; what is missing does not
    matter. `subprotocol` is the selected one, empty for none. `attempts` has such an object for each connection.
    `within` is in seconds. What the row itself says of browsers replaces what is derived from the rest of it.
    """
    parts = row.act.split(", ")
    is_visible = _UNKNOWN_TO_A_PAGE not in row.needs and not any(part.startswith(_BEYOND_A_PAGE) for part in parts)
    seen: dict[str, Any] = {"visible": is_visible, **_of_connection(row.expect)}
    if "subprotocols" in row.needs and not any(part.startswith(_OFFERS) for part in parts):
        seen["subprotocol"] = ""
    if "attempts" in row.expect:
        seen["attempts"] = [_of_connection(attempt) for attempt in row.expect["attempts"]]
    return {**seen, "within": row.expect["within"], **row.browser}


def _of_connection(expect: Mapping[str, Any]) -> dict[str, Any]:
    seen: dict[str, Any] = {"opens": expect["opened"]}
    close = {name: expect[name] for name in ("clean", "reason") if name in expect}
    if "close_code" in expect:
        codes = expect["close_code"]
        close["codes"] = codes if isinstance(codes, list) else [codes]
    if close:
        seen["close"] = close
    count = len(expect["messages"]) if "messages" in expect else expect.get("echoes")
    if count is not None:
        seen["messages"] = {"least": count, "most": count}
    return seen
