"""The files in deploy/proxies/, as docs/proxies.md shows them and as the server needs them.

`test_real_proxies` runs them.
"""

import re

import pytest

from tests.shared.proxies import FOLDER, PROXIES
from tests.shared.server import ROOT
from wsecho.options.config import OPTIONS, Config
from wsecho.routes.pages import HEALTH_PATHS, READY_PATHS

FILES = {file.name: file.read_text() for file in sorted(FOLDER.iterdir())}
DOCUMENT = (ROOT / "docs/proxies.md").read_text()
# The file that a block of this language is taken from.
LANGUAGES = {
    "nginx": "nginx.conf",
    "haproxy": "haproxy.cfg",
    "caddy": "Caddyfile",
    "yaml envoy": "envoy.yaml",
    "yaml traefik": "traefik.yaml",
    "yaml traefik-wsecho": "traefik-wsecho.yaml",
    "apache": "apache.conf",
    "squid": "squid.conf",
}


@pytest.mark.parametrize(("language", "block"), re.findall(r"^```(.+)\n((?:.*\n)*?)```$", DOCUMENT, re.MULTILINE))
def test_what_the_document_shows_is_in_the_file(language: str, block: str) -> None:
    assert block in FILES[LANGUAGES[language]]


def test_every_file_is_linked_and_run() -> None:
    assert {name for proxy in PROXIES.values() for name in proxy.files} == FILES.keys()
    assert set(re.findall(r"\]\(\.\./deploy/proxies/([\w.-]+)\)", DOCUMENT)) == FILES.keys()


def test_the_server_has_the_options_that_the_files_name() -> None:
    commands = [re.findall(r"`wsecho ([^`]+)`", text.replace("\n# ", " ")) for text in FILES.values()]
    flags = {flag for command in commands for flag in re.findall(r"--[\w-]+", " ".join(command))}
    assert "--trusted-proxy" in flags
    assert flags <= {option.flag for option in OPTIONS}


def test_the_pages_for_operators_are_those_of_the_server() -> None:
    words = [path.removeprefix("/") for path in ("/metrics", *HEALTH_PATHS, *READY_PATHS)]
    expression = f"/({'|'.join(words)})/?"
    assert [name for name, text in FILES.items() if expression not in text] == ["traefik.yaml"]


def test_the_server_notices_a_dead_client_before_the_proxy_does() -> None:
    config = Config()
    limits = [int(number) for proxy in PROXIES.values() for number in re.findall(r"\d+", proxy.idle)]
    assert limits
    assert min(limits) > config.ping_interval + config.ping_timeout


def test_a_draining_server_keeps_its_port_open_until_the_proxies_know() -> None:
    for text in FILES.values():
        for delay, timeout in re.findall(r"--drain-delay (\d+)s --drain-timeout (\d+)s", text):
            assert 2 * 2 < int(delay) < int(timeout) - Config().close_timeout
