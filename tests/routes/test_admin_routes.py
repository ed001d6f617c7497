"""The admin port: for which host names it answers."""

from tests.shared.routes import made, make_routes
from wsecho.http.request import Request


def test_the_admin_port_goes_by_the_name_that_it_was_given() -> None:
    routes = make_routes(has_admin_port=True, admin_name="box")
    ours = ("box", "box:9000", "BOX:9000", "box.", "127.0.0.1:9000")
    for host, status in (*((host, 200) for host in ours), ("boxes", 403), ("a.box", 403)):
        request = Request("GET", "/health", "/health", "", "1.1", (("Host", host),))
        assert made(routes.admin.answer(request)).status == status  # type: ignore[union-attr]
