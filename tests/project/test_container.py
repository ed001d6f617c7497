"""The container image: built from the real Dockerfile, run as an orchestrator runs it; and what its build uploads."""

import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.container.images import ROOT, Images, why_impossible
from tests.container.processes import Container, Process
from tests.shared import imported
from tests.shared.free_port import free_port
from tests.shared.processes import wait_until
from tests.shared.server import PATIENCE

DOCKERFILE = (ROOT / "Dockerfile").read_text()
ENVIRONMENT = "opt/wsecho"
COMPILERS = re.compile(r"(.+-)?(cc|gcc|c\+\+|g\+\+|cpp|clang|ld|as|cc1)(-[\d.]+)?")


# Records its arguments and prints what the rest of the script needs.
STAND_IN_FOR_GCLOUD = """#!/bin/sh
{ printf '%s\\0' "$@"; echo; } >>"$CALLS"
case "$1 $2 $3" in
    "config get-value project") echo my-project ;;
    "iam service-accounts describe") exit 1 ;;
    "run services describe") echo https://websocket-echo.example ;;
    "projects describe "*) echo 123456 ;;
esac
"""


@pytest.fixture(scope="module")
def images() -> Iterator[Images]:
    if reason := why_impossible():
        pytest.skip(reason)
    cache = Path(os.environ.get("WSECHO_TEST_CACHE") or ROOT / "build" / "test-cache")
    with Images(cache / "container") as images:
        yield images


@pytest.fixture(scope="module")
def base(images: Images) -> str:
    # The Debian release of the image that the Dockerfile names.
    suite = re.search(r"^ARG PYTHON_IMAGE=python:[\d.]+-slim-(\w+)$", DOCKERFILE, re.MULTILINE)
    assert suite
    return images.base(suite[1])


@pytest.fixture(scope="module")
def image(images: Images, base: str) -> Iterator[str]:
    with images.build(ROOT, f"--build-arg=PYTHON_IMAGE={base}", "--build-arg=VERSION=1.2.3") as image:
        yield image


@pytest.fixture(scope="module")
def config(images: Images, image: str) -> dict[str, Any]:
    return images.config(image)


@pytest.fixture(scope="module")
def folder(images: Images, image: str) -> Iterator[Path]:
    with images.unpacked(image) as folder:
        yield folder


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def server(folder: Path, config: dict[str, Any], log: Path) -> Iterator[Container]:
    with Container(folder, config, log, PORT=str(free_port())) as server:
        server.wait_for_event("listening")
        yield server


def address(server: Container) -> str:
    return f"127.0.0.1:{server.env['PORT']}"


def get(server: Container, path: str) -> tuple[int, str, str]:
    with urllib.request.urlopen(f"http://{address(server)}{path}", timeout=PATIENCE) as response:
        return response.status, response.headers["Content-Type"], response.read().decode()


def health_check(config: dict[str, Any]) -> list[str]:
    kind, *command = config["Healthcheck"]["Test"]
    assert kind == "CMD", "a shell form would start a shell for every check"
    return [str(word) for word in command]


# Contents of the image


def test_configuration(config: dict[str, Any]) -> None:
    assert config["Entrypoint"] == ["wsecho"]
    assert "PORT=8080" in config["Env"]
    assert "PYTHONUNBUFFERED=1" in config["Env"]
    assert list(config["ExposedPorts"]) == ["8080/tcp"]
    # Kubernetes' runAsNonRoot accepts no names.
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", config["User"])
    assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert config["Labels"]["org.opencontainers.image.version"] == "1.2.3"


def test_only_the_environment_and_bytecode_were_added_to_the_base(images: Images, base: str, folder: Path) -> None:
    with images.unpacked(base) as before:
        added = files(folder) - files(before) - images.mount_points()
    bytecode = {name for name in added if re.fullmatch(r"usr/lib/python3[^/]*/(.+/)?__pycache__/[^/]+\.pyc", name)}
    assert bytecode
    assert {Path(*Path(name).parts[:2]) for name in added - bytecode} == {Path(ENVIRONMENT)}


def test_it_holds_what_runs_and_nothing_else(folder: Path) -> None:
    names = files(folder)
    assert not {name for name in names if COMPILERS.fullmatch(Path(name).name) and "bin" in Path(name).parts}

    packages = {
        Path(name).parts[5] for name in names if re.match(f"{ENVIRONMENT}/lib/python3[^/]*/site-packages/", name)
    }
    assert "wsecho" in packages
    assert not packages & {"Cython", "pip", "pytest", "setuptools", "tests"}

    ours = {Path(name).name for name in names if re.search("/site-packages/wsecho/", name)}
    assert any(re.fullmatch(r"echo\..*\.so", name) for name in ours)
    assert "index.html" in ours
    assert not [name for name in ours if name.endswith(".c") or name.startswith("test_")]


def test_the_server_cannot_change_its_own_code(folder: Path) -> None:
    for path in (folder / ENVIRONMENT, *(folder / ENVIRONMENT).rglob("*")):
        facts = path.lstat()
        assert facts.st_uid == 0, path
        assert path.is_symlink() or not facts.st_mode & 0o022, path


def files(folder: Path) -> set[str]:
    """Return all files and links in `folder`, relative to it."""
    return {
        os.path.relpath(os.path.join(parent, name), folder) for parent, _, names in os.walk(folder) for name in names
    }


# How it runs


def test_it_serves(server: Container) -> None:
    listening = server.wait_for_event("listening")
    assert listening["codec"] == "compiled"
    assert listening["port"] == int(server.env["PORT"])

    assert get(server, "/health")[0] == 200
    assert get(server, "/ready")[0] == 200
    status, content_type, _ = get(server, "/")
    assert (status, content_type.partition(";")[0]) == (200, "text/html")

    with connect(f"ws://{address(server)}/", compression=None) as client:
        for message in ("text \N{SNOWMAN}", b"\x00\xff" * 50_000, ""):
            client.send(message)
            assert client.recv(timeout=PATIENCE) == message
    assert "websocket_messages_sent_total 3.0" in get(server, "/metrics")[2].splitlines()


def test_it_is_process_1_and_not_root(server: Container, config: dict[str, Any]) -> None:
    status = server.status()
    assert status["NSpid"][-1] == "1"
    assert set(status["Uid"] + status["Gid"]) == set(config["User"].split(":"))
    assert int(status["CapEff"][0], 16) == 0
    assert Path(f"/proc/{server.pid}/exe").resolve().name.startswith("python")


EXPORTING = {f"OTEL_{name}_EXPORTER": "otlp" for name in ("METRICS", "TRACES", "LOGS")}


@pytest.mark.parametrize("variables", [{}, EXPORTING], ids=["plain", "exporting"])
def test_a_start_compiles_no_module(config: dict[str, Any], folder: Path, log: Path, variables: dict[str, str]) -> None:
    """It may not write bytecode, so it would compile the module again at every start."""
    command = ["python3", "-I", "-c", imported.CODE]
    with Container(folder, config, log, command=command, PORT=str(free_port()), **variables) as server:
        server.wait_for_event("listening")
        assert get(server, "/metrics")[0] == 200
        os.kill(server.pid, signal.SIGUSR1)
        modules = server.wait_for_event(imported.EVENT)["modules"]
    assert {"wsecho.codec.native.echo", "prometheus_client", "uvloop", "json"} <= modules.keys()
    assert imported.uncompiled(modules) == set()


def test_sigterm_says_goodbye_and_ends_it(server: Container) -> None:
    with connect(f"ws://{address(server)}/") as client:
        client.send("here")
        assert client.recv(timeout=PATIENCE) == "here"
        server.terminate()
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=PATIENCE)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
    assert server.wait(PATIENCE) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_right_behind_exec_is_not_lost(
    config: dict[str, Any], folder: Path, log: Path, number: signal.Signals
) -> None:
    """Python has just started and has installed no handler yet."""
    with Container(folder, config, log, PORT=str(free_port())) as server:
        wait_until(lambda: server.runs("python"))
        os.kill(server.pid, number)
        assert server.wait(PATIENCE) == 0
        assert "Traceback" not in server.output


def test_the_health_check_follows_the_server(
    server: Container, config: dict[str, Any], folder: Path, tmp_path: Path
) -> None:
    command = health_check(config)
    assert server.run_inside(command) == 0
    server.terminate()
    assert server.wait(PATIENCE) == 0
    with Container(folder, config, tmp_path / "check", command=command, PORT=server.env["PORT"]) as check:
        assert check.wait(PATIENCE) == 1
        assert "ConnectionRefusedError" in check.output


def test_the_health_check_asks_the_port_that_the_server_prefers(
    config: dict[str, Any], folder: Path, log: Path
) -> None:
    with Container(folder, config, log, WSECHO_PORT=str(free_port())) as server:
        listening = server.wait_for_event("listening")
        assert listening["port"] == int(server.env["WSECHO_PORT"])
        assert server.run_inside(health_check(config)) == 0


def test_arguments_are_options_of_the_server(config: dict[str, Any], folder: Path, log: Path) -> None:
    with Container(folder, config, log, arguments=["--port", "no number"]) as server:
        assert server.wait(PATIENCE) == 2
        assert "--port" in server.output


def test_it_holds_what_json_web_tokens_need(config: dict[str, Any], folder: Path, log: Path) -> None:
    with Container(folder, config, log, arguments=["--jwt-key-file", "/dev/null"]) as server:
        assert server.wait(PATIENCE) == 2
        assert "it contains no public key in PEM format" in server.output


# What it is built from


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def gcloud(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run gcloud without any user's settings and credentials. It makes no request."""
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "CLOUDSDK_CONFIG": str(home / "gcloud")}
    quiet = {"CLOUDSDK_CORE_CHECK_GCE_METADATA": "false", "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true"}
    return subprocess.run(["gcloud", *arguments], env=env | quiet, capture_output=True, text=True)


def sources() -> set[str]:
    """Return what the wheel is made of: what git lists as source, and what was built."""
    wanted = ["LICENSE", "README.md", "pyproject.toml", "requirements.txt", "setup.py", "static", "wsecho"]
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *wanted]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return {name for name in names if name and (ROOT / name).exists()}


def test_a_build_sees_the_sources_and_nothing_else(images: Images, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    with (
        images.build(ROOT, f"--file={tmp_path / 'Dockerfile'}") as image,
        images.unpacked(image) as context,
    ):
        assert files(context) == sources()


@pytest.mark.skipif(shutil.which("gcloud") is None, reason="needs gcloud")
def test_a_deployment_uploads_the_sources_and_how_to_build_them(tmp_path: Path) -> None:
    listed = gcloud(tmp_path, "meta", "list-files-for-upload", str(ROOT))
    assert listed.returncode == 0, listed.stderr
    recipes = {".dockerignore", "Dockerfile", "Procfile", "wsecho.py"}
    assert set(listed.stdout.splitlines()) == sources() | recipes


def test_the_procfile_starts_a_server_that_gets_sigterm(log: Path) -> None:
    kind, _, command = (ROOT / "Procfile").read_text().strip().partition(": ")
    assert kind == "web"
    port = str(free_port())
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PORT": port}
    # As buildpacks run it: in the application's folder, by a shell.
    with Process(["bash", "-c", command], log, env=env, folder=ROOT) as server:
        server.wait_for_event("listening")
        with connect(f"ws://127.0.0.1:{port}/") as client:
            client.send("here")
            assert client.recv(timeout=PATIENCE) == "here"
        # The process id is that of the shell, which would not pass the signal on. The server must have replaced the
        # shell.
        server.terminate()
        assert server.wait(PATIENCE) == 0


@pytest.mark.skipif(shutil.which("gcloud") is None, reason="needs gcloud")
def test_the_documented_commands_are_what_gcloud_accepts(tmp_path: Path) -> None:
    calls = documented_calls(tmp_path)
    deploy = next(call for call in calls if call[:2] == ["run", "deploy"])
    assert {"--project=my-project", "--timeout=3600", "--concurrency=1000", "--execution-environment=gen2"} <= {*deploy}

    def complaint(call: list[str]) -> str:
        done = gcloud(tmp_path, *call)
        # No account is active. gcloud reports that only for a command whose syntax is correct.
        understood = done.returncode == 0 or "have an active account" in done.stderr
        return "" if understood else f"{' '.join(call)}: {done.stderr}"

    with ThreadPoolExecutor(2) as pool:
        assert "".join(pool.map(complaint, calls)) == ""


def documented_calls(tmp_path: Path) -> list[list[str]]:
    """Return the arguments of each gcloud command in docs/cloud-run.md, as a shell splits them."""
    script = "\n".join(
        re.findall(r"^```bash\n(.+?)^```", (ROOT / "docs/cloud-run.md").read_text(), re.DOTALL | re.MULTILINE)
    )
    stand_ins = tmp_path / "bin"
    stand_ins.mkdir()
    for program in ("curl", "python3"):
        (stand_ins / program).symlink_to("/bin/true")
    (stand_ins / "gcloud").write_text(STAND_IN_FOR_GCLOUD)
    (stand_ins / "gcloud").chmod(0o755)
    env = {"PATH": f"{stand_ins}:{os.environ['PATH']}", "CALLS": str(tmp_path / "calls")}
    done = subprocess.run(["bash", "-eu", "-c", script], env=env, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return [line.split("\0")[:-1] for line in (tmp_path / "calls").read_text().splitlines()]
