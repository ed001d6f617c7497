"""What the command line and the environment say, and what a person hears whose options cannot be used."""

import base64
import resource
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
import structlog
from aiofastnet import utils
from aiofastnet.openssl_compat import OpenSSLDynLibs

from docs.tables import README
from tests.conftest import Serve
from tests.shared.commands import run
from wsecho.cli import command, configured, main
from wsecho.options import environment
from wsecho.options.checks import check
from wsecho.options.config import OPTIONS, Config
from wsecho.options.option import Option, OptionError
from wsecho.options.values import parse_port, parse_size
from wsecho.processes import descriptors
from wsecho.tls import server

# What a kubelet puts into every pod for the Service `wsecho`, which serves one port with a name and one by UDP.
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
    """Return the same for another Service."""
    return {name.replace("WSECHO", service, 1): text for name, text in LINKS.items()}


@pytest.fixture
def complaint(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return the one line that a start with such options ends in, which must be with exit code 2."""

    def complain(*arguments: str) -> str:
        assert main(arguments) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.startswith("wsecho: ")
        assert printed.err.count("\n") == 1
        return printed.err.removeprefix("wsecho: ").rstrip("\n")

    return complain


# Variables of others


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


# Where a value came from


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
            "--drain-delay (from the variable WSECHO_DRAIN_DELAY) leaves no time of --drain-timeout (by default) to say"
            " goodbye in",
        ),
        (
            ["--tls-key", "x"],
            {"WSECHO_TLS_SELF_SIGNED": "on"},
            "--tls-self-signed (from the variable WSECHO_TLS_SELF_SIGNED) makes its own certificate: it cannot go with"
            " --tls-cert or --tls-key",
        ),
        (
            ["--admin-port", "8080"],
            {},
            "--admin-port is that of --port (by default), on an address of --host (by default): it needs one of its"
            " own",
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
    lacks = "it holds no public key in PEM format, and --jwt-algorithms (by default) names none for a secret"
    assert (result.returncode, result.stderr) == (2, f"wsecho: --jwt-key-file {secret}: {lacks}\n")


def test_a_python_that_cannot_speak_tls_is_told_with_the_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsecho.tls.server.openssl_compat.OPENSSL_DYN_LIBS", None)
    for config, option in ((Config(tls_cert="x"), "--tls-cert"), (Config(tls_self_signed=True), "--tls-self-signed")):
        with pytest.raises(OptionError, match=f"^{option} needs a Python"):
            server.configured(config, structlog.get_logger())


def test_a_library_that_is_not_openssl_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    # Some shared library that has nothing of the kind.
    another = utils.__file__
    monkeypatch.setattr("wsecho.tls.message_limit.OPENSSL_DYN_LIBS", OpenSSLDynLibs(another, another))
    with pytest.raises(OptionError, match=r"^--tls-self-signed needs OpenSSL, and this Python has .*SSL_get_ex_data"):
        server.configured(Config(tls_self_signed=True), structlog.get_logger())


def test_a_host_that_others_have_set_is_told_from_one_that_was_meant() -> None:
    result = run("-m", "wsecho", "--port", "0", HOST="x86_64-conda-linux-gnu", WSECHO_HOST="")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(
        "wsecho: cannot listen on x86_64-conda-linux-gnu port 0, as --host (from the variable HOST, which WSECHO_HOST "
        "overrides) and --port say: "
    )


def test_what_public_set_is_said_to_be_from_there() -> None:
    context = command.make_context("wsecho", ["--public"])
    told = configured(context, context.params).with_sources("--max-connections-per-address: no")
    assert told == "--max-connections-per-address (by --public): no"


# What cannot mean what it says


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--max-message-size", "0"], "--max-message-size: '0' is too small: at least 1B is needed"),
        (["--ping-interval", "0.1ms"], "at least 0.001s is needed, or 0"),
        (["--ping-timeout", "0.1ms"], "at least 0.001s is needed, or 0"),
        (["--idle-timeout", "0.1ms"], "at least 0.001s is needed, or 0"),
        (["--max-lifetime", "0.1ms"], "at least 0.001s is needed, or 0"),
        (["--ping-interval", "0", "--ping-timeout", "5s"], "--ping-timeout is of no use without --ping-interval"),
        (["--jwt-leeway", "5s"], "--jwt-leeway is of no use without --jwt-key-file or --jwt-jwks"),
        (["--port", "1", "--admin-port", "1"], "--admin-port is that of --port"),
        (
            ["--host", "::1", "--port", "1", "--admin-host", "::1", "--admin-port", "1"],
            "--admin-port is that of --port",
        ),
        (["--allow-origin", "*,https://example.com"], "--allow-origin has others beside *"),
        (["--subprotocol", "first,chat"], "'first,chat' has 'first' or 'none' among names"),
        (["--max-connections", "9999999999"], "--max-connections: 9999999999 need as many descriptors and"),
    ],
)
def test_an_option_that_cannot_mean_what_it_says_is_refused(
    complaint: Callable[..., str], arguments: list[str], told: str
) -> None:
    assert told in complaint(*arguments)


@pytest.mark.parametrize(
    ("host", "admin_host", "overlap"),
    [
        ("::", "127.0.0.1", True),
        ("::", "::1", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("0.0.0.0", "::1", False),
        ("192.0.2.1", "127.0.0.1", False),
        ("127.0.0.1", "127.0.0.1", True),
    ],
)
def test_one_port_is_enough_where_the_addresses_differ(host: str, admin_host: str, *, overlap: bool) -> None:
    config = Config(host=host, admin_host=admin_host, port=8080, admin_port=8080)
    with pytest.raises(OptionError, match="--admin-port is that of --port") if overlap else nullcontext():
        check(config)


def test_no_more_connections_are_promised_than_there_are_descriptors_for() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = hard - 256
    descriptors.raise_limit()
    descriptors.check_capacity(most)
    with pytest.raises(OptionError, match=f"at most {most} can be held"):
        descriptors.check_capacity(most + 1)


def test_a_size_below_a_byte_is_not_taken_for_zero() -> None:
    assert [parse_size(text) for text in ("0", "0.0MiB", "0.1B", "1.5B", "1.5KiB")] == [0, 0, 1, 2, 1536]


def test_zero_and_what_is_left_out_are_never_refused() -> None:
    for option in OPTIONS:
        if option.or_zero:
            assert option.value("0") == 0
        if option.default:
            option.value(option.default)


# Words in any case


def test_words_are_taken_in_any_case() -> None:
    options = {option.name: option for option in OPTIONS}
    assert [options["log_level"].value(text) for text in ("INFO", "Warn", "WARNING", " error ")] == [
        *("info", "warning", "warning", "error")
    ]
    assert options["log_format"].value("JSON") == "json"
    assert options["forwarded_header"].value("X-Forwarded-For") == "x-forwarded-for"
    assert options["codec"].value("Python") == "python"
    assert options["metrics_auth"].value("OFF") == "off"


# Who is lost


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("--prot", "there is no option --prot: did you mean --port?"),
        ("--max-conections=3", "there is no option --max-conections: did you mean --max-connections?"),
        ("-p", "there is no option -p: did you mean --port?"),
        ("-port", "there is no option -port: did you mean --port?"),
        ("-V", "there is no option -V: did you mean --version?"),
        ("--qqqqqqq", "there is no option --qqqqqqq."),
        ("9000", "there is no argument '9000': did you mean --port=9000?"),
        ("port=9000", "there is no argument 'port=9000': did you mean --port=9000?"),
        ("help", "there is no argument 'help': did you mean --help?"),
        ("serve", "there is no argument 'serve'."),
    ],
)
def test_who_is_lost_is_shown_the_option_that_was_meant_and_the_help(
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


def test_the_help_has_the_sections_of_the_readme_in_its_order() -> None:
    shown = [line for line in run("-m", "wsecho", "--help").stdout.splitlines() if line]
    headings = [line.removesuffix(":") for line in shown if not line.startswith(" ") and line.endswith(":")]
    page = README.read_text().partition("<!-- options -->")[2].partition("<!-- /options -->")[0].splitlines()
    assert headings == [line.strip("*") for line in page if line.startswith("**")] + ["Help"]
    flags = [word for line in shown if (word := line.split()[0]).startswith("--") and line.startswith("  -")]
    assert flags[: len(OPTIONS)] == [line.split("`")[1].split()[0] for line in page if line.startswith("| `")]


# Other encodings


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


def test_what_is_not_utf_8_is_a_mistake_in_one_line() -> None:
    line = run("-m", "wsecho", "--port", "0", WSECHO_BASIC_AUTH="x:\udcff").stderr
    assert line.startswith("wsecho: --basic-auth (from the variable WSECHO_BASIC_AUTH): ")
    assert line.count("\n") == 1
