"""Proxies in front of the server, and the client that they report; it may import `http`."""
