"""The files of the test client: headers, content security policy, content codings, and conditional requests.

Modules: `document`.
"""

import gzip
from pathlib import Path

import pytest

from tests.shared.raw import exchange
from tests.shared.routes import get
from tests.shared.server import ROOT, RunningServer
from wsecho.http.request import Request
from wsecho.http.response import Response
from wsecho.routes.assets import Assets

STATIC = ROOT / "static"
CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
DIRECTIVES = {
    "default-src": "'none'",
    "style-src": "'self'",
    "connect-src": "'self' ws: wss:",
    "img-src": "'self' data:",
    "worker-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "wsecho",
}
FIXED = {
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
    "vary": "Accept-Encoding",
}


def served() -> dict[str, Path]:
    """Return the files of the test client, by the paths at which the server must have them."""
    files = (file for file in sorted(STATIC.rglob("*")) if file.is_file())
    paths = {f"/static/{file.relative_to(STATIC).as_posix()}": file for file in files}
    return {"/": paths.pop("/static/index.html"), **paths}


def directives(policy: str) -> dict[str, str]:
    return {name: value for name, _, value in (part.partition(" ") for part in policy.split("; "))}


def test_every_file_is_served_under_the_whole_policy(server: RunningServer) -> None:
    for path, file in served().items():
        status, headers, body = server.get(path)
        assert (status, body) == (200, file.read_bytes())
        assert headers["content-type"] == CONTENT_TYPES[file.suffix]
        assert headers.items() >= FIXED.items()
        found = directives(headers["content-security-policy"])
        scripts = found.pop("script-src")
        assert found == DIRECTIVES
        if path == "/":
            assert scripts.startswith("'self' 'sha256-")
        else:
            assert scripts == "'self'"


def test_every_file_is_compressed_for_clients_that_can_decompress_it(server: RunningServer) -> None:
    for path, file in served().items():
        status, headers, body = server.get(path, **{"Accept-Encoding": "br, gzip;q=0.5"})
        assert (status, headers["content-encoding"]) == (200, "gzip")
        assert len(body) == int(headers["content-length"]) < len(file.read_bytes())
        assert gzip.decompress(body) == file.read_bytes()
        assert headers.items() >= FIXED.items()
        plain = server.get(path, **{"Accept-Encoding": "gzip;q=0"})[1]
        assert "content-encoding" not in plain
        differing = {"content-encoding", "content-length", "date", "etag"}
        assert {name: headers[name] for name in headers.keys() - differing} == {
            name: plain[name] for name in plain.keys() - differing
        }


def test_each_coding_has_an_etag_that_saves_loading_it_again(server: RunningServer) -> None:
    for path in served():
        etags = [server.get(path, **{"Accept-Encoding": coding})[1]["etag"] for coding in ("identity", "gzip")]
        assert len(set(etags)) == 2
        for coding, etag, other in (("identity", *etags), ("gzip", *reversed(etags))):
            accepted = {"Accept-Encoding": coding}
            for condition in (etag, f'"other", W/{etag}', "*"):
                status, headers, body = server.get(path, **{"If-None-Match": condition}, **accepted)
                assert (status, headers["etag"], body) == (304, etag, b"")
                assert (headers["cache-control"], headers["vary"]) == ("no-cache", "Accept-Encoding")
                assert "content-length" not in headers
            for condition in (other, '"other"'):
                assert server.get(path, **{"If-None-Match": condition}, **accepted)[0] == 200


def test_head_has_the_headers_of_the_compressed_file(server: RunningServer) -> None:
    body = server.get("/", **{"Accept-Encoding": "gzip"})[2]
    request = b"HEAD / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"
    head, _, rest = exchange(server, request).partition(b"\r\n\r\n")
    assert b"\r\nContent-Encoding: gzip" in head
    assert b"\r\nContent-Length: %d" % len(body) in head
    assert rest == b""


# Files of a folder that a test fills


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text("<script>alert(1)</script><script src='a.js'></script>")
    return tmp_path


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def answer(assets: Assets, path: str, etag: str = "") -> Response:
    request = get(path)
    if etag:
        request = Request("GET", path, path, "", "1.1", (*request.headers, ("If-None-Match", etag)))
    return assets.answer(request)


def header(response: Response, name: str) -> str:
    return dict(response.headers)[name]


def test_files_in_subfolders_are_served_and_those_of_unknown_types_are_not(folder: Path) -> None:
    for name in ("a.js", "b.css", "model/deep/c.js", "icons/d.svg", "notes.txt", "model/index.html", ".DS_Store"):
        write(folder / name, name)
    assets = Assets(folder)
    assert sorted(assets.paths()) == [
        *("/", "/static/a.js", "/static/b.css", "/static/icons/d.svg", "/static/model/deep/c.js"),
        "/static/model/index.html",
    ]
    assert answer(assets, "/static/model/deep/c.js").body == b"model/deep/c.js"
    assert header(answer(assets, "/static/icons/d.svg"), "Content-Type") == "image/svg+xml"


def test_only_pages_have_inline_scripts(folder: Path) -> None:
    write(folder / "a.js", "export const MARKUP = '<script>alert(1)</script>';")
    assets = Assets(folder)
    allowed = "script-src 'self' 'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='"
    assert allowed in header(answer(assets, "/"), "Content-Security-Policy")
    assert "sha256" not in header(answer(assets, "/static/a.js"), "Content-Security-Policy")


def test_a_cached_copy_survives_an_upgrade_that_does_not_change_it(folder: Path) -> None:
    write(folder / "a.js", "same")
    write(folder / "b.js", "old")
    before = Assets(folder)
    etags = {path: header(answer(before, path), "ETag") for path in before.paths()}
    write(folder / "b.js", "new")
    # A running server does not mix the files of two versions.
    assert answer(before, "/static/b.js").body == b"old"
    after = Assets(folder)
    assert {path: answer(after, path, etag).status for path, etag in etags.items()} == {
        **{"/": 304, "/static/a.js": 304},
        "/static/b.js": 200,
    }


def test_the_etag_covers_the_headers(folder: Path) -> None:
    """A browser keeps the headers of its copy, so a new policy needs a new ETag even if the file is the same."""
    write(folder / "a.js", "same")
    write(folder / "a.css", "same")
    assets = Assets(folder)
    assert header(answer(assets, "/static/a.js"), "ETag") != header(answer(assets, "/static/a.css"), "ETag")


def test_without_a_page_there_is_no_server(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"index\.html"):
        Assets(tmp_path)
