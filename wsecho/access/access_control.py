"""Builds the access policy from the options and the files that they name, at the start and again on SIGHUP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import structlog

from wsecho.access.origins import Origins
from wsecho.access.policy import AccessPolicy, Authentication, Secrets, Verifier
from wsecho.http.credentials import BASIC, BEARER
from wsecho.options import extras
from wsecho.options.config import Config
from wsecho.options.option import OptionError
from wsecho.options.values import parse_token, parse_user

if TYPE_CHECKING:
    from wsecho.access.json_web_tokens import Keys
    from wsecho.access.remote_keys import RemoteKeys

_MAX_FILE_SIZE = 1 << 20


class AccessControl:
    """The access policy. `reload` replaces its secrets and keys."""

    def __init__(self, config: Config, log: structlog.typing.FilteringBoundLogger) -> None:
        """Read the files, and fetch the key set if it is at a URL.

        Raises OptionError if a file cannot be used, and OSError if the key set cannot be fetched or used; the text of
        both is one line for the user.
        """
        self._config = config
        self._tokens = Secrets(_tokens(config))
        self._users = Secrets(_users(config))
        self._remote_keys: RemoteKeys | None = None
        bearers: list[Verifier] = [self._tokens] if self._tokens.digests else []
        if config.jwt_key_file or config.jwt_jwks:
            bearers.append(self._make_json_web_tokens(log))
        self.policy = _policy(config, bearers, [self._users] if self._users.digests else [])

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Allow later fetches of the key set; their results arrive on `loop`."""
        if self._remote_keys:
            self._remote_keys.start(loop)

    def reload(self) -> None:
        """Read the files again, and fetch the key set again in the background.

        Raises OptionError if a file cannot be used; all secrets and keys then stay as they were. Its text is one line
        for the user.
        """
        tokens, users = _tokens(self._config), _users(self._config)
        if self._remote_keys:
            self._remote_keys.reload()
        elif self._config.jwt_key_file or self._config.jwt_jwks:
            self._json_web_tokens.keys = _file_keys(self._config)
        self._tokens.digests, self._users.digests = tokens, users

    def _make_json_web_tokens(self, log: structlog.typing.FilteringBoundLogger) -> Verifier:
        config = self._config
        try:
            # Imported only when needed: PyJWT is an optional dependency, and its import is slow.
            from wsecho.access.json_web_tokens import JsonWebTokens
            from wsecho.access.remote_keys import RemoteKeys
        except ImportError:
            option = "--jwt-key-file" if config.jwt_key_file else "--jwt-jwks"
            raise OptionError(extras.missing(option, "jwt")) from None
        if config.jwt_jwks and "://" in config.jwt_jwks:
            try:
                self._remote_keys = RemoteKeys(config.jwt_jwks, config.jwt_algorithms, log)
            except (OSError, ValueError) as error:
                raise OSError(f"--jwt-jwks: {error}") from None
        self._json_web_tokens = JsonWebTokens(
            self._remote_keys or _file_keys(config),
            config.jwt_algorithms,
            config.jwt_audience,
            config.jwt_issuer,
            config.jwt_leeway,
        )
        return self._json_web_tokens


def _policy(config: Config, bearers: list[Verifier], basics: list[Verifier]) -> AccessPolicy:
    verifiers = {BEARER: bearers, BASIC: basics}
    clients = _authentication(verifiers)
    metrics = None
    if isinstance(config.metrics_auth, bytes):
        metrics = _authentication({BEARER: [Secrets([config.metrics_auth])]})
    return AccessPolicy(
        origins=Origins(config.allow_origin, needs_credentials=clients is not None),
        clients=clients,
        metrics=None if config.metrics_auth == "off" else metrics or clients,
        admin=metrics,
    )


def _authentication(verifiers: dict[str, list[Verifier]]) -> Authentication | None:
    with_verifiers = {scheme: accepting for scheme, accepting in verifiers.items() if accepting}
    return Authentication(with_verifiers) if with_verifiers else None


def _tokens(config: Config) -> tuple[bytes, ...]:
    return config.auth_token + _parse_lines(
        "--auth-token-file", config.auth_token_file, lambda line: parse_token(line.strip())
    )


def _users(config: Config) -> tuple[bytes, ...]:
    users = (config.basic_auth,) if config.basic_auth else ()
    return users + _parse_lines("--basic-auth-file", config.basic_auth_file, parse_user)


def _parse_lines(option: str, file: str | None, parse: Callable[[str], bytes]) -> tuple[bytes, ...]:
    """Return the parsed lines of a file, without empty lines and comments; an empty tuple if no file is configured.

    Raises OptionError if a line is invalid, or if the file has no entry: without entries the server would accept
    everyone.
    """
    if not file:
        return ()
    found = []
    for number, line in enumerate(_text(option, file).split("\n"), start=1):
        entry = line.rstrip("\r")
        if entry.strip() and not entry.startswith("#"):
            try:
                found.append(parse(entry))
            except ValueError as error:
                raise OptionError(f"{option} {file}, line {number}: {error}") from None
    if not found:
        raise OptionError(f"{option} {file}: the file has no entry")
    return tuple(found)


def _file_keys(config: Config) -> Keys:
    from wsecho.access.json_web_tokens import parse_key_file, parse_key_set

    if config.jwt_key_file:
        return _keys("--jwt-key-file", config.jwt_key_file, parse_key_file, config)
    return _keys("--jwt-jwks", config.jwt_jwks or "", parse_key_set, config)


def _keys(option: str, file: str, parse: Callable[[bytes, Iterable[str]], Keys], config: Config) -> Keys:
    data = _read(option, file)
    try:
        return parse(data, config.jwt_algorithms)
    except ValueError as error:
        raise OptionError(f"{option} {file}: {error}") from None


def _text(option: str, file: str) -> str:
    try:
        return _read(option, file).decode()
    except UnicodeDecodeError:
        raise OptionError(f"{option} {file}: it is not valid UTF-8") from None


def _read(option: str, file: str) -> bytes:
    try:
        with open(file, "rb") as opened:
            data = opened.read(_MAX_FILE_SIZE + 1)
    except OSError as error:
        raise OptionError(f"{option} {file}: {error.strerror}") from None
    if len(data) > _MAX_FILE_SIZE:
        raise OptionError(f"{option} {file}: it is longer than {_MAX_FILE_SIZE} bytes")
    return data
