"""Write wsecho.json, the Grafana dashboard. With `--check`, only report by the exit code whether the file is current.

The dashboard consists of rows of panels, from left to right. Each panel has a title, a description and its queries. The
format is Grafana's classic one, which every release since 12 can import (schema version 42).
"""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

Json = dict[str, Any]

DASHBOARD = Path(__file__).parent / "wsecho.json"
WIDTH = 24
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
SELECTED = 'job=~"$job",instance=~"$instance"'


# PromQL. Rates are over `$__rate_interval`, which Grafana makes long enough to contain four scrapes.


def series(metric: str, *matchers: str) -> str:
    """Return the selector of a metric's series in the selected jobs and instances."""
    return f"{metric}{{{','.join((SELECTED, *matchers))}}}"


def rate(metric: str, *matchers: str, by: str = "") -> str:
    """Return the rate per second of a counter, summed over all labels except those in `by`."""
    return f"sum{_by(by)} (rate({series(metric, *matchers)}[$__rate_interval]))"


def quantile(share: float, histogram: str, *, by: str = "") -> str:
    """Return a quantile of a histogram over all selected instances, for each combination of the labels `by`."""
    return f"histogram_quantile({share}, {rate(f'{histogram}_bucket', by=f'le, {by}' if by else 'le')})"


def total(metric: str, *, by: str = "") -> str:
    """Return the sum of a gauge over all labels except those in `by`."""
    return f"sum{_by(by)} ({series(metric)})"


def count(metric: str, *, by: str) -> str:
    """Return how many series a metric has for each combination of the labels `by`."""
    return f"count{_by(by)} ({series(metric)})"


def share(part: str, whole: str) -> str:
    """Return a quotient that has no value, instead of NaN, while `whole` is zero."""
    return f"{part} / ({whole} > 0)"


def _by(labels: str) -> str:
    return f" by ({labels})" if labels else ""


# Panels. `Queries` maps the name of a series in the legend to its PromQL.

Queries = dict[str, str]


def panel(kind: str, title: str, description: str, queries: Queries, width: int, height: int) -> Json:
    """Return what all kinds of panels have in common; `placed` adds the position."""
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATASOURCE,
        "gridPos": {"w": width, "h": height},
        "targets": [
            {"datasource": DATASOURCE, "editorMode": "code", "expr": expression, "legendFormat": legend, "refId": ref}
            for ref, (legend, expression) in zip("ABCDEF", queries.items(), strict=False)
        ],
    }


def thresholds(*steps: tuple[float, str], base: str = "green") -> Json:
    """Return the colours of values: `base` below the first step, above that the colour of the last step reached."""
    first = {"value": None, "color": base}
    return {"mode": "absolute", "steps": [first, *({"value": value, "color": color} for value, color in steps)]}


def stat(title: str, description: str, query: str, unit: str, colors: Json | None = None) -> Json:
    """Return a panel with one large number and a graph of its history behind it."""
    return panel("stat", title, description, {title: query}, 4, 4) | {
        "fieldConfig": {
            "defaults": {"noValue": "-", "unit": unit, "thresholds": colors or thresholds()},
            "overrides": [],
        },
        "options": {
            "colorMode": "value",
            "graphMode": "area",
            "justifyMode": "auto",
            "orientation": "auto",
            "percentChangeColorMode": "standard",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "showPercentChange": False,
            "textMode": "value",
            "wideLayout": True,
        },
    }


def graph(
    title: str,
    description: str,
    unit: str,
    queries: Queries,
    *,
    width: int = 8,
    stacked: bool = False,
    alert_above: float | None = None,
    colors: dict[str, str] | None = None,
) -> Json:
    """Return a panel with lines over time. `alert_above` is an alert's threshold, `colors` maps series to colours."""
    custom = {
        "drawStyle": "line",
        "fillOpacity": 50 if stacked else 10,
        "lineWidth": 1,
        "showPoints": "never",
        "stacking": {"group": "A", "mode": "normal" if stacked else "none"},
        "thresholdsStyle": {"mode": "off" if alert_above is None else "dashed"},
    }
    steps = thresholds() if alert_above is None else thresholds((alert_above, "red"), base="transparent")
    overrides = [
        {
            "matcher": {"id": "byName", "options": name},
            "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": color}}],
        }
        for name, color in (colors or {}).items()
    ]
    return panel("timeseries", title, description, queries, width, 8) | {
        "fieldConfig": {
            "defaults": {
                "color": {"mode": "palette-classic"},
                "custom": custom,
                "min": 0,
                "thresholds": steps,
                "unit": unit,
            },
            "overrides": overrides,
        },
        "options": {
            "legend": {"calcs": ["mean", "max"], "displayMode": "table", "placement": "bottom", "showLegend": True},
            "tooltip": {"hideZeros": False, "mode": "multi", "sort": "desc"},
        },
    }


def heatmap(title: str, description: str, unit: str, histogram: str) -> Json:
    """Return a panel with a histogram's buckets over time: the darker a cell, the more values are in it."""
    query = f"sum by (le) (increase({series(f'{histogram}_bucket')}[$__rate_interval]))"
    result = panel("heatmap", title, description, {"{{le}}": query}, 8, 8)
    result["targets"][0]["format"] = "heatmap"
    return result | {
        "fieldConfig": {"defaults": {}, "overrides": []},
        "options": {
            "calculate": False,
            "cellGap": 1,
            "color": {
                "exponent": 0.5,
                "fill": "dark-orange",
                "mode": "scheme",
                "reverse": False,
                "scale": "exponential",
                "scheme": "Oranges",
                "steps": 64,
            },
            "exemplars": {"color": "rgba(255,0,255,0.7)"},
            "filterValues": {"le": 1e-9},
            "legend": {"show": True},
            "rowsFrame": {"layout": "auto"},
            "showValue": "never",
            "tooltip": {"mode": "single", "showColorScale": True, "yHistogram": True},
            "yAxis": {"axisPlacement": "left", "reverse": False, "unit": unit},
        },
    }


def table(title: str, description: str, query: str, *, hidden: Iterable[str]) -> Json:
    """Return a panel with the current labels of series, without the columns `hidden`."""
    result = panel("table", title, description, {title: query}, 12, 5)
    result["targets"][0] |= {"format": "table", "instant": True, "range": False}
    return result | {
        "fieldConfig": {"defaults": {}, "overrides": []},
        "options": {"cellHeight": "sm", "frameIndex": 0, "showHeader": True},
        "transformations": [{"id": "organize", "options": {"excludeByName": dict.fromkeys(hidden, True)}}],
    }


RECEIVED, SENT = rate("websocket_messages_received_total"), rate("websocket_messages_sent_total")
HANDSHAKES = rate("websocket_handshakes_total")
FAILED_HANDSHAKES = rate("websocket_handshakes_total", 'outcome!="accepted"')

ROWS = {
    "At a glance": [
        stat(
            "Instances",
            "Instances that answer the scrapes of Prometheus.",
            total("up"),
            "none",
            thresholds((1, "green"), base="red"),
        ),
        stat("Connections", "WebSocket connections that are open now.", total("websocket_active_connections"), "none"),
        stat("Messages", "Messages received per second.", RECEIVED, "cps"),
        stat(
            "Not sent back",
            "Share of the received messages that were not echoed. If it stays above 0, the server has a defect.",
            f"1 - {share(SENT, RECEIVED)}",
            "percentunit",
            thresholds((0.001, "yellow"), (0.01, "red")),
        ),
        stat(
            "Failed handshakes",
            "Share of the handshakes that were refused or abandoned.",
            share(FAILED_HANDSHAKES, HANDSHAKES),
            "percentunit",
            thresholds((0.05, "yellow"), (0.25, "red")),
        ),
        stat(
            "Since the last start",
            "Time since the last start of any instance.",
            f"time() - max({series('process_start_time_seconds')})",
            "s",
            thresholds((900, "green"), base="yellow"),
        ),
        table(
            "Alerts",
            "Alerts that are pending or firing, if deploy/prometheus/alerts.yml is loaded. Empty if there are none.",
            'ALERTS{job=~"$job",alertname=~"Wsecho.*"}',
            hidden=("Time", "Value", "__name__", "job"),
        ),
        table(
            "Versions",
            "Number of instances (Value) for each release, Python version and codec.",
            count("wsecho_build_info", by="version, python, codec"),
            hidden=("Time",),
        ),
    ],
    "Connections": [
        graph(
            "Connections",
            "Open WebSocket connections. The dashed line is at 800: an instance on Cloud Run can hold 1000.",
            "none",
            {"{{instance}}": total("websocket_active_connections", by="instance")},
            alert_above=800,
        ),
        graph(
            "Opened and ended",
            "Connections opened and ended per second. Lost: connections of a worker process that died.",
            "cps",
            {
                "opened": rate("websocket_connections_total"),
                "ended": rate("websocket_connection_duration_seconds_count"),
                "lost": rate("websocket_lost_connections_total"),
            },
        ),
        heatmap(
            "Durations",
            "Durations of the connections that ended. A row that stands out is usually an idle timeout on the way.",
            "s",
            "websocket_connection_duration_seconds",
        ),
        graph(
            "Handshakes",
            "Handshakes per second by outcome. Abandoned: no complete request arrived within --handshake-timeout.",
            "cps",
            {"{{outcome}} {{status_class}}": rate("websocket_handshakes_total", by="outcome, status_class") + " > 0"},
            stacked=True,
            colors={"accepted 1xx": "green"},
        ),
        graph(
            "Failed handshakes",
            "Handshakes per second that were refused or abandoned, by reason.",
            "cps",
            {"{{reason}}": rate("websocket_handshakes_total", 'outcome!="accepted"', by="reason") + " > 0"},
            stacked=True,
        ),
        graph(
            "Refused connections",
            "Connections per second that were refused before or instead of a handshake, by reason.",
            "cps",
            {"{{reason}}": rate("websocket_refused_connections_total", by="reason")},
            stacked=True,
        ),
        graph(
            "Closes",
            "Connections ended per second, by close code and by the side that closed. 1006: without a Close frame.",
            "cps",
            {"{{code}} by {{initiator}}": rate("websocket_closes_total", by="code, initiator") + " > 0"},
            stacked=True,
            colors={"1000 by client": "green", "1001 by client": "semi-dark-green"},
        ),
        graph(
            "Protocol errors",
            "Connections per second that were ended because the client broke a rule or exceeded a limit, by rule.",
            "cps",
            {"{{reason}}": rate("websocket_protocol_errors_total", by="reason") + " > 0"},
            stacked=True,
        ),
        graph(
            "Timeouts",
            "Connections per second that the server ended because a time limit was reached, by limit.",
            "cps",
            {"{{limit}}": rate("websocket_timeouts_total", by="limit")},
            stacked=True,
        ),
    ],
    "Messages": [
        graph(
            "Messages",
            "Messages per second. As long as every message is echoed, the lines for received and sent coincide.",
            "cps",
            {"received": RECEIVED, "sent": SENT},
        ),
        heatmap("Message sizes", "Payload bytes of the received messages.", "bytes", "websocket_message_size_bytes"),
        graph(
            "Frames",
            "Received frames per second by opcode. Continuation: the second and later frames of fragmented messages.",
            "cps",
            {"{{opcode}}": rate("websocket_frames_received_total", by="opcode")},
            stacked=True,
        ),
        graph(
            "Bytes received",
            "Payload: data as it arrived, perhaps compressed. Wire: all bytes, with headers, masks and control frames.",
            "Bps",
            {
                "wire": rate("websocket_wire_received_bytes_total"),
                "payload": rate("websocket_received_bytes_total"),
            },
        ),
        graph(
            "Bytes sent",
            "Payload: data as it was sent. Wire: all bytes, with headers and control frames.",
            "Bps",
            {"wire": rate("websocket_wire_sent_bytes_total"), "payload": rate("websocket_sent_bytes_total")},
        ),
        graph(
            "Compression",
            "Bytes of uncompressed payload for each byte of compressed payload.",
            "none",
            {"ratio": share(rate("websocket_inflated_bytes_total"), rate("websocket_compressed_bytes_total"))},
        ),
    ],
    "Clients": [
        graph(
            "Ping round trip",
            "Time from a keepalive ping to its pong: the network, and how busy the client is.",
            "s",
            {f"p{share * 100:.0f}": quantile(share, "websocket_ping_rtt_seconds") for share in (0.5, 0.95, 0.99)},
            width=12,
            alert_above=1,
        ),
        graph(
            "Clients that do not read",
            "Average number of connections paused because the client does not read; counted when a pause ends.",
            "none",
            {"{{instance}}": rate("websocket_backpressure_seconds_total", by="instance")},
            width=12,
        ),
    ],
    "HTTP": [
        graph(
            "Requests",
            "HTTP requests per second by route and status. An accepted handshake counts as status 101.",
            "reqps",
            {
                "{{http_route}} {{http_response_status_code}}": rate(
                    "http_server_request_duration_seconds_count", by="http_route, http_response_status_code"
                )
            },
            width=12,
            stacked=True,
        ),
        graph(
            "Request durations",
            "99th percentile of the time from a request's complete head to its answer.",
            "s",
            {"{{http_route}}": quantile(0.99, "http_server_request_duration_seconds", by="http_route")},
            width=12,
        ),
    ],
    "Process": [
        graph(
            "CPU",
            "Cores in use. Each worker can use one; at one core for each worker, messages wait.",
            "none",
            {"{{instance}}": rate("process_cpu_seconds_total", by="instance")},
        ),
        graph(
            "Event loop lag",
            "How late the event loop comes to its once-a-second check. Messages may have to wait as long.",
            "s",
            {f"p{share * 100:.0f}": quantile(share, "wsecho_event_loop_lag_seconds") for share in (0.5, 0.95, 0.99)},
            alert_above=0.1,
        ),
        graph(
            "Memory",
            "Resident memory of all processes of the server.",
            "bytes",
            {"{{instance}}": total("process_resident_memory_bytes", by="instance")},
        ),
        graph(
            "File descriptors",
            "Share of the file descriptors in use, out of the number that all workers together may have.",
            "percentunit",
            {
                "{{instance}}": share(
                    total("process_open_fds", by="instance"),
                    f"{total('process_max_fds', by='instance')} * {count('wsecho_worker_up', by='instance')}",
                )
            },
            alert_above=0.7,
        ),
        graph(
            "Workers",
            "Workers that are up, and workers per second that died and were replaced.",
            "none",
            {
                "{{instance}} up": total("wsecho_worker_up", by="instance"),
                "{{instance}} replaced": rate("wsecho_worker_restarts_total", by="instance"),
            },
        ),
        graph(
            "Log lines dropped",
            "Log lines per second that were lost because standard output did not take them in time.",
            "cps",
            {"{{instance}}": rate("wsecho_log_lines_dropped_total", by="instance")},
        ),
        graph(
            "Internal errors",
            "Internal errors per second that the server survived, including a lack of memory, by place.",
            "cps",
            {"{{place}}": rate("wsecho_internal_errors_total", by="place")},
        ),
    ],
}


# The dashboard that contains the panels.


def placed(rows: dict[str, list[Json]]) -> Iterator[Json]:
    """Yield each row's heading and its panels, with positions and ids. A panel that does not fit starts a new line."""
    y = number = 0
    for title, panels in rows.items():
        yield {
            "type": "row",
            "id": (number := number + 1),
            "title": title,
            "collapsed": False,
            "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1},
            "panels": [],
        }
        x, y, height = 0, y + 1, 0
        for one in panels:
            size = one["gridPos"]
            if x + size["w"] > WIDTH:
                x, y, height = 0, y + height, 0
            yield one | {"id": (number := number + 1), "gridPos": {"x": x, "y": y, **size}}
            x, height = x + size["w"], max(height, size["h"])
        y += height


def label_variable(label: str, query: str) -> Json:
    """Return a variable with a label's values, of which the viewer can select any number."""
    return {
        "type": "query",
        "name": label,
        "label": label.capitalize(),
        "datasource": DATASOURCE,
        "definition": query,
        "query": {"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
        "current": {"text": ["All"], "value": ["$__all"]},
        "options": [],
    }


def dashboard() -> Json:
    """Return the whole dashboard."""
    datasource = {"type": "datasource", "name": "datasource", "label": "Data source", "query": "prometheus"}
    starts = {
        "name": "Starts",
        "datasource": DATASOURCE,
        "enable": True,
        # Has a value for one step after each start.
        "expr": f"time() - {series('process_start_time_seconds')} < 60",
        "step": "60s",
        "iconColor": "orange",
        "titleFormat": "Started: {{instance}}",
    }
    return {
        "uid": "wsecho",
        "title": "wsecho",
        "description": "WebSocket echo server: connections, messages, clients and process.",
        "tags": ["wsecho", "websocket"],
        "schemaVersion": 42,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": {"from": "now-1h", "to": "now"},
        "refresh": "30s",
        "annotations": {"list": [starts]},
        "templating": {
            "list": [
                datasource,
                label_variable("job", "label_values(websocket_active_connections, job)"),
                label_variable("instance", 'label_values(websocket_active_connections{job=~"$job"}, instance)'),
            ]
        },
        "links": [],
        "panels": list(placed(ROWS)),
    }


def main() -> int:
    """Write or check the file, and return the exit code."""
    wanted = json.dumps(dashboard(), indent=2) + "\n"
    if "--check" in sys.argv:
        return int(DASHBOARD.read_text() != wanted)
    DASHBOARD.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
