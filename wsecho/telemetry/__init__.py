"""Telemetry: the table of metrics, the Prometheus page, and exports to OpenTelemetry collectors; it may import
`http`, `websocket`, `counting`, `options` and `logs`.
"""
