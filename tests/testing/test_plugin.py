"""The pytest plugin in small projects, each of which is a run of pytest of its own.

Modules: `plugin`, `servers`, `current`, `guard`, `remote`.
"""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.shared.free_port import free_port
from tests.shared.processes import is_running, wait_until
from tests.shared.server import PATIENCE, ROOT, RunningServer

CONFTEST = 'pytest_plugins = ["wsecho.testing"]'
ECHO = """
from websockets.sync.client import connect

def echo(url, **settings):
    with connect(url, **settings) as client:
        client.send("hello")
        assert client.recv() == "hello"
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project whose tests load the plugin. Its environment would configure a server, if it reached one."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # saves time
    for name, value in {"PORT": "1", "WSECHO_LOG_LEVEL": "error", "OTEL_TRACES_EXPORTER": "otlp"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("WSECHO_TEST_URL", raising=False)
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(peers=ECHO)
    return pytester


def run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return project.runpytest_inprocess("-p", "no:cacheprovider", "--strict-markers", "-rs", *arguments)


def pids(project: pytest.Pytester) -> set[int]:
    """Return the processes that the tests of a project have noted as files of their folder `pids`."""
    return {int(file.name) for file in (project.path / "pids").iterdir()}


def test_the_shared_server_and_the_mark(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import unittest
        from pathlib import Path

        import pytest
        from websockets.exceptions import ConnectionClosedError
        from websockets.sync.client import connect

        from peers import echo
        from tests.shared.processes import wait_until

        ports = {}

        @pytest.fixture(scope="module", autouse=True)
        def of_module(wsecho):
            return wsecho.port

        @pytest.fixture(autouse=True)
        def note(_wsecho_servers):
            yield
            for server in _wsecho_servers._shared.values():
                Path("pids").mkdir(exist_ok=True)
                Path("pids", str(server.pid)).touch()

        def test_the_shared_server(wsecho):
            echo(wsecho.url)
            assert wsecho.url == f"ws://127.0.0.1:{wsecho.port}"
            assert wsecho.metrics()["websocket_connections_total"] == 1
            assert '"method":"GET"' in wsecho.get("/info").replace(" ", "")
            ports["default"] = wsecho.port

        def test_what_the_server_saw(wsecho):
            with connect(wsecho.at("ws/close/4001?key=k.1")) as client, pytest.raises(ConnectionClosedError):
                client.recv()
            (seen,) = wsecho.seen("k.1")["connections"]
            assert seen["close"]["received"]["code"] == 4001
            with pytest.raises(RuntimeError, match="/nowhere: expected status 200, but got 404"):
                wsecho.get("/nowhere")

        @pytest.mark.wsecho("--max-message-size=4", log_level="debug")
        class TestOptions:
            def test_options(self, wsecho):
                with connect(wsecho.url) as client, pytest.raises(ConnectionClosedError, match="1009"):
                    client.send("hello")
                    client.recv()
                ports["marked"] = wsecho.port
                wait_until(lambda: "websocket opened" in [line["event"] for line in wsecho.logs()])

            def test_equal_options_are_one_server(self, wsecho):
                assert wsecho.port == ports["marked"] != ports["default"]

            @pytest.mark.wsecho(max_message_size="5")
            def test_the_nearest_mark_wins(self, wsecho):
                echo(wsecho.url)

        def test_without_the_mark_it_is_the_shared_one(wsecho, of_module):
            assert wsecho.port == ports["default"] == of_module

        @pytest.mark.usefixtures("wsecho")
        class TestOldStyle(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def peer(self, wsecho):
                self.wsecho = wsecho

            @pytest.mark.wsecho("--max-message-size=4", log_level="debug")
            def test_a_mark(self):
                assert self.wsecho.port == ports["marked"]

        @pytest.mark.wsecho("--no-such-option")
        def test_a_wrong_option(wsecho):
            with pytest.raises(RuntimeError, match="did not start: wsecho: unknown option --no-such-option"):
                wsecho.url
    """)
    result = run(project)
    result.assert_outcomes(passed=8)
    assert len(pids(project)) == 3
    assert not any(map(is_running, pids(project)))


def test_each_worker_of_xdist_has_a_server_of_its_own(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import os
        from pathlib import Path

        import pytest
        from peers import echo

        @pytest.mark.parametrize("number", range(2))
        def test_echo(wsecho, _wsecho_servers, number):
            echo(wsecho.url)
            (server,) = _wsecho_servers._shared.values()
            for folder, name in ("pids", server.pid), ("workers", os.environ["PYTEST_XDIST_WORKER"]):
                Path(folder).mkdir(exist_ok=True)
                Path(folder, str(name)).touch()
    """)
    result = project.runpytest_subprocess(
        "-p", "no:cacheprovider", "-p", "xdist", "-n", "2", "--dist", "each", timeout=PATIENCE
    )
    result.assert_outcomes(passed=4)
    assert len(list((project.path / "workers").iterdir())) == 2
    assert len(pids(project)) == 2
    assert not any(map(is_running, pids(project)))


def test_a_server_that_runs_already_is_used_and_what_it_cannot_do_is_skipped(
    project: pytest.Pytester, server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WSECHO_TEST_URL", f"ws://127.0.0.1:{server.port}/")
    project.makepyfile("""
        import pytest
        from peers import echo

        @pytest.mark.wsecho("--idle-timeout=1s")
        def test_options(wsecho):
            echo(wsecho.url)

        def test_echo(wsecho):
            echo(wsecho.at("/ws?key=elsewhere"))
            assert len(wsecho.seen("elsewhere")["connections"]) == 1

        def test_logs(wsecho):
            assert wsecho.logs()

        def test_tls(wsecho_tls):
            raise AssertionError

        def test_a_server_of_its_own(wsecho_server):
            raise AssertionError
    """)
    result = run(project)
    result.assert_outcomes(passed=1, skipped=4)
    result.stdout.fnmatch_lines_random(
        [
            "*the server at WSECHO_TEST_URL cannot be given the options --idle-timeout=1s",
            "*the log of the server at WSECHO_TEST_URL cannot be read",
            "*the server at WSECHO_TEST_URL has no certificate that tests could trust",
            "*the server at WSECHO_TEST_URL cannot be stopped or given options by a test",
        ]
    )


def test_a_server_that_does_not_become_ready_fails_every_test(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WSECHO_TEST_URL", f"ws://127.0.0.1:{free_port()}")
    monkeypatch.setattr("wsecho.testing.remote.PATIENCE_SECONDS", 0.0)
    project.makepyfile("def test_one(wsecho): pass\ndef test_two(wsecho): pass")
    result = run(project)
    result.assert_outcomes(errors=2)
    assert "WSECHO_TEST_URL: after 0 s, not ready: ConnectionRefusedError: " in result.stdout.str()


def test_where_the_server_does_not_run_tests_are_skipped(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wsecho.testing.plugin.sys", SimpleNamespace(platform="win32", executable="python"))
    project.makepyfile("""
        def test_shared(wsecho):
            assert wsecho.url
        def test_tls(wsecho_tls):
            raise AssertionError
        def test_of_its_own(wsecho_server):
            raise AssertionError
    """)
    result = run(project)
    result.assert_outcomes(skipped=3)
    result.stdout.fnmatch_lines("*wsecho does not run on Windows; WSECHO_TEST_URL can name one that runs elsewhere")


@pytest.mark.parametrize(
    "url", ["localhost:8080", "ws://", "ws://localhost:port", "ws://localhost/?key=k1", "ws://[::1"]
)
def test_a_url_that_is_none_is_one_line_before_any_test(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("WSECHO_TEST_URL", url)
    result = run(project)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.lines[-1 if result.stderr.lines[-1] else -2] == (
        f"ERROR: WSECHO_TEST_URL: {url!r} is not a URL such as ws://localhost:8080"
    )


def test_a_command_of_the_ini_file_starts_the_server(project: pytest.Pytester) -> None:
    program = project.makepyfile(
        runner="""
        import subprocess, sys
        print("a tool runner that has something to say", flush=True)
        sys.exit(subprocess.call([sys.executable, "-m", *sys.argv[1:]]))
    """
    )
    project.makeini(f"[pytest]\nwsecho_command = '{sys.executable}' '{program}' wsecho\n")
    project.makepyfile("""
        import pytest
        from peers import echo

        def test_echo(wsecho):
            echo(wsecho.url)
            assert wsecho.logs()[0] == {"event": "a tool runner that has something to say"}

        def test_dies_with_its_runner(wsecho_server):
            server = wsecho_server()
            server.kill()
            with pytest.raises(ConnectionRefusedError):
                echo(server.url)
    """)
    run(project).assert_outcomes(passed=2)
    project.makeini("[pytest]\nwsecho_command = no-such-program\n")
    result = run(project)
    assert "wsecho did not start: [Errno 2] No such file or directory: 'no-such-program'" in result.stdout.str()


def test_servers_end_with_a_pytest_that_is_killed(project: pytest.Pytester) -> None:
    """Also one that is suspended, one with several workers, and one that a thread has started that is over."""
    project.makepyfile("""
        import os, threading
        from pathlib import Path

        from tests.shared.processes import children

        def test_waits(wsecho, wsecho_server):
            wsecho_server("--workers=2")
            started = []
            thread = threading.Thread(target=lambda: started.append(wsecho_server()))
            thread.start()
            thread.join()
            started[0].suspend()
            assert wsecho.get("/ready")
            Path("pids").mkdir()
            for pid in children(os.getpid()):
                Path("pids", str(pid)).touch()
            Path("ready").touch()
            threading.Event().wait()
    """)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(project.path)]
    # The folders of its servers stay behind.
    environment = os.environ | {"TMPDIR": str(project.path)}
    with subprocess.Popen(command, cwd=project.path, env=environment, stdout=subprocess.DEVNULL) as process:
        wait_until(lambda: (project.path / "ready").exists() or process.poll() is not None)
        process.send_signal(signal.SIGKILL)
    started = pids(project)
    assert len(started) == 4  # the guard is one of them
    wait_until(lambda: not any(map(is_running, started)))
    # The others, such as workers, have ended with these. This process is in the folder too.
    wait_until(lambda: in_folder(project.path) == {os.getpid()})


def in_folder(folder: Path) -> set[int]:
    """Return the processes that run in this folder."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink() == folder and is_running(int(process.name)):
                found.add(int(process.name))
    return found
