"""Recording rules, alerts, dashboard and runbooks, checked against a real Prometheus and a real metrics page.

Modules: `metrics`, `prometheus_page`.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import promql_parser
import pytest
import yaml
from websockets.sync.client import connect

from tests.shared.frames import BINARY, CONTINUATION, PING, TEXT, client_frame
from tests.shared.prometheus import RunningPrometheus, scraping
from tests.shared.raw import HANDSHAKE, RawConnection
from tests.shared.server import PATIENCE, ROOT, RunningServer
from wsecho.options.config import OPTIONS

FOLDER = ROOT / "deploy/prometheus"
RULES, ALERTS, ALERTS_TEST = (
    yaml.safe_load((FOLDER / name).read_text()) for name in ("rules.yml", "alerts.yml", "alerts_test.yml")
)
RECORDED = {rule["record"]: rule for group in RULES["groups"] for rule in group["rules"]}
ALERT = {rule["alert"]: rule for group in ALERTS["groups"] for rule in group["rules"]}
DASHBOARD = json.loads((ROOT / "deploy/grafana/wsecho.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
RUNBOOKS = (ROOT / "docs/runbooks.md").read_text()

# The values that Grafana would substitute for the dashboard's variables.
VARIABLES = {"$job": "wsecho", "$instance": ".+", "$__rate_interval": "10m"}
COMPARISONS = {"==", "!=", "<", ">", "<=", ">="}
# Metrics that Prometheus itself makes.
OF_PROMETHEUS = {"up", "ALERTS"}


def substituted(expression: str) -> str:
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    return expression


def measured(expression: promql_parser.Expr) -> list[promql_parser.Expr]:
    """Return what an expression compares with its thresholds: it has a value even if the comparison yields none."""
    if isinstance(expression, promql_parser.BinaryExpr):
        if str(expression.op) in ("and", "or", "unless"):
            return measured(expression.lhs) + measured(expression.rhs)
        if str(expression.op) in COMPARISONS:
            return [expression.lhs]
    if isinstance(expression, promql_parser.Call) and expression.func.name == "absent":
        return list(expression.args)
    return [expression]


def thresholdless(expression: str) -> list[str]:
    return [part.prettify() for part in measured(promql_parser.parse(expression))]


def selectors(expression: str) -> list[promql_parser.VectorSelector]:
    """Return every selector in an expression. A recorded metric is replaced by the selectors of its recording rule."""
    found: list[promql_parser.VectorSelector] = []

    def visit(node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            found.extend(selectors(RECORDED[node.name]["expr"]) if node.name in RECORDED else [node])
        return True

    promql_parser.walk(promql_parser.parse(expression), visit)
    return found


# Where an expression is used, the expression, and the labels that the legend shows.
EXPRESSIONS = [
    *((name, part, []) for name, rule in ALERT.items() for part in thresholdless(rule["expr"])),
    *((name, rule["expr"], []) for name, rule in RECORDED.items()),
    *(
        (panel["title"], substituted(target["expr"]), re.findall(r"{{(\w+)}}", target["legendFormat"]))
        for panel in PANELS
        for target in panel["targets"]
    ),
    *(
        (annotation["name"], part, re.findall(r"{{(\w+)}}", annotation["titleFormat"]))
        for annotation in DASHBOARD["annotations"]["list"]
        for part in thresholdless(substituted(annotation["expr"]))
    ),
]


# Rules


def promtool(*arguments: str) -> None:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed (Debian package: prometheus)")
    done = subprocess.run([program, *arguments], cwd=FOLDER, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_the_rules() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", "rules.yml", "alerts.yml")


def test_every_alert_fires_when_it_should_and_only_then() -> None:
    promtool("test", "rules", "alerts_test.yml")


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_is_silent() -> None:
    cases = [case for test in ALERTS_TEST["tests"] for case in test["alert_rule_test"]]
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == ALERT.keys()
    assert {case["alertname"] for case in cases if not case["exp_alerts"]} == ALERT.keys()


@pytest.mark.parametrize("name", ALERT)
def test_an_alert_says_how_bad_it_is_and_where_to_read_on(name: str) -> None:
    alert = ALERT[name]
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert alert["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert alert["annotations"]["runbook_url"] == f"docs/runbooks.md#{name.lower()}"


# Runbooks


def test_every_alert_has_its_runbook_and_every_runbook_its_alert() -> None:
    assert re.findall(r"^## (.+)$", RUNBOOKS, re.MULTILINE) == list(ALERT)


@pytest.mark.parametrize(
    "section", re.split(r"^## ", RUNBOOKS, flags=re.MULTILINE)[1:], ids=lambda text: text.split()[0]
)
def test_a_runbook_says_what_it_means_where_to_look_and_what_to_do(section: str) -> None:
    assert re.findall(r"^\*\*(Means|Look at|Do)\*\*", section, re.MULTILINE) == ["Means", "Look at", "Do"]


def test_runbooks_name_only_panels_and_options_that_exist() -> None:
    panels = set(re.findall(r"(?<!\*)\*([A-Z][^*]+)\*(?!\*)", RUNBOOKS.replace("\n", " ")))
    assert panels <= {panel["title"] for panel in PANELS}
    of_other_programs = {"--pid", "--ulimit", "--max-instances"}
    assert set(re.findall(r"--[a-z-]+", RUNBOOKS)) <= {option.flag for option in OPTIONS} | of_other_programs


def test_runbooks_name_only_metrics_and_reasons_that_exist(server: RunningServer) -> None:
    page = server.get("/metrics")[2].decode()
    listed = re.findall(r"^- ((?:`\w+`(?:,\s)?)+)", RUNBOOKS, re.MULTILINE)
    reasons = {reason for names in listed for reason in re.findall(r"\w+", names)}
    assert reasons - set(re.findall(r'reason="(\w+)"', page)) == set()
    metrics = set(re.findall(r"\b(?:websocket|wsecho|process)_[a-z_]+\b", RUNBOOKS)) - reasons
    assert {metric for metric in metrics if f"\n{metric}" not in page} == set()


# Dashboard


def test_the_dashboard_is_what_its_script_writes() -> None:
    check = subprocess.run(
        [sys.executable, "deploy/grafana/dashboard.py", "--check"], cwd=ROOT, timeout=60, check=False
    )
    assert check.returncode == 0, "deploy/grafana/wsecho.json is not current: run `make docs`"


def test_panels_have_ids_of_their_own() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)


def test_panels_lie_side_by_side_and_none_on_another() -> None:
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    assert all(place["x"] >= 0 and place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, (one, other)


def test_every_panel_says_what_it_shows_and_in_which_unit() -> None:
    for panel in PANELS:
        assert panel["title"]
        assert panel["description"].endswith(".")
        unit = panel["options"]["yAxis"] if panel["type"] == "heatmap" else panel["fieldConfig"]["defaults"]
        assert panel["type"] == "table" or unit["unit"]


def test_the_viewer_chooses_the_data_source() -> None:
    def sources(node: Any) -> Iterator[Any]:
        for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            yield from sources(value)
        if isinstance(node, dict) and "datasource" in node:
            yield node["datasource"]

    assert {source["uid"] for source in sources(DASHBOARD)} == {"${datasource}"}
    variables = {variable["name"]: variable["type"] for variable in DASHBOARD["templating"]["list"]}
    assert variables == {"datasource": "datasource", "job": "query", "instance": "query"}


# Rules and dashboard under traffic


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningPrometheus, RunningServer]]:
    """A Prometheus with all rules, and the server that it scrapes, after traffic of every kind."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not installed (Debian package: prometheus)")
    server = RunningServer("--workers", "2", "--ping-interval", "500ms")
    rules = [FOLDER / "rules.yml", FOLDER / "alerts.yml"]
    config = scraping(tmp_path_factory.mktemp("prometheus"), server.port, interval="300ms", rules=rules)
    with RunningPrometheus(program, config) as prometheus:
        # A rate needs an earlier value of the metric.
        prometheus.wait_for_value("websocket_connections_total")
        # A silent client, to which the server sends pings.
        with connect(server.ws_url):
            drive(server)
            opened = server.metrics()["websocket_connections_total"]
            prometheus.wait_for_value(f"websocket_connections_total == {opened}")
            yield prometheus, server
    assert server.stop() == 0
    server.close()


def drive(server: RunningServer) -> None:
    """Run clients that do what clients do, with and without mistakes."""
    with connect(server.ws_url) as client:
        for size in (0, 20, 1000, 70_000):
            for message in ("x" * size, bytes(size)):
                client.send(message)
                assert client.recv() == message
        assert client.ping().wait(PATIENCE)
    for path in ("/", "/health", "/nowhere"):
        server.get(path)
    for bad in (
        client_frame(TEXT, b"\xff"),
        client_frame(TEXT, b"x", mask=None),
        client_frame(CONTINUATION, b"x"),
        client_frame(TEXT, b"x", reserved=2),
    ):
        with RawConnection(server.port).open() as raw:
            raw.send(
                client_frame(PING) + client_frame(BINARY, b"a", fin=False) + client_frame(CONTINUATION, b"b") + bad
            )
            raw.receive_all()
    with RawConnection(server.port).open() as raw:
        raw.send(client_frame(BINARY, bytes(100_000))[:50_000])
        raw.reset()
    # Enough of them for an alert to notice.
    for _ in range(40):
        with RawConnection(server.port) as raw:
            raw.send(HANDSHAKE.replace(b"Version: 13", b"Version: 12"))
            assert raw.receive_all().startswith(b"HTTP/1.1 426 ")
    with RawConnection(server.port) as raw:
        raw.send(HANDSHAKE[:-2])


@pytest.mark.parametrize(
    ("expression", "labels"), [row[1:] for row in EXPRESSIONS], ids=[row[0] for row in EXPRESSIONS]
)
def test_every_expression_has_a_value_under_traffic(
    watched: tuple[RunningPrometheus, RunningServer], expression: str, labels: list[str]
) -> None:
    samples = watched[0].wait_for_samples(expression)
    assert set(labels) <= {label for found, _ in samples for label in found}


def test_prometheus_judges_every_rule_without_an_error(watched: tuple[RunningPrometheus, RunningServer]) -> None:
    rules = watched[0].wait_for_rules()
    assert {rule["name"] for rule in rules} == RECORDED.keys() | ALERT.keys()
    assert [rule for rule in rules if rule["health"] != "ok"] == []


def test_every_metric_and_label_that_is_asked_for_is_on_the_page(
    watched: tuple[RunningPrometheus, RunningServer],
) -> None:
    labels_of: dict[str, set[str]] = {}
    for sample in watched[1].metrics():
        name, _, labels = sample.partition("{")
        labels_of.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    for where, expression, _ in EXPRESSIONS:
        for selector in selectors(expression):
            if selector.name not in OF_PROMETHEUS:
                assert selector.name in labels_of, where
                asked = {matcher.name for matcher in selector.matchers.matchers} - {"job", "instance"}
                assert asked <= labels_of[selector.name], where
