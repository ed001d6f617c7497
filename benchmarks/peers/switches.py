"""The switches that every peer takes, and that wsecho's own are named like.

--port N                          0, the default, lets the system choose; "port N" on standard output once it listens
--deflate                         compress echoes where the client offers permessage-deflate
--tls-cert FILE --tls-key FILE    serve wss
--workers N                       so many processes, where the server can do that; each prints its "port N"
"""

import argparse
import ssl


def parse(description: str | None) -> argparse.Namespace:
    """Return the switches, and as `tls` the context for a server, or None."""
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
