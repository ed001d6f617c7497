"""Refuses options at the start if they contradict each other or if one of them would have no effect."""

from wsecho.http.addresses import ALL, ALL_OF_IPV4
from wsecho.http.origin import ANY
from wsecho.options.config import DEFAULT_ADMIN_HOST, DEFAULTS, Config
from wsecho.options.option import OptionError
from wsecho.options.values import PUBLIC_KEY_ALGORITHMS, SHARED_SECRET_ALGORITHMS
from wsecho.proxies.forwarded import X_FORWARDED_FOR


def check(config: Config) -> None:
    """Raise OptionError if options contradict each other or if one of them would have no effect."""
    try:
        _check_addresses(config)
        _check_encryption(config)
        _check_limits(config)
        _check_json_web_tokens(config)
    except ValueError as error:
        raise OptionError(config.with_sources(str(error))) from None


def _check_limits(config: Config) -> None:
    if config.ping_timeout not in (DEFAULTS["ping_timeout"], 0) and not config.ping_interval:
        raise ValueError("--ping-timeout has no effect if --ping-interval is 0, because no ping is sent")
    if config.drain_delay >= config.drain_timeout:
        raise ValueError("--drain-delay must be shorter than --drain-timeout, which includes it")


def _check_encryption(config: Config) -> None:
    if config.tls_self_signed and (config.tls_cert or config.tls_key):
        raise ValueError("--tls-self-signed makes its own certificate, so it excludes --tls-cert and --tls-key")
    if config.tls_key and not config.tls_cert:
        raise ValueError("--tls-key has no effect without --tls-cert")
    if config.tls_client_ca and not (config.tls_cert or config.tls_self_signed):
        raise ValueError("--tls-client-ca has no effect without --tls-cert or --tls-self-signed")


def _check_addresses(config: Config) -> None:
    if config.admin_port and config.admin_port == config.port and _overlap(config.host, config.admin_host):
        raise ValueError(
            "--admin-port must differ from --port, because --admin-host and --host have an address in common"
        )
    if ANY in config.allow_origin and len(config.allow_origin) > 1:
        raise ValueError("--allow-origin lists other origins beside *, but * already allows every origin")
    if config.forwarded_header != X_FORWARDED_FOR and not config.trusted_proxy:
        raise ValueError("--forwarded-header has no effect without --trusted-proxy")
    if config.proxy_protocol and not config.trusted_proxy:
        raise ValueError(
            "--proxy-protocol needs --trusted-proxy, because otherwise every client could forge its address"
        )
    if config.admin_host != DEFAULT_ADMIN_HOST and config.admin_port is None:
        raise ValueError("--admin-host has no effect without --admin-port")


def _overlap(host: str, other: str) -> bool:
    """Return whether both include the same address, as far as this is known without resolving names."""
    pair = {host, other}
    return host == other or ALL in pair or (ALL_OF_IPV4 in pair and not any(":" in name for name in pair))


def _check_json_web_tokens(config: Config) -> None:
    if config.jwt_key_file and config.jwt_jwks:
        raise ValueError("--jwt-key-file and --jwt-jwks exclude each other: put all keys into one key set")
    if not (config.jwt_key_file or config.jwt_jwks):
        for option, value, default in (
            ("--jwt-algorithms", config.jwt_algorithms, PUBLIC_KEY_ALGORITHMS),
            ("--jwt-audience", config.jwt_audience, ()),
            ("--jwt-issuer", config.jwt_issuer, ()),
            ("--jwt-leeway", config.jwt_leeway, DEFAULTS["jwt_leeway"]),
        ):
            if value != default:
                raise ValueError(f"{option} has no effect without --jwt-key-file or --jwt-jwks")
    shared = SHARED_SECRET_ALGORITHMS & set(config.jwt_algorithms)
    if shared and shared != set(config.jwt_algorithms):
        raise ValueError(
            "--jwt-algorithms must not mix HS256, HS384 and HS512, which need a shared secret, with others"
        )
    if shared and config.jwt_jwks:
        raise ValueError("--jwt-algorithms names algorithms that need a shared secret, which --jwt-jwks cannot contain")
