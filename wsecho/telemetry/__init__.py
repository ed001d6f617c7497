"""OpenTelemetry: the table of metrics, the Prometheus page, and what is exported to collectors; it may import
`http`, `websocket`, `counting`, `options` and `logs`.
"""
