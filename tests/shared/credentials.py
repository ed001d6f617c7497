"""Credentials as clients send them."""

import base64

# The beginning of a subprotocol's name that carries a token.
SUBPROTOCOL = "base64url.bearer.authorization.k8s.io."


def subprotocol(token: str) -> str:
    """Return the name of a subprotocol that carries `token`."""
    return SUBPROTOCOL + base64.urlsafe_b64encode(token.encode()).rstrip(b"=").decode()


def basic(user: str) -> str:
    """Return the value of Authorization for `NAME:PASSWORD`."""
    return "Basic " + base64.b64encode(user.encode()).decode()
