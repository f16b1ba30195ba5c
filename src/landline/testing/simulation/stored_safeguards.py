"""The safeguards of what is stored, published and told, each with the patch that switches it off; the rest are in ``safeguards``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from ...history import EXPIRED, Gap, Position
from ...protocol import board as board_module
from ...protocol.board import Batch, Board
from ...protocol.feed import Bundle, Entry, Feed, Part
from ...protocol.handshake import Resume, Welcome
from ...protocol.host import Host
from ...protocol.publish import Answer, Code, Origin, Published, Publisher, encode_record
from ...protocol.redial import Redial
from ...protocol.resume import Record
from ...protocol.subscription import Place
from .hub import Hub
from .switched_off import Ablation, needing

# Sessions...

_commit = Host._commit
_encode = Record.encode
_ended = Host.ended
_restore = Host.restore
_judge = Host._judge


def _answer_first(host: Any, kept: Any, carrier: Any, now: float, then: Callable[[float], None]) -> None:
    """Welcome a caller, and have it stored afterwards."""
    then(now)
    if host._store is not None and kept.id in host.kept:
        host._store(kept.id, kept.encode(), lambda now: None)


def _without_attempt(record: Record) -> bytes:
    """Store that no attempt was accepted after the first."""
    attempt, record.attempt = record.attempt, 1
    data = _encode(record)
    record.attempt = attempt
    return data


def _without_offer(record: Record) -> bytes:
    """Do not store the token that is being given."""
    offered, record.offered = record.offered, None
    data = _encode(record)
    record.offered = offered
    return data


def _same_life_to_the_client(redial: Redial, welcome: Welcome) -> bool:
    """Go on counting, whatever the server says of its life."""
    del redial, welcome
    return False


def _same_life_to_the_server(
    host: Any, kept: Any, carrier: Any, token: bytes, resume: Resume, now: float
) -> None:
    """Believe the counts of another life."""
    _go_on(host, kept, carrier, token, replace(resume, life=host._life), now)


_go_on = Host._go_on


def _ended_and_kept(host: Any, session_id: bytes, code: Any, reason: str, now: float, **how: Any) -> None:
    """Leave on the disk what is over."""
    del how
    _ended(host, session_id, code, reason, now, goes_on=True)


def _restored_as_new(host: Any, session_id: bytes, data: bytes, now: float) -> None:
    """Forget a session of an earlier life that nobody confirms soon."""
    _restore(host, session_id, data, now)
    if session_id in host.kept:
        host.kept[session_id].is_restored = False


def _counts_of_any_life(host: Any, resume: Resume, principal: str, now: float) -> Any:
    """Tell the counts of this life to who knows another one."""
    return _judge(host, replace(resume, life=host._life), principal, now)


def _unknown_when_late(host: Any, kept: Any, carrier: Any, now: float, **how: Any) -> Any:
    """Say nothing of how a session ended while it was stored."""
    asked, caller = host._greeting[carrier].asked, host._greeting[carrier]
    caller.asked = None
    refusal = _why_late(host, kept, carrier, now, **how)
    caller.asked = asked
    return refusal


_why_late = Host._why_late


# Publishing...

_receive = Origin.receive
_next_batch = Board.next_batch
_stored = Board.stored
_opened = Publisher._opened


def _answer_before_commit(hub: Hub) -> None:
    """Say that a batch is stored before it is."""
    if not hub._is_writing and hub.board.has_batch:
        offset = hub.disk.head.offset
        for place, waiting in enumerate(hub.board._waiting, 1):
            waiting.tell(Published(waiting.number, hub.board.head.epoch, offset + place))
            waiting.tells = [_tell_nobody]
    _write(hub)


_write = Hub._write


def _tell_nobody(answer: Answer) -> None:
    del answer


def _tell_before_commit(hub: Hub) -> None:
    """Tell subscribers of what is only being stored."""
    if not hub._is_writing and hub.board.has_batch:
        board, offset = hub.board, hub.disk.head.offset
        for place, waiting in enumerate(board._waiting, 1):
            board._tell([Entry(waiting.topic, offset + place, waiting.data, board._behind(waiting.topic))])
    _write(hub)


def _never_answered(origin: Origin, publish: Any) -> Any:
    """Keep the answers to everything for ever."""
    return _receive(origin, replace(publish, answered=0))


def _all_answered(origin: Origin, publish: Any) -> Any:
    """Take everything before a publish for answered."""
    return _receive(origin, replace(publish, answered=publish.number - 1))


def _encode_without_kept(origin: Origin, fresh: list[tuple[int, int]], now: float, last: int = 0) -> bytes:
    """Store only what is new of an outbox."""
    return encode_record(Origin({}, origin.last, origin.answered), fresh, now, last)


def _batch_without_records(board: Board, now: float) -> Batch:
    """Store publications, and nothing about their outboxes."""
    return Batch(_next_batch(board, now).publications, [])


def _repeat_is_new(origin: Origin, publish: Any) -> Any:
    """Store whatever comes."""
    verdict = _receive(origin, publish)
    if isinstance(verdict, bool):
        return True
    origin.waiting.add(publish.number)
    return True


def _fail_as_full(board: Board, code: Any, reason: str) -> None:
    """Call everything not stored that may be."""
    del code
    _failed(board, Code.FULL, reason)


_failed = Board.failed


def _register_late(hub: Hub, key: str, value: Any) -> None:
    """Answer an outbox that is new before it is on the disk."""
    if value is None:
        hub._loaded(key, Origin(), is_known=False)
    else:
        _found(hub, key, value)


_found = Hub._found


def _say_again_to_strangers(publisher: Publisher, *, known: bool) -> Any:
    """Say everything again to a server that does not know the outbox."""
    del known
    return _opened(publisher, known=True)


# ... and telling.

_push = Feed.push
_takes = Feed.takes
_page = Feed.page
_next_part = Feed.next_part
_overflow = Feed._overflow
_hear = Place.receive


def _push_any(feed: Feed, entry: Entry) -> bool:
    """Queue also what a page had."""
    feed._floor = 0
    return _push(feed, entry)


def _take_any(feed: Feed, bundle: Bundle) -> bool:
    """Tell at once also what a page had."""
    floor, feed._floor = feed._floor, 0
    takes = _takes(feed, bundle)
    feed._floor = floor
    return takes


def _take_past(feed: Feed, bundle: Bundle) -> bool:
    """Tell at once whatever waits before it."""
    return bundle.entries[0].offset > feed._floor and feed.take is not None and feed.take(bundle)


def _take_and_stay(feed: Feed, bundle: Bundle) -> bool:
    """Read on from before what was told at once."""
    cursor = feed.cursor
    takes = _takes(feed, bundle)
    feed.cursor = cursor
    return takes


def _gather_only_live(feed: Feed) -> bool:
    """Push nothing while a page is read, either."""
    return feed.is_live


def _take_the_first(feed: Feed, bundle: Bundle) -> bool:
    """Take a bundle for told when its first publication is."""
    return _takes(feed, bundle.alone()[0])


def _keep_queued(feed: Feed, offset: int) -> None:
    """Leave in the queue what a page had."""
    del feed, offset


def _overflow_unnoticed(feed: Feed) -> None:
    """Forget that the queue was dropped while a page was read."""
    _overflow(feed)
    feed._is_overrun = False


def _cursor_stays(feed: Feed) -> Part:
    """Read on from where the feed went off."""
    cursor = feed.cursor
    part = _next_part(feed)
    if feed.is_live:
        feed.cursor = cursor
    return part


def _drop_silently(feed: Feed) -> None:
    """Drop what is oldest, and make no gap of it."""
    for offset in list(feed._queue)[: len(feed._queue) // 2]:
        feed._pop(offset)


def _latest_silently(feed: Feed, entry: Entry) -> bool:
    """Replace what is older, and make no gap of it."""
    before = feed._latest.get(entry.topic)
    waits = _push(feed, entry)
    if entry.behind.value == "latest" and before is not None and before in feed._queue:
        del feed._queue[before]
    return waits


def _live_too_soon(feed: Feed, publications: Sequence[Any], gaps: Any, end: Position, *, more: bool) -> None:
    """Take every page for the last one."""
    del more
    _page(feed, publications, gaps, end, more=False)


def _page_without_gaps(
    feed: Feed, publications: Sequence[Any], gaps: Sequence[Gap], end: Position, *, more: bool
) -> None:
    """Do not say what retention removed."""
    _page(feed, publications, [gap for gap in gaps if gap.reason != EXPIRED], end, more=more)


def _never_replaced(
    feed: Feed, publications: Sequence[Any], gaps: Sequence[Gap], end: Position, *, more: bool
) -> None:
    """Do not say that the history is another one."""
    _page(feed, publications, [gap for gap in gaps if gap.reason == EXPIRED], end, more=more)


def _forgetting_where(subscription: Place, payload: bytes) -> Any:
    """Stay where the subscription began."""
    position = subscription.position
    told = _hear(subscription, payload)
    if position is not None:
        subscription.position = position
    return told


_OF_SESSIONS = needing(
    "disk",
    Ablation("a session is stored after the answer", ((Host, "_commit", _answer_first),)),
    Ablation("the attempt is not stored", ((Record, "encode", _without_attempt),)),
    Ablation("the token that is given is not stored", ((Record, "encode", _without_offer),)),
    Ablation("the client compares no lives", ((Redial, "is_new_life", _same_life_to_the_client),)),
    Ablation("the server compares no lives", ((Host, "_go_on", _same_life_to_the_server),)),
    Ablation("what is over stays on the disk", ((Host, "ended", _ended_and_kept),)),
    Ablation("a session that is back must be confirmed at once", ((Host, "restore", _restored_as_new),)),
    Ablation(
        "counts of another life are told",
        ((Host, "_judge", _counts_of_any_life),),
        "how rarely a client comes to a new life only after its window",
        "tests/protocol/test_host_stored.py",
    ),
    Ablation(
        "how a session ended while it was stored is not told", ((Host, "_why_late", _unknown_when_late),)
    ),
)

_OF_TOPICS = needing(
    "topics",
    Ablation("answered before the commit", ((Hub, "_write", _answer_before_commit),)),
    Ablation("told before the commit", ((Hub, "_write", _tell_before_commit),)),
    Ablation("answers are kept for ever", ((Origin, "receive", _never_answered),)),
    Ablation("everything before a publish counts as answered", ((Origin, "receive", _all_answered),)),
    Ablation("the first positions are not stored", ((board_module, "encode_record", _encode_without_kept),)),
    Ablation("the numbers are not stored", ((Board, "next_batch", _batch_without_records),)),
    Ablation("a repeat is stored again", ((Origin, "receive", _repeat_is_new),)),
    Ablation("what may be stored is called not stored", ((Board, "failed", _fail_as_full),)),
    Ablation("an outbox is registered with its first publish", ((Hub, "_found", _register_late),)),
    Ablation(
        "said again to who does not know the outbox",
        ((Publisher, "_opened", _say_again_to_strangers),),
        "outboxes that are registered before anything of them is stored",
        "tests/protocol/test_publish_unknown.py",
    ),
    Ablation("what a page had is queued when it is told", ((Feed, "push", _push_any),)),
    Ablation("what a page had is told at once", ((Feed, "takes", _take_any),)),
    Ablation("told past what waits", ((Feed, "takes", _take_past),)),
    Ablation("the cursor does not follow what is told at once", ((Feed, "takes", _take_and_stay),)),
    Ablation("nothing is queued while a page is read", ((Feed, "gathers", property(_gather_only_live)),)),
    Ablation("of a bundle the first is told", ((Feed, "takes", _take_the_first),)),
    Ablation("what a page had stays queued", ((Feed, "_forget_queued", _keep_queued),)),
    Ablation(
        "a queue that was dropped during a page is not noticed",
        ((Feed, "_overflow", _overflow_unnoticed),),
        "how rarely a queue overflows during the last page",
        "tests/protocol/test_feed_seam.py",
    ),
    Ablation("the cursor does not follow what is live", ((Feed, "next_part", _cursor_stays),)),
    Ablation("dropped without a gap", ((Feed, "_overflow", _drop_silently),)),
    Ablation("superseded without a gap", ((Feed, "push", _latest_silently),)),
    Ablation("live before the last page", ((Feed, "page", _live_too_soon),)),
    Ablation("what retention removed is not told", ((Feed, "page", _page_without_gaps),)),
    Ablation("a replaced history is not told", ((Feed, "page", _never_replaced),)),
    Ablation("the reader forgets where it is", ((Place, "receive", _forgetting_where),)),
)

STORED_ABLATIONS: tuple[Ablation, ...] = (*_OF_SESSIONS, *_OF_TOPICS)
