"""Imports every module that a server may import, so that Python writes its bytecode: `python3 -m wsecho.bytecode`.

`make build` and the image run it. Without bytecode, a server that must not write files would compile these modules
again at each start.
"""

import importlib
import pkgutil
from contextlib import suppress
from importlib.metadata import distributions
from itertools import chain

import wsecho

# Imported inside of functions: the event loop, the propagators of traces, the transport of the exporters, the codec of
# host names, and what reads the date of a certificate.
_IMPORTED_LATE = ("uvloop", "opentelemetry.propagate", "requests", "encodings.idna", "_strptime")


def main() -> None:
    """Import all modules of this package, and all that variables of OpenTelemetry may name."""
    for module in pkgutil.walk_packages(wsecho.__path__, "wsecho."):
        _import(module.name)
    for point in chain.from_iterable(distribution.entry_points for distribution in distributions()):
        if point.group.startswith("opentelemetry_"):
            _import(point.module)
    for name in _IMPORTED_LATE:
        _import(name)


def _import(name: str) -> None:
    with suppress(ImportError):  # an extra is not installed
        importlib.import_module(name)


if __name__ == "__main__":
    main()
