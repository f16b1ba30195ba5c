"""What the two ends of a transfer do, in which order: both are generators of deeds, each done by whoever has the flow and the disk, and answered.

They decide where it goes on, whether it is the same file, whether what came is what was sent, and when all of it counts as received. ``patterns.files`` does the deeds
in a thread and on the loop; the simulator in virtual time, on a disk that forgets.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..errors import TransferDamaged
from .files import Accept, Arriving, Digest, Done, Entry, Go, Offer, Proof, Stage, unexpected
from .staged import Standing, inner_name

# What either end does...


@dataclass(frozen=True, slots=True)
class Say:
    """Say this in the flow."""

    what: Any


@dataclass(frozen=True, slots=True)
class Hear:
    """Wait for what the other end says, and answer with it. All data that come before it are written first, and only then the sender gets credit for more."""


@dataclass(frozen=True, slots=True)
class Hash:
    """Answer with the SHA-256 of the file so far: of all that was read of it, or written."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """Answer with the SHA-256 of the file's beginning; what comes next of it is behind that."""

    size: int


@dataclass(frozen=True, slots=True)
class Tell:
    """Whoever watches is told how far it is: so many bytes of the file besides the complete ones."""

    offset: int


# ... the receiver ...


@dataclass(frozen=True, slots=True)
class SetAside:
    """See that there is room for so many bytes and files more, and keep it; else it is refused."""

    size: int
    files: int


@dataclass(frozen=True, slots=True)
class GoOn:
    """Cut the file off here, and write what comes behind that."""

    offset: int


@dataclass(frozen=True, slots=True)
class Reject:
    """Remove what came: see ``staged.reject``."""


@dataclass(frozen=True, slots=True)
class Keep:
    """See the file on the disk, with its time."""

    modified: int


@dataclass(frozen=True, slots=True)
class Place:
    """Put the file where it belongs in its folder."""

    path: list[str]


@dataclass(frozen=True, slots=True)
class Publish:
    """Give all of it its final name, and answer with that: see ``staged.publish``."""


@dataclass(frozen=True, slots=True)
class AwaitEnd:
    """Wait a while for the sender to end the flow, and answer whether it did: then it knows."""


@dataclass(frozen=True, slots=True)
class Forget:
    """Remove what is remembered of it."""


# ... and the sender.


@dataclass(frozen=True, slots=True)
class Open:
    """Go on to the file in this place of the listing."""

    place: int


@dataclass(frozen=True, slots=True)
class SendRest:
    """Say what the file has from here on, as bytes."""

    offset: int


Deed = (
    Say | Hear | Hash | Prefix | Tell | SetAside | GoOn | Reject | Keep | Place | Publish | AwaitEnd | Forget
)
SendersDeed = Say | Hear | Hash | Prefix | Tell | Open | SendRest


class Receiving:
    """A receiver, from the moment at which an offer was accepted.

    Args:
        offer: what was offered.
        remember: that it came, also when the sender knows.

    Attributes:
        arriving: what may come now, and how far it is.
        resumed: bytes that were here before, and count.
        is_complete: it has its final name.
    """

    def __init__(self, offer: Offer, *, remember: bool = False) -> None:
        self.arriving = Arriving(offer)
        self.resumed = 0
        self.is_complete = False
        self._offer = offer
        self._remember = remember

    def deeds(self, standing: Standing) -> Generator[Deed, Any, str]:
        """Go on from what is here; return the final name.

        Raises:
            TransferDamaged: what arrived is not what was sent.
            ProtocolError: the sender broke a rule.
        """
        offer, arriving = self._offer, self.arriving
        if standing.published:
            self.resumed = offer.size
            return (yield from self._finish())
        accept = arriving.accept(standing.files, standing.before, standing.offset)
        self.resumed = arriving.done
        yield SetAside(offer.size - arriving.done, offer.files - arriving.files)
        yield Say(accept)
        yield self._tell()
        if arriving.stage is Stage.PROOF:
            yield from self._compare()
        while arriving.stage is not Stage.COMPLETE:
            said = yield Hear()
            if isinstance(said, Entry):
                arriving.begin(said)
                yield GoOn(arriving.offset)
            elif isinstance(said, Digest):
                yield from self._end_file(said)
            else:
                raise unexpected(said)
        return (yield from self._finish())

    def _compare(self) -> Generator[Deed, Any, None]:
        """Go on with what is here of a file, where the sender's begins the same."""
        before = self.arriving.offset
        ours = yield Prefix(before)
        said = yield Hear()
        if not isinstance(said, Proof):
            raise unexpected(said)
        go = self.arriving.go(is_same=said.digest == ours)
        self.resumed -= before - go.offset
        yield Say(go)

    def _end_file(self, digest: Digest) -> Generator[Deed, Any, None]:
        entry = self.arriving.end(digest)
        if (yield Hash()) != digest.digest:
            yield Reject()
            raise TransferDamaged("what arrived is not what was sent")
        yield Keep(entry.modified)
        if self._offer.is_folder:
            yield Place([inner_name(name) for name in entry.path])
        yield self._tell()

    def _finish(self) -> Generator[Deed, Any, str]:
        name: str = yield Publish()
        self.is_complete = True
        yield Say(Done(name))
        if (yield AwaitEnd()) and not self._remember:  # else it is remembered, for when the sender comes back
            yield Forget()
        return name

    def _tell(self) -> Tell:
        return Tell(self.arriving.offset)


class Listed(NamedTuple):
    """A file to send, as its sender says it."""

    path: Sequence[str]
    """Below the folder that is sent; of a single file its name."""
    size: int
    modified: int


class Sending:
    """A sender, over one flow.

    Args:
        offer: what it offers.
        listed: the files, in their order.

    Attributes:
        files: how many are sent; done: their bytes.
        resumed: bytes that were there before.
    """

    def __init__(self, offer: Offer, listed: Sequence[Listed]) -> None:
        self.files = self.done = self.resumed = 0
        self._offer = offer
        self._listed = listed

    def deeds(self) -> Generator[SendersDeed, Any, Done]:
        """Offer, go on from where the receiver is, and return its last word.

        Raises:
            ProtocolError: the receiver broke a rule.
        """
        yield Say(self._offer)
        accept = yield Hear()
        if isinstance(accept, Done):  # an earlier one came through, and we did not hear of it
            self.resumed = self._offer.size
            return accept
        if not isinstance(accept, Accept) or accept.files > len(self._listed):
            raise unexpected(accept)
        self.files = accept.files
        self.done = sum(each.size for each in self._listed[: accept.files])
        offset = accept.offset
        self.resumed = self.done
        for place in range(accept.files, len(self._listed)):
            yield Open(place)
            if offset:
                offset = yield from self._prove(self._listed[place], offset)
                self.resumed += offset
            yield from self._send(self._listed[place], offset)
            offset = 0
        yield Tell(0)
        done = yield Hear()
        if not isinstance(done, Done):
            raise unexpected(done)
        return done

    def _prove(self, file: Listed, offset: int) -> Generator[SendersDeed, Any, int]:
        """Say what the beginning of a file must be that is partly there; return where to go on."""
        digest = (yield Prefix(offset)) if offset <= file.size else None
        yield Say(Proof(digest))
        go = yield Hear()
        if not isinstance(go, Go) or go.offset not in (0, offset):
            raise unexpected(go)
        return go.offset

    def _send(self, file: Listed, offset: int) -> Generator[SendersDeed, Any, None]:
        yield Say(Entry(list(file.path), file.size, file.modified))
        yield Tell(offset)
        yield SendRest(offset)
        digest: bytes = yield Hash()
        yield Say(Digest(digest))
        self.done += file.size
        self.files += 1
