"""The server's own paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from landline.web.answers import answer
from landline.web.assets import Assets
from landline.web.metrics import Metric
from landline.web.routes import Routes

if TYPE_CHECKING:
    from .conftest import Calls

METRICS = [Metric("landline_sessions", "sessions held", 3)]


async def program(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, 200, f"program {scope['path']}")


def routes(
    app: Any = None, *, is_ready: bool = True, token: str = "", client: Assets | None = None
) -> Routes:
    return Routes(app, is_ready=lambda: is_ready, metrics=lambda: METRICS, token=token, client=client)


@pytest.mark.parametrize(("is_ready", "expected"), [(True, 200), (False, 503)])
async def test_a_server_that_drains_is_alive_and_not_ready(
    call: Calls, is_ready: bool, expected: int
) -> None:
    """Whoever restarts the dead must not restart it; whoever sends callers must send them elsewhere."""
    assert (await call(routes(is_ready=is_ready), "/health"))[0] == 200

    status, fields, _ = await call(routes(is_ready=is_ready), "/ready")

    assert (status, fields[b"cache-control"]) == (expected, b"no-store")


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics"])
async def test_our_own_paths_are_only_read(call: Calls, path: str) -> None:
    """A body to them is not looked at."""
    assert (await call(routes(program), path, method="POST"))[0] == 405
    assert (await call(routes(program), path, method="HEAD"))[0] == 200


async def test_every_other_path_is_the_programs(call: Calls) -> None:
    """Without a program there is nothing."""
    assert (await call(routes(program), "/healthy"))[2] == b"program /healthy\n"
    assert (await call(routes(program), "/landline/x.js"))[2] == b"program /landline/x.js\n"
    assert (await call(routes(), "/healthy"))[0] == 404


async def test_the_client_is_served_below_its_name(call: Calls) -> None:
    """And nothing else is, there."""
    app = routes(program, client=Assets({"/index.js": b"1"}))

    assert (await call(app, "/landline/index.js"))[2] == b"1"
    assert (await call(app, "/landline/other.js"))[0] == 404
    assert (await call(app, "/landline"))[2] == b"program /landline\n"


HERE = [None, ("127.0.0.1", 1), ("127.9.9.9", 1), ("::1", 1), ("::ffff:127.0.0.1", 1)]
ELSEWHERE = [
    ("192.0.2.1", 1),
    ("::ffff:192.0.2.1", 1),
    ("2001:db8::1", 1),
    ("fe80::1%eth0", 1),
    ("testclient", 1),
    ("", 1),
]


@pytest.mark.parametrize("client", HERE)
async def test_the_counts_are_for_this_machine(call: Calls, client: Any) -> None:
    """As text, as they are now."""
    status, fields, body = await call(routes(), "/metrics", client=client)

    assert (status, fields[b"content-type"]) == (200, b"text/plain; version=0.0.4; charset=utf-8")
    assert b"\nlandline_sessions 3\n" in body


@pytest.mark.parametrize("client", ELSEWHERE)
async def test_the_counts_are_not_for_others(call: Calls, client: Any) -> None:
    """They are told why."""
    assert (await call(routes(), "/metrics", client=client))[0] == 403


@pytest.mark.parametrize("field", ["Forwarded", "Via", "X-Forwarded-For", "X-Real-IP"])
async def test_a_proxy_on_this_machine_speaks_for_others(call: Calls, field: str) -> None:
    """What it asks is asked from anywhere."""
    assert (await call(routes(), "/metrics", headers={field: "192.0.2.1"}))[0] == 403


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("Bearer secret", 200),
        ("bearer secret", 200),
        ("Bearer secre", 401),
        ("Bearer secrets", 401),
        ("Bearer ", 401),
        ("Bearer", 401),
        ("Basic secret", 401),
        ("secret", 401),
        ("Bearer \xe4", 401),
    ],
)
async def test_a_token_lets_others_read_the_counts(call: Calls, given: str, expected: int) -> None:
    """The very one, shown as it is to be."""
    status, fields, _ = await call(
        routes(token="secret"), "/metrics", headers={"Authorization": given}, client=ELSEWHERE[0]
    )

    assert status == expected
    assert (b"www-authenticate" in fields) is (expected == 401)


async def test_this_machine_needs_no_token(call: Calls) -> None:
    """A proxy on it does."""
    app = routes(token="secret")

    assert (await call(app, "/metrics"))[0] == 200
    assert (await call(app, "/metrics", headers={"Via": "1.1 proxy"}))[0] == 401


@pytest.mark.parametrize("given", ["Bearer ", "Bearer", ""])
async def test_no_token_is_no_empty_token(call: Calls, given: str) -> None:
    """Where none is set, none is right."""
    assert (await call(routes(), "/metrics", headers={"Authorization": given}, client=ELSEWHERE[0]))[0] == 403
