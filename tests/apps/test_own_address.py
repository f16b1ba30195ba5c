"""By which address others reach this machine."""

from __future__ import annotations

import socket
from typing import Self

import pytest

from landline.apps.own_address import own_address


@pytest.mark.parametrize(
    ("ways", "own"),
    [
        ({socket.AF_INET: "192.0.2.7", socket.AF_INET6: "2001:db8::7"}, "192.0.2.7"),
        ({socket.AF_INET6: "2001:db8::7"}, "2001:db8::7"),
        ({}, socket.gethostname()),
    ],
)
def test_how_others_reach_this_machine(
    ways: dict[int, str], own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By IPv4 where there is a way out, else by IPv6; a machine without a way out has its name alone."""

    class Probe:
        def __init__(self, family: int, _kind: int) -> None:
            self.family = family

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None: ...

        def connect(self, _far: object) -> None:
            if self.family not in ways:
                raise OSError

        def getsockname(self) -> tuple[str, int]:
            return ways[self.family], 1

    monkeypatch.setattr("landline.apps.own_address.socket.socket", Probe)

    assert own_address() == own
