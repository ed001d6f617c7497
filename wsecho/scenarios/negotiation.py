"""What a scenario agrees on with its client: the correct answer to a handshake, as the options of the plan say."""

from collections.abc import Callable

from wsecho.http.request import Request
from wsecho.http.response import Response
from wsecho.scenarios.language.plan import Plan
from wsecho.scenarios.steps.deflate import NO_CONTEXT
from wsecho.websocket import deflate, handshake
from wsecho.websocket.upgrade import Upgrade

_NO_CONTEXT = "server_no_context_takeover"
_WINDOW = "server_max_window_bits"


def negotiate(agree: Callable[..., Response | Upgrade], plan: Plan, request: Request) -> Response | Upgrade:
    """Return the upgrade that a request asks for, or a refusal if it is invalid. `agree` is that of a `Setting`.

    A plan that needs permessage-deflate may get an upgrade without it.
    """
    upgrade = agree(request, may_deflate=plan.may_deflate)
    if isinstance(upgrade, Response):
        return upgrade
    if upgrade.deflate and plan.needs_deflate:
        offers = deflate.parse_extensions(request.value("sec-websocket-extensions"))
        upgrade.deflate = deflate.agree([(name, _restricted(parameters, plan)) for name, parameters in offers])
    if (policy := plan.options["subprotocol"]) is not None:
        upgrade.subprotocol = handshake.chosen_subprotocol(request.tokens("sec-websocket-protocol"), policy)
    return upgrade


def _restricted(parameters: deflate.Parameters, plan: Plan) -> deflate.Parameters:
    """Return the offer of a client that asks for what the plan wants.

    The server may answer any offer so (RFC 7692 sections 7.1.1.1 and 7.1.2.1), except that a smaller window needs an
    offer of client_max_window_bits, because the echoes are in the client's window.
    """
    form = plan.options["deflate"]
    names = [name for name, _ in parameters]
    if isinstance(form, int):
        parameters = [(name, _smaller(value, form) if name == _WINDOW else value) for name, value in parameters]
        if _WINDOW not in names:
            parameters.append((_WINDOW, str(form)))
    if (form == NO_CONTEXT or plan.compresses) and _NO_CONTEXT not in names:
        parameters = [*parameters, (_NO_CONTEXT, None)]
    return parameters


def _smaller(offered: str | None, bits: int) -> str | None:
    return str(bits) if offered and offered.isdecimal() and int(offered) > bits else offered
