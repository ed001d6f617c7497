"""The files of the test client: headers, content security policy, and conditional requests."""

from tests.shared.server import RunningServer


def test_the_page_and_its_files_are_served_under_a_strict_policy(server: RunningServer) -> None:
    for path, content_type in (
        ("/", "text/html"),
        ("/static/client.js", "text/javascript"),
        ("/static/client.css", "text/css"),
    ):
        status, headers, body = server.get(path)
        assert status == 200
        assert headers["content-type"] == f"{content_type}; charset=utf-8"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert body
        for condition in (headers["etag"], f'"other", W/{headers["etag"]}', "*"):
            status, again, body = server.get(path, **{"If-None-Match": condition})
            assert (status, again["etag"], body) == (304, headers["etag"], b"")
            assert "content-length" not in again
        assert server.get(path, **{"If-None-Match": '"other"'})[0] == 200
