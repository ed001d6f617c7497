"""The command: its options, the commands that it runs, what it prints, and its exit codes.

Modules: `command`, `server`, `client_command`.
"""

import asyncio
import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import websockets
from click.testing import CliRunner

from tests.conformance.runs import ECHOING_CLIENT, LOCAL, finished, index, started
from tests.scenarios.scenes import head
from tests.shared.processes import wait_until
from tests.shared.server import PATIENCE
from wsecho.conformance.cases import all_cases, selected
from wsecho.conformance.command import command


def test_the_cases_can_be_listed() -> None:
    done = finished("--list")
    assert (done.returncode, done.stderr) == (0, "")
    listed = [line.split() for line in done.stdout.splitlines()]
    assert [each[0] for each in listed] == [case.id for case in selected(all_cases(), "open", (), ())]
    done = finished("--list", "--set", "all", "--only", "26.1,28", "--skip", "28.2", "--skip", "26.1")
    numbers = [line.split()[0] for line in done.stdout.splitlines()]
    assert numbers
    assert all(number.startswith("28.") and not number.startswith("28.2.") for number in numbers)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--only", "nonsense"), "--only or --skip: 'nonsense' names no case"),
        (("--only", "28.1.1"), "leave no case"),
        (("--client", "client"), "--client: it must have {url}"),
        (("--client", "client '{url}"), "--client: No closing quotation"),
        (("--port", "70000"), "--port: '70000' is not a port"),
        (("--set", "some"), "--set"),
        (("--nonsense",), "--nonsense"),
        (("surplus",), "surplus"),
        (("--tls-cert", "/nonexistent"), "--tls-cert"),
        (("--report-dir", "/dev/null/reports"), "--report-dir: "),
    ],
)
def test_a_wrong_option_is_one_line(options: tuple[str, ...], line: str) -> None:
    done = finished(*LOCAL, *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("wsecho conformance: ")
    assert done.stderr.count("\n") == 1
    assert line in done.stderr


def test_help_names_the_variables() -> None:
    text = CliRunner().invoke(command, ["--help"]).output
    for option in ("--port", "--client", "--report-dir", "--only", "--skip", "--set", "--list", "--tls-self-signed"):
        assert option in text
        assert f"WSECHO_CONFORMANCE_{option.removeprefix('--').replace('-', '_').upper()}" in text


def test_a_port_that_is_taken_is_one_line() -> None:
    with started("--only", "20.1.1") as run:
        done = finished("--host", "127.0.0.1", "--port", str(run.port))
    assert done.returncode == 1
    assert done.stderr.startswith("wsecho conformance: ")
    assert done.stderr.count("\n") == 1


def test_options_are_variables_too(tmp_path: Path) -> None:
    variables = {"WSECHO_CONFORMANCE_ONLY": "20.1.1,20.1.2", "WSECHO_CONFORMANCE_REPORT_DIR": str(tmp_path / "made")}
    # Those of a server change nothing.
    variables |= {"WSECHO_CODEC": "nonsense", "WSECHO_PORT": "1", "PORT": "1"}
    with started(env=os.environ | variables) as run:
        assert run.cases == 2
        code, output = run.stop()
    assert code == 1
    assert "no case was run" in output
    assert index(tmp_path / "made") == {}


def test_a_command_for_each_case(tmp_path: Path) -> None:
    numbers = ("20.1.1", "20.1.2", "20.1.3", "20.1.4", "22.6.1", "23.3.1", "26.1.1")
    only = ("--only", ",".join(numbers))
    done = finished(*LOCAL, *only, "--client", ECHOING_CLIENT, "--report-dir", str(tmp_path), "--agent", "mine")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line.split()[:3] for line in lines[1:8]] == [["OK", "OK", number] for number in numbers]
    assert lines[8:] == ["mine: 7 cases, 0 failed", f"reports: {tmp_path / 'index.html'}"]
    assert len(index(tmp_path)["mine"]) == 7


def test_a_command_that_fails_one_case() -> None:
    done = finished(*LOCAL, "--only", "20.1.1,23.10.1", "--client", ECHOING_CLIENT)
    assert done.returncode == 1
    assert "1 failed: 23.10.1" in done.stdout
    assert "0 of 1 messages came back before it ended the connection" in done.stdout


def test_a_command_that_does_not_connect() -> None:
    done = finished(*LOCAL, "--only", "20.1.1", "--client", f"{sys.executable} -c pass {{url}}")
    assert done.returncode == 1
    assert "The client did not connect" in done.stdout


def test_a_run_that_is_stopped_is_no_success(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    client = f'{sys.executable} -c \'open("{begun}", "w").close(); import time; time.sleep(600)\' {{url}}'
    with started("--only", "20.1", "--client", client) as run:
        wait_until(begun.exists)
        code, output = run.stop()
    assert code == 1
    assert "no case was run" in output
    assert "not all cases were run" in output


def test_reports_that_cannot_be_written_are_an_error_line(tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    with started("--only", "20.1.1", "--report-dir", str(folder), stderr=subprocess.PIPE) as run:
        folder.rmdir()
        folder.write_text("in the way")
        with run.raw("/updateReports?agent=a") as connection:
            head(connection)
            assert connection.receive(4)[2:] == b"\x03\xf3"
        # The process ends all the same: whoever waits for it does not wait for ever.
        with run.raw("/updateReports?agent=a&shutdownOnComplete=true") as connection:
            head(connection)
            assert connection.receive(4)[2:] == b"\x03\xf3"
        _, errors = run.process.communicate(timeout=PATIENCE)
    assert run.process.returncode == 1
    assert errors.count("\n") == 3
    assert all(line.startswith("wsecho conformance: ") for line in errors.splitlines())


def test_a_command_that_does_not_exist() -> None:
    done = finished(*LOCAL, "--only", "20.1.1", "--client", "/nonexistent/client {url}")
    assert done.returncode == 1
    assert "--client cannot be run: " in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_server_with_tls(tmp_path: Path) -> None:
    async def echo(url: str) -> None:
        tls = ssl._create_unverified_context()
        async with websockets.connect(f"{url}/runCase?case=1&agent=tls", proxy=None, ssl=tls) as connection:
            async for message in connection:
                await connection.send(message)

    with started("--tls-self-signed", "--only", "31.3.1", "--report-dir", str(tmp_path)) as run:
        assert run.url.startswith("wss://")
        asyncio.run(echo(run.url))
        assert run.stop()[0] == 0
    assert index(tmp_path)["tls"]["31.3.1"]["behaviorClose"] == "OK"
