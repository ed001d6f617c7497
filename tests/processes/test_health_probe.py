"""The health probe, which asks the server where it listens, with TLS and without."""

import shutil
import subprocess
import sys

import pytest

from tests.conftest import Serve
from tests.shared.certificates import Authority, Certificate
from tests.shared.free_port import free_port
from tests.shared.server import PATIENCE, ROOT, RunningServer, _environment


def probe(**variables: str) -> tuple[int, str]:
    """Return the exit code and the standard error of the probe with these environment variables."""
    command = [sys.executable, "-m", "wsecho.processes.health_probe"]
    done = subprocess.run(
        command, cwd=ROOT, env=_environment() | variables, capture_output=True, text=True, timeout=PATIENCE
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("listens_on", "host"),
    [
        ("127.0.0.1", ""),
        ("127.0.0.1", "0.0.0.0"),
        ("127.0.0.1", "::"),
        ("::1", "::"),
        ("::1", "::1"),
        ("127.0.0.2", "127.0.0.2"),
        ("127.0.0.1", "localhost"),
    ],
)
@pytest.mark.parametrize("variable", ["WSECHO_HOST", "HOST"])
def test_it_asks_where_the_server_listens(serve: Serve, listens_on: str, host: str, variable: str) -> None:
    """The server does not listen on all addresses, because it could then be reached from other machines."""
    server = serve("--host", listens_on, "--port", "0", default_address=False)
    assert probe(**{variable: host, "WSECHO_PORT": str(server.port)}) == (0, "")


def test_it_asks_only_the_configured_address(serve: Serve) -> None:
    server = serve("--host", "127.0.0.2", "--port", "0", default_address=False)
    code, words = probe(WSECHO_PORT=str(server.port))
    assert (code, words.count("\n"), words.split(":")[0]) == (1, 1, "ConnectionRefusedError")


WITHOUT_IPV4 = "ip address del 127.0.0.1/8 dev lo"
WITHOUT_IPV6 = "for each in all lo; do echo 1 >/proc/sys/net/ipv6/conf/$each/disable_ipv6; done"
# A server and a health probe in a network namespace of their own.
SERVED_AND_ASKED = """
ip link set lo up
{}
"$@" --port 8080 &
until "$1" -m wsecho.processes.health_probe; do kill -0 $! || exit; done
kill $!
wait $!
"""


@pytest.mark.parametrize(
    ("network", "host"),
    [(WITHOUT_IPV4, ""), (WITHOUT_IPV6, ""), (WITHOUT_IPV6, "localhost"), (":", "")],
)
def test_the_server_is_found_with_either_family_alone_and_with_both(network: str, host: str) -> None:
    needed = ["unshare", "--net", "ip", "link"]
    if not shutil.which("unshare") or subprocess.run(needed, capture_output=True).returncode:
        pytest.skip("needs the right to make a namespace of networks, and the packages util-linux and iproute2")
    script = SERVED_AND_ASKED.format(network)
    command = ["unshare", "--net", "sh", "-c", script, "sh", sys.executable, "-m", "wsecho"]
    environment = _environment() | {"WSECHO_HOST": host}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert '"stopped"' in done.stdout


@pytest.mark.parametrize(("host", "encryption"), [("::1", "WSECHO_TLS_SELF_SIGNED"), ("127.0.0.2", "")])
def test_it_asks_there_by_tls_too(serve: Serve, host: str, encryption: str) -> None:
    server = serve("--tls-self-signed", "--host", host, "--port", "0", default_address=False)
    told = {encryption: "on"} if encryption else {}
    assert probe(WSECHO_HOST=host, WSECHO_PORT=str(server.port), **told) == (0, "")


@pytest.mark.parametrize("variables", [{"PORT": "http"}, {"HOST": "no such host"}, {"HOST": "no-such-host.invalid"}])
def test_what_cannot_be_asked_is_one_line(variables: dict[str, str]) -> None:
    code, words = probe(**{"PORT": str(free_port())} | variables)
    assert (code, words.count("\n")) == (1, 1)
    assert "Traceback" not in words


def exit_code(server: RunningServer, **environment: str) -> int:
    command = [sys.executable, "-m", "wsecho.processes.health_probe"]
    names = {"PORT": str(server.port), **environment}
    return subprocess.run(command, cwd=ROOT, env=names, timeout=PATIENCE, check=False, capture_output=True).returncode


def test_the_health_probe_finds_out_how_to_ask(
    serve: Serve, server: RunningServer, tls_server: RunningServer, certificate: Certificate, authority: Authority
) -> None:
    assert exit_code(server) == 0
    assert exit_code(tls_server) == 0
    assert exit_code(tls_server, WSECHO_TLS_CERT="/somewhere") == 0
    assert exit_code(server, WSECHO_TLS_SELF_SIGNED="on") == 1
    demanding = serve(*certificate.options, "--tls-client-ca", str(authority.certificate))
    assert exit_code(demanding) == 0
    demanding.stop()
    assert exit_code(demanding) == 1
