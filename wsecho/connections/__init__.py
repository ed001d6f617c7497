"""The accept loop, HTTP and WebSocket connections, and what the connections of a worker share; it may import
`http`, `websocket`, `proxies`, `counting`, `tcp`, `codec`, `options`, `logs`, `tls`, `telemetry` and
`routes`.
"""
