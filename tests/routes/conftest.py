"""Routes for tests."""

import pytest

from tests.shared.routes import Ports, make_routes


@pytest.fixture
def routes() -> Ports:
    return make_routes()
