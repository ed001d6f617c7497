"""Writes wsecho.json, the Grafana dashboard; with `--check`, only tells by its exit code whether it is current.

Rows of panels, from left to right; each panel says what it shows and asks. The shape is Grafana's classic one, which
every release since 12 imports (schema version 42).
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


# PromQL. A rate is over what Grafana takes for long enough to hold four scrapes.


def series(metric: str, *matchers: str) -> str:
    """Return the selector of a metric's series in the selected jobs and instances."""
    return f"{metric}{{{','.join((SELECTED, *matchers))}}}"


def rate(metric: str, *matchers: str, by: str = "") -> str:
    """Return the rate a second of a counter, summed up but for the labels `by`."""
    return f"sum{_by(by)} (rate({series(metric, *matchers)}[$__rate_interval]))"


def quantile(share: float, histogram: str, *, by: str = "") -> str:
    """Return a quantile of a histogram over all selected instances, for each combination of the labels `by`."""
    return f"histogram_quantile({share}, {rate(f'{histogram}_bucket', by=f'le, {by}' if by else 'le')})"


def total(metric: str, *, by: str = "") -> str:
    """Return the sum of a gauge."""
    return f"sum{_by(by)} ({series(metric)})"


def count(metric: str, *, by: str) -> str:
    """Return how many series there are."""
    return f"count{_by(by)} ({series(metric)})"


def share(part: str, whole: str) -> str:
    """Return a quotient that is nothing, instead of not a number, while there is nothing to share."""
    return f"{part} / ({whole} > 0)"


def _by(labels: str) -> str:
    return f" by ({labels})" if labels else ""


# Panels. A query is its PromQL and what the legend calls its series.

Queries = dict[str, str]


def panel(kind: str, title: str, description: str, queries: Queries, width: int, height: int) -> Json:
    """Return what every panel has; its place comes later."""
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
    """Return colours: `base` up to the first step's value, from there the step's."""
    first = {"value": None, "color": base}
    return {"mode": "absolute", "steps": [first, *({"value": value, "color": color} for value, color in steps)]}


def stat(title: str, description: str, query: str, unit: str, colors: Json | None = None) -> Json:
    """Return one number in large, with its course behind it."""
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
    """Return lines over time. `alert_above` draws an alert's threshold, `colors` are for series by name."""
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
    """Return a histogram's buckets over time: the darker, the more."""
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
    """Return the labels of series as they are now, without the columns `hidden`."""
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
            "Instances that answer their scrapes.",
            total("up"),
            "none",
            thresholds((1, "green"), base="red"),
        ),
        stat("Connections", "WebSocket connections open now.", total("websocket_active_connections"), "none"),
        stat("Messages", "Messages received a second.", RECEIVED, "cps"),
        stat(
            "Not sent back",
            "The share of the messages received that were not sent back. Anything lasting above 0 is a defect.",
            f"1 - {share(SENT, RECEIVED)}",
            "percentunit",
            thresholds((0.001, "yellow"), (0.01, "red")),
        ),
        stat(
            "Failed handshakes",
            "The share of the handshakes that were refused or abandoned.",
            share(FAILED_HANDSHAKES, HANDSHAKES),
            "percentunit",
            thresholds((0.05, "yellow"), (0.25, "red")),
        ),
        stat(
            "Since the last start",
            "Age of the youngest instance.",
            f"time() - max({series('process_start_time_seconds')})",
            "s",
            thresholds((900, "green"), base="yellow"),
        ),
        table(
            "Alerts",
            "Alerts that are pending or firing, where deploy/prometheus/alerts.yml is loaded. None is good news.",
            'ALERTS{job=~"$job",alertname=~"Wsecho.*"}',
            hidden=("Time", "Value", "__name__", "job"),
        ),
        table(
            "Versions",
            "How many instances (value) run which release, Python and codec.",
            count("wsecho_build_info", by="version, python, codec"),
            hidden=("Time",),
        ),
    ],
    "Connections": [
        graph(
            "Connections",
            "WebSocket connections open. The line is where an instance on Cloud Run is nearly full.",
            "none",
            {"{{instance}}": total("websocket_active_connections", by="instance")},
            alert_above=800,
        ),
        graph(
            "Opened and ended",
            "Connections opened and ended a second; lost are those that went with a worker that died.",
            "cps",
            {
                "opened": rate("websocket_connections_total"),
                "ended": rate("websocket_connection_duration_seconds_count"),
                "lost": rate("websocket_lost_connections_total"),
            },
        ),
        heatmap(
            "Durations",
            "How long the connections that ended had lasted. A row that stands out is somebody's idle timeout.",
            "s",
            "websocket_connection_duration_seconds",
        ),
        graph(
            "Handshakes",
            "Handshakes a second by outcome. Abandoned: no complete request came in the time for it.",
            "cps",
            {"{{outcome}} {{status_class}}": rate("websocket_handshakes_total", by="outcome, status_class") + " > 0"},
            stacked=True,
            colors={"accepted 1xx": "green"},
        ),
        graph(
            "Failed handshakes",
            "Handshakes a second that were refused or abandoned, by what was wrong with them.",
            "cps",
            {"{{reason}}": rate("websocket_handshakes_total", 'outcome!="accepted"', by="reason") + " > 0"},
            stacked=True,
        ),
        graph(
            "Refused at the gate",
            "Connections a second that were turned away before their handshake, because there was no room.",
            "cps",
            {"{{reason}}": rate("websocket_refused_connections_total", by="reason")},
            stacked=True,
        ),
        graph(
            "Closes",
            "Connections ended a second, by close code and by who began. 1006: no Close came.",
            "cps",
            {"{{code}} by {{initiator}}": rate("websocket_closes_total", by="code, initiator") + " > 0"},
            stacked=True,
            colors={"1000 by client": "green", "1001 by client": "semi-dark-green"},
        ),
        graph(
            "Protocol errors",
            "Connections a second that were ended because the client broke a rule, by rule.",
            "cps",
            {"{{reason}}": rate("websocket_protocol_errors_total", by="reason") + " > 0"},
            stacked=True,
        ),
        graph(
            "Out of time",
            "Connections a second that the server ended because a limit of time was reached, by limit.",
            "cps",
            {"{{limit}}": rate("websocket_timeouts_total", by="limit")},
            stacked=True,
        ),
    ],
    "Messages": [
        graph(
            "Messages",
            "Messages a second. Received and sent are one line as long as every message is echoed.",
            "cps",
            {"received": RECEIVED, "sent": SENT},
        ),
        heatmap("Message sizes", "Payload bytes of the messages received.", "bytes", "websocket_message_size_bytes"),
        graph(
            "Frames",
            "Frames received a second by opcode. Continuations are the further frames of fragmented messages.",
            "cps",
            {"{{opcode}}": rate("websocket_frames_received_total", by="opcode")},
            stacked=True,
        ),
        graph(
            "Bytes received",
            "Payload as it was carried, and everything on the wire: headers, masks and control frames too.",
            "Bps",
            {
                "wire": rate("websocket_wire_received_bytes_total"),
                "payload": rate("websocket_received_bytes_total"),
            },
        ),
        graph(
            "Bytes sent",
            "Payload as it was carried, and everything on the wire: headers and control frames too.",
            "Bps",
            {"wire": rate("websocket_wire_sent_bytes_total"), "payload": rate("websocket_sent_bytes_total")},
        ),
        graph(
            "Compression",
            "How many bytes one byte of compressed payload holds.",
            "none",
            {"ratio": share(rate("websocket_inflated_bytes_total"), rate("websocket_compressed_bytes_total"))},
        ),
    ],
    "Clients": [
        graph(
            "Ping round trip",
            "From a keepalive ping to its pong: the network and whatever keeps the client busy.",
            "s",
            {f"p{share * 100:.0f}": quantile(share, "websocket_ping_rtt_seconds") for share in (0.5, 0.95, 0.99)},
            width=12,
            alert_above=1,
        ),
        graph(
            "Clients that do not read",
            "Clients, on average, that are not read from because they do not read; counted when that ends.",
            "none",
            {"{{instance}}": rate("websocket_backpressure_seconds_total", by="instance")},
            width=12,
        ),
    ],
    "HTTP": [
        graph(
            "Requests",
            "HTTP requests a second by route and status; a handshake counts with its 101.",
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
            "The 99th percentile by route.",
            "s",
            {"{{http_route}}": quantile(0.99, "http_server_request_duration_seconds", by="http_route")},
            width=12,
        ),
    ],
    "Process": [
        graph(
            "Processor",
            "Cores in use. A worker can use one; at one for each worker, messages wait.",
            "none",
            {"{{instance}}": rate("process_cpu_seconds_total", by="instance")},
        ),
        graph(
            "Event loop lag",
            "How much later than planned the event loop comes round: what a message may have to wait.",
            "s",
            {f"p{share * 100:.0f}": quantile(share, "wsecho_event_loop_lag_seconds") for share in (0.5, 0.95, 0.99)},
            alert_above=0.1,
        ),
        graph(
            "Memory",
            "Resident memory of all processes.",
            "bytes",
            {"{{instance}}": total("process_resident_memory_bytes", by="instance")},
        ),
        graph(
            "Descriptors",
            "The share of the file descriptors in use, of as many as all workers together may have.",
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
            "Workers that are up, and those that died and were replaced a second.",
            "none",
            {
                "{{instance}} up": total("wsecho_worker_up", by="instance"),
                "{{instance}} replaced": rate("wsecho_worker_restarts_total", by="instance"),
            },
        ),
        graph(
            "Log lines dropped",
            "Log lines a second that were dropped because nobody took them.",
            "cps",
            {"{{instance}}": rate("wsecho_log_lines_dropped_total", by="instance")},
        ),
        graph(
            "Internal errors",
            "Errors of the server's own a second, ends of memory included, by where they were survived.",
            "cps",
            {"{{place}}": rate("wsecho_internal_errors_total", by="place")},
        ),
    ],
}


# The dashboard around them.


def placed(rows: dict[str, list[Json]]) -> Iterator[Json]:
    """Yield each row's heading and its panels, with their places and ids; a panel that does not fit starts a line."""
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
    """Return a choice of a label's values, of which any number may be selected."""
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
    """Return the whole of it."""
    datasource = {"type": "datasource", "name": "datasource", "label": "Data source", "query": "prometheus"}
    starts = {
        "name": "Starts",
        "datasource": DATASOURCE,
        "enable": True,
        # True for one step after each start.
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
    """Write, or check, and return the exit code."""
    wanted = json.dumps(dashboard(), indent=2) + "\n"
    if "--check" in sys.argv:
        return int(DASHBOARD.read_text() != wanted)
    DASHBOARD.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
