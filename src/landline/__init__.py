"""Landline: connections that behave like a phone line that stays up.

    import landline

    async def echo(session):
        async for message in session:
            await session.send(message)

    async with landline.serve(echo, "tcp://localhost:12345"):
        async with landline.connect("tcp://localhost:12345") as session:
            await session.send("hello")
            print(await session.receive())

A session outlives its connections: when the line drops it is redialled, and the talk goes on where it stopped. Everything that a program
needs is a name here.
"""

from .client import connect, dial
from .errors import (
    AddressError,
    Conflict,
    ConnectError,
    ConnectTimeout,
    DataError,
    FlowEnded,
    FlowReset,
    Full,
    LandlineError,
    ListenError,
    NotAllowed,
    ProtocolError,
    PublishFailed,
    PublishUnknown,
    Refused,
    SessionClosed,
    SessionEnded,
    SessionInterrupted,
    SessionLost,
    SettingsError,
    StorageClosed,
    StorageDamaged,
    StorageDenied,
    StorageError,
    StorageFailed,
    StorageForeign,
    StorageFull,
    StorageLocked,
    StorageNewer,
    TopicError,
)
from .history import Gap, Position, Publication
from .limits import LIMITS, Limit, Limits
from .patterns.messages import Outcome, Receipt
from .patterns.outbox import count_unanswered
from .patterns.rules import Authorize
from .patterns.topics import Beginning, Earlier, Subscription
from .protocol.redial import Pause
from .protocol.states import State
from .server import Listening, PlainProgram, Program, Server, serve
from .session import Session
from .sessions.auth import Authenticate
from .sessions.bare import StateChange
from .sessions.caller import Caller
from .sessions.reconnect import full_jitter
from .transports.listening import ListeningSocket, exec_with, passed_sockets

__version__ = "0.1.0"

__all__ = [
    "LIMITS",
    "AddressError",
    "Authenticate",
    "Authorize",
    "Beginning",
    "Caller",
    "Conflict",
    "ConnectError",
    "ConnectTimeout",
    "DataError",
    "Earlier",
    "FlowEnded",
    "FlowReset",
    "Full",
    "Gap",
    "LandlineError",
    "Limit",
    "Limits",
    "ListenError",
    "Listening",
    "ListeningSocket",
    "NotAllowed",
    "Outcome",
    "Pause",
    "PlainProgram",
    "Position",
    "Program",
    "ProtocolError",
    "Publication",
    "PublishFailed",
    "PublishUnknown",
    "Receipt",
    "Refused",
    "Server",
    "Session",
    "SessionClosed",
    "SessionEnded",
    "SessionInterrupted",
    "SessionLost",
    "SettingsError",
    "State",
    "StateChange",
    "StorageClosed",
    "StorageDamaged",
    "StorageDenied",
    "StorageError",
    "StorageFailed",
    "StorageForeign",
    "StorageFull",
    "StorageLocked",
    "StorageNewer",
    "Subscription",
    "TopicError",
    "connect",
    "count_unanswered",
    "dial",
    "exec_with",
    "full_jitter",
    "passed_sockets",
    "serve",
]
