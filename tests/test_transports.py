"""Which transport an address means."""

from __future__ import annotations

import pytest

from landline.errors import AddressError
from landline.transports import Address, open_listener, open_transport


async def test_a_scheme_that_nothing_serves() -> None:
    """The error names what would do."""
    address = Address("carrier-pigeon", path="loft")
    with pytest.raises(AddressError, match="tcp, unix, memory can be dialled"):
        await open_transport(address)
    with pytest.raises(AddressError, match="tcp, unix, memory can be served"):
        await open_listener(address, lambda transport: None, backlog=1)
