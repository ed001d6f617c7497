"""The fixture `routes`: the routes of both ports."""

import pytest

from tests.shared.routes import Ports, make_routes


@pytest.fixture
def routes() -> Ports:
    return make_routes()
