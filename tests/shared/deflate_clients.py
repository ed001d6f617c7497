"""How client libraries read an answer about permessage-deflate: what each accepts, then writes with and reads with.

The rules come from the source of each library, which is named. A library can offer more than it offers by default.
"""

from dataclasses import dataclass
from typing import Literal

from wsecho.websocket.deflate import Agreement

Parameters = dict[str, str | None]

SERVER_BITS = "server_max_window_bits"
CLIENT_BITS = "client_max_window_bits"
SERVER_NO_CONTEXT = "server_no_context_takeover"
CLIENT_NO_CONTEXT = "client_no_context_takeover"


@dataclass(frozen=True)
class Reading:
    """What a client makes of an answer."""

    writes_bits: int
    reads_bits: int
    writes_with_context: bool
    reads_with_context: bool

    def is_symmetrical_within(self, agreement: Agreement) -> bool:
        """Return whether the client can read what it writes, and the server can too."""
        window = self.writes_bits <= min(self.reads_bits, agreement.window_bits)
        return window and self.writes_with_context == self.reads_with_context == agreement.context_takeover


@dataclass(frozen=True)
class Client:
    """The rules of one library; `source` says where they are in its source.

    `offers` are the parameters that the library can be made to offer, where a value is below 15; `always` are those
    that it always offers. `untold` is the window that it writes with if the answer names none after an offer with a
    value: 15, that value, or none, because it refuses. `told` and `limited` say what it does with a window of the
    client or the server below 15 in an answer. `mirrored` means that it applies what is said of one side's context to
    the other side's.
    """

    source: str
    offers: tuple[str, ...] = ()
    always: tuple[str, ...] = ()
    untold: Literal["15", "offered", "refuses"] = "15"
    told: Literal["obeys", "ignores", "refuses"] = "obeys"
    limited: Literal["obeys", "ignores", "refuses"] = "obeys"
    refuses_unasked_no_context: bool = False
    smallest_bits: int = 8
    mirrored: bool = False
    needs_no_context: bool = False

    def can_offer(self, offer: Parameters) -> bool:
        """Return whether the library can be made to offer this."""
        kinds = {kind_of(name, value) for name, value in offer.items()}
        return set(self.always) <= kinds <= {*self.always, *self.offers}

    def read(self, offer: Parameters, answer: Parameters) -> Reading | None:
        """Return what the library makes of `answer`, or None if it refuses it."""
        told, limit = answer.get(CLIENT_BITS), int(answer.get(SERVER_BITS) or 15)
        unasked = CLIENT_NO_CONTEXT in answer and CLIENT_NO_CONTEXT not in offer
        if (
            (unasked and self.refuses_unasked_no_context)
            or (self.needs_no_context and not {CLIENT_NO_CONTEXT, SERVER_NO_CONTEXT} <= answer.keys())
            or (told and (self.told == "refuses" or int(told) < self.smallest_bits))
            or (limit < 15 and self.limited == "refuses")
        ):
            return None
        writes = int(told or 15) if self.told == "obeys" else 15
        if not told and (offered := offer.get(CLIENT_BITS)):
            if self.untold == "refuses" and int(offered) < 15:
                return None
            writes = int(offered) if self.untold == "offered" else 15
        contexts = CLIENT_NO_CONTEXT not in answer, SERVER_NO_CONTEXT not in answer
        return Reading(writes, limit if self.limited == "obeys" else 15, *(contexts[:: -1 if self.mirrored else 1]))

    def cannot(self, offer: Parameters) -> str | None:
        """Return why no server that keeps to this offer can serve the library, or None if a server can."""
        if int(offer.get(CLIENT_BITS) or 15) < self.smallest_bits:
            return "offers a window that it refuses"
        if int(offer.get(SERVER_BITS) or 15) < 15 and self.limited == "refuses":
            return "asks for a window that it refuses"
        if int(offer.get(SERVER_BITS) or 15) < 15 and self.told != "obeys":
            return "offers to be told about a window that it cannot write with"
        if SERVER_NO_CONTEXT in offer and CLIENT_NO_CONTEXT not in offer and self.refuses_unasked_no_context:
            return "asks for no context and refuses to use none, without which no echo can pass through compressed"
        return None


def kind_of(name: str, value: str | None) -> str:
    """Return the name of a parameter, with `=` if it has a value, and `=15` if the value is no limit."""
    return name if value is None else f"{name}=15" if value == "15" else f"{name}="


EVERYTHING = (CLIENT_NO_CONTEXT, SERVER_NO_CONTEXT, CLIENT_BITS, f"{CLIENT_BITS}=", f"{SERVER_BITS}=")
CLIENTS = {
    "Boost.Beast": Client(
        "boostorg/beast include/boost/beast/websocket/detail/pmd_extension.ipp (pmd_normalize)", EVERYTHING
    ),
    "libwebsockets": Client("warmcat/libwebsockets lib/roles/ws/ext/extension-permessage-deflate.c", EVERYTHING),
    "Tomcat": Client(
        "apache/tomcat java/org/apache/tomcat/websocket/PerMessageDeflate.java (negotiate)",
        EVERYTHING,
        told="ignores",
        limited="refuses",
    ),
    "Jetty": Client(
        "jetty/jetty.project jetty-core/jetty-websocket/jetty-websocket-core-common/src/main/java/org/eclipse/jetty/"
        "websocket/core/internal/PerMessageDeflateExtension.java (init, which is the same for both sides)",
        EVERYTHING,
        told="ignores",
        limited="ignores",
        mirrored=True,
    ),
    ".NET ClientWebSocket": Client(
        "dotnet/runtime src/libraries/System.Net.WebSockets.Client/src/System/Net/WebSockets/"
        "WebSocketHandle.Managed.cs (ParseDeflateOptions)",
        EVERYTHING,
        untold="refuses",
        smallest_bits=9,
    ),
    "OkHttp": Client(
        "square/okhttp okhttp/src/main/kotlin/okhttp3/internal/ws/RealWebSocket.kt (isValid)", told="refuses"
    ),
    "Netty": Client(
        "netty/netty codec-http/src/main/java/io/netty/handler/codec/http/websocketx/extensions/compression/"
        "PerMessageDeflateClientExtensionHandshaker.java (handshakeExtension)",
        (CLIENT_NO_CONTEXT, SERVER_NO_CONTEXT, CLIENT_BITS, f"{SERVER_BITS}="),
        refuses_unasked_no_context=True,
    ),
    "ws": Client("websockets/ws lib/permessage-deflate.js (acceptAsClient)", EVERYTHING, untold="offered"),
    "ws, clientNoContextTakeover: false": Client(
        "the same",
        (SERVER_NO_CONTEXT, CLIENT_BITS, f"{CLIENT_BITS}=", f"{SERVER_BITS}="),
        untold="offered",
        refuses_unasked_no_context=True,
    ),
    "websockets": Client(
        "python-websockets/websockets src/websockets/extensions/permessage_deflate.py (process_response_params)",
        EVERYTHING,
        untold="offered",
        smallest_bits=9,
    ),
    "gorilla": Client(
        "gorilla/websocket client.go (DialContext)",
        always=(CLIENT_NO_CONTEXT, SERVER_NO_CONTEXT),
        needs_no_context=True,
    ),
    "Autobahn|Python": Client(
        "crossbario/autobahn-python autobahn/websocket/compress_deflate.py (PerMessageDeflateResponse.parse)",
        (CLIENT_NO_CONTEXT, SERVER_NO_CONTEXT, CLIENT_BITS, f"{SERVER_BITS}="),
        smallest_bits=9,
    ),
}
