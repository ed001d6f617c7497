"""What client and server negotiated on an encrypted connection."""

import asyncio
import ssl

from wsecho.http.request import TlsFacts


def tls_facts(transport: asyncio.BaseTransport, server_name: str | None) -> TlsFacts | None:
    """Return what client and server negotiated on a connection, None if it is not encrypted."""
    connection: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    if connection is None:
        return None
    certificate = transport.get_extra_info("peercert") or {}
    subject = [f"{name}={value}" for names in certificate.get("subject", ()) for name, value in names]
    cipher = connection.cipher()
    return TlsFacts(
        version=connection.version() or "",
        cipher=cipher[0] if cipher else "",
        protocol=connection.selected_alpn_protocol(),
        server_name=server_name,
        client_subject=", ".join(subject) or None,
    )
