"""Scenarios: WebSockets under /ws/ on which the server does what the URL says; it may import `http`, `websocket`,
`counting`, `codec`, `logs`, `telemetry`, `routes` and `connections`.
"""
