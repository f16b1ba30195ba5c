"""Every error that landline raises, as one tree.

    LandlineError
    ├── AddressError (ValueError)              an address that cannot be read
    ├── SettingsError (ValueError)             a setting that cannot be used
    ├── DataError (ValueError)                 a value that cannot be sent
    ├── ConnectError (ConnectionError)         the first dial failed
    │   ├── ConnectTimeout (TimeoutError)      ... nobody answered in time
    │   ├── Untrusted                          ... it shows a certificate that we do not trust
    │   └── Refused                            ... the peer answered, and said no
    ├── ListenError (OSError)                  an address that cannot be served
    ├── SessionEnded (ConnectionError)         the session is over
    │   ├── SessionClosed                      ... by agreement: nothing is missing
    │   └── SessionLost                        ... and says what is missing
    ├── SessionInterrupted (ConnectionError)   the session goes on with another life of the server; says what is missing
    ├── FlowEnded (ConnectionError)            no more comes in a flow, which is over before its session
    │   └── FlowReset                          ... because one end abandoned it
    ├── Full                                   the outbox has no room just now
    ├── NotAllSent                             send_many stopped on its way; says what is not sent
    │   └── SendTimeout (TimeoutError)         ... because its time was up
    ├── ProtocolError                          the peer broke a rule of the wire
    ├── TLSError                               TLS could not be begun, broke, or has no certificate to use
    │   └── TLSTimeout (TimeoutError)          ... because the handshake took too long
    ├── TopicError (ValueError)                a topic or pattern that breaks the rules for names
    ├── PublishFailed                          what was published is certainly not stored
    ├── PublishUnknown                         ... or may be, and nobody can tell
    ├── NotAllowed (PermissionError)           the server's rules are against it
    ├── CallFailed                             a call or a stream failed at the other end
    │   ├── CallTimeout (TimeoutError)         ... because it took too long
    │   └── CallNotAllowed (NotAllowed)        ... because the rules there are against it
    ├── CallUnknown                            ... or may have run, and nobody can tell
    ├── TransferError                          a file did not come through; what came is kept, and it can be gone on with
    │   ├── TransferRefused                    ... because the receiver does not want it, or has no room
    │   └── TransferDamaged                    ... because what arrived is not what was sent; nothing of that file is kept
    └── StorageError                           the store cannot do what was asked
        ├── StorageClosed                      ... because it is not open
        ├── StorageLocked                      ... because another process has it open
        ├── StorageDenied                      ... because we lack the rights to its file or folder
        ├── StorageForeign                     ... because the file is something else
        ├── StorageNewer                       ... because a newer landline wrote the file
        ├── StorageDamaged                     ... because the file is damaged
        ├── StorageFull                        ... because the disk is full; it recovers by itself
        ├── StorageFailed                      ... after an input/output error; it must be reopened
        └── Conflict                           a value was not what the write expected

The class says what happened, the attributes hold the facts, and ``str()`` makes the sentence. Built-in errors are second bases where
people already catch them. Foreign errors are translated where they enter.
"""

from __future__ import annotations

from typing import Any


class LandlineError(Exception):
    """The root of every error that landline raises."""


class AddressError(LandlineError, ValueError):
    """An address that cannot be read; the message says what is wrong and shows one that works."""


class SettingsError(LandlineError, ValueError):
    """A setting that cannot be used.

    Attributes:
        key: the setting, for example ``chat.name``.
        source: where the value came from, for example ``LANDLINE_NAME``.
    """

    def __init__(self, message: str, *, key: str = "", source: str = "") -> None:
        super().__init__(message)
        self.key = key
        self.source = source


class DataError(LandlineError, ValueError):
    """A value that cannot be sent: not encodable, not valid text, or larger than the limit."""


class ConnectError(LandlineError, ConnectionError):
    """The first dial failed; only an established session redials by itself.

    Attributes:
        address: the address that was dialled.
        reason: why it failed, as one clause.
    """

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(address, reason)
        self.address = address
        self.reason = reason

    def __str__(self) -> str:
        return f"cannot connect to {self.address}: {self.reason}"


class ConnectTimeout(ConnectError, TimeoutError):
    """Nobody answered within ``connect_timeout`` seconds."""


class Untrusted(ConnectError):
    """A server answered, and its certificate is none that we trust; the reason says what to do.

    Attributes:
        fingerprint: of the certificate that it shows, as ``ClientTLS`` takes it; empty where that is not known.
        pinned: the one that it should have shown, where one was pinned.
    """

    def __init__(self, address: str, reason: str, fingerprint: str = "", pinned: str = "") -> None:
        super().__init__(address, reason)
        self.fingerprint = fingerprint
        self.pinned = pinned


class Refused(ConnectError):
    """The peer answered and refused; ``code`` is its close code by name, for example ``unauthorized``."""

    def __init__(self, address: str, reason: str, code: str = "refused") -> None:
        super().__init__(address, reason)
        self.code = code

    def __str__(self) -> str:
        return f"{self.address} refused: {self.reason or self.code}"


class ListenError(LandlineError, OSError):
    """An address that cannot be served, for example because its port is taken.

    Attributes:
        address: the address that was asked for.
        reason: why it failed, as one clause.
    """

    def __init__(self, address: str, reason: str, errno: int | None = None) -> None:
        super().__init__(address, reason)
        self.address = address
        self.reason = reason
        self.errno = errno

    def __str__(self) -> str:
        return f"cannot listen on {self.address}: {self.reason}"


class SessionEnded(LandlineError, ConnectionError):
    """The session is over; see the two subclasses for how."""


class SessionClosed(SessionEnded):
    """The session ended by agreement: everything sent before the close was delivered.

    Attributes:
        reason: what the end that closed said, or an empty string.
    """

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return "the session was closed" + (f": {self.reason}" if self.reason else "")


class SessionLost(SessionEnded):
    """The session cannot go on, and something may be missing.

    Attributes:
        reason: why, for example ``unknown session`` after the server restarted.
        received: how many of our messages may have reached the peer; those after them certainly did not.
        unacked: how many of our messages have no ack; each receipt says ``failed`` or ``unknown``.
    """

    def __init__(self, reason: str, received: int = 0, unacked: int = 0) -> None:
        super().__init__(reason, received, unacked)
        self.reason = reason
        self.received = received
        self.unacked = unacked

    def __str__(self) -> str:
        were = "was" if self.unacked == 1 else "were"
        return f"the session was lost ({self.reason}); {self.unacked} of our messages {were} not acknowledged"


class SessionInterrupted(LandlineError, ConnectionError):
    """The session goes on, and yet something may be missing: another life of the server has taken it up.

    What the last one had sent and we had not received did not come; the program there begins anew. Raised once, by who receives.

    Attributes:
        reason: why, as a clause.
        unacked: how many of our messages have no ack; each receipt says ``failed`` or ``unknown``.
    """

    def __init__(self, reason: str, unacked: int = 0) -> None:
        super().__init__(reason, unacked)
        self.reason = reason
        self.unacked = unacked

    def __str__(self) -> str:
        were = "was" if self.unacked == 1 else "were"
        ours = f"{self.unacked} of our messages {were} not acknowledged"
        return f"the session was interrupted ({self.reason}) and goes on: receive again; what the server had sent before may be missing, and {ours}"


class FlowEnded(LandlineError, ConnectionError):
    """No more comes in a flow, or may be sent in it: its end was reached, and nothing is missing. Its session goes on."""


class FlowReset(FlowEnded):
    """One end abandoned the flow; what waited in it was dropped. Its session goes on.

    Attributes:
        reason: why, as a clause.
        code: why, for programs, for example ``unwanted``.
    """

    def __init__(self, reason: str, code: str) -> None:
        super().__init__(reason, code)
        self.reason = reason
        self.code = code

    def __str__(self) -> str:
        return "the flow was reset: " + (self.reason or self.code)


class Full(LandlineError):
    """The bounded outbox has no room just now: ``await session.send()`` waits instead."""


class NotAllSent(LandlineError):
    """``send_many`` of a blocking session stopped on its way; ``__cause__`` says why.

    Attributes:
        sent: how many were sent.
        unsent: what was taken from the iterable and certainly not sent, in order; what it did not give yet, it still has.
    """

    def __init__(self, message: str, sent: int, unsent: list[Any]) -> None:
        super().__init__(message)
        self.sent = sent
        self.unsent = unsent


class SendTimeout(NotAllSent, TimeoutError):
    """... because its time was up."""


class ProtocolError(LandlineError):
    """The peer broke a rule of the wire; the connection is closed with ``code``.

    Attributes:
        code: as in ``protocol.frames.CloseCode``, in lower case and with hyphens.
        limit: the name of the limit that it went over, or an empty string.
    """

    def __init__(self, reason: str, code: str = "protocol-error", *, limit: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.limit = limit


class TLSError(LandlineError):
    """TLS could not be begun with a peer, or broke later; or a certificate or key of ours cannot be used.

    Attributes:
        reason: why, as one clause.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TLSTimeout(TLSError, TimeoutError):
    """The peer did not finish the handshake in time."""


class StorageError(LandlineError):
    """The store cannot do what was asked; nothing that it acknowledged is affected."""


class StorageClosed(StorageError):
    """The store is not open: it was never opened, or it was closed meanwhile."""


class StorageLocked(StorageError):
    """Another process, or another object in this one, has the store open; a store has one owner at a time."""


class StorageDenied(StorageError):
    """We lack the rights to the store's file or folder."""


class StorageForeign(StorageError):
    """The file is not a landline store; it was left as it is."""


class StorageNewer(StorageError):
    """A newer landline wrote the store, and this one cannot read it; it was left as it is."""


class StorageDamaged(StorageError):
    """The store's file is damaged; it was left as it is."""


class StorageFull(StorageError):
    """The disk has no room. Nothing of the write was stored; writing works again as soon as there is room."""


class StorageFailed(StorageError):
    """An input/output error. The write it hit may or may not be found after reopening; until then every write fails."""


class Conflict(StorageError):
    """A write's expectation did not hold, so nothing of that write was stored.

    Attributes:
        key: the key whose value was not as expected.
        found: the value that is there, or None when there is none.
    """

    def __init__(self, key: str, found: bytes | None) -> None:
        super().__init__(key, found)
        self.key = key
        self.found = found

    def __str__(self) -> str:
        return f"the value of {self.key!r} is not what the write expected"


class PublishFailed(LandlineError):
    """What was published is certainly not stored, and nobody was told of it.

    Attributes:
        reason: why, as a clause.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"it was not published: {self.reason}"


class PublishUnknown(LandlineError):
    """What was published may be stored, and nobody can tell any more.

    Attributes:
        reason: why, as a clause.
        is_kept: only not yet: it is in the storage of ``connect``, and goes out later: before what is published next, or with the next session.
    """

    def __init__(self, reason: str, *, is_kept: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_kept = is_kept

    def __str__(self) -> str:
        return f"it may have been published, or not: {self.reason}"


class NotAllowed(LandlineError, PermissionError):
    """The server's rules are against it, for this client. A server's ``authenticate`` raises it to refuse a client in its own words."""


class TransferError(LandlineError):
    """A file or folder did not come through. What came is kept, so that the same file sent again goes on there, unless the reason says otherwise.

    Attributes:
        reason: why, as a clause.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TransferRefused(TransferError):
    """The receiver does not want it, or has no room for it."""


class TransferDamaged(TransferError):
    """What arrived is not what was sent, by its SHA-256; nothing of that file is kept."""


class TopicError(LandlineError, ValueError):
    """A topic or pattern that breaks the rules for names; the message says which rule."""


class CallFailed(LandlineError):
    """A call or a stream failed; a method raises it to say why, and whoever called is told these very words.

    Attributes:
        type: what went wrong, for programs; of our own: ``unknown method``, ``invalid arguments``, ``internal error``, ``bad data``.
        message: and for people.
        data: and what belongs to it; anything that can be sent.
    """

    def __init__(self, message: str, *, type: str = "failed", data: Any = None) -> None:  # noqa: A002 - as it is read again
        super().__init__(message)
        self.type = type
        self.message = message
        self.data = data

    def __str__(self) -> str:
        return self.message or self.type


class CallTimeout(CallFailed, TimeoutError):
    """A call or a stream took too long. It is cancelled at the other end, and may have had its effect all the same."""

    def __init__(self, message: str, *, type: str = "timed out", data: Any = None) -> None:  # noqa: A002 - as above
        super().__init__(message, type=type, data=data)


class CallNotAllowed(CallFailed, NotAllowed):
    """The rules at the other end are against this call, for this client."""

    def __init__(self, message: str, *, type: str = "not allowed", data: Any = None) -> None:  # noqa: A002 - as above
        super().__init__(message, type=type, data=data)


class CallUnknown(LandlineError):
    """A call may have run, or not, and nobody can tell any more; or a stream ended with the life of the server that it was with.

    Attributes:
        method: which.
        reason: why nobody can tell, as a clause.
    """

    def __init__(self, method: str, reason: str) -> None:
        super().__init__(method, reason)
        self.method = method
        self.reason = reason

    def __str__(self) -> str:
        return f"the call of {self.method} may have run, or not: {self.reason}"
