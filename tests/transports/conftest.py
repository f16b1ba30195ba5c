"""A line over memory, the recorder of the conformance suite, and an authority that signs certificates, for the tests of single kinds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from landline.testing.transport_conformance import Line, Recorder, TransportConformance
from landline.transports.certificates import ClientTLS, ServerTLS


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    async with TransportConformance().open_line("memory://line") as line:
        yield line


@pytest.fixture
def recorder() -> type[Recorder]:
    return Recorder


class Authority:
    """Signs certificates, and keeps them as files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ca = trustme.CA(key_type=trustme.KeyType.ECDSA)
        self._count = 0
        self.path = self._keep("authority", self._ca.cert_pem)

    def sign(self, *names: str, **more: Any) -> Path:
        """Return one file with a new certificate for these names and its key."""
        self._count += 1
        made = self._ca.issue_cert(*names, key_type=trustme.KeyType.ECDSA, **more)
        return self._keep(f"certificate-{self._count}", made.private_key_and_cert_chain_pem)

    def server(self, *names: str, clients: Path | None = None, **more: Any) -> ServerTLS:
        """Return what a server of this name needs."""
        path = self.sign(*(names or ("localhost", "127.0.0.1")), **more)
        return ServerTLS(path, path, clients=clients)

    def client(self, **more: Any) -> ClientTLS:
        """Return what a client needs who trusts this authority."""
        return ClientTLS(authority=self.path, **more)

    def _keep(self, name: str, pem: trustme.Blob) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{name}.pem"
        pem.write_to_path(str(path))
        return path


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whom the tests' clients trust."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whom nobody trusts."""
    return Authority(tmp_path_factory.mktemp("stranger"))
