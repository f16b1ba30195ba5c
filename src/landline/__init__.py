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

from .asgi import asgi, lifespan
from .client import connect, dial
from .errors import (
    AddressError,
    CallFailed,
    CallNotAllowed,
    CallTimeout,
    CallUnknown,
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
    NotAllSent,
    ProtocolError,
    PublishFailed,
    PublishUnknown,
    Refused,
    SendTimeout,
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
    TLSError,
    TopicError,
    TransferDamaged,
    TransferError,
    TransferRefused,
    Untrusted,
)
from .history import Gap, Position, Publication
from .hooks import OnClose, OnOpen
from .limits import LIMITS, Limit, Limits
from .listening import Listening
from .patterns.files.offers import FileOffer, Offers, forget_received
from .patterns.files.progress import Progress, ReceivedFile, SentFile
from .patterns.files.quota import Quota
from .patterns.groups import Membership
from .patterns.messages import Outcome, Receipt
from .patterns.middleware import Call, Middleware, Proceed
from .patterns.outbox import count_unanswered
from .patterns.presence import Presence
from .patterns.rpc.methods import Methods
from .patterns.rpc.stream import Stream
from .patterns.rules import Authorize
from .patterns.topics import Beginning, Earlier, Subscription, keep_publish
from .programs import PlainProgram, Program
from .protocol.presence import Change, Joined, Left, Member, Snapshot, Updated
from .protocol.redial import Pause
from .protocol.states import State
from .server import Server, serve
from .session import Session
from .sessions.auth import Authenticate, Grant
from .sessions.caller import Caller
from .sessions.changes import StateChange
from .sessions.reconnect import full_jitter
from .transports.certificates import ClientTLS, ServerTLS, make_certificate
from .transports.listening import ListeningSocket, exec_with, passed_sockets
from .web.site import Web

__version__ = "0.1.0"

__all__ = [
    "LIMITS",
    "AddressError",
    "Authenticate",
    "Authorize",
    "Beginning",
    "Call",
    "CallFailed",
    "CallNotAllowed",
    "CallTimeout",
    "CallUnknown",
    "Caller",
    "Change",
    "ClientTLS",
    "Conflict",
    "ConnectError",
    "ConnectTimeout",
    "DataError",
    "Earlier",
    "FileOffer",
    "FlowEnded",
    "FlowReset",
    "Full",
    "Gap",
    "Grant",
    "Joined",
    "LandlineError",
    "Left",
    "Limit",
    "Limits",
    "ListenError",
    "Listening",
    "ListeningSocket",
    "Member",
    "Membership",
    "Methods",
    "Middleware",
    "NotAllSent",
    "NotAllowed",
    "Offers",
    "OnClose",
    "OnOpen",
    "Outcome",
    "Pause",
    "PlainProgram",
    "Position",
    "Presence",
    "Proceed",
    "Program",
    "Progress",
    "ProtocolError",
    "Publication",
    "PublishFailed",
    "PublishUnknown",
    "Quota",
    "Receipt",
    "ReceivedFile",
    "Refused",
    "SendTimeout",
    "SentFile",
    "Server",
    "ServerTLS",
    "Session",
    "SessionClosed",
    "SessionEnded",
    "SessionInterrupted",
    "SessionLost",
    "SettingsError",
    "Snapshot",
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
    "Stream",
    "Subscription",
    "TLSError",
    "TopicError",
    "TransferDamaged",
    "TransferError",
    "TransferRefused",
    "Untrusted",
    "Updated",
    "Web",
    "asgi",
    "connect",
    "count_unanswered",
    "dial",
    "exec_with",
    "forget_received",
    "full_jitter",
    "keep_publish",
    "lifespan",
    "make_certificate",
    "passed_sockets",
    "serve",
]
