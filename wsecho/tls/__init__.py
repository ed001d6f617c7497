"""TLS: certificates, the handshake, and the transport of an encrypted connection; it may import `http` and
`options`.
"""
