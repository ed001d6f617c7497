"""The environment variables of the options, and warnings about variables that look like them but have no effect."""

import re
from collections.abc import Iterable, Iterator, Mapping

from wsecho.http.pattern import pattern
from wsecho.options.config import OPTIONS
from wsecho.options.option import Option
from wsecho.options.values import parse_port

_PREFIX = "WSECHO_"
# The build and the tests of this package read these variables.
_OTHER_VARIABLES = ("WSECHO_REQUIRE_NATIVE", "WSECHO_TEST_")
# Kubernetes sets variables with the address of each Service in every pod, named like those of Docker's container links.
# For a Service `wsecho` they include WSECHO_SERVICE_HOST, WSECHO_PORT=tcp://10.96.12.34:80 and WSECHO_PORT_80_TCP_ADDR.
_SERVICE_ADDRESS = pattern(r"(tcp|udp|sctp)://.*", re.DOTALL)
_SERVICE_VARIABLE = pattern(
    r"\w+_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)", re.ASCII
)


def variable_of(option: Option, environment: Mapping[str, str]) -> str | None:
    """Return the name of the variable that `option` is read from, None if none is set.

    An empty variable, and one with the address of a Kubernetes Service, counts as not set.
    """
    for variable in option.environment:
        text = environment.get(variable)
        if text and not _is_service(option, text):
            return variable
    return None


def text_of(name: str, environment: Mapping[str, str]) -> str:
    """Return the text of the option `name` from the environment, or its default."""
    option = next(option for option in OPTIONS if option.name == name)
    variable = variable_of(option, environment)
    return environment[variable] if variable else option.default


def ignored(environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yield the fields of a log line for each variable that looks like an option's but has no effect.

    The fields do not contain the value: it may be a token in a variable whose name has a typing error.
    """
    known = {variable: option for option in OPTIONS for variable in option.environment}
    for variable, text in environment.items():
        option = known.get(variable)
        if option and _is_service(option, text):
            reason = "it is the address of a Kubernetes Service, not a port"
            yield {"variable": variable, "reason": reason, "remedy": "enableServiceLinks: false in the pod"}
        elif not option and text and _looks_like_option(variable, text):
            # The names are compared without the prefix, which would make all of them similar.
            similar = nearest(variable.upper().removeprefix(_PREFIX), (option.name.upper() for option in OPTIONS))
            line = {"variable": variable, "reason": "no option has this name"}
            yield line | ({"nearest": f"{_PREFIX}{similar}"} if similar else {})


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the one of `names` that is most similar to `name`, None if none is similar."""
    # Imported only when needed: most starts have no such error.
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, list(names), n=1)), None)


def _is_service(option: Option, text: str) -> bool:
    return option.parse is parse_port and bool(_SERVICE_ADDRESS.fullmatch(text))


def _looks_like_option(variable: str, text: str) -> bool:
    if not variable.upper().startswith(_PREFIX) or variable.startswith(_OTHER_VARIABLES):
        return False
    of_service = variable.endswith("_PORT") and _SERVICE_ADDRESS.fullmatch(text)
    return not (of_service or _SERVICE_VARIABLE.fullmatch(variable))
