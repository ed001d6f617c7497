"""Environment variables: those of options, of Kubernetes and others, misspelled ones, and those in other encodings.

Modules: `environment`, `config`.
"""

import base64

import pytest

from tests.conftest import Serve
from tests.shared.commands import run
from wsecho.options import environment
from wsecho.options.config import OPTIONS
from wsecho.options.option import Option
from wsecho.options.values import parse_port

# What the kubelet sets in every pod for a Service `wsecho` with one named TCP port and one UDP port.
LINKS = {
    "WSECHO_SERVICE_HOST": "10.96.12.34",
    "WSECHO_SERVICE_PORT": "80",
    "WSECHO_SERVICE_PORT_HTTP": "80",
    "WSECHO_PORT": "tcp://10.96.12.34:80",
    "WSECHO_PORT_80_TCP": "tcp://10.96.12.34:80",
    "WSECHO_PORT_80_TCP_PROTO": "tcp",
    "WSECHO_PORT_80_TCP_PORT": "80",
    "WSECHO_PORT_80_TCP_ADDR": "10.96.12.34",
    "WSECHO_PORT_53_UDP": "udp://[fd00::34]:53",
    "WSECHO_PORT_53_UDP_ADDR": "fd00::34",
}


def links(service: str) -> dict[str, str]:
    """Return the same variables for another Service."""
    return {name.replace("WSECHO", service, 1): text for name, text in LINKS.items()}


# Variables that others set


def test_a_service_of_our_name_does_not_set_the_port(serve: Serve) -> None:
    server = serve(environment=LINKS | links("WSECHO_ADMIN") | links("WSECHO_MAX_CONNECTIONS"))
    ignored = [line for line in server.logs if line["event"] == "a variable is ignored"]
    assert {line["variable"] for line in ignored} == {"WSECHO_PORT", "WSECHO_ADMIN_PORT"}
    assert {line["severity"] for line in ignored} == {"WARNING"}
    assert all("Service" in line["reason"] and "enableServiceLinks" in line["remedy"] for line in ignored)


@pytest.mark.parametrize("option", [option for option in OPTIONS if option.parse is parse_port], ids=lambda it: it.name)
def test_an_address_of_a_service_is_no_port_and_what_comes_behind_it_counts(option: Option) -> None:
    first = option.environment[0]
    assert environment.variable_of(option, {first: "tcp://10.0.0.1:80"}) is None
    assert environment.variable_of(option, {first: "80", "PORT": "81"}) == first
    for alias in option.aliases:
        assert environment.variable_of(option, {first: "udp://[fd00::1]:80", alias: "81"}) == alias


def test_the_health_probe_asks_the_port_that_is_left(serve: Serve) -> None:
    server = serve(environment=links("WSECHO"))
    asked = run("-m", "wsecho.processes.health_probe", **(links("WSECHO") | {"PORT": str(server.port)}))
    assert (asked.returncode, asked.stderr) == (0, "")


def test_a_mistyped_variable_is_told_with_the_nearest_name_and_without_its_value(serve: Serve) -> None:
    mistyped = {"WSECHO_PROT": "8080", "WSECHO_AUTH_TOKN": "open-sesame", "wsecho_workers": "3", "WSECHO_QQQQ": "1"}
    server = serve(environment=mistyped)
    ignored = [line for line in server.logs if line["event"] == "a variable is ignored"]
    assert {line["variable"]: line.get("nearest") for line in ignored} == {
        "WSECHO_PROT": "WSECHO_PORT",
        "WSECHO_AUTH_TOKN": "WSECHO_AUTH_TOKEN",
        "wsecho_workers": "WSECHO_WORKERS",
        "WSECHO_QQQQ": None,
    }
    assert "open-sesame" not in str(server.logs)


def test_nothing_is_said_of_variables_that_are_known_or_empty_or_not_for_the_server() -> None:
    known = {variable: "x" for option in OPTIONS for variable in option.environment}
    others = {"WSECHO_REQUIRE_NATIVE": "1", "WSECHO_TEST_NOTHING_SKIPPED": "1", "WSECHO_PROT": "", "PATH": "/bin"}
    assert list(environment.ignored(known | others)) == []


def test_a_host_that_others_have_set_is_told_from_one_that_was_meant() -> None:
    result = run("-m", "wsecho", "--port", "0", HOST="x86_64-conda-linux-gnu", WSECHO_HOST="")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(
        "wsecho: cannot listen on x86_64-conda-linux-gnu port 0, as set by --host (from the variable HOST, which "
        "WSECHO_HOST overrides) and --port: "
    )


# Other variables and encodings


@pytest.mark.parametrize("encoding", [{"LC_ALL": "C"}, {"LC_ALL": "POSIX"}], ids=["C", "POSIX"])
def test_text_in_utf_8_is_understood_in_a_locale_that_is_not(serve: Serve, encoding: dict[str, str]) -> None:
    ascii_only = encoding | {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for environment_, options in (
        ({"WSECHO_BASIC_AUTH": "jürgen:schlüssel"}, ()),
        ({}, ("--basic-auth", "jürgen:schlüssel")),
    ):
        server = serve(*options, environment=ascii_only | environment_)
        credentials = base64.b64encode("jürgen:schlüssel".encode()).decode()
        assert server.get("/info")[0] == 401
        assert server.get("/info", Authorization=f"Basic {credentials}")[0] == 200
