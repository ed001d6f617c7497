"""Origins of web pages, in the form in which browsers write them."""

import pytest

from wsecho.http.origin import parse_origin


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("*", "*"),
        ("https://example.com", "https://example.com"),
        ("HTTPS://Example.COM:443", "https://example.com"),
        ("http://localhost:80", "http://localhost"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("https://example.com:0443", "https://example.com"),
        ("https://192.0.2.1:8443", "https://192.0.2.1:8443"),
        ("http://[0:0::0001]:3000", "http://[::1]:3000"),
        ("http://[::ffff:127.0.0.1]", "http://[::ffff:7f00:1]"),
        ("https://Bücher.example", "https://xn--bcher-kva.example"),
        ("https://faß。example:8443", "https://xn--fa-hia.example:8443"),
        ("https://☃.example", "https://xn--n3h.example"),
        ("https://\uff45\uff58\uff41\uff4d\uff50\uff4c\uff45.com", "https://example.com"),
        ("http://\uff11\uff12\uff17.0.0.1", "http://127.0.0.1"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
        ("null", "null"),
        ("file://", "file://"),
    ],
)
def test_origins(text: str, origin: str) -> None:
    assert parse_origin(text) == origin


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "example.com",
            "https://",
            "https://example.com/",
            "https://a b",
            "https://*.a",
            "https://u@a",
            "file:///",
        ),
        *("https://a:65536", "https://a%41", "https://a:1:2", "https://[::1", "null://", "https://a\\b", "https://a<b"),
    ],
)
def test_what_is_no_origin(text: str) -> None:
    with pytest.raises(ValueError, match="is not an origin"):
        parse_origin(text)


@pytest.mark.parametrize(
    "text",
    [
        *("http://127.1", "http://0x7f000001", "http://127.0.0.256", "http://example.1", "http://[::1::]"),
        *("app://bücher", "https://a\ufffdb", "https://a\uff1ab"),
    ],
)
def test_an_origin_that_no_browser_sends_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not an origin that a browser can send: ."):
        parse_origin(text)
