"""Which transport an address means."""

from __future__ import annotations

import pytest

from landline.errors import AddressError
from landline.transports import Address, open_listener, open_transport


async def test_a_scheme_that_nothing_serves() -> None:
    """The error names what would do."""
    address = Address("carrier-pigeon", path="loft")
    with pytest.raises(AddressError, match="tcp, unix, memory, tls, ws, wss can be dialled"):
        await open_transport(address)
    with pytest.raises(AddressError, match="tcp, unix, memory can be served"):
        await open_listener(address, lambda transport: None, backlog=1)


@pytest.mark.parametrize("scheme", ["tls", "ws", "wss"])
async def test_one_port_takes_what_is_spoken_over_tcp(scheme: str) -> None:
    """Whoever wants to listen for TLS or WebSocket alone is told what does it."""
    address = Address(scheme, "::1", 443)
    with pytest.raises(AddressError, match=r"tcp://\[::1\]:443 takes WebSocket as it is, and TLS where"):
        await open_listener(address, lambda transport: None, backlog=1)
