"""The command line: every way to start the server, and every error in that.

Modules: `cli`, `__main__`.
"""

import ast
import importlib
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import Serve
from tests.shared.commands import run
from tests.shared.frames import TEXT, client_frame, server_frame
from tests.shared.free_port import free_port
from tests.shared.raw import RawConnection
from tests.shared.server import PATIENCE, ROOT, RunningServer, started
from wsecho.__main__ import OLDEST_PYTHON
from wsecho.cli import main
from wsecho.options.config import OPTIONS
from wsecho.options.option import Option


def assert_serves(server: RunningServer) -> None:
    assert server.get("/")[0] == 200
    assert server.get("/static/view/page.js")[0] == 200
    with RawConnection(server.port).open() as connection:
        connection.send(client_frame(TEXT, b"hi"))
        assert connection.receive(4) == server_frame(TEXT, b"hi")


def test_the_launcher_works_from_any_folder(serve: Serve, tmp_path: Path) -> None:
    assert_serves(serve(command=[sys.executable, str(ROOT / "wsecho.py")], cwd=tmp_path))


def test_the_launcher_works_in_its_own_folder(serve: Serve) -> None:
    assert_serves(serve(command=[sys.executable, "wsecho.py"]))


def test_the_package_can_be_run(serve: Serve) -> None:
    assert_serves(serve(command=[sys.executable, "-m", "wsecho"]))


LAUNCHERS = [["wsecho.py"], ["-m", "wsecho"]]


@pytest.mark.parametrize("launcher", LAUNCHERS, ids=" ".join)
@pytest.mark.parametrize("installed", [[], ["click"]], ids=["nothing", "a part"])
def test_without_what_it_needs_one_line_names_the_ways_to_install(
    launcher: list[str], installed: list[str], tmp_path: Path
) -> None:
    for name in installed:
        (tmp_path / name).symlink_to(Path(str(importlib.import_module(name).__file__)).parent)
    # -S: without the packages of this environment.
    result = run("-S", *launcher, "--port", "0", PYTHONPATH=str(tmp_path))
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert result.stderr.startswith("wsecho: No module named ")
    assert "'make run'" in result.stderr
    assert "'pip install -r requirements.txt'" in result.stderr


@pytest.mark.parametrize("launcher", LAUNCHERS, ids=" ".join)
def test_a_library_that_cannot_be_used_with_this_python_says_so_in_one_line(
    launcher: list[str], tmp_path: Path
) -> None:
    (tmp_path / "aiofastnet.py").write_text("raise ImportError('there is no OpenSSL here')")
    result = run(*launcher, "--port", "0", "--tls-self-signed", PYTHONPATH=str(tmp_path))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"wsecho: there is no OpenSSL here ({sys.executable})\n"


def test_what_an_old_python_reads_it_can_read() -> None:
    """These files contain nothing newer than the first releases of Python 3. Otherwise an old Python would end with a
    SyntaxError and its traceback.
    """
    newer = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.Match, ast.AsyncFunctionDef)
    for name in ("wsecho.py", "wsecho/__init__.py", "wsecho/__main__.py"):
        nodes = list(ast.walk(ast.parse((ROOT / name).read_text())))
        assert not [node for node in nodes if isinstance(node, newer)]
        assert not [node for node in nodes if isinstance(node, ast.arg) and node.annotation]
        assert not [node for node in nodes if isinstance(node, ast.FunctionDef) and node.returns]
        at_once = {name for node in ast.parse((ROOT / name).read_text()).body for name in imported(node)}
        assert at_once <= {"sys"}


def imported(node: ast.stmt) -> list[str]:
    return [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []


def old_python(folder: Path) -> Path:
    """Make an interpreter that reports the last version that is too old."""
    (folder / "sitecustomize.py").write_text("import sys\n\nsys.version_info = (3, 10, 99)\n")
    python = folder / "python3.10"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(folder))} exec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    return python


@pytest.mark.parametrize(
    "arguments", [["{python}", "wsecho.py"], ["{python}", "-m", "wsecho"]], ids=["wsecho.py", "-m wsecho"]
)
def test_a_python_that_is_too_old_is_one_line(arguments: list[str], tmp_path: Path) -> None:
    python = str(old_python(tmp_path))
    command = [argument.format(python=python) for argument in arguments]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert "Python 3.11 or newer is needed" in result.stderr
    assert "3.10.99" in result.stderr


def test_the_oldest_python_is_the_one_that_packages_name() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=" + ".".join(map(str, OLDEST_PYTHON))


def test_beside_its_launcher_the_package_is_the_package(tmp_path: Path) -> None:
    code = "import wsecho; print(wsecho.__file__)"
    assert run("-c", code).stdout.strip() == str(ROOT / "wsecho" / "__init__.py")
    version = run(str(ROOT / "wsecho.py"), "--version", cwd=tmp_path)
    assert version.stdout.startswith("wsecho, version ")


def test_without_the_compiled_codec_the_plain_one_serves_and_one_line_says_so(serve: Serve, tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(ROOT / "wsecho", tmp_path / "wsecho", ignore=ignored)
    shutil.copytree(ROOT / "static", tmp_path / "static")
    shutil.copy(ROOT / "wsecho.py", tmp_path)
    server = serve(command=[sys.executable, "wsecho.py"], cwd=tmp_path)
    assert_serves(server)
    assert server.listening["codec"] == "python"
    warnings = [line for line in server.logs if line["severity"] == "WARNING"]
    assert [line["event"] for line in warnings] == ["the codec is not compiled: echoes cost more"]


def test_a_checkout_that_hides_what_was_installed_says_so(serve: Serve, tmp_path: Path) -> None:
    """`python -m` searches the current folder before it searches the installed packages."""
    ignored = shutil.ignore_patterns("*.so", "__pycache__")
    for folder in ("checkout", "site"):
        shutil.copytree(ROOT / "wsecho", tmp_path / folder / "wsecho", ignore=ignored)
        shutil.copytree(ROOT / "static", tmp_path / folder / "static")
    (tmp_path / "site" / "wsecho-0.0.1.dist-info").mkdir()
    (tmp_path / "site" / "wsecho-0.0.1.dist-info" / "METADATA").write_text("Name: wsecho\nVersion: 0.0.1\n")
    installed = {"PYTHONPATH": str(tmp_path / "site")}
    hiding = serve(command=[sys.executable, "-m", "wsecho"], cwd=tmp_path / "checkout", environment=installed)
    alone = serve(command=[sys.executable, "-m", "wsecho"], cwd=tmp_path, environment=installed)
    for server, is_told in ((hiding, True), (alone, False)):
        (warning,) = [line for line in server.logs if line["severity"] == "WARNING"]
        assert (f"this folder hides the installed {tmp_path}/site/wsecho" in warning["remedy"]) is is_told


def test_ctrl_c_during_the_start_is_no_error() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "wsecho", "--port", "0"]
    with started(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        # Wait until the command has begun to import what serving needs.
        told = next(line for line in process.stderr if "opentelemetry" in line)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
        assert "Traceback" not in told + process.stderr.read()


def test_port_and_host_come_from_the_environment(serve: Serve) -> None:
    port = free_port()
    server = serve(default_address=False, environment={"PORT": str(port), "HOST": "127.0.0.1"})
    assert (server.listening["port"], server.listening["host"]) == (port, "127.0.0.1")


def test_a_flag_beats_its_variable_and_its_variable_an_alias(serve: Serve) -> None:
    port = free_port()
    server = serve(
        *("--host", "127.0.0.1"),
        default_address=False,
        environment={"PORT": "1", "WSECHO_PORT": str(port), "WSECHO_HOST": "192.0.2.1"},
    )
    assert server.port == port


@pytest.mark.parametrize(
    ("arguments", "environment", "named"),
    [
        (["--port", "99999"], {}, "--port"),
        (["--port", "x"], {}, "--port"),
        (["--max-message-size", "64kb"], {}, "--max-message-size"),
        (["--handshake-timeout", "soon"], {}, "--handshake-timeout"),
        (["--handshake-timeout", "0s"], {}, "--handshake-timeout"),
        (["--max-message-size", "99999999999GiB"], {}, "--max-message-size"),
        (["--max-message-size", "9" * 400], {}, "--max-message-size"),
        (["--hold-limit", "4GiB"], {}, "at most 256MiB is allowed"),
        (["--max-message-size", "2000GiB"], {}, "at most 1024GiB is allowed"),
        (["--jwt-leeway", "2h"], {}, "at most 3600s is allowed"),
        (["--workers", "1025"], {}, "at most 1024 is allowed"),
        (["--max-fragments", "0"], {}, "at least 1 is needed"),
        (["--admin-host", "0.0.0.0"], {}, "--admin-host has no effect without --admin-port"),
        (["--backlog", "99999999999"], {}, "--backlog"),
        (["--log-level", "loud"], {}, "--log-level"),
        (["--subprotocol", "a b"], {}, "--subprotocol"),
        (["--no-such-option"], {}, "--no-such-option"),
        (["stray"], {}, "stray"),
        (["--port", "-1"], {}, "'-1' is not a port"),
        ([], {"PORT": "http"}, "--port"),
        ([], {"WSECHO_STALL_TIMEOUT": "-1"}, "--stall-timeout"),
        ([], {"WSECHO_TLS_SELF_SIGNED": "enabled"}, "--tls-self-signed"),
    ],
)
def test_a_bad_option_is_one_line_and_exit_code_2(
    arguments: list[str], environment: dict[str, str], named: str
) -> None:
    result = run("-m", "wsecho", *arguments, **environment)
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert result.stderr.startswith("wsecho: ")
    assert named in result.stderr


@pytest.mark.parametrize(
    "option", [option for option in OPTIONS if not option.is_switch], ids=lambda option: option.flag
)
def test_an_option_without_its_value_is_one_line_and_exit_code_2(
    option: Option, capsys: pytest.CaptureFixture[str]
) -> None:
    """Otherwise an unset shell variable could remove a restriction or leave out the encryption."""
    for arguments in ([option.flag], [option.flag, "--public"]):
        assert main(arguments) == 2
        line = capsys.readouterr().err
        assert line.startswith("wsecho: ")
        assert option.flag in line
        assert line.count("\n") == 1


def test_missing_files_of_the_page_are_one_line_and_exit_code_1(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(ROOT / "wsecho", tmp_path / "wsecho", ignore=ignored)
    result = run("-m", "wsecho", "--port", "0", "--log-level", "error", cwd=tmp_path)
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert "index.html" in result.stderr


def test_help_names_every_option_with_its_variable() -> None:
    text = run("-m", "wsecho", "--help").stdout
    for option in OPTIONS:
        assert option.flag in text
        assert option.environment[0] in text
    assert "'wsecho conformance --help'" in text
