"""The server that is killed: topics in SQLite, an echo and durable replies, a book of what its programs did, and a point to die at or a way to be broken.

``python -m benchmarks.kills.server FOLDER``; it begins at a line of input, and prints its address when it listens. SIGTERM drains it.
"""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any, Final

import landline
from landline.storage import SQLiteStorage, database

from . import breaks, points
from .durable import ON_DISK
from .journal import Journal
from .replies import Replies, note_stored
from .roads import CERTIFICATE, SOCKET

STORE: Final = "store.db"
BOOK: Final = "server.book"

SHORT_HISTORY: Final = 15
"""Publications kept of the topics of which retention removes some."""

LOG_BYTES: Final = 128 << 10
"""Bytes of SQLite's log after which it is copied: small, so that there are checkpoints to die in."""

DURABLE_SENDERS: Final = (ON_DISK, "sender-in-memory")
"""Whose messages are answered durably; those of all others are echoed."""

LIMITS: Final = landline.Limits(resume_window=600.0, close_timeout=2.0)


def main() -> None:
    """Serve until SIGTERM, or death."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--point")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--broken", default="")
    parser.add_argument("--store", type=Path, help="the file; by default in the folder")
    parser.add_argument(
        "--unix", action="store_true", help="listen at the Unix socket in the folder only, without TLS"
    )
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s", stream=sys.stderr)
    faulthandler.enable()  # so that one that hangs says where when it is aborted
    database.CHECKPOINT_BYTES = LOG_BYTES  # type: ignore[misc]
    if options.broken:
        breaks.install(options.broken, at_server=True)
    if options.point:
        points.install(options.point, options.count)
    if not sys.stdin.readline():  # started ahead, so that who is killed has its successor at once
        return
    storage = breaks.storage(options.broken)(options.store or options.folder / STORE)
    addresses, tls = [f"unix://{options.folder}/{SOCKET}"], None
    if not options.unix:
        addresses.insert(0, "tcp://127.0.0.1:0")  # which is printed
        certificate = next((options.folder / CERTIFICATE).glob("*.pem"))
        tls = landline.ServerTLS(certificate, certificate)
    asyncio.run(_serve(Journal(options.folder / BOOK), storage, addresses, tls))


async def _serve(
    journal: Journal, storage: SQLiteStorage, addresses: list[str], tls: landline.ServerTLS | None
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_reader(sys.stdin.fileno(), os._exit, 1)  # whoever started us is gone
    note_stored(journal)
    echo, replies = _Echo(journal), Replies(journal)

    async def program(session: landline.Session) -> None:
        await (replies if session.principal in DURABLE_SENDERS else echo).serve(session)

    server = landline.Server(
        program,
        authenticate=lambda said: said if isinstance(said, str) else None,
        limits=LIMITS,
        retry_in=0.1,
        storage=storage,
        tls=tls,
    )
    server.topic("k.**", history=None, history_bytes=None, history_age=None)
    server.topic("short.*", history=SHORT_HISTORY)
    server.topic("drop.*", history=None, behind="drop_oldest")
    server.topic("latest.*", history=None, behind="latest")
    async with server.listen(*addresses) as listening:
        print(listening.addresses[0], flush=True)
        await stop.wait()
        journal.note("draining")
    journal.note("drained")


class _Echo:
    """The program of the plain senders: it writes down what it is given before it says so, and what becomes of its answers."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._watching: set[asyncio.Task[None]] = set()

    async def serve(self, session: landline.Session) -> None:
        """Answer each number with it and the number of this life."""
        note, life, who = self._journal.note, self._journal.life, session.principal
        async for number in session:
            note("got", who, number)
            receipt = await session.send([number, life])
            task = asyncio.ensure_future(self._watch(receipt, who, number))
            self._watching.add(task)
            task.add_done_callback(self._watching.discard)
            note("done", who, number)

    async def _watch(self, receipt: landline.Receipt, who: str, number: Any) -> None:
        outcome = await receipt
        self._journal.note("echo", who, number, self._journal.life, outcome.status)


if __name__ == "__main__":
    main()
