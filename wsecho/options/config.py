"""The options of the server: one table from which the command line, environment and documentation are generated."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from math import ceil
from typing import Any
from urllib.parse import urlsplit

from wsecho.http.addresses import ALL, ALL_OF_IPV4, Network, is_loopback
from wsecho.http.credentials import digest, is_token
from wsecho.http.origin import ANY, parse_origin
from wsecho.proxies.forwarded import FORWARDED, X_FORWARDED_FOR
from wsecho.proxies.trusted_proxies import parse_trusted
from wsecho.websocket.handshake import FIRST_OFFERED, NONE, is_subprotocol_policy


class OptionError(ValueError):
    """What an option names cannot be used. The message is a line for the user that names the option."""


_SIZE_UNITS = {"": 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_TIME_UNITS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0}
# RFC 7518 section 3.1, RFC 8037. Whoever verifies by the first ones can sign by them, too.
SHARED_SECRET_ALGORITHMS = frozenset({"HS256", "HS384", "HS512"})
_PUBLIC_KEY_ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
_ADMIN_HOST = "127.0.0.1"
# What has room behind every receive buffer, as the payload of a ping does.
_LONGEST_GREETING = 125
_FLAG = re.compile(r"--[a-z][a-z-]*")
_QUANTITY = re.compile(r"(\d{1,15}(?:\.\d{1,15})?)\s*([A-Za-z]*)", re.ASCII)


def parse_size(text: str) -> int:
    """Return the bytes that `text` stands for: `65536`, `64KiB`, `1.5MiB`. Raises ValueError.

    A part of a byte is one: nothing but 0 is 0, which for some options means that there is no limit.
    """
    return ceil(_quantity(text, _SIZE_UNITS, "a size such as 65536, 64KiB or 16MiB"))


def parse_time(text: str) -> float:
    """Return the seconds that `text` stands for: `0.5`, `500ms`, `20s`, `5m`, `1h`. Raises ValueError."""
    return _quantity(text, _TIME_UNITS, "a time such as 500ms, 20s or 5m")


def _quantity(text: str, units: dict[str, Any], expected: str) -> float:
    match = _QUANTITY.fullmatch(text.strip())
    if not match or match[2] not in units:
        raise ValueError(f"{text!r} is not {expected}")
    return float(match[1]) * float(units[match[2]])


def parse_count(text: str) -> int:
    """Return the whole number that `text` stands for. Raises ValueError."""
    if not re.fullmatch(r"\d{1,18}", text.strip(), re.ASCII):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def parse_port(text: str) -> int:
    """Return a port, 0 to 65535; 0 lets the system choose one. Raises ValueError."""
    if not re.fullmatch(r"\d{1,5}", text.strip(), re.ASCII) or int(text) > 65535:
        raise ValueError(f"{text!r} is not a port, 0 to 65535")
    return int(text)


def parse_host(text: str) -> str:
    """Return the address or name to listen on. IPv6 may be in brackets, as in URLs. Raises ValueError."""
    host = text.strip()
    if host.startswith("[") and host.endswith("]") and ":" in host:
        host = host[1:-1]
    if not host or any(char.isspace() for char in host):
        raise ValueError(f"{text!r} is not an address or a host name")
    return host


def parse_subprotocol_policy(text: str) -> str:
    """Return the policy for `wsecho.websocket.handshake.choose_subprotocol`. Raises ValueError."""
    text = ",".join(name.strip() for name in text.split(","))
    if not is_subprotocol_policy(text):
        raise ValueError(f"{text!r} is not 'first', 'none' or a comma-separated list of subprotocols")
    if "," in text and not {FIRST_OFFERED, NONE}.isdisjoint(text.split(",")):
        raise ValueError(f"{text!r} has 'first' or 'none' among names: each of them stands alone")
    return text


def parse_token(text: str) -> bytes:
    """Return the digest of a bearer token: the token itself is not kept. Raises ValueError, which does not tell it."""
    if not is_token(text):
        raise ValueError("a token consists of letters, digits and - . _ ~ + /, and may end with =")
    return digest(text.encode())


def parse_user(text: str) -> bytes:
    """Return the digest of `user:password` (RFC 7617 section 2). Raises ValueError, which does not tell it."""
    if text.find(":") < 1 or not text.isprintable():
        raise ValueError("a user is written as NAME:PASSWORD, in printable characters")
    return digest(text.encode())


def parse_metrics_auth(text: str) -> bytes | str:
    """Return the digest of a token, or `off`. Raises ValueError."""
    return "off" if text.lower() == "off" else parse_token(text)


def parse_file(text: str) -> str:
    """Return the name of a file. Raises ValueError."""
    if not text:
        raise ValueError("it is empty")
    return text


def parse_greeting(text: str) -> bytes:
    """Return a message's bytes, 1 to 125 of them. Raises ValueError."""
    try:
        message = text.encode()
    except UnicodeEncodeError:
        raise ValueError("it is not text in UTF-8") from None
    if not 0 < len(message) <= _LONGEST_GREETING:
        raise ValueError(f"it is {len(message)} bytes long: 1 to {_LONGEST_GREETING} can be sent")
    return message


def parse_algorithm(text: str) -> str:
    """Return the name of an algorithm for signatures (RFC 7518 section 3.1). Raises ValueError."""
    if text not in _PUBLIC_KEY_ALGORITHMS and text not in SHARED_SECRET_ALGORITHMS:
        known = ", ".join((*_PUBLIC_KEY_ALGORITHMS, *sorted(SHARED_SECRET_ALGORITHMS)))
        raise ValueError(f"{text!r} is not one of {known}")
    return text


def parse_key_set_source(text: str) -> str:
    """Return the name of a file, or a URL. Raises ValueError."""
    if "://" not in text:
        return parse_file(text)
    url = urlsplit(text)
    if not url.hostname or url.username is not None or url.fragment or url.port == 0:
        raise ValueError("it is not a URL such as https://example.com/.well-known/jwks.json")
    if url.scheme != "https" and not (url.scheme == "http" and is_loopback(url.hostname)):
        raise ValueError("a key set could be changed on its way: the URL needs https, except for this machine")
    return text


def parse_switch(text: str) -> bool:
    """Return whether something is switched on. Raises ValueError."""
    switches = {"1": True, "true": True, "on": True, "yes": True, "0": False, "false": False, "off": False, "no": False}
    word = text.strip().lower()
    if word not in switches:
        raise ValueError(f"{text!r} is neither on nor off")
    return switches[word]


def one_of(*choices: str) -> Callable[[str], str]:
    """Return a parser that accepts only `choices`, in whichever case."""

    def parse(text: str) -> str:
        word = text.strip().lower()
        if word not in choices:
            raise ValueError(f"{text!r} is not one of {', '.join(choices)}")
        return word

    return parse


_parse_log_level = one_of("debug", "info", "warning", "error")


def parse_log_level(text: str) -> str:
    """Return the name of a severity. Raises ValueError."""
    return _parse_log_level("warning" if text.strip().lower() == "warn" else text)


def _option(
    default: str,
    parse: Callable[[str], Any],
    metavar: str,
    meaning: str,
    *,
    aliases: tuple[str, ...] = (),
    at_least: float = 0,
    at_most: float = 1 << 40,
    or_zero: bool = False,
) -> Any:
    """Describe an option. Its value is between `at_least` and `at_most` or, if zero stands for something else, zero."""
    row = {"default": default, "parse": parse, "metavar": metavar, "meaning": meaning, "aliases": aliases}
    value = parse(default) if default else None
    row |= {"at_least": at_least, "at_most": at_most, "or_zero": or_zero, "repeats": False}
    return field(default=value, metadata=row)


def _list_option(default: str, parse: Callable[[str], Any], metavar: str, meaning: str) -> Any:
    """Describe an option that takes several values: its flag several times, or separated by commas."""

    def parse_all(text: str) -> tuple[Any, ...]:
        items = [item.strip() for item in text.split(",") if item.strip()]
        if not items:
            raise ValueError("it is empty")
        return tuple(parse(item) for item in items)

    row = {"default": default, "parse": parse_all, "metavar": f"{metavar}...", "meaning": meaning, "aliases": ()}
    value = parse_all(default) if default else ()
    return field(default=value, metadata=row | {"at_least": 0, "at_most": 0, "or_zero": False, "repeats": True})


@dataclass(frozen=True, slots=True)
class Config:
    """The server's options. Sizes are bytes, times are seconds."""

    host: str = _option(
        ALL,
        parse_host,
        "ADDRESS",
        "Address to listen on; :: means all addresses, IPv4 and, if the system supports it, IPv6.",
        aliases=("HOST",),
    )
    port: int = _option(
        "8080", parse_port, "PORT", "Port to listen on; 0 lets the system choose one.", aliases=("PORT",)
    )
    workers: int = _option(
        "1",
        parse_count,
        "COUNT",
        "Worker processes; limits apply to each worker. 0: one worker per processor core.",
        at_most=1024,
    )
    tls_cert: str | None = _option(
        "",
        parse_file,
        "FILE",
        "Certificate and its chain, in PEM; the port then serves only TLS. May contain the key. SIGHUP reloads it.",
    )
    tls_key: str | None = _option("", parse_file, "FILE", "Private key of the certificate, in PEM, unencrypted.")
    tls_client_ca: str | None = _option(
        "", parse_file, "FILE", "CA certificates, in PEM; each client must present a certificate signed by one of them."
    )
    tls_self_signed: bool = _option(
        "off", parse_switch, "", "Serve TLS with a certificate generated at startup, for clients on the same machine."
    )
    admin_host: str = _option(_ADMIN_HOST, parse_host, "ADDRESS", "Address of the admin port.")
    admin_port: int | None = _option(
        "",
        parse_port,
        "PORT",
        "Port for metrics, health checks and request info, in plain HTTP; only this port then serves the metrics.",
    )
    trusted_proxy: tuple[Network | str, ...] = _list_option(
        "",
        parse_trusted,
        "NETWORK",
        "Proxies that are trusted to report the client's address: networks such as 10.0.0.0/8, or * for any peer.",
    )
    forwarded_header: str = _option(
        X_FORWARDED_FOR,
        one_of(X_FORWARDED_FOR, FORWARDED),
        "NAME",
        f"Header with the client's address: '{X_FORWARDED_FOR}' (along with X-Forwarded-Proto) or '{FORWARDED}'. "
        "The other one is ignored.",
    )
    proxy_protocol: bool = _option(
        "off",
        parse_switch,
        "",
        "Require every connection to come from a trusted proxy and begin with a PROXY protocol header, version 1 or 2.",
    )
    auth_token: tuple[bytes, ...] = _list_option("", parse_token, "TOKEN", "Accepted bearer tokens.")
    auth_token_file: str | None = _option(
        "", parse_file, "FILE", "File of accepted bearer tokens, one per line. SIGHUP reloads it."
    )
    basic_auth: bytes | None = _option("", parse_user, "USER:PASSWORD", "Accepted user and password.")
    basic_auth_file: str | None = _option(
        "", parse_file, "FILE", "File of accepted users and passwords, one USER:PASSWORD per line. SIGHUP reloads it."
    )
    jwt_key_file: str | None = _option(
        "",
        parse_file,
        "FILE",
        "Keys that verify JSON Web Tokens: public keys or certificates in PEM, or a shared secret.",
    )
    jwt_jwks: str | None = _option(
        "", parse_key_set_source, "FILE|URL", "JSON Web Key Set whose keys verify JSON Web Tokens."
    )
    jwt_algorithms: tuple[str, ...] = _list_option(
        ",".join(_PUBLIC_KEY_ALGORITHMS),
        parse_algorithm,
        "NAME",
        "Accepted signature algorithms. HS256, HS384 and HS512 need a shared secret and exclude all others.",
    )
    jwt_audience: tuple[str, ...] = _list_option(
        "",
        str,
        "NAME",
        "Accepted audiences; a token must name one of them. If unset, a token that names any audience is rejected.",
    )
    jwt_issuer: tuple[str, ...] = _list_option(
        "", str, "NAME", "Accepted token issuers. If unset, any issuer is accepted."
    )
    jwt_leeway: float = _option(
        "30s", parse_time, "TIME", "Tolerated clock difference when a token's validity period is checked.", at_most=3600
    )
    allow_origin: tuple[str, ...] = _list_option(
        "",
        parse_origin,
        "ORIGIN",
        "Origins of web pages that may connect, or null, file://, *. If unset: any, or, if credentials are required, "
        "only the server's own pages.",
    )
    metrics_auth: bytes | str | None = _option(
        "",
        parse_metrics_auth,
        "TOKEN",
        "Bearer token for the metrics only; 'off': anyone may read them. If unset, they need the same credentials as "
        "everything else.",
    )
    public: bool = _option(
        "off",
        parse_switch,
        "",
        "Use limits suitable for a server on the internet, except those set explicitly. See docs/operations.md.",
    )
    max_message_size: int = _option(
        "64MiB",
        parse_size,
        "SIZE",
        "Longest message that is echoed. For a longer one the server closes with code 1009, or cuts the connection off "
        "if it has already sent a part of the frame (see --hold-limit).",
        at_least=1,
    )
    max_fragments: int = _option(
        "1048576",
        parse_count,
        "COUNT",
        "Most frames in one message; if there are more, the server closes with code 1008.",
        at_least=1,
    )
    max_connections: int = _option(
        "0",
        parse_count,
        "COUNT",
        "Most connections of a worker; further handshakes get 503. 0: the file descriptor limit minus 256.",
    )
    max_connections_per_address: int = _option(
        "0",
        parse_count,
        "COUNT",
        "Most connections of a worker from one client address (for IPv6, one /64 network); further handshakes get 429. "
        "0: no limit.",
    )
    backlog: int = _option(
        "4096",
        parse_count,
        "COUNT",
        "Most connections that wait to be accepted; the operating system may allow fewer.",
        at_least=1,
        at_most=65535,
    )
    handshake_timeout: float = _option(
        "10s",
        parse_time,
        "TIME",
        "Time from accept to the end of the handshake; for each later request, time from its first byte.",
        at_least=0.001,
    )
    keep_alive_timeout: float = _option(
        "75s",
        parse_time,
        "TIME",
        "Idle time allowed between two HTTP requests; must exceed the idle timeout of a load balancer in front.",
        at_least=0.001,
    )
    close_timeout: float = _option(
        "5s",
        parse_time,
        "TIME",
        "Time that a peer has to close the connection after a Close frame or a refusal.",
        at_least=0.001,
    )
    stall_timeout: float = _option(
        "30s",
        parse_time,
        "TIME",
        "Time after which a peer is cut off if it reads less than 240 bytes per second of the data waiting for it.",
        at_least=0.001,
    )
    ping_interval: float = _option(
        "20s",
        parse_time,
        "TIME",
        "Time without data from a client after which the server sends it a ping. 0: never.",
        at_least=0.001,
        or_zero=True,
    )
    ping_timeout: float = _option(
        "20s",
        parse_time,
        "TIME",
        "Time without data from a client after a ping until the client is cut off. 0: never.",
        at_least=0.001,
        or_zero=True,
    )
    idle_timeout: float = _option(
        "0",
        parse_time,
        "TIME",
        "Time without a complete message from a client after which the server closes with code 1001. 0: never.",
        at_least=0.001,
        or_zero=True,
    )
    max_lifetime: float = _option(
        "0",
        parse_time,
        "TIME",
        "Age at which the server closes a connection with code 1001, reduced at random by up to a fifth. 0: never.",
        at_least=0.001,
        or_zero=True,
    )
    max_frame_rate: int = _option(
        "0",
        parse_count,
        "COUNT",
        "Most frames per second from a client, averaged over 5 s; above it the server closes with code 1008. "
        "0: no limit.",
    )
    max_byte_rate: int = _option(
        "0",
        parse_size,
        "SIZE",
        "Most bytes per second from a client, after decompression, averaged over 5 s; above it the server closes with "
        "code 1008. 0: no limit.",
    )
    drain_timeout: float = _option(
        "7s",
        parse_time,
        "TIME",
        "Time from SIGTERM until the server cuts off all remaining connections.",
        at_least=0.001,
    )
    drain_delay: float = _option(
        "0s",
        parse_time,
        "TIME",
        "Delay between SIGTERM and the closing of clients; it counts toward --drain-timeout. During the delay, only "
        "new handshakes are refused.",
    )
    receive_buffer_size: int = _option(
        "60KiB",
        parse_size,
        "SIZE",
        "Most bytes per read, into a buffer that all connections share. With compression, 16 KiB at most.",
        at_least=1,
        at_most=1 << 28,
    )
    hold_limit: int = _option(
        "16KiB",
        parse_size,
        "SIZE",
        "Longest frame that is echoed only once it is complete; longer frames are echoed as they arrive.",
        at_most=1 << 28,
    )
    write_buffer_limit: int = _option(
        "0", parse_size, "SIZE", "Unsent bytes above which the server stops reading from a connection."
    )
    loan_limit: int = _option(
        "64MiB",
        parse_size,
        "SIZE",
        "Memory lent, in total, to clients that write a long message before they read its echo.",
    )
    no_deflate: bool = _option(
        "off",
        parse_switch,
        "",
        "Always decline permessage-deflate. Without this option, compressed messages are echoed compressed.",
    )
    inflater_memory: int = _option(
        "256MiB",
        parse_size,
        "SIZE",
        "Memory for validating compressed messages; above it, new connections get no compression.",
    )
    subprotocol: str = _option(
        FIRST_OFFERED,
        parse_subprotocol_policy,
        "POLICY",
        "Subprotocol to select: 'first' offered, 'none', or the first name of a comma-separated list that is offered.",
    )
    greeting: bytes | None = _option(
        "",
        parse_greeting,
        "TEXT",
        "Message to send to every client first, at most 125 bytes; it counts as sent. If unset, clients send first.",
    )
    codec: str = _option(
        "auto",
        one_of("auto", "compiled", "python"),
        "CODEC",
        "Codec to use: 'compiled', 'python', or 'auto': compiled if it was built.",
    )
    log_level: str = _option(
        "info",
        parse_log_level,
        "LEVEL",
        "Minimum level: 'debug', 'info', 'warning' or 'error'.",
    )
    log_format: str = _option(
        "auto",
        one_of("auto", "json", "text"),
        "FORMAT",
        "Log format: 'json', 'text', or 'auto': text on a terminal, otherwise JSON.",
    )
    # Where the values came from, by the names of options; nothing for what was given on the command line.
    sources: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    def with_sources(self, line: str) -> str:
        """Return a line for the user, with the source of each option's value behind its name."""

        def with_source(flag: re.Match[str]) -> str:
            source = self.sources.get(flag[0].removeprefix("--").replace("-", "_"))
            return f"{flag[0]} ({source})" if source else flag[0]

        return _FLAG.sub(with_source, line)


@dataclass(frozen=True, slots=True)
class Option:
    """One option: how it is written, what it accepts, and what it means."""

    name: str
    default: str
    metavar: str
    meaning: str
    aliases: tuple[str, ...]
    at_least: float
    at_most: float
    or_zero: bool
    parse: Callable[[str], Any]
    repeats: bool

    @property
    def flag(self) -> str:
        """The option on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def is_switch(self) -> bool:
        """Whether the flag alone says it all. The environment variable takes on or off."""
        return self.parse is parse_switch

    @property
    def environment(self) -> tuple[str, ...]:
        """The environment variables it is read from; the first that is set counts."""
        return (f"WSECHO_{self.name.upper()}", *self.aliases)

    def value(self, text: str) -> Any:
        """Return what `text` stands for. Raises ValueError with a line that says what was expected."""
        value = self.parse(text)
        if isinstance(value, int | float) and value < self.at_least and not (self.or_zero and value == 0):
            zero = ", or 0" if self.or_zero else ""
            raise ValueError(f"{text!r} is too small: at least {self._written(self.at_least)} is needed{zero}")
        if isinstance(value, int | float) and value > self.at_most:
            raise ValueError(f"{text!r} is too large: at most {self._written(self.at_most)} is allowed")
        return value

    def _written(self, limit: float) -> str:
        """Return a limit as it could be given."""
        if self.parse is parse_time:
            return f"{limit:.15g}s"
        units = _SIZE_UNITS if self.parse is parse_size else {"": 1}
        unit, size = next(item for item in reversed(units.items()) if limit >= item[1] and limit % item[1] == 0)
        return f"{limit / size:.0f}{unit}"


def check(config: Config) -> None:
    """Raise OptionError where options contradict each other, or where what one of them asks for would not happen."""
    try:
        _check_addresses(config)
        _check_encryption(config)
        _check_limits(config)
        _check_json_web_tokens(config)
    except ValueError as error:
        raise OptionError(config.with_sources(str(error))) from None


def _check_limits(config: Config) -> None:
    if config.ping_timeout not in (_DEFAULTS["ping_timeout"], 0) and not config.ping_interval:
        raise ValueError("--ping-timeout is of no use without --ping-interval: no ping is sent")
    if config.drain_delay >= config.drain_timeout:
        raise ValueError("--drain-delay leaves no time of --drain-timeout to say goodbye in")


def _check_encryption(config: Config) -> None:
    if config.tls_self_signed and (config.tls_cert or config.tls_key):
        raise ValueError("--tls-self-signed makes its own certificate: it cannot go with --tls-cert or --tls-key")
    if config.tls_key and not config.tls_cert:
        raise ValueError("--tls-key is of no use without --tls-cert")
    if config.tls_client_ca and not (config.tls_cert or config.tls_self_signed):
        raise ValueError("--tls-client-ca is of no use without --tls-cert or --tls-self-signed")


def _check_addresses(config: Config) -> None:
    if config.admin_port and config.admin_port == config.port and _overlap(config.host, config.admin_host):
        raise ValueError("--admin-port is that of --port, on an address of --host: it needs one of its own")
    if ANY in config.allow_origin and len(config.allow_origin) > 1:
        raise ValueError("--allow-origin has others beside *, which lets every page in")
    if config.forwarded_header != X_FORWARDED_FOR and not config.trusted_proxy:
        raise ValueError("--forwarded-header is of no use without --trusted-proxy")
    if config.proxy_protocol and not config.trusted_proxy:
        raise ValueError("--proxy-protocol needs --trusted-proxy: else everybody could say to be anybody")
    if config.admin_host != _ADMIN_HOST and config.admin_port is None:
        raise ValueError("--admin-host is of no use without --admin-port")


def _overlap(host: str, other: str) -> bool:
    """Tell whether both listen on one address, as far as their names tell."""
    pair = {host, other}
    return host == other or ALL in pair or (ALL_OF_IPV4 in pair and not any(":" in name for name in pair))


def _check_json_web_tokens(config: Config) -> None:
    if config.jwt_key_file and config.jwt_jwks:
        raise ValueError("--jwt-key-file and --jwt-jwks cannot go together: a key set may hold all keys")
    if not (config.jwt_key_file or config.jwt_jwks):
        for option, value, default in (
            ("--jwt-algorithms", config.jwt_algorithms, _PUBLIC_KEY_ALGORITHMS),
            ("--jwt-audience", config.jwt_audience, ()),
            ("--jwt-issuer", config.jwt_issuer, ()),
            ("--jwt-leeway", config.jwt_leeway, _DEFAULTS["jwt_leeway"]),
        ):
            if value != default:
                raise ValueError(f"{option} is of no use without --jwt-key-file or --jwt-jwks")
    shared = SHARED_SECRET_ALGORITHMS & set(config.jwt_algorithms)
    if shared and shared != set(config.jwt_algorithms):
        raise ValueError("--jwt-algorithms names some for public keys and some for a secret: one key cannot be both")
    if shared and config.jwt_jwks:
        raise ValueError("--jwt-algorithms for a secret cannot go with --jwt-jwks: a set that others read has none")


# Headings of the groups of options in --help and the documentation, by the first option of each group.
GROUPS = {
    "host": "Listening",
    "trusted_proxy": "Behind a proxy",
    "auth_token": "Access control",
    "public": "Limits",
    "drain_timeout": "Shutdown",
    "receive_buffer_size": "Memory",
    "no_deflate": "WebSocket",
    "codec": "Process",
}

OPTIONS = tuple(Option(name=option.name, **option.metadata) for option in fields(Config) if option.metadata)
_DEFAULTS = {option.name: option.default for option in fields(Config)}

# What `--public` sets where nothing else does.
PUBLIC = {
    "max_message_size": "1MiB",
    "max_fragments": "16384",
    "max_connections_per_address": "100",
    "idle_timeout": "10m",
    "max_lifetime": "55m",
    "max_frame_rate": "1000",
    "max_byte_rate": "1MiB",
    "inflater_memory": "64MiB",
}
