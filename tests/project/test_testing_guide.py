"""The recipes of docs/testing.md: run, checked against schemas, or parsed."""

import importlib
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from websockets.sync.client import connect

from tests.shared.docker_engine import IMAGE, docker_engine
from tests.shared.free_port import free_port
from tests.shared.proxies import SEARCH_PATH
from tests.shared.server import PATIENCE, ROOT, started
from wsecho.testing import Peer, StartServer
from wsecho.testing.remote import RemotePeer

GUIDE = (ROOT / "docs/testing.md").read_text()
# Language, name if it has one, text.
BLOCKS = re.findall(r"^```(\w+)(?: ([\w./-]+))?\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
SCHEMAS = {
    ".github/workflows/test.yml": "github-workflows",
    ".gitlab-ci.yml": "gitlab-ci",
    "compose.yaml": "compose-spec",
}
# What a container is replaced by runs at another port.
ADDRESS = "localhost:8080"


def block(language: str, name: str = "", *, number: int = 0) -> str:
    """Return a block of the guide. `number` tells blocks of the same language and name apart."""
    found = [text for its_language, its_name, text in BLOCKS if (its_language, its_name) == (language, name)]
    return str(found[number])


def test_the_example_for_pytest(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeconftest(block("python", "conftest.py"))
    pytester.makepyfile(test_client=block("python", "test_client.py"))
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--strict-markers")
    result.assert_outcomes(passed=5)


def test_the_setting_for_pytest(pytester: pytest.Pytester) -> None:
    """pytest reads the command as words of a shell."""
    pytester.makeconftest(block("python", "conftest.py"))
    pytester.makepyprojecttoml(block("toml", "pyproject.toml"))
    config = pytester.parseconfig()
    assert config.getini("wsecho_command") == ["uvx", "--from", "wsecho[self-signed]", "wsecho"]
    config._ensure_unconfigure()


def test_the_commands_with_curl(wsecho_server: StartServer, tmp_path: Path) -> None:
    """As they are, with a program in place of Docker that says what it was asked for."""
    if not shutil.which("curl"):
        pytest.skip("needs curl (Debian: curl)")
    docker = tmp_path / "docker"
    docker.write_text('#!/bin/sh\necho "$@" >>"$0.calls"\n')
    docker.chmod(0o755)
    server = wsecho_server()
    commands = next(text for language, _, text in BLOCKS if language == "bash" and "curl" in text)
    finished = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands.replace(f"http://{ADDRESS}", server.http_url)],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert (tmp_path / "docker.calls").read_text().splitlines() == [
        f"run --detach --rm --name wsecho --publish 127.0.0.1:8080:8080 {IMAGE}",
        "stop wsecho",
    ]
    assert "Close frame with code 1001" in finished.stdout
    assert (tmp_path / "answer").read_bytes().startswith(b"HTTP/1.1 101 ")
    assert '"attempts": 1' in finished.stdout
    assert finished.stdout.endswith("websocket_connections_total 1.0\n")


@pytest.mark.parametrize(
    ("name", "text"), [(name, text) for language, name, text in BLOCKS if language == "yaml"], ids=lambda _: ""
)
def test_the_services_know_every_key(name: str, text: str, tmp_path: Path) -> None:
    from check_jsonschema import main

    file = tmp_path / Path(name).name
    file.write_text(text)
    with pytest.raises(SystemExit) as ended:
        main(["--builtin-schema", f"vendor.{SCHEMAS[name]}", str(file)])
    assert ended.value.code == 0
    for service in yaml.safe_load(text).get("services", {}).values() if name == "compose.yaml" else ():
        # The schema does not know that Compose refuses the one without the other.
        health = service.get("healthcheck", {})
        assert ("start_interval" in health) == ("start_period" in health)


def test_the_services_are_what_the_tests_connect_to() -> None:
    for language, name, text in BLOCKS:
        if language == "yaml":
            assert IMAGE in text
            url = re.search(r'WSECHO_TEST_URL: "ws://([\w:]+)"', text)
            assert url, name
            assert url[1] in (ADDRESS, "wsecho:8080", "proxy")
            # Where there is a proxy, it listens on the default port and connects to the server.
            assert url[1] != "proxy" or ("listen 80;" in text and "proxy_pass http://wsecho:8080;" in text)


def test_the_proxy_of_the_compose_file_passes_everything_on(wsecho: Peer, tmp_path: Path) -> None:
    program = shutil.which("nginx", path=SEARCH_PATH)
    if not program:
        pytest.skip("needs nginx (Debian: nginx)")
    compose: dict[str, Any] = yaml.safe_load(block("yaml", "compose.yaml", number=1))
    port = free_port()
    server = compose["configs"]["nginx"]["content"].replace("$$", "$")
    server = server.replace("listen 80;", f"listen 127.0.0.1:{port};").replace(
        "wsecho:8080", f"127.0.0.1:{wsecho.port}"
    )
    folders = [f"{name}_temp_path {tmp_path}/{name};" for name in ("proxy", "fastcgi", "uwsgi", "scgi", "client_body")]
    file = tmp_path / "nginx.conf"
    file.write_text(f"events {{}}\nhttp {{\naccess_log off;\n{' '.join(folders)}\n{server}\n}}\n")
    tmp_path.chmod(0o777)  # nginx drops root's rights
    settings = f"daemon off; pid {tmp_path}/pid;"
    with started([program, "-e", "stderr", "-g", settings, "-c", str(file)], stderr=subprocess.DEVNULL) as nginx:
        proxy = RemotePeer(f"http://127.0.0.1:{port}")
        proxy.wait_until_ready()
        with connect(proxy.at("/ws?key=through-a-proxy"), compression=None) as client:
            client.send("hello")
            assert client.recv() == "hello"
        (seen,) = proxy.seen("through-a-proxy")["connections"]
        assert seen["received"]["frames"]["text"] == {"count": 1, "payload": 5}
        nginx.terminate()  # its master process ends the others
        nginx.wait(PATIENCE)


def test_the_container_of_the_python_example(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the real library. Its container is a process, which gets the variables of the container."""
    pytest.importorskip("testcontainers.core.container", reason="needs testcontainers, which the group dev installs")
    pytester.makepyfile(
        test_container=block("python", "test_container.py")
        + """
def test_it(wsecho_url):
    from websockets.exceptions import ConnectionClosedError
    from websockets.sync.client import connect
    with connect(wsecho_url) as client, pytest.raises(ConnectionClosedError, match="1009"):
        client.send("x" * ((1 << 20) + 1))
        client.recv()
"""
    )
    with docker_engine() as (address, engine):
        for name, value in {
            "DOCKER_HOST": address,
            "TESTCONTAINERS_RYUK_DISABLED": "true",
            "TESTCONTAINERS_CONNECTION_MODE": "docker_host",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # saves time
        }.items():
            monkeypatch.setenv(name, value)
        result = pytester.runpytest_subprocess("-p", "no:cacheprovider", timeout=PATIENCE)
        result.assert_outcomes(passed=1)
        assert [container["Image"] for container in engine.created] == [IMAGE]
        assert not engine.containers


@pytest.mark.parametrize("language", ["java", "go", "csharp"])
def test_the_other_examples_can_be_parsed(language: str) -> None:
    """By the grammar of the language: these are no programs, and there is no compiler for them here."""
    tree_sitter = pytest.importorskip("tree_sitter")
    grammar = importlib.import_module(f"tree_sitter_{language.replace('csharp', 'c_sharp')}")
    (text,) = (text for its_language, _, text in BLOCKS if its_language == language)
    tree = tree_sitter.Parser(tree_sitter.Language(grammar.language())).parse(text.encode())
    assert not tree.root_node.has_error, str(tree.root_node)
    assert f'"{IMAGE}"' in text
    assert '"/ready"' in text


def test_node_can_read_its_example(tmp_path: Path) -> None:
    if not shutil.which("node"):
        pytest.skip("needs node (Debian: nodejs)")
    (tmp_path / "example.mjs").write_text(block("js", "echo.test.js"))
    subprocess.run(["node", "--check", "example.mjs"], cwd=tmp_path, check=True, timeout=PATIENCE)


def test_the_options_of_the_recipes_exist(wsecho: Peer) -> None:
    """The server would only warn of a variable that is none of its own."""
    from wsecho.options.config import OPTIONS

    known = {variable for option in OPTIONS for variable in option.environment}
    named = set(re.findall(r"\bWSECHO_(?!TEST_)[A-Z_]+", GUIDE))
    assert named - known == set()
    assert json.loads(wsecho.get("/info"))["server"]["limits"]
