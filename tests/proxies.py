"""nginx and HAProxy from Debian's packages, in front of a server, configured as docs/proxies.md says."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.free_port import free_port
from tests.processes import wait_until
from tests.raw import RawConnection
from tests.server import ROOT, started

# Run in the foreground, by whoever runs the tests, with nothing outside one folder.
NGINX = """
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
"""
# Debian keeps these where only root's search path leads.
SEARCH_PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"


def documented(language: str) -> str:
    """Return the configuration that docs/proxies.md shows for one of the two."""
    text = (ROOT / "docs/proxies.md").read_text()
    (found,) = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return str(found)


def adapted(configuration: str, listen: int, backend: int, idle_seconds: float) -> str:
    """Return the configuration for other ports than 80 and 8080, and another patience than 60 seconds."""
    for old, new in (
        ("listen 80;", f"listen 127.0.0.1:{listen};"),
        ("bind :80\n", f"bind 127.0.0.1:{listen}\n"),
        ("127.0.0.1:8080", f"127.0.0.1:{backend}"),
        ("60s", f"{idle_seconds * 1000:.0f}ms"),
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
    """Run a proxy before the port `backend`, and give its port.

    Documented lines with one of `without` are left out; nginx serves the server under `path`, as the text says how to;
    HAProxy's line about its server ends in `server_words`, the one about its port in `listen_words`.
    """
    program = shutil.which(kind, path=SEARCH_PATH)
    if not program:
        pytest.skip(f"needs Debian's package {kind}")
    port = free_port()
    lines = adapted(documented(kind), port, backend, idle_seconds).splitlines()
    text = "\n".join(line for line in lines if not any(words in line for words in without)) + "\n"
    if path != "/":
        text = text.replace("location / {", f"location {path} {{")
        text = text.replace(f"proxy_pass http://127.0.0.1:{backend};", f"proxy_pass http://127.0.0.1:{backend}/;")
    text = text.replace(f"bind 127.0.0.1:{port}\n", f"bind 127.0.0.1:{port} {listen_words}\n")
    text = text.replace("check inter 2s", f"check inter 2s {server_words}")
    file = folder / f"{kind}.conf"
    if kind == "nginx":
        file.write_text(NGINX.format(folder=folder, documented=text))
        command = [program, "-e", "stderr", "-p", str(folder), "-c", str(file)]
    else:
        file.write_text(text)
        command = [program, "-db", "-f", str(file)]
    with started(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            wait_until(lambda: process.poll() is not None or accepts(port))
            assert process.poll() is None, process.stderr and process.stderr.read()
            yield port
        finally:
            process.terminate()
            process.wait(10)


def accepts(port: int) -> bool:
    try:
        RawConnection(port).socket.close()
    except ConnectionRefusedError:
        return False
    return True
