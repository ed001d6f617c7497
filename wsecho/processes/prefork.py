"""What is made before any worker: one process makes it, and each worker inherits it by the fork."""

import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from wsecho.access.access_control import AccessControl
from wsecho.codec import selection
from wsecho.codec.selection import Codec
from wsecho.counting.shared_page import SharedPage
from wsecho.logs import structured_log
from wsecho.options import environment
from wsecho.options.config import Config
from wsecho.processes import descriptors
from wsecho.routes import assets
from wsecho.routes.assets import Assets
from wsecho.tls import server
from wsecho.tls.server import Tls


@dataclass(frozen=True, slots=True)
class Prefork:
    """What is made before any worker, and is the same for all of them.

    `reloads` are called on SIGHUP, by every worker and by their supervisor, from which later workers inherit. One that
    fails raises OSError or ValueError with a line for the user, and leaves everything as it was.
    """

    config: Config
    codec: Codec
    pages: Assets
    shared_page: SharedPage
    instance_id: str
    encryption: Tls | None
    access: AccessControl
    reloads: list[Callable[[], None]]
    log: structlog.typing.FilteringBoundLogger


def prepare(config: Config, workers: int = 1) -> Prefork:
    """Make what workers share. Raises OSError, RuntimeError or OptionError with a line for the user if that cannot be.

    It starts no thread and no event loop, nor anything of OpenTelemetry's SDK: the process may fork afterwards.
    """
    descriptors.raise_limit()
    descriptors.check_capacity(config.max_connections)
    log = structured_log.configure(config.log_level, config.log_format)
    for facts in environment.ignored(os.environ):
        log.warning("a variable is ignored", **facts)
    chosen = selection.load(config.codec)
    if chosen.name == "python" and config.codec == "auto":
        hidden = selection.hidden_installation()
        remedy = (
            f"run 'wsecho': {hidden} is hidden by this folder"
            if hidden
            else "with a C compiler: make build, or pip install ."
        )
        log.warning("the codec is not compiled: echoes cost more", remedy=remedy)
    encryption = server.configured(config, log)
    access = AccessControl(config, log)
    return Prefork(
        config=config,
        codec=chosen,
        pages=Assets(assets.directory()),
        shared_page=SharedPage(workers, chosen.name),
        instance_id=str(uuid.uuid4()),
        encryption=encryption,
        access=access,
        reloads=[*([encryption.reload] if encryption else []), access.reload],
        log=log,
    )
