"""The ways to the server of a world: over TCP, WebSocket, TLS and a Unix socket, each through a network that cuts lines.

Two of the four are open at a time, others in each life of the server, so that about half of its clients come back over another carrier.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import landline
from landline.testing.network import Faults, Proxy, bad_network

SCHEMES: Final = ("tcp", "ws", "tls", "unix")

OPEN: Final = 2

FAULTS: Final = Faults(cut_every=100_000)

SOCKET: Final = "socket"
"""The name of the server's own Unix socket in the folder of its world."""

CERTIFICATE: Final = "certificate"
"""The folder of its certificate."""


class Roads:
    """All of them.

    Attributes:
        addresses: where clients dial.
        trust: whom they trust there.
        options: the same for the command line of a client.
    """

    def __init__(self, proxies: dict[str, Proxy], fingerprint: str, chance: random.Random) -> None:
        self._proxies = proxies
        self._chance = chance
        self.addresses = [proxy.address for proxy in proxies.values()]
        self.trust = landline.ClientTLS(fingerprint=fingerprint)
        self.options = ("--fingerprint", fingerprint, *self.addresses)

    def lead_to(self, address: str) -> None:
        """Lead to another life of the server, which listens at this ``tcp://`` address, and where it always does."""
        opened = self._chance.sample(SCHEMES, OPEN)
        for scheme, proxy in self._proxies.items():
            if scheme != "unix":
                proxy.target = address
            proxy.is_refusing = scheme not in opened

    @property
    def cuts(self) -> int:
        """Lines that were cut."""
        return sum(proxy.cuts for proxy in self._proxies.values())

    @property
    def carried(self) -> Counter[str]:
        """Bytes to the server, by carrier."""
        return Counter({scheme: proxy.passed_up for scheme, proxy in self._proxies.items()})


@asynccontextmanager
async def open_roads(folder: Path, seed: int) -> AsyncIterator[Roads]:
    """Make them, and the server's certificate, in the folder of a world."""
    made = landline.make_certificate(folder / CERTIFICATE, ["127.0.0.1"])
    async with AsyncExitStack() as stack:
        proxies: dict[str, Proxy] = {}
        for place, scheme in enumerate(SCHEMES):
            nowhere = f"unix://{folder}/{SOCKET}" if scheme == "unix" else f"{scheme}://127.0.0.1:9"
            proxy = bad_network(nowhere, FAULTS, seed=seed + place)
            proxies[scheme] = await stack.enter_async_context(proxy)
        yield Roads(proxies, made.fingerprint, random.Random(f"roads {seed}"))
