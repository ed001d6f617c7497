"""The table of options. The command line, the environment variables and the documentation are generated from it."""

import re
from collections.abc import Mapping

from wsecho.http.addresses import ALL, Network
from wsecho.http.origin import parse_origin
from wsecho.http.pattern import pattern
from wsecho.options.option import Table, list_option, option
from wsecho.options.values import (
    PUBLIC_KEY_ALGORITHMS,
    one_of,
    parse_algorithm,
    parse_count,
    parse_file,
    parse_greeting,
    parse_host,
    parse_key_set_source,
    parse_log_level,
    parse_metrics_auth,
    parse_port,
    parse_size,
    parse_subprotocol_policy,
    parse_switch,
    parse_time,
    parse_token,
    parse_user,
)
from wsecho.proxies.forwarded import FORWARDED, X_FORWARDED_FOR
from wsecho.proxies.trusted_proxies import parse_trusted
from wsecho.websocket.handshake import FIRST_OFFERED

DEFAULT_ADMIN_HOST = "127.0.0.1"
_FLAG = pattern(r"--[a-z][a-z-]*")


class Config(Table):
    """The server's options. Sizes are bytes, times are seconds."""

    host: str = option(
        ALL,
        parse_host,
        "ADDRESS",
        "Address to listen on; :: means all addresses, IPv4 and, if the system supports it, IPv6.",
        aliases=("HOST",),
    )
    port: int = option(
        "8080", parse_port, "PORT", "Port to listen on; 0 lets the system choose one.", aliases=("PORT",)
    )
    workers: int = option(
        "1",
        parse_count,
        "COUNT",
        "Worker processes; limits apply to each worker. 0: one worker per processor core.",
        at_most=1024,
    )
    tls_cert: str | None = option(
        "",
        parse_file,
        "FILE",
        "Certificate and its chain, in PEM; the port then serves only TLS. May contain the key. SIGHUP reloads it.",
    )
    tls_key: str | None = option("", parse_file, "FILE", "Private key of the certificate, in PEM, unencrypted.")
    tls_client_ca: str | None = option(
        "", parse_file, "FILE", "CA certificates, in PEM; each client must present a certificate signed by one of them."
    )
    tls_self_signed: bool = option(
        "off", parse_switch, "", "Serve TLS with a certificate generated at startup, for clients on the same machine."
    )
    admin_host: str = option(DEFAULT_ADMIN_HOST, parse_host, "ADDRESS", "Address of the admin port.")
    admin_port: int | None = option(
        "",
        parse_port,
        "PORT",
        "Port for metrics, health checks and request info, in plain HTTP; only this port then serves the metrics.",
    )
    trusted_proxy: tuple[Network | str, ...] = list_option(
        "",
        parse_trusted,
        "NETWORK",
        "Proxies that are trusted to report the client's address: networks such as 10.0.0.0/8, or * for any peer.",
    )
    forwarded_header: str = option(
        X_FORWARDED_FOR,
        one_of(X_FORWARDED_FOR, FORWARDED),
        "NAME",
        f"Header with the client's address: '{X_FORWARDED_FOR}' (along with X-Forwarded-Proto) or '{FORWARDED}'. "
        "The other one is ignored.",
    )
    proxy_protocol: bool = option(
        "off",
        parse_switch,
        "",
        "Require every connection to come from a trusted proxy and begin with a PROXY protocol header, version 1 or 2.",
    )
    auth_token: tuple[bytes, ...] = list_option("", parse_token, "TOKEN", "Accepted bearer tokens.")
    auth_token_file: str | None = option(
        "", parse_file, "FILE", "File of accepted bearer tokens, one per line. SIGHUP reloads it."
    )
    basic_auth: bytes | None = option("", parse_user, "USER:PASSWORD", "Accepted user and password.")
    basic_auth_file: str | None = option(
        "", parse_file, "FILE", "File of accepted users and passwords, one USER:PASSWORD per line. SIGHUP reloads it."
    )
    jwt_key_file: str | None = option(
        "",
        parse_file,
        "FILE",
        "Keys that verify JSON Web Tokens: public keys or certificates in PEM, or a shared secret.",
    )
    jwt_jwks: str | None = option(
        "", parse_key_set_source, "FILE|URL", "JSON Web Key Set whose keys verify JSON Web Tokens."
    )
    jwt_algorithms: tuple[str, ...] = list_option(
        ",".join(PUBLIC_KEY_ALGORITHMS),
        parse_algorithm,
        "NAME",
        "Accepted signature algorithms. HS256, HS384 and HS512 need a shared secret and exclude all others.",
    )
    jwt_audience: tuple[str, ...] = list_option(
        "",
        str,
        "NAME",
        "Accepted audiences; a token must name one of them. If unset, a token that names any audience is rejected.",
    )
    jwt_issuer: tuple[str, ...] = list_option(
        "", str, "NAME", "Accepted token issuers. If unset, any issuer is accepted."
    )
    jwt_leeway: float = option(
        "30s", parse_time, "TIME", "Tolerated clock difference when a token's validity period is checked.", at_most=3600
    )
    allow_origin: tuple[str, ...] = list_option(
        "",
        parse_origin,
        "ORIGIN",
        "Origins of web pages that may connect, or null, file://, *. If unset: any, or, if credentials are required, "
        "only the server's own pages.",
    )
    metrics_auth: bytes | str | None = option(
        "",
        parse_metrics_auth,
        "TOKEN",
        "Bearer token for the metrics only; 'off': anyone may read them. If unset, they need the same credentials as "
        "a WebSocket, or none on the admin port. The admin port requires this token for /info, too.",
    )
    public: bool = option(
        "off",
        parse_switch,
        "",
        "Use limits suitable for a server on the internet, except those set explicitly. See docs/operations.md.",
    )
    max_message_size: int = option(
        "64MiB",
        parse_size,
        "SIZE",
        "Longest message that is echoed. For a longer one the server closes with code 1009, or cuts the connection off "
        "if it has already sent a part of the frame (see --hold-limit).",
        at_least=1,
    )
    max_fragments: int = option(
        "1048576",
        parse_count,
        "COUNT",
        "Most frames in one message; if there are more, the server closes with code 1008.",
        at_least=1,
    )
    max_connections: int = option(
        "0",
        parse_count,
        "COUNT",
        "Most connections of a worker; further handshakes get 503. 0: the file descriptor limit minus 256.",
    )
    max_connections_per_address: int = option(
        "0",
        parse_count,
        "COUNT",
        "Most connections of a worker from one client address (for IPv6, one /64 network); further handshakes get 429. "
        "0: no limit.",
    )
    backlog: int = option(
        "4096",
        parse_count,
        "COUNT",
        "Most connections that wait to be accepted; the operating system may allow fewer.",
        at_least=1,
        at_most=65535,
    )
    handshake_timeout: float = option(
        "10s",
        parse_time,
        "TIME",
        "Time from accept to the end of the handshake; for each later request, time from its first byte.",
        at_least=0.001,
    )
    keep_alive_timeout: float = option(
        "75s",
        parse_time,
        "TIME",
        "Idle time allowed between two HTTP requests; must exceed the idle timeout of a load balancer in front.",
        at_least=0.001,
    )
    close_timeout: float = option(
        "5s",
        parse_time,
        "TIME",
        "Time that a peer has to close the connection after a Close frame or a refusal.",
        at_least=0.001,
    )
    stall_timeout: float = option(
        "30s",
        parse_time,
        "TIME",
        "Time after which a peer is cut off if it reads less than 240 bytes per second of the data waiting for it.",
        at_least=0.001,
    )
    ping_interval: float = option(
        "20s",
        parse_time,
        "TIME",
        "Time without data from a client after which the server sends it a ping. 0: never.",
        at_least=0.001,
        or_zero=True,
    )
    ping_timeout: float = option(
        "20s",
        parse_time,
        "TIME",
        "Time without data from a client after a ping until the client is cut off. 0: never.",
        at_least=0.001,
        or_zero=True,
    )
    idle_timeout: float = option(
        "0",
        parse_time,
        "TIME",
        "Time without a complete message from a client after which the server closes with code 1001. 0: never.",
        at_least=0.001,
        or_zero=True,
    )
    max_lifetime: float = option(
        "0",
        parse_time,
        "TIME",
        "Age at which the server closes a connection with code 1001, reduced at random by up to a fifth. 0: never.",
        at_least=0.001,
        or_zero=True,
    )
    max_frame_rate: int = option(
        "0",
        parse_count,
        "COUNT",
        "Most frames per second from a client, averaged over 5 s; above it the server closes with code 1008. "
        "0: no limit.",
    )
    max_byte_rate: int = option(
        "0",
        parse_size,
        "SIZE",
        "Most bytes per second from a client, after decompression, averaged over 5 s; above it the server closes with "
        "code 1008. 0: no limit.",
    )
    drain_timeout: float = option(
        "7s",
        parse_time,
        "TIME",
        "Time from SIGTERM until the server cuts off all remaining connections.",
        at_least=0.001,
    )
    drain_delay: float = option(
        "0s",
        parse_time,
        "TIME",
        "Delay between SIGTERM and the closing of clients; it counts toward --drain-timeout. During the delay, only "
        "new handshakes are refused.",
    )
    receive_buffer_size: int = option(
        "60KiB",
        parse_size,
        "SIZE",
        "Most bytes per read, into a buffer that all connections share. With compression, 16 KiB at most.",
        at_least=1,
        at_most=1 << 28,
    )
    hold_limit: int = option(
        "16KiB",
        parse_size,
        "SIZE",
        "Longest frame that is echoed only once it is complete; longer frames are echoed as they arrive.",
        at_most=1 << 28,
    )
    write_buffer_limit: int = option(
        "0", parse_size, "SIZE", "Unsent bytes above which the server stops reading from a connection."
    )
    loan_limit: int = option(
        "64MiB",
        parse_size,
        "SIZE",
        "Memory lent, in total, to clients that write a long message before they read its echo.",
    )
    no_deflate: bool = option(
        "off",
        parse_switch,
        "",
        "Always decline permessage-deflate. Without this option, compressed messages are echoed compressed.",
    )
    inflater_memory: int = option(
        "256MiB",
        parse_size,
        "SIZE",
        "Memory for validating compressed messages; above it, new connections get no compression.",
    )
    subprotocol: str = option(
        FIRST_OFFERED,
        parse_subprotocol_policy,
        "POLICY",
        "Subprotocol to select: 'first' offered, 'none', or the first name of a comma-separated list that is offered.",
    )
    greeting: bytes | None = option(
        "",
        parse_greeting,
        "TEXT",
        "Message to send to every client first, at most 125 bytes; it counts as sent. If unset, clients send first.",
    )
    no_scenarios: bool = option(
        "off",
        parse_switch,
        "",
        "Echo under /ws/ as everywhere else. Without this option, the URL says what the server does there: "
        "docs/scenarios.md.",
    )
    codec: str = option(
        "auto",
        one_of("auto", "compiled", "python"),
        "CODEC",
        "Codec to use: 'compiled', 'python', or 'auto': compiled if it was built.",
    )
    log_level: str = option(
        "info",
        parse_log_level,
        "LEVEL",
        "Minimum level: 'debug', 'info', 'warning' or 'error'.",
    )
    log_format: str = option(
        "auto",
        one_of("auto", "json", "text"),
        "FORMAT",
        "Log format: 'json', 'text', or 'auto': text on a terminal, otherwise JSON.",
    )
    # The source of each value, by the name of the option. Options that were set on the command line are not in it.
    sources: Mapping[str, str] = {}

    def with_sources(self, line: str) -> str:
        """Return `line`, an error for the user, with the source of its value inserted after each option's name."""

        def with_source(flag: re.Match[str]) -> str:
            source = self.sources.get(flag[0].removeprefix("--").replace("-", "_"))
            return f"{flag[0]} ({source})" if source else flag[0]

        return _FLAG.sub(with_source, line)


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

OPTIONS = Config.options
DEFAULTS = {option.name: getattr(Config, option.name) for option in OPTIONS}

# The values that `--public` sets for options that are not set explicitly.
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
