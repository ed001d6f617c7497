"""What /info says of the server that answers."""

import json
from typing import Any

from tests.conftest import Serve
from tests.shared.server import RunningServer
from wsecho import __version__


def facts(server: RunningServer) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(server.get("/info")[2])["server"]
    return document


def test_a_server_without_options_states_its_defaults(server: RunningServer) -> None:
    found = facts(server)
    assert found["name"] == "wsecho"
    assert found["version"] == __version__
    assert found["codec"] == server.listening["codec"]
    assert (found["permessage_deflate"], found["scenarios"]) == (True, True)
    assert (found["subprotocol"], found["greeting"]) == ("first", None)
    assert found["limits"]["max_message_size"] == 64 << 20
    # Options that are 0 limit nothing.
    assert found["limits"]["idle_timeout"] is None
    assert found["limits"]["max_connections_per_address"] is None


def test_what_options_change_is_stated(serve: Serve) -> None:
    server = serve(
        *("--no-deflate", "--no-scenarios", "--subprotocol", "chat,superchat", "--greeting", "hello, café"),
        *("--max-message-size", "1KiB", "--idle-timeout", "90s"),
    )
    found = facts(server)
    assert (found["permessage_deflate"], found["scenarios"]) == (False, False)
    assert (found["subprotocol"], found["greeting"]) == ("chat,superchat", "hello, café")
    assert (found["limits"]["max_message_size"], found["limits"]["idle_timeout"]) == (1024, 90)


def test_a_public_server_states_the_limits_of_public(serve: Serve) -> None:
    limits = facts(serve("--public"))["limits"]
    assert limits["max_connections_per_address"]
    assert limits["max_frame_rate"]
    assert limits["max_lifetime"]
