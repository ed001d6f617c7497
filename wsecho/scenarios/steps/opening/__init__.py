"""Steps before the 101 response: they change it, or refuse the handshake. Pure."""
