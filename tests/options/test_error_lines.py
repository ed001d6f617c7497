"""The lines that a user reads about options: errors that name the source of the value, hints, and --help.

Modules: `config`, `option`, `environment`, `checks`.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
import structlog
from aiofastnet import utils
from aiofastnet.openssl_compat import OpenSSLDynLibs

from docs.tables import OPTIONS_PAGE
from tests.shared.commands import run
from wsecho.cli import command, configured
from wsecho.options.config import OPTIONS, Config
from wsecho.options.option import OptionError
from wsecho.tls import server


@pytest.mark.parametrize(
    ("arguments", "variables", "line"),
    [
        (["--port", "x"], {"PORT": "1"}, "--port: 'x' is not a port, 0 to 65535"),
        ([], {"WSECHO_PORT": "x"}, "--port (from the variable WSECHO_PORT): 'x' is not a port, 0 to 65535"),
        (
            [],
            {"PORT": "x"},
            "--port (from the variable PORT, which WSECHO_PORT overrides): 'x' is not a port, 0 to 65535",
        ),
        (
            [],
            {"WSECHO_TLS_SELF_SIGNED": "maybe"},
            "--tls-self-signed (from the variable WSECHO_TLS_SELF_SIGNED): 'maybe' is neither on nor off",
        ),
        (
            [],
            {"WSECHO_AUTH_TOKEN": ""},
            "--auth-token (from the variable WSECHO_AUTH_TOKEN): it is empty, and there is no default",
        ),
        (
            [],
            {"WSECHO_DRAIN_DELAY": "20s"},
            "--drain-delay (from the variable WSECHO_DRAIN_DELAY) must be shorter than --drain-timeout (by default),"
            " which includes it",
        ),
        (
            ["--tls-key", "x"],
            {"WSECHO_TLS_SELF_SIGNED": "on"},
            "--tls-self-signed (from the variable WSECHO_TLS_SELF_SIGNED) makes its own certificate, so it excludes"
            " --tls-cert and --tls-key",
        ),
        (
            ["--admin-port", "8080"],
            {},
            "--admin-port must differ from --port (by default), because --admin-host (by default) and --host (by"
            " default) have an address in common",
        ),
    ],
)
def test_an_error_says_where_the_value_came_from(
    complaint: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    variables: dict[str, str],
    line: str,
) -> None:
    for variable in ("PORT", "HOST", *variables):
        monkeypatch.delenv(variable, raising=False)
    for variable, text in variables.items():
        monkeypatch.setenv(variable, text)
    assert complaint(*arguments) == line


def test_an_error_in_a_file_says_where_its_name_came_from() -> None:
    result = run("-m", "wsecho", "--port", "0", WSECHO_AUTH_TOKEN_FILE="/no/such")
    named = "--auth-token-file (from the variable WSECHO_AUTH_TOKEN_FILE) /no/such"
    assert (result.returncode, result.stderr) == (2, f"wsecho: {named}: No such file or directory\n")


def test_a_remedy_that_names_an_option_reads_well_with_the_source_behind_it(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x" * 32)
    result = run("-m", "wsecho", "--port", "0", "--jwt-key-file", str(secret))
    lacks = (
        "it contains no public key in PEM format; a shared secret needs HS256, HS384 or HS512 in --jwt-algorithms "
        "(by default)"
    )
    assert (result.returncode, result.stderr) == (2, f"wsecho: --jwt-key-file {secret}: {lacks}\n")


def test_a_python_that_cannot_speak_tls_is_told_with_the_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsecho.tls.server.openssl_compat.OPENSSL_DYN_LIBS", None)
    for config, option in ((Config(tls_cert="x"), "--tls-cert"), (Config(tls_self_signed=True), "--tls-self-signed")):
        with pytest.raises(OptionError, match=f"^{option} needs a Python"):
            server.configured(config, structlog.get_logger(), compiled=True)


def test_a_library_that_is_not_openssl_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    # Some shared library that has nothing of the kind.
    another = utils.__file__
    monkeypatch.setattr("wsecho.tls.message_limit.OPENSSL_DYN_LIBS", OpenSSLDynLibs(another, another))
    with pytest.raises(OptionError, match=r"^--tls-self-signed needs OpenSSL, but this Python has .*SSL_get_ex_data"):
        server.configured(Config(tls_self_signed=True), structlog.get_logger(), compiled=True)


def test_an_error_names_public_as_the_source_of_a_value() -> None:
    context = command.make_context("wsecho", ["--public"])
    told = configured(context, context.params).with_sources("--max-connections-per-address: no")
    assert told == "--max-connections-per-address (by --public): no"


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("--prot", "unknown option --prot: did you mean --port?"),
        ("--max-conections=3", "unknown option --max-conections: did you mean --max-connections?"),
        ("-p", "unknown option -p: did you mean --port?"),
        ("-port", "unknown option -port: did you mean --port?"),
        ("-V", "unknown option -V: did you mean --version?"),
        ("--qqqqqqq", "unknown option --qqqqqqq."),
        ("9000", "unexpected argument '9000': did you mean --port=9000?"),
        ("port=9000", "unexpected argument 'port=9000': did you mean --port=9000?"),
        ("help", "unexpected argument 'help': did you mean --help?"),
        ("serve", "unexpected argument 'serve'."),
    ],
)
def test_an_unknown_argument_is_answered_with_the_nearest_option_and_the_help(
    complaint: Callable[..., str], argument: str, told: str
) -> None:
    assert complaint(argument) == f"{told} wsecho --help lists all options"


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("--port", "--port needs a value: --port PORT"),
        ("--jwt-jwks", "--jwt-jwks needs a value: --jwt-jwks FILE|URL"),
        ("--public=yes", "--public takes no value"),
        ("--help=yes", "--help takes no value"),
    ],
)
def test_a_value_that_is_missing_or_too_much_is_told_in_our_words(
    complaint: Callable[..., str], argument: str, told: str
) -> None:
    assert complaint(argument) == told


def test_the_help_has_the_sections_of_the_documentation_in_its_order() -> None:
    shown = [line for line in run("-m", "wsecho", "--help").stdout.splitlines() if line]
    headings = [line.removesuffix(":") for line in shown if not line.startswith(" ") and line.endswith(":")]
    page = OPTIONS_PAGE.read_text().partition("<!-- options -->")[2].partition("<!-- /options -->")[0].splitlines()
    assert headings == [line.strip("*") for line in page if line.startswith("**")] + ["Help"]
    flags = [word for line in shown if (word := line.split()[0]).startswith("--") and line.startswith("  -")]
    assert flags[: len(OPTIONS)] == [line.split("`")[1].split()[0] for line in page if line.startswith("| `")]


def test_what_is_not_utf_8_is_a_mistake_in_one_line() -> None:
    line = run("-m", "wsecho", "--port", "0", WSECHO_BASIC_AUTH="x:\udcff").stderr
    assert line.startswith("wsecho: --basic-auth (from the variable WSECHO_BASIC_AUTH): ")
    assert line.count("\n") == 1
