"""Group E: over several connections. These rows need no step of their own, but `next` and `times` between steps."""

from typing import Any

from wsecho.scenarios.language.word import Row

_OPEN = {"opened": True}
_REFUSED = {"opened": False, "status": 503}


def _closed(code: int) -> dict[str, Any]:
    return {"opened": True, "close_code": code, "clean": True}


def _expect(*attempts: dict[str, Any], within: float) -> dict[str, Any]:
    """Return what a client reports of its first connections, which all have the same URL."""
    return {"attempts": list(attempts), "opened": attempts[-1]["opened"], "within": within}


_LOST = {"opened": True, "close_code": 1006, "clean": False}
_AGAIN = "connect, and connect again after each connection, {} in all"

# `judge` is read from /seen: "gaps grow" and "gaps of" are the times between two connections under a key.
ROWS = (
    Row(
        "24.1.1",
        "/ws/times/3/reject/503/next",
        act=_AGAIN.format(4),
        expect=_expect(_REFUSED, _REFUSED, _REFUSED, _OPEN, within=60),
        demand="should",
        judge=("4 attempts", "gaps grow"),
        slow=10,
        needs=("several connections",),
        cases=("jwm#13", "Ilmar7786/marzban-sdk#85", "superplanehq/superplane#6421", "jsfiddle/togetherjs#359"),
    ),
    Row(
        "24.1.2",
        "/ws/times/2/reject/429/next?retry-after=2s",
        act=_AGAIN.format(3),
        expect=_expect(*[{"opened": False, "status": 429}] * 2, _OPEN, within=60),
        demand="should",
        judge=("3 attempts", "gaps of 2 s or more"),
        slow=4,
        needs=("several connections",),
        cases=("langchain-ai/langsmith-sdk#3493", "bodyscape/cielo_home#116", "fastrepl/anarlog#652"),
    ),
    Row(
        "24.1.3",
        "/ws/close/1012/next",
        act=_AGAIN.format(2),
        expect=_expect(_closed(1012), _OPEN, within=60),
        demand="should",
        judge=("2 attempts",),
        needs=("several connections",),
        cases=("wsc#978", "felangel/web_socket_client#50"),
    ),
    Row(
        "24.1.4",
        "/ws/close/1001/next",
        act=_AGAIN.format(2),
        expect=_expect(_closed(1001), _OPEN, within=60),
        demand="should",
        judge=("2 attempts",),
        needs=("several connections",),
        cases=("pyws#1122", "wsc#873", "lukeed/sockette#57"),
    ),
    Row(
        "24.1.5",
        "/ws/close/1000/next",
        act=_AGAIN.format(2),
        expect=_expect(_closed(1000), _OPEN, within=60),
        demand="unspecified",
        judge=("1 or 2 attempts",),
        needs=("several connections",),
        cases=("lukeed/sockette#57",),
    ),
    Row(
        "24.1.6",
        "/ws/close/4401/next",
        act=_AGAIN.format(2),
        expect=_expect(_closed(4401), _OPEN, within=60),
        demand="unspecified",
        judge=("1 or 2 attempts",),
        needs=("several connections",),
        cases=("nyaruka/rapidpro#6836", "pladaria/reconnecting-websocket#14", "Mnexa-AI/e2a#464"),
    ),
    Row(
        "24.1.7",
        "/ws/times/4/close/1008/next",
        act=_AGAIN.format(5),
        expect=_expect(*[_closed(1008)] * 4, _OPEN, within=60),
        demand="should",
        judge=("5 attempts", "gaps grow"),
        slow=15,
        needs=("several connections",),
        cases=(
            *("apollographql/subscriptions-transport-ws#70", "destinygg/chat-gui#872", "MattCheramie/GopherTrunk#302"),
            *("yjs/y-websocket#195", "foss42/apidash#1759", "alpacax/alpacon-cli#394", "openfrontio/OpenFrontIO#5268"),
            *("github/stable-socket#1", "k-the-hidden-hero/bticino_intercom#80"),
        ),
    ),
    Row(
        "24.1.8",
        "/ws/abort/next",
        act=_AGAIN.format(2),
        expect=_expect(_LOST, _OPEN, within=60),
        demand="should",
        judge=("2 attempts",),
        needs=("several connections",),
        cases=("PatrickJS/angular-websocket#18", "gitlab-org/gitlab!247786"),
    ),
    Row(
        "24.1.9",
        "/ws/end/next",
        act=_AGAIN.format(2),
        expect=_expect(_LOST, _OPEN, within=60),
        demand="should",
        judge=("2 attempts",),
        needs=("several connections",),
        cases=("jwm#15", "jwm#44"),
    ),
)
