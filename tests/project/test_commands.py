"""Every shell command in README.md and docs/ is run by a test, or listed here with the reason why not."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.shared.server import ROOT

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Blocks of these languages are commands line by line. In all other places, a command begins with one of the programs.
SHELLS = ("bash", "console", "sh", "shell")
PROGRAMS = re.compile(
    r"(?:\w+=\S+ )*(?:"
    r"(?:apt|apt-get|cp|curl|docker|env|gcloud|gh|git|helm|kubectl|kustomize|ls|make|npm|nohup|openssl|pip|pipx|podman|"
    r"promtool|py-spy|python|python3|setpriv|sudo|systemctl|systemd-\w+|uv|uvx|websocat|wsecho) [^\s(]|"
    r"(?:\./)?deploy/\S+\.sh(?: |$)|"
    r"(?<= )wsecho$)"
)

# Blocks that a test runs as a whole: the document and how the first command begins.
BLOCKS = {
    (
        "docs/cloud-run.md",
        "",
    ): "tests/project/test_docs.py::test_where_no_project_is_chosen_the_cloud_commands_do_nothing",
    ("docs/testing.md", "docker run"): "tests/project/test_testing_guide.py::test_the_commands_with_curl",
}
# Commands that a test runs: the same program with the same arguments, except for addresses, folders and ports.
RUN = {
    "deploy/cloud-run/clean-up.sh": (
        "tests/project/test_cloud_run_scripts.py::test_clean_up_leaves_what_was_there_before"
    ),
    "deploy/cloud-run/deploy.sh": (
        "tests/project/test_cloud_run_scripts.py::test_deploys_into_an_empty_project_and_says_where"
    ),
    "deploy/cloud-run/deploy.sh --dry-run": (
        "tests/project/test_cloud_run_scripts.py::test_a_dry_run_prints_the_commands_that_a_run_makes"
    ),
    "docker build -t wsecho . && docker run --rm -p 8080:8080 wsecho": (
        "tests/project/test_container.py::test_it_serves"
    ),
    "kubectl kustomize deploy/kubernetes/overlays/plain": (
        "tests/project/test_kubernetes.py::test_kubernetes_knows_every_field"
    ),
    "env --block-signal=TERM,INT wsecho": (
        "tests/project/test_container.py::test_a_signal_right_behind_exec_is_not_lost"
    ),
    "make build": "tests/project/test_makefile.py::test_after_a_build_no_start_compiles_a_module",
    "make run": "tests/project/test_makefile.py::test_make_run_serves",
    "pip install .": "tests/project/test_packaging.py::test_what_is_built_from_the_source_distribution_serves",
    "pip install --no-deps wsecho": (
        "tests/project/test_packages.py::test_what_is_apart_can_be_used_without_the_server"
    ),
    "OTEL_METRICS_EXPORTER=otlp OTEL_TRACES_EXPORTER=otlp OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 wsecho": (
        "tests/telemetry/test_push.py::test_what_is_pushed_equals_the_page"
    ),
    "python3 wsecho.py": "tests/test_cli.py::test_the_launcher_works_in_its_own_folder",
    "uvx wsecho": (
        "tests/project/test_packaging.py::test_a_tool_runner_installs_and_runs_it_without_privileges_and_again_offline"
    ),
    "wsecho conformance": "tests/conformance/test_harnesses.py::test_websockets",
    "wsecho conformance --client 'python echo_client.py {url}' --report-dir reports": (
        "tests/conformance/test_command.py::test_a_command_for_each_case"
    ),
    "wsecho conformance --help": "tests/conformance/test_command.py::test_help_names_the_variables",
    "wsecho conformance --port 9001 --report-dir reports": "tests/conformance/test_harnesses.py::test_websockets",
}
_BY_HAND = "by hand, because it takes minutes; .ci/run has the parts of it that can fail a change"
_CLOUD = "needs a project of Google Cloud"
_CLUSTER = "needs a cluster"
_DOCKER = "needs Docker; tests/project/test_container.py builds and starts the image by other means"
_INSTALLS = "would change the environment that the tests run in; `make` installs the same requirements"
_MACHINE = "would change the machine that the tests run on"
_PLACEHOLDER = "needs a server or process whose name the reader knows"
_RELEASE = "needs a release, and there is none yet"
# Commands that no test runs, and why.
NOT_RUN = {
    "apt install make python3-venv gcc python3-dev": _MACHINE,
    "cp deploy/systemd/wsecho* /etc/systemd/system/": _MACHINE,
    "curl -H 'X-Forwarded-For: 203.0.113.9' https://your.example/info": _PLACEHOLDER,
    "curl http://INSTANCE/health": _PLACEHOLDER,
    'docker build --build-arg EXTRAS=gcp --tag "$IMAGE" . && docker push "$IMAGE"': _DOCKER,
    "docker buildx imagetools inspect ghcr.io/OWNER/wsecho:1.2.3 --format '{{ json .Provenance }}'": _RELEASE,
    "docker buildx imagetools inspect ghcr.io/OWNER/wsecho:1.2.3 --format '{{ json .SBOM }}'": _RELEASE,
    "docker compose down": _DOCKER,
    "docker compose down --volumes": _DOCKER,
    "docker compose logs --follow wsecho": _DOCKER,
    "docker compose ps": _DOCKER,
    "docker compose run --rm test": _DOCKER,
    "docker compose up --build --wait": _DOCKER,
    "docker kill": _DOCKER,
    "docker pause": _DOCKER,
    "docker restart": _DOCKER,
    "docker run --cap-add NET_ADMIN": _DOCKER,
    "docker run --rm --network host ghcr.io/OWNER/wsecho": _DOCKER,
    "docker run --rm -p 8080:8080 ghcr.io/OWNER/wsecho": _RELEASE,
    "docker run --rm --no-healthcheck -p 9001:9001 wsecho conformance": _DOCKER,
    "docker run --volume": _DOCKER,
    'gcloud auth configure-docker "$REGION-docker.pkg.dev" --quiet': _CLOUD,
    "gcloud auth login": _CLOUD,
    "gcloud config set project NAME": _CLOUD,
    'gcloud run services logs read websocket-echo --project="$PROJECT_ID" --region="$REGION"': _CLOUD,
    "gh attestation verify oci://ghcr.io/OWNER/wsecho:1.2.3 --repo OWNER/wsecho": _RELEASE,
    "git clone URL-OF-THIS-REPOSITORY wsecho && cd wsecho": "the address of the repository is not known here",
    "helm install prometheus-adapter prometheus-community/prometheus-adapter --namespace monitoring --values values.yaml": (  # noqa: E501
        _CLUSTER
    ),
    "helm repo add prometheus-community https://prometheus-community.github.io/helm-charts": _CLUSTER,
    "kubectl apply --namespace wsecho --kustomize deploy/kubernetes/overlays/plain": _CLUSTER,
    "kubectl create namespace wsecho": _CLUSTER,
    "kubectl create secret tls wsecho-tls --namespace wsecho --cert FILE --key FILE": _CLUSTER,
    "kubectl describe hpa wsecho": _CLUSTER,
    "kubectl describe hpa wsecho --namespace wsecho": _CLUSTER,
    "kubectl describe pod": _CLUSTER,
    "kubectl get --raw '/apis/custom.metrics.k8s.io/v1beta1/namespaces/wsecho/pods/*/websocket_active_connections'": (
        _CLUSTER
    ),
    "kubectl port-forward": _CLUSTER,
    "ls -l /proc/PID/fd": _PLACEHOLDER,
    "make asan": _BY_HAND,
    "make bench": _BY_HAND,
    "make compatibility": _BY_HAND,
    "make conformance": ".ci/run runs it with fewer cases, and tests/conformance the rest",
    "make docs": "it writes what tests/project/test_docs.py::test_the_generated_tables_are_current compares",
    "make fuzz": _BY_HAND,
    "make instructions": _BY_HAND,
    "make memory": _BY_HAND,
    "make soak": _BY_HAND,
    "openssl rand -hex 16": "it prints a random number",
    "pip install '.[gcp]'": _INSTALLS,
    "pip install '.[grpc]'": _INSTALLS,
    "pip install '.[jwt,self-signed]'": _INSTALLS,
    "pip install '.[jwt]'": _INSTALLS,
    "pip install '/path/to/wsecho[self-signed]'": _INSTALLS,
    "pip install 'wsecho[self-signed]'": _RELEASE,
    "pip install -r requirements.txt": _INSTALLS,
    "pip install kosoku": _INSTALLS,
    "pip install wsecho": _RELEASE,
    "pip install websockets": _INSTALLS,
    "pipx install 'wsecho[jwt,self-signed]'": _RELEASE,
    "py-spy dump --pid PID": _PLACEHOLDER,
    "python3 -m venv .venv && . .venv/bin/activate": _INSTALLS,
    "python3 -m venv /opt/wsecho && /opt/wsecho/bin/pip install .": _MACHINE,
    "python3 -m websockets ws://INSTANCE": _PLACEHOLDER,
    "systemctl daemon-reload": _MACHINE,
    "systemctl edit wsecho": _MACHINE,
    "systemctl enable --now wsecho.socket wsecho-admin.socket": _MACHINE,
    "uvx pypi-attestations verify pypi --repository https://github.com/OWNER/wsecho pypi:FILE": _RELEASE,
}


def blocks(text: str) -> list[list[str]]:
    """Return the commands of each fenced block of a document."""
    found = re.findall(r"^```(\w*)[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [complete(body.splitlines()) for language, body in found if language in SHELLS]


def others(text: str) -> list[str]:
    """Return the commands of a document that are not in fenced blocks: in indented ones, and in sentences."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    lines: list[str] = []
    for block in re.findall(r"(?:^    .*\n)+", text, re.MULTILINE):
        # Where commands have a prompt, the other lines are what they print.
        prompted = re.findall(r"^    \$ (.*)$", block, re.MULTILINE)
        lines += prompted or re.findall(r"^    (.*)$", block, re.MULTILINE)
    spans = re.findall(r"`([^`]+)`", re.sub(r"^    .*$", "", text, flags=re.MULTILINE))
    # A script without arguments is meant as a file there.
    lines += [" ".join(span.split()) for span in spans if " " in span]
    return complete([line for line in lines if PROGRAMS.match(line)])


def complete(lines: list[str]) -> list[str]:
    """Return the commands in lines of a shell, without comments. What the shell reads as one command is one."""
    found, begun = [], ""
    for line in lines:
        begun = f"{begun}\n{line}" if begun else re.sub(r"(^|\s+)#( .*|$)", "", line)
        if is_complete(begun):
            found.append(" ".join(begun.replace("\\\n", " ").split()))
            begun = ""
    assert not begun, f"this is no complete command: {begun}"
    return list(filter(None, found))


def is_complete(text: str) -> bool:
    """Return whether a shell would run the text, and not wait for more lines."""
    if text.endswith(("\\", "|", "&&")):
        return False
    # Only these can be open at the end of a line. The others need no shell to be asked.
    if not re.search(r"""['"({]|\b(for|while|until|if|case)\b""", text):
        return True
    return subprocess.run(["bash", "-n", "-c", text], capture_output=True, check=False, timeout=60).returncode == 0


def runs_whole(document: Path, commands: list[str]) -> bool:
    name = str(document.relative_to(ROOT))
    return any(name == its_name and commands[0].startswith(first) for its_name, first in BLOCKS)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_is_run_by_a_test_or_listed(document: Path) -> None:
    text = document.read_text()
    alone = [command for block in blocks(text) if not runs_whole(document, block) for command in block]
    unknown = {*alone, *others(text)} - {*RUN, *NOT_RUN}
    assert unknown == set(), "run these by a test, or list them with the reason why not"


def test_nothing_is_listed_that_no_document_has() -> None:
    texts = {document: document.read_text() for document in DOCUMENTS}
    found = {command for text in texts.values() for commands in (*blocks(text), others(text)) for command in commands}
    assert {*RUN, *NOT_RUN} - found == set()
    assert {*RUN} & {*NOT_RUN} == set()
    for name, first in BLOCKS:
        assert any(block[0].startswith(first) for block in blocks(texts[ROOT / name])), (name, first)


def test_every_test_that_is_named_exists() -> None:
    for test in {*RUN.values(), *BLOCKS.values()}:
        file, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text(), test


def test_no_command_is_overlooked() -> None:
    text = """
Run `make run` or `ls -l /tmp`, see `wsecho.py`, `wsecho` and `websocket opened`.

    $ wsecho --port 1      # a comment
    wsecho says: a line that it prints
    make more

Then:

    make run
    ws://localhost

```bash title
# A comment
for each in 1 2; do
    echo "$each"
done
curl \\
    --silent http://x/#fragment
```

```yaml
run: make all
```
"""
    assert blocks(text) == [['for each in 1 2; do echo "$each" done', "curl --silent http://x/#fragment"]]
    assert others(text) == ["wsecho --port 1", "make run", "make run", "ls -l /tmp"]
