"""Connections: the accept loop, HTTP and WebSocket connections, and what they share of a worker; it may import
`http`, `websocket`, `proxies`, `counting`, `codec`, `options`, `logs`, `tls`, `telemetry` and `routes`.
"""
