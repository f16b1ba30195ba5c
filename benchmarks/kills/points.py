"""The named points at which a process kills itself: places in the product, found from outside and wrapped in this process alone.

The product knows nothing of them. A point is a row of a table: a function of the library, or a statement that SQLite is given, and when
to die: before it, after it, some turns of the loop after it, or while it is at work, by another thread.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from landline.patterns.hub import Hub
from landline.patterns.intake import DurableIntake
from landline.patterns.outbox import KeptOutbox
from landline.patterns.sent import Sent
from landline.patterns.topics import Subscription
from landline.protocol.board import Board
from landline.protocol.host import Host
from landline.protocol.intake import Intake
from landline.protocol.publish import Origin
from landline.sessions.accept import Acceptor
from landline.sessions.records import Records
from landline.storage.database import Database

When = Literal["before", "after", "written", "during"]

TURNS: Final = 3
"""Turns of the loop after which what was to be written is written."""

LONGEST_DURING: Final = 0.002
"""Seconds into a call at which another thread kills the process, at the latest."""


@dataclass(frozen=True)
class Point:
    """Where to die.

    Attributes:
        name: as a clause.
        when: relative to ``function``, or to ``statement``.
        statement: what a statement to SQLite begins with, and after ``|`` what the first of its parameters does.
        phase: ``opening``: until the store is open; ``drain``: the server is told to go first; ``load``: else.
        many: how often the point is passed before, at the most.
    """

    name: str
    when: When
    function: tuple[type, str] | None = None
    statement: str = ""
    phase: Literal["opening", "load", "drain"] = "load"
    many: int = 12


SERVER_POINTS: Final = (
    Point("the tables are being made", "before", statement="CREATE INDEX", phase="opening", many=1),
    Point("the tables are made, uncommitted", "before", statement="COMMIT", phase="opening", many=1),
    Point("the tables are committed", "after", statement="COMMIT", phase="opening", many=1),
    Point("the file is looked at", "before", statement="PRAGMA journal_mode", phase="opening", many=1),
    Point("the log is brought in", "during", statement="PRAGMA wal_checkpoint", phase="opening", many=1),
    Point("before an epoch begins", "before", statement="INSERT INTO epochs", phase="opening", many=1),
    Point("an epoch has begun", "after", statement="INSERT INTO epochs", phase="opening", many=1),
    Point("sessions are being read", "before", (Records, "open"), many=1),
    Point("sessions are read", "after", (Records, "open"), many=1),
    Point("after an insert", "after", statement="INSERT INTO records", many=40),
    Point("before a commit", "before", statement="COMMIT", many=25),
    Point("during a commit", "during", statement="COMMIT", many=25),
    Point("after a commit", "after", statement="COMMIT", many=25),
    Point("stored, not told", "before", (Board, "stored")),
    Point("told, not answered", "before", (Origin, "stored"), many=20),
    Point("answered, not written", "after", (Board, "stored")),
    Point("answered and written, no cursor moved", "written", (Board, "stored")),
    Point("a page is read, not sent", "before", (Hub, "_fill"), many=20),
    Point("an outbox is noted", "after", statement="INSERT OR REPLACE INTO entries|landline.outbox."),
    Point("a send is given", "after", (DurableIntake, "take"), many=60),
    Point("a send is handled, that is not being stored", "before", (DurableIntake, "_was_put_down"), many=20),
    Point("that a send is handled is being stored", "after", (Intake, "record"), many=20),
    Point("a send is handled and stored, not answered", "before", (Intake, "stored"), many=20),
    Point("a send is answered, not written", "after", (DurableIntake, "_say"), many=20),
    Point(
        "a send is answered and written, the next is not given", "written", (DurableIntake, "_say"), many=20
    ),
    Point("an outbox waits for what is in hand", "before", (DurableIntake, "_free"), many=6),
    Point("an outbox has waited for what is in hand", "after", (DurableIntake, "_free"), many=6),
    Point("the server's outboxes are being read", "before", (Sent, "open"), many=1),
    Point("the server's outboxes are read", "after", (Sent, "open"), many=1),
    Point("an outbox of the server is opened", "after", (Sent, "outgoing"), many=2),
    Point("a reply is being kept", "before", (KeptOutbox, "keep"), many=20),
    Point(
        "around the commit of a reply",
        "during",
        statement="INSERT OR REPLACE INTO entries|landline.sent.",
        many=20,
    ),
    Point("a reply is kept, not sent", "after", (KeptOutbox, "keep"), many=20),
    Point("a reply is answered, not forgotten", "before", (KeptOutbox, "forget"), many=20),
    Point("a reply is forgotten, not told", "after", (KeptOutbox, "forget"), many=20),
    Point("a client has opened the server's outbox", "before", (KeptOutbox, "opened"), many=3),
    Point("an outbox of a closed session is being forgotten", "before", (Sent, "_forget"), many=1),
    Point("an outbox of a closed session is forgotten", "after", (Sent, "_forget"), many=1),
    Point("a session is being noted", "after", statement="INSERT OR REPLACE INTO entries|landline.session."),
    Point("a session is noted, not answered", "before", (Host, "_committed"), many=6),
    Point("a session is answered, not written", "after", (Host, "_carry"), many=6),
    Point("a session is answered, not confirmed", "written", (Host, "_carry"), many=6),
    Point("a session is confirmed", "before", (Host, "_confirmed"), many=6),
    Point("before a checkpoint", "before", statement="PRAGMA wal_checkpoint", many=2),
    Point("during a checkpoint", "during", statement="PRAGMA wal_checkpoint", many=2),
    Point("after a checkpoint", "after", statement="PRAGMA wal_checkpoint", many=2),
    Point("a drain begins", "after", (Acceptor, "drain"), phase="drain", many=1),
    Point("a drain hangs up", "before", (Acceptor, "hang_up"), phase="drain", many=1),
    Point("a drain, its topics to be closed", "before", (Hub, "close"), phase="drain", many=1),
    Point("a drain, its records to be closed", "before", (Records, "close"), phase="drain", many=1),
    Point("a drain, its file being closed", "during", (Database, "close"), phase="drain", many=1),
    Point("a drain, all done but the end", "after", (Database, "close"), phase="drain", many=1),
)

CLIENT_POINTS: Final = (
    Point("a publish is being kept", "before", (KeptOutbox, "keep"), many=40),
    Point("a publish is kept, not said", "after", (KeptOutbox, "keep"), many=40),
    Point("the outbox's commit", "during", statement="COMMIT", many=60),
    Point("answered, not forgotten", "before", (KeptOutbox, "forget"), many=20),
    Point("forgotten, not told", "after", (KeptOutbox, "forget"), many=20),
    Point("a server has opened the outbox", "before", (KeptOutbox, "opened"), many=3),
)

SENDER_POINTS: Final = (
    Point("a send is being kept", "before", (KeptOutbox, "keep"), many=40),
    Point("a send is kept, not said", "after", (KeptOutbox, "keep"), many=40),
    Point("a send is answered, not forgotten", "before", (KeptOutbox, "forget"), many=20),
    Point("a send is forgotten, not told", "after", (KeptOutbox, "forget"), many=20),
    Point("a server has opened the outbox of sends", "before", (KeptOutbox, "opened"), many=3),
    Point("a reply is given", "after", (DurableIntake, "take"), many=60),
    Point("a reply is handled, not answered", "before", (DurableIntake, "_was_put_down"), many=20),
    Point("a reply is answered and written", "written", (DurableIntake, "_say"), many=20),
)

READER_POINTS: Final = (Point("received, no cursor moved", "after", (Subscription, "__anext__"), many=60),)

BY_NAME: Final = {
    point.name: point for point in (*SERVER_POINTS, *CLIENT_POINTS, *SENDER_POINTS, *READER_POINTS)
}


def die() -> None:
    """``kill -9``, by itself."""
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def install(name: str, count: int) -> None:
    """Have this process die when it passes this point the ``count``-th time."""
    _Trap(BY_NAME[name], count).install()


class _Trap:
    """A point that is waited for."""

    def __init__(self, point: Point, count: int) -> None:
        self._point = point
        self._left = count
        self._is_open = False
        self._is_doomed = False
        self._pause = random.random() * LONGEST_DURING

    def install(self) -> None:
        made = Database.__init__

        @functools.wraps(made)
        def opened(database: Database, *args: Any, **options: Any) -> None:
            made(database, *args, **options)
            self._is_open = True

        Database.__init__ = opened  # type: ignore[method-assign, assignment]
        if self._point.function is None:
            self._watch_statements()
        else:
            owner, name = self._point.function
            setattr(owner, name, self._wrapped(getattr(owner, name)))

    def _is_it(self) -> bool:
        self._left -= 1
        return self._left == 0

    def _begins(self) -> bool:
        """Something that may be the point begins; return whether to die after it."""
        when = self._point.when
        if when == "before" and self._is_it():
            die()
        if when == "during" and self._is_it():
            self._is_doomed = True
            threading.Thread(target=self._die_soon, daemon=True).start()
        return when in {"after", "written"} and self._is_it()

    def _die_soon(self) -> None:
        time.sleep(self._pause)
        die()

    def _ended(self) -> None:
        if self._point.when == "written":
            self._die_after(TURNS)
        else:
            die()

    def _die_after(self, turns: int) -> None:
        if turns:
            asyncio.get_running_loop().call_soon(self._die_after, turns - 1)
        else:
            die()

    def _wrapped(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def plain(*args: Any, **options: Any) -> Any:
            is_it = self._begins()
            result = function(*args, **options)
            if (
                is_it or self._is_doomed
            ):  # it was faster than its death, and the process may end by itself next
                self._ended()
            return result

        @functools.wraps(function)
        async def waiting(*args: Any, **options: Any) -> Any:
            is_it = self._begins()
            result = await function(*args, **options)
            if is_it or self._is_doomed:
                self._ended()
            return result

        return waiting if inspect.iscoroutinefunction(function) else plain

    def _watch_statements(self) -> None:
        beginning, _, key = self._point.statement.partition("|")
        at_opening = self._point.phase == "opening"
        trap = self

        class Watched(sqlite3.Connection):
            def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
                is_meant = (
                    sql.startswith(beginning)
                    and at_opening is not trap._is_open
                    and (not key or parameters[0].startswith(key))
                )
                is_it = is_meant and trap._begins()
                cursor = super().execute(sql, parameters)
                if is_it:
                    trap._ended()
                return cursor

        sqlite3.connect = functools.partial(sqlite3.connect, factory=Watched)  # type: ignore[assignment]
