"""The service for Cloud Run in deploy/cloud-run/: gcloud knows every field of it, and it matches the server."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.shared.server import ROOT, RunningServer
from wsecho.options.config import Config

CLOUD_RUN = yaml.safe_load((ROOT / "deploy/cloud-run/service.yaml").read_text())


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


def test_probes_ask_for_what_the_server_answers(server: RunningServer) -> None:
    container = CLOUD_RUN["spec"]["template"]["spec"]["containers"][0]
    probes = {name: probe["httpGet"]["path"] for name, probe in container.items() if name.endswith("Probe")}
    assert {"startupProbe", "livenessProbe"} <= probes.keys()
    for path in probes.values():
        assert server.get(path)[0] == 200


def test_the_collector_starts_after_the_server() -> None:
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
