"""The second account of a server's sessions, kept apart from the protocol's: what it judges wrongly is found by somebody who judges apart.

``Account`` is what we know of one session; ``Book`` holds them all; ``WatchedTable`` is the protocol's own table, with every verdict held
against the book.
"""

from __future__ import annotations

from ...limits import Limits
from ...protocol.credit import Pressure
from ...protocol.frames import CloseCode
from ...protocol.handshake import Refusal, Resume
from ...protocol.resume import Record, SessionTable
from .ends import End
from .line import Node, Port, Violation
from .talk import Talk

_RETIRED_KNOWN = 8
"""How many retired tokens a server must still recognise."""

_SLACK = 0.001


class Account:
    """What we know of a session of the server's.

    Attributes:
        tokens: all that were given out, oldest first.
        shown: those of them that the client showed, oldest first; all but the last are retired.
        attempt: the highest accepted.
        carrier: the line that was welcomed last and has not ended.
        detached_at: since when it has no confirmed line.
        left_at: when it first lost a line without ever having had a confirmed one.
        is_stolen: a retired token was shown, in a way that only a thief can.
        is_welcomed: it was given to a client, in this life of the server or before.
        is_restored: it is of an earlier life of the server.
    """

    __slots__ = (
        "attempt", "carrier", "detached_at", "end", "id", "is_restored", "is_stolen", "is_welcomed", "left_at", "principal", "shown",
        "talk", "tokens",
    )  # fmt: skip

    def __init__(self, talk: Talk, end: End, principal: str, carrier: Port | None) -> None:
        self.id = talk.session_id
        self.talk = talk
        self.end = end
        self.principal = principal
        self.carrier = carrier
        self.tokens: list[bytes] = []
        self.shown: list[bytes] = []
        self.attempt = 1
        self.detached_at: float | None = None
        self.left_at: float | None = None
        self.is_stolen = False
        self.is_welcomed = self.is_restored = carrier is None

    def give(self, token: bytes) -> None:
        """A token is given out; the first one counts as shown."""
        self.tokens.append(token)
        self.shown = self.shown or [token]

    def show(self, token: bytes) -> None:
        """The client showed a token, and it was good."""
        if token != self.shown[-1]:
            self.shown.append(token)

    def is_theft(self, resume: Resume, principal: str) -> bool:
        """Whether this can only be somebody who copied a token."""
        return (
            principal == self.principal
            and resume.attempt > self.attempt
            and resume.token in self.shown[:-1][-_RETIRED_KNOWN:]
        )


class Book:
    """The accounts of one life of a server.

    Attributes:
        accounts: of the sessions that live.
        buried: when each of those that ended did.
        pressure: the host's.
        admitted: the session that began or whose RESUME was accepted, until somebody takes it from here.
    """

    def __init__(self, limits: Limits, node: Node) -> None:
        self.limits = limits
        self.node = node
        self.accounts: dict[bytes, Account] = {}
        self.buried: dict[bytes, float] = {}
        self.admitted: Account | None = None
        self.pressure = Pressure(limits.memory)

    def open(self, account: Account) -> None:
        """A session begins, or is back."""
        self.accounts[account.id] = self.admitted = account

    def bury(self, account: Account) -> None:
        """A session ended."""
        self.buried[account.id] = self.node.now
        del self.accounts[account.id]
        account.carrier = None

    # A RESUME is answered...

    def check_accepted(self, account: Account, resume: Resume, principal: str) -> None:
        """It may go on: the token, the principal, the attempt and the time must be good."""
        if resume.token not in account.tokens:
            raise Violation("a token was accepted that was never given")
        if account.tokens.index(resume.token) < account.tokens.index(account.shown[-1]):
            raise Violation("a token was accepted that had been retired")
        if principal != account.principal:
            raise Violation("a session went to somebody else")
        if resume.attempt <= account.attempt:
            raise Violation(f"attempt {resume.attempt} was accepted after {account.attempt}")
        since = account.detached_at
        if since is not None and self.node.now > since + self.limits.resume_window + _SLACK:
            raise Violation("a session was resumed after its window")
        account.show(resume.token)
        account.attempt = resume.attempt
        self.admitted = account
        if account.detached_at is None:
            account.detached_at = self.node.now

    def check_refused(self, account: Account, code: CloseCode, is_theft: bool) -> None:
        """It may not, and the session lives: only theft revokes, and theft always does."""
        if is_theft and code is not CloseCode.REVOKED:
            raise Violation(f"a retired token with a new attempt was answered {code.text}")
        if code is CloseCode.REVOKED and not is_theft:
            raise Violation("a session was revoked for a token that is good")
        account.is_stolen = is_theft

    def note_refusal(self, session_id: bytes, code: CloseCode, talk: Talk | None) -> None:
        """Note in the books what there is to excuse a refusal, at the moment it is spoken: it may arrive much later."""
        account, buried_at = self.accounts.get(session_id), self.buried.get(session_id)
        now, limits = self.node.now, self.limits
        if code is CloseCode.UNKNOWN_SESSION and buried_at is not None and talk is not None:
            later = sum(at >= buried_at for at in self.buried.values()) - 1
            if now >= buried_at + limits.tombstone_window or later >= limits.max_tombstones:
                talk.excuses.add("forgotten")
        elif code is CloseCode.EXPIRED and account is not None:
            since = now if account.detached_at is None else account.detached_at
            if now >= since + limits.resume_window - _SLACK:
                account.talk.excuses.add("expired")

    # A session ends by the server's will...

    def check_loss(self, account: Account, code: CloseCode, reason: str) -> None:
        """The server gives a session up and says why: it must be so, and is then an excuse."""
        now, limits = self.node.now, self.limits
        since, left_at = account.detached_at, account.left_at
        if code is CloseCode.REVOKED:
            what, is_so = "revoked", account.is_stolen
        elif reason == "the server needed the room":
            what, is_so = "no room", since is not None and len(self.accounts) >= limits.max_sessions
        elif reason == "the server needed the memory":
            is_so = (
                since is not None and self.pressure.used >= limits.memory / 4 and account.end.core.memory > 0
            )
            what = "no memory"
        elif reason == "it was never confirmed":
            what = "never confirmed"
            is_so = left_at is not None and now >= left_at + limits.handshake_timeout - _SLACK
            is_so = is_so and not account.is_restored
        elif reason == "it was never welcomed":
            what, is_so = "never welcomed", not account.is_welcomed
        elif code is CloseCode.EXPIRED:
            what = "expired"
            is_so = since is not None and now >= since + limits.resume_window - _SLACK
        else:
            return  # whoever ends it so finds no excuse in the books
        if not is_so:
            raise Violation(f"a session was lost as {code.text} ({reason}), and that was not so")
        account.talk.excuses.add(what)


class WatchedTable(SessionTable):
    """The protocol's table, with the book held against what it does."""

    def __init__(self, limits: Limits, book: Book, talks: dict[bytes, Talk]) -> None:
        super().__init__(limits)
        self._book = book
        self._talks = talks

    def add(self, record: Record) -> None:
        """Keep a new session: not too many."""
        super().add(record)
        if len(self) > self._limits.max_sessions:
            raise Violation(f"the server holds {len(self)} sessions")

    def judge(self, resume: Resume, principal: str, now: float) -> Record | Refusal:
        """Judge, and hold the verdict against the book."""
        book = self._book
        account = book.accounts.get(resume.session)
        is_theft = account is not None and account.is_theft(resume, principal)
        verdict = super().judge(resume, principal, now)
        if isinstance(verdict, Refusal):
            if account is not None:
                book.check_refused(account, verdict.code, is_theft)
            book.note_refusal(resume.session, verdict.code, self._talks.get(resume.session))
        elif account is None:
            raise Violation("a session was resumed that is not there")
        else:
            book.check_accepted(account, resume, principal)
        return verdict

    def remove(self, record: Record, code: CloseCode, reason: str, now: float) -> None:
        """End a session: only so many are remembered."""
        super().remove(record, code, reason, now)
        if len(self._tombstones) > self._limits.max_tombstones:
            raise Violation(f"the server remembers {len(self._tombstones)} ended sessions")
