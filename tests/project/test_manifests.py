"""The manifests in deploy/: they are valid by the schemas of the programs that read them, and match the server."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from tests.shared.server import ROOT, RunningServer
from wsecho.options.config import Config

KUBERNETES = {file.stem: yaml.safe_load(file.read_text()) for file in (ROOT / "deploy/kubernetes").glob("*.yaml")}
POD = KUBERNETES["deployment"]["spec"]["template"]
CONTAINER = POD["spec"]["containers"][0]
CLOUD_RUN = yaml.safe_load((ROOT / "deploy/cloud-run/service.yaml").read_text())


def strict(**properties: Any) -> dict[str, Any]:
    """Return the schema of an object with these properties, all of them required, and no others."""
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


TEXT, LABELS = {"type": "string"}, {"type": "object", "additionalProperties": {"type": "string"}}
# The part of the resource definition of the Prometheus operator that is used here.
POD_MONITOR = strict(
    apiVersion={"const": "monitoring.coreos.com/v1"},
    kind={"const": "PodMonitor"},
    metadata=strict(name=TEXT, labels=LABELS),
    spec=strict(
        jobLabel=TEXT,
        selector=strict(matchLabels=LABELS),
        podMetricsEndpoints={
            "type": "array",
            "items": strict(port=TEXT, path=TEXT, interval={"type": "string", "pattern": "^[0-9]+s$"}),
        },
    ),
)

# Uses gcloud's own library. Prints the fields that it does not know in the Cloud Run service that is its second
# argument.
UNKNOWN_TO_GCLOUD = """
import json, sys
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/third_party"]
from apitools.base.py import encoding
from googlecloudsdk.generated_clients.apis.run.v1 import run_v1_messages
service = encoding.PyValueToMessage(run_v1_messages.Service, json.loads(sys.argv[2]))
for path, names in encoding.UnrecognizedFieldIter(service):
    print(*path, *names)
"""


@pytest.mark.parametrize("name", KUBERNETES)
def test_kubernetes_knows_every_field(name: str) -> None:
    if name == "podmonitor":
        jsonschema.validate(KUBERNETES[name], POD_MONITOR)
    else:
        kubernetes_validate.validate(KUBERNETES[name], kubernetes_validate.latest_version(), strict=True)


def test_everything_in_kubernetes_finds_the_pods() -> None:
    labels = POD["metadata"]["labels"]
    service, monitor = KUBERNETES["service"]["spec"], KUBERNETES["podmonitor"]["spec"]
    assert KUBERNETES["deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert service["selector"] == labels
    assert monitor["selector"]["matchLabels"] == labels
    assert labels[monitor["jobLabel"]] == "wsecho"
    port = CONTAINER["ports"][0]
    assert port["containerPort"] == Config().port
    assert service["ports"][0]["targetPort"] == port["name"]
    assert monitor["podMetricsEndpoints"][0]["port"] == port["name"]
    target = KUBERNETES["horizontalpodautoscaler"]["spec"]["scaleTargetRef"]
    assert target == {key: KUBERNETES["deployment"][key] for key in ("apiVersion", "kind")} | {"name": "wsecho"}


def test_no_service_leaves_variables_in_the_pods() -> None:
    # A Service of this name would set variables that are options of the server.
    assert KUBERNETES["service"]["metadata"]["name"].upper() == "WSECHO"
    assert POD["spec"]["enableServiceLinks"] is False


def test_a_pod_is_given_the_time_that_a_stop_takes() -> None:
    waiting = CONTAINER["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert waiting + Config().drain_timeout < POD["spec"]["terminationGracePeriodSeconds"]


@pytest.mark.parametrize(
    "container",
    [CONTAINER, CLOUD_RUN["spec"]["template"]["spec"]["containers"][0]],
    ids=["kubernetes", "cloud-run"],
)
def test_probes_ask_for_what_the_server_answers(container: dict[str, Any], server: RunningServer) -> None:
    probes = {name: probe["httpGet"]["path"] for name, probe in container.items() if name.endswith("Probe")}
    assert {"startupProbe", "livenessProbe"} <= probes.keys()
    for path in probes.values():
        assert server.get(path)[0] == 200


def test_metrics_that_are_asked_for_are_there(server: RunningServer) -> None:
    metrics = server.metrics()
    assert KUBERNETES["podmonitor"]["spec"]["podMetricsEndpoints"][0]["path"] == "/metrics"
    scaled_by = KUBERNETES["horizontalpodautoscaler"]["spec"]["metrics"][0]["pods"]["metric"]["name"]
    assert scaled_by in metrics


def test_cloud_run_starts_the_collector_after_the_server() -> None:
    template = CLOUD_RUN["spec"]["template"]
    server, collector = template["spec"]["containers"]
    dependencies = json.loads(template["metadata"]["annotations"]["run.googleapis.com/container-dependencies"])
    assert dependencies == {collector["name"]: [server["name"]]}
    # Only one container can have the port to which requests come.
    assert [port["containerPort"] for port in server["ports"]] == [Config().port]
    assert "ports" not in collector


@pytest.mark.skipif(shutil.which("gcloud") is None, reason="needs gcloud")
def test_gcloud_knows_every_field() -> None:
    assert unknown_to_gcloud(CLOUD_RUN) == ""
    misspelt = json.loads(json.dumps(CLOUD_RUN).replace("timeoutSeconds", "timeoutSecs", 1))
    assert unknown_to_gcloud(misspelt) == "spec template spec timeoutSecs"


def unknown_to_gcloud(service: dict[str, Any]) -> str:
    gcloud = shutil.which("gcloud")
    assert gcloud is not None
    library = Path(os.path.realpath(gcloud)).parent.parent / "lib"
    done = subprocess.run(
        [sys.executable, "-I", "-c", UNKNOWN_TO_GCLOUD, library, json.dumps(service)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
