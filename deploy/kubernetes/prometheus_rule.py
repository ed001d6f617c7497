"""Write the PrometheusRule of the Prometheus operator: the rules and alerts of deploy/prometheus/ in one object. With
`--check`, only report by the exit code whether the file is current.

The alert about connections assumes the capacity of an instance on Cloud Run. Here it gets that of a pod.
"""

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
RULE = HERE / "components/prometheus-operator/prometheusrule.yaml"
SOURCES = ("rules.yml", "alerts.yml")
CAPACITY_OF_AN_INSTANCE = "1000"
HEAD = """\
# Written by prometheus_rule.py from deploy/prometheus/, which explains the rules. `make docs` writes it anew.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: wsecho
  labels:
    app.kubernetes.io/name: wsecho
spec:
  groups:
"""


def prometheus_rule() -> str:
    """Return the file. The groups are copied as text, without comments."""
    lines = [line for source in SOURCES for line in groups((HERE.parent / "prometheus" / source).read_text())]
    text = "".join(f"  {line}\n" if line else "\n" for line in lines)
    return HEAD + re.sub(rf"\b{CAPACITY_OF_AN_INSTANCE}\b", capacity(), text)


def groups(text: str) -> list[str]:
    """Return the lines of a file of rules below `groups:`, except comments."""
    _, _, below = text.partition("\ngroups:\n")
    return [line for line in below.splitlines() if not line.lstrip().startswith("#")]


def capacity() -> str:
    """Return how many connections a pod takes."""
    deployment = (HERE / "base/deployment.yaml").read_text()
    found = re.search(r'- name: WSECHO_MAX_CONNECTIONS\n +value: "(\d+)"', deployment)
    assert found, "the Deployment does not set WSECHO_MAX_CONNECTIONS"
    return found[1]


def main() -> int:
    """Write or check the file, and return the exit code."""
    wanted = prometheus_rule()
    if "--check" in sys.argv:
        return int(RULE.read_text() != wanted)
    RULE.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
