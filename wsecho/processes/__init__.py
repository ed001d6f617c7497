"""Processes: workers, their supervisor, and what is prepared before the fork; it may import `http`, `proxies`,
`counting`, `tcp`, `codec`, `options`, `logs`, `access`, `tls`, `telemetry`, `routes`, `connections` and `scenarios`.
"""
