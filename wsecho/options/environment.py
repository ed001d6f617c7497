"""The environment variables that options are read from, and those that only look like them."""

import re
from collections.abc import Iterable, Iterator, Mapping

from wsecho.options.config import OPTIONS
from wsecho.options.option import Option
from wsecho.options.values import parse_port

_PREFIX = "WSECHO_"
# What builds and what tests this package reads these.
_NOT_FOR_THE_SERVER = ("WSECHO_REQUIRE_NATIVE", "WSECHO_TEST_")
# Kubernetes puts the address of each Service into every pod, in the variables that Docker once had for links: for the
# Service `wsecho` these are WSECHO_SERVICE_HOST, WSECHO_PORT=tcp://10.96.12.34:80, WSECHO_PORT_80_TCP_ADDR and more.
_SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://.*", re.DOTALL)
_SERVICE_VARIABLE = re.compile(
    r"\w+_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)", re.ASCII
)


def variable_of(option: Option, environment: Mapping[str, str]) -> str | None:
    """Return the name of the variable that `option` is read from, None if none is set. One that is empty is not set."""
    for variable in option.environment:
        text = environment.get(variable)
        if text and not _is_service(option, text):
            return variable
    return None


def text_of(name: str, environment: Mapping[str, str]) -> str:
    """Return what the environment says that the option `name` is, or else its default."""
    option = next(option for option in OPTIONS if option.name == name)
    variable = variable_of(option, environment)
    return environment[variable] if variable else option.default


def ignored(environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yield for each variable that has no effect, though it was perhaps meant to, the fields of a log line about it.

    Values are left out: the variable may be a token's whose name was mistyped.
    """
    known = {variable: option for option in OPTIONS for variable in option.environment}
    for variable, text in environment.items():
        option = known.get(variable)
        if option and _is_service(option, text):
            reason = "it is the address of a Kubernetes Service, and no port"
            yield {"variable": variable, "reason": reason, "remedy": "enableServiceLinks: false in the pod"}
        elif not option and text and _is_meant_for_us(variable, text):
            # Without the prefix, which makes all names alike.
            meant = nearest(variable.upper().removeprefix(_PREFIX), (option.name.upper() for option in OPTIONS))
            line = {"variable": variable, "reason": "no option is called that"}
            yield line | ({"nearest": f"{_PREFIX}{meant}"} if meant else {})


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the one of `names` that `name` was probably meant to be, None if it is like none of them."""
    # Imported late: most starts have no mistakes in them.
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, list(names), n=1)), None)


def _is_service(option: Option, text: str) -> bool:
    return option.parse is parse_port and bool(_SERVICE_ADDRESS.fullmatch(text))


def _is_meant_for_us(variable: str, text: str) -> bool:
    if not variable.upper().startswith(_PREFIX) or variable.startswith(_NOT_FOR_THE_SERVER):
        return False
    of_service = variable.endswith("_PORT") and _SERVICE_ADDRESS.fullmatch(text)
    return not (of_service or _SERVICE_VARIABLE.fullmatch(variable))
