"""The switches that every peer takes. Those that wsecho has too have the same names there.

--port N                          port; 0, the default: chosen by the system. The server prints "port N" when it listens
--deflate                         compress echoes if the client offers permessage-deflate
--tls-cert FILE --tls-key FILE    serve wss
--workers N                       number of worker processes, if the server has any; each prints "port N"
"""

import argparse
import ssl


def parse(description: str | None) -> argparse.Namespace:
    """Return the switches, with an SSL context for the server as `tls`, or None without a certificate."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--deflate", action="store_true")
    parser.add_argument("--tls-cert")
    parser.add_argument("--tls-key")
    parser.add_argument("--workers", type=int, default=1)
    switches = parser.parse_args()
    switches.tls = None
    if switches.tls_cert:
        switches.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        switches.tls.load_cert_chain(switches.tls_cert, switches.tls_key)
    return switches
