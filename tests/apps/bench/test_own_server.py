"""The server that is measured where no other is named: a process of its own."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import pytest

import landline
from landline.apps.bench import own_server, ways
from landline.apps.bench.own_server import OwnServerError, serving

HOST = "127.0.0.1"


async def test_it_answers_sessions_and_bare_sockets_with_and_without_tls(tmp_path: Path) -> None:
    """And says how much of the processor's time it has taken."""
    async with serving(HOST, tmp_path) as places:
        assert places.tls is not None
        trusted = landline.ClientTLS(fingerprint=places.fingerprint)
        for place, tls in ((places.tcp, None), (places.tls, trusted)):
            way = ways.of_bare_sockets(
                "", place.host, place.port, None if tls is None else tls.make_context()
            )
            async with landline.connect(place.address, tls=tls) as session, way.open() as once:
                await ways.echo(session)
                before = await session.call(own_server.USED)
                await once()
                assert 0 < before <= await session.call(own_server.USED)


async def test_without_what_makes_certificates_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And serves in the clear."""
    (tmp_path / "cryptography.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    async with serving(HOST, tmp_path / "tls") as places:
        assert places.tls is None
        assert "cryptography" in places.why_no_tls
        async with landline.connect(places.tcp.address) as session:
            await ways.echo(session)


async def test_one_that_does_not_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last words are the error's."""
    with pytest.raises(OwnServerError, match=r"did not start: .*nowhere"):
        async with serving("nowhere.invalid", tmp_path):
            pass

    monkeypatch.setattr(sys, "executable", "true")
    with pytest.raises(OwnServerError, match="it ended without a word"):
        async with serving(HOST, tmp_path):
            pass


async def test_it_is_gone_after_the_block(tmp_path: Path) -> None:
    """Also when the block is left by an error."""
    address = ""

    async def fail() -> None:
        nonlocal address
        async with serving(HOST, tmp_path) as places:
            address = places.tcp.address
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    with pytest.raises(landline.ConnectError):
        await partial(landline.connect, address)()
