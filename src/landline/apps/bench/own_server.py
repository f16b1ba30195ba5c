"""A server of our own to measure, in a process of its own, so that each end's processor time can be told apart.

``serving`` starts it. It is ``python -m landline.apps.bench.own_server HOST FOLDER LOOP``: it says in one line of JSON where it can be reached, and lives
until its standard input ends, so that it is gone with whoever measures.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

import landline

from .ways import ECHO, PAYLOAD

USED: Final = "used"
"""The method that returns the seconds of processor time that this process has taken."""


class OwnServerError(landline.LandlineError):
    """It did not start; the message is the last that it said."""


class Place(msgspec.Struct, frozen=True):
    """Where it can be reached: at a session's address, and with a bare socket."""

    address: str
    host: str
    port: int


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """All that is to be known of it.

    Attributes:
        tcp: in the clear.
        tls: under TLS; None where no certificate can be made.
        fingerprint: of its certificate.
        why_no_tls: what is missing for that.
    """

    tcp: Place
    tls: Place | None = None
    fingerprint: str = ""
    why_no_tls: str = ""


@asynccontextmanager
async def serving(host: str, folder: Path) -> AsyncIterator[Places]:
    """Within the block it runs, on the same kind of loop as ours.

    Args:
        host: where it listens, on any free ports.
        folder: for its certificate.

    Raises:
        OwnServerError: it did not start.
    """
    loop = type(asyncio.get_running_loop()).__module__.partition(".")[0]
    command = (sys.executable, "-m", "landline.apps.bench.own_server", host, str(folder), loop)
    # In a group of its own: Ctrl-C is for whoever measures, who ends it.
    process = await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
    )
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    try:
        line = await process.stdout.readline()
        if not line:
            said = (await process.stderr.read()).decode(errors="replace").strip().splitlines()
            raise OwnServerError(
                f"the server to be measured did not start: {said[-1] if said else 'it ended without a word'}"
            )
        yield msgspec.json.decode(line, type=Places)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()  # it has nothing to keep
        await process.communicate()


# In that process...


async def serve(host: str, folder: Path) -> None:
    """Serve until standard input ends."""
    tls, why_no_tls = None, ""
    try:
        tls = landline.make_certificate(folder, [host])
    except landline.TLSError as error:
        why_no_tls = str(error)
    server = landline.Server(tls=tls)

    async def echo(data: bytes) -> bytes:
        return data

    async def used() -> float:
        return time.process_time()

    server.method(name=ECHO)(echo)
    server.method(name=USED)(used)
    async with server.listen(f"tcp://{host}:0") as listening, AsyncExitStack() as stack:
        (address, *_) = listening.addresses
        tcp = await _place(stack, address, host, None)
        over_tls = None
        if tls is not None:
            over_tls = await _place(stack, address.replace("tcp://", "tls://", 1), host, tls.context)
        places = Places(
            tcp=tcp, tls=over_tls, fingerprint=tls.fingerprint if tls else "", why_no_tls=why_no_tls
        )
        print(msgspec.json.encode(places).decode(), flush=True)
        await asyncio.to_thread(sys.stdin.read)


async def _place(stack: AsyncExitStack, address: str, host: str, tls: ssl.SSLContext | None) -> Place:
    bare = await stack.enter_async_context(await asyncio.start_server(_answer, host, 0, ssl=tls))
    found, port, *_ = bare.sockets[0].getsockname()
    return Place(address, found, port)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        writer.write(await reader.readexactly(len(PAYLOAD)))
        await reader.read()
        writer.close()
        await writer.wait_closed()


def main() -> None:
    """Be that process."""
    host, folder, loop = sys.argv[1:]
    if loop == "uvloop":
        import uvloop

        uvloop.run(serve(host, Path(folder)))
    else:
        asyncio.run(serve(host, Path(folder)))


if __name__ == "__main__":
    main()
