"""What is prepared before the fork: one process makes it, and every worker inherits it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, NamedTuple

import structlog

from wsecho.access.access_control import AccessControl
from wsecho.codec import selection
from wsecho.codec.selection import Codec
from wsecho.counting.shared_page import SharedPage
from wsecho.logs import structured_log
from wsecho.options import environment
from wsecho.options.config import Config
from wsecho.processes import descriptors, start
from wsecho.routes import assets
from wsecho.routes.assets import Assets
from wsecho.telemetry import deferred_page
from wsecho.telemetry import environment as telemetry

if TYPE_CHECKING:
    from wsecho.scenarios.seen.keys import Keys
    from wsecho.tls.server import Tls


class Prefork(NamedTuple):
    """What is made before any worker starts, and is the same in all of them. `keys` returns the keys of
    scenarios; it is None without scenarios.

    Each worker calls all `reloads` on SIGHUP; so does the supervisor, from which later workers inherit. A reload that
    fails raises OSError or ValueError, whose text is one line for the user, and leaves everything as it was.
    """

    config: Config
    codec: Codec
    pages: Assets
    shared_page: SharedPage
    keys: Callable[[], Keys] | None
    instance_id: str
    encryption: Tls | None
    access: AccessControl
    reloads: list[Callable[[], None]]
    log: structlog.typing.FilteringBoundLogger


def prepare(config: Config, workers: int = 1) -> Prefork:
    """Make what all workers share.

    Starts no thread, no event loop and nothing of OpenTelemetry's SDK, so that the process can fork afterwards. Raises
    OSError, RuntimeError or OptionError if the server cannot start; the text is one line for the user.
    """
    descriptors.raise_limit()
    descriptors.check_capacity(config.max_connections)
    log = structured_log.configure(config.log_level, config.log_format)
    for fields in environment.ignored(os.environ):
        log.warning("a variable is ignored", **fields)
    is_encrypted = bool(config.tls_cert or config.tls_self_signed)
    codec = selection.load(config.codec, encrypted=is_encrypted)
    if codec.name == "python" and config.codec == "auto":
        hidden = selection.hidden_installation()
        remedy = (
            f"run 'wsecho' instead: this folder hides the installed {hidden}"
            if hidden
            else "install a C compiler, then run 'make build' or 'pip install .'"
        )
        log.warning("the codec is not compiled: echoes cost more", remedy=remedy)
    _prepare_metrics(workers)
    encryption = _encryption(config, codec, log) if is_encrypted else None
    access = AccessControl(config, log)
    start.collect_garbage()
    return Prefork(
        config=config,
        codec=codec,
        pages=Assets(assets.directory()),
        shared_page=SharedPage(workers, codec.name),
        keys=None if config.no_scenarios else _keys(workers, is_public=config.public),
        instance_id=str(uuid.uuid4()),
        encryption=encryption,
        access=access,
        reloads=[*([encryption.reload] if encryption else []), access.reload],
        log=log,
    )


def _keys(workers: int, *, is_public: bool) -> Callable[[], Keys]:
    """Return a function that returns the keys of scenarios, which all workers share.

    Several workers have them from before the fork. A single worker makes them at the first request for a scenario.
    """
    keys = cache(partial(_make_keys, workers, is_public=is_public))
    if workers > 1:
        keys()
    return keys


def _make_keys(workers: int, *, is_public: bool) -> Keys:
    from wsecho.scenarios.language.limits import LOCAL, PUBLIC
    from wsecho.scenarios.seen.keys import Keys

    return Keys(PUBLIC if is_public else LOCAL, workers)


def _prepare_metrics(workers: int) -> None:
    """Import what the metrics page needs, or make sure that the first scrape can. Raises ImportError.

    What is imported before the fork is in memory once for all workers, and each of several workers will be scraped. A
    single worker shares it with nobody and starts without it, unless a variable asks for it at the start.
    """
    if workers > 1 or telemetry.is_configured():
        import wsecho.telemetry.prometheus_page  # noqa: F401
    else:
        deferred_page.require_packages()


def _encryption(config: Config, codec: Codec, log: structlog.typing.FilteringBoundLogger) -> Tls:
    """Return the TLS that the options configure. Raises OptionError."""
    # Imported only when needed: without TLS, a start does not need these modules.
    from wsecho.tls import server

    return server.configured(config, log, compiled=codec.name == "compiled")
