"""The limits that cannot be set: a table for each layer, which the code reads its numbers from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .table import limit


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolLimits:
    """What holds for one connection's bytes."""

    control: int = limit(4096, "bytes", "one control frame: they are answered before anything is counted")
    longest: float = limit(
        31 * 86_400.0,
        "seconds",
        "that any time may be, of those that can be set and those that a peer tells us",
    )
    reason: int = limit(500, "characters", "the reason that a peer gives for a close or a refusal")
    purpose: int = limit(255, "characters", "what a flow is opened for")
    method: int = limit(255, "characters", "a method's name, and the type of an error that it raises")
    call_message: int = limit(2000, "characters", "what a method says of its failure; the rest is cut off")
    redirect: int = limit(500, "characters", "the address that a server names to go on with")
    flow_frames: int = limit(
        4096,
        "frames",
        "of ours that open, end and reset flows and that the peer has not acked; then it may open no more",
    )
    publishes: int = limit(
        1024,
        "publications",
        "or durable sends of one outbox that wait for their answer; then who adds to it waits",
    )
    outboxes: int = limit(
        8, "outboxes", "that one session may publish or send from; each leaves a record that is kept for long"
    )
    publish_overhead: int = limit(
        512,
        "bytes",
        "that a publication needs besides its data: it must fit a message, and its topic with it",
    )
    board: int = limit(
        16 << 20,
        "bytes",
        "published at a server and not yet stored; then publishers wait, and clients' flows",
    )
    feed: int = limit(
        256 << 10,
        "bytes",
        "published and not yet sent to one subscription, a publication counting 64 bytes more; then its topics' policies decide",
    )
    batch: int = limit(
        256, "publications", "stored in one transaction; those that come meanwhile make up the next"
    )
    batch_bytes: int = limit(
        1 << 20, "bytes", "after which a transaction takes no more; it takes at least one"
    )
    patterns: int = limit(
        10_000, "topics", "of which it is remembered which patterns select them; the others are matched again"
    )
    presence_members: int = limit(
        10_000, "members", "of one group; then nobody more may join: who watches is told of each of them"
    )
    presence_state: int = limit(1024, "bytes", "what a member of a group says of itself, encoded")
    presence_departed: int = limit(
        1024,
        "members",
        "that left a group and are remembered for who was not told yet; who is further behind is told anew who is there",
    )
    presence_batch: int = limit(
        16 << 10, "bytes", "of one message about the members of a group; it tells of at least one"
    )
    write: int = limit(
        256 << 10, "bytes", "about what one write holds, so that no session keeps the others waiting"
    )
    beat: float = limit(
        0.05, "seconds", "the shortest heartbeat that a peer may ask for; less would be a flood of pings"
    )
    retired_tokens: int = limit(
        8, "tokens", "of one session whose use would show a theft; a new one at every resume"
    )
    candidates: int = limit(
        64, "sessions", "without a line that are looked at when one of them has to make room"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """What holds around one session."""

    credentials: int = limit(3072, "bytes", "what a client shows at every dial; it travels in the greeting")
    undecided: float = limit(
        0.5, "seconds", "until what may become an HTTP request is plain text: somebody may wait for an answer"
    )
    silent_grace: float = limit(
        5.0,
        "seconds",
        "that nobody is hung up on for being silent, however many are: they came this very moment",
    )
    first_words: float = limit(
        0.5,
        "seconds",
        "that a server which goes waits for those who came this very moment: their greeting is on its way",
    )
    caller_bytes: int = limit(
        64 << 10,
        "bytes",
        "received from a plain caller and not taken, and one read more; then nothing is read",
    )
    changes: int = limit(
        64, "changes", "of a session's state that one watcher has not looked at; the oldest go"
    )
    pending: int = limit(
        16 << 10,
        "bytes",
        "of a subscription or of publishes that wait to be written; the rest waits where it may still be dropped. What is stored together goes together where nothing waits and credit has it written now, up to flow_outbox",
    )
    presence_tick: float = limit(
        0.05,
        "seconds",
        "between two tellings of what changed in a group: many changes become one message to each who watches",
    )
    first_pause: float = limit(
        1.0, "seconds", "between the first dials to a server that said that it goes, and comes back"
    )
    farewell: float = limit(
        1.0, "seconds", "that a close with nothing left to deliver waits for a line that is down"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportLimits:
    """What holds for one socket."""

    backlog: int = limit(
        256 << 10, "bytes", "waiting to be written; then a transport is not writable until they are fewer"
    )
    read: int = limit(
        64 << 10,
        "bytes",
        "one read of a line without a session; a line is held back only after a read, so what waits may be this much over its bound",
    )
    session_read: int = limit(
        (256 << 10) + 1024,
        "bytes",
        "one read of a session's line, whose credit bounds what comes; all of a thread are read into one buffer",
    )
    kept_memory: int = limit(
        8 << 20,
        "bytes",
        "freed buffers that the C library keeps at hand, so that they are not asked for again",
    )
    linger: float = limit(
        2.0, "seconds", "for the peer to end its direction after we ended ours; then a reset"
    )
    unacknowledged: float = limit(
        20.0, "seconds", "that what was written may stay unacknowledged by the peer's kernel"
    )
    keepalive: float = limit(60.0, "seconds", "of silence before the kernel asks the peer's kernel")
    accept_burst: int = limit(
        64,
        "connections",
        "taken in one turn of the loop, so that in a flood of them those who are connected have their turn too",
    )
    refuse_burst: int = limit(512, "connections", "refused in one turn of the loop; each costs little")
    accept_pause: float = limit(
        1.0, "seconds", "without accepting, when the system has no more sockets for us"
    )
    port_tries: int = limit(16, "ports", "tried before a free one must be free at every address of the name")
    tls_handshake: float = limit(5.0, "seconds", "from the beginning of a TLS handshake to its end")
    tls_verdict: float = limit(
        1.0,
        "seconds",
        "that a server has to turn down our certificate, where it says nothing when it takes it",
    )
    tls_chatter: int = limit(
        64 << 10,
        "bytes",
        "of TLS with no data among them, as in floods of key updates; and of answers to them that the peer does not take",
    )
    tls_piece: int = limit(
        32 << 10, "bytes", "given to TLS at a time: it keeps room for as much while the line lives"
    )
    certificate_life: int = limit(825, "days", "that a self-made certificate is valid")
    certificate_renewal: int = limit(
        30, "days", "before the end of a self-made certificate: from then on another is made"
    )
    websocket_message: int = limit(
        1 << 32,
        "bytes",
        "one WebSocket message, of which nothing is kept: it stops nonsense, and no message of a session",
    )
    websocket_answer: int = limit(8 << 10, "bytes", "of what a web server answers before its content")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebLimits:
    """What holds for one HTTP caller."""

    # A request's head...
    head_bytes: int = limit(16 << 10, "bytes", "of a request's line and fields together")
    fields: int = limit(64, "fields", "of a request")
    head_timeout: float = limit(10.0, "seconds", "from a request's first byte to the end of its fields")
    idle_timeout: float = limit(30.0, "seconds", "between two requests; then the connection is closed")
    requests: int = limit(
        1000, "requests", "of one connection; then it is closed in good order, and others have their turn"
    )
    ahead: int = limit(
        32 << 10,
        "bytes",
        "read ahead of the request that is answered, and one read more; then nothing is read",
    )

    # ... its body...
    body_bytes: int = limit(1 << 20, "bytes", "of a request's body")
    body_timeout: float = limit(
        10.0, "seconds", "of waiting for a body, and a second more for each KiB that came"
    )
    framing: int = limit(
        16 << 10,
        "bytes",
        "of chunk sizes, extensions and trailers, and an eighth of the body more: they cost time and carry nothing",
    )

    # ... and what is answered.
    write_timeout: float = limit(
        10.0, "seconds", "of an answer that waits to be written and none of it leaving"
    )
    piece: int = limit(64 << 10, "bytes", "of a file read and written at a time")
    listing: int = limit(1000, "names", "of a folder's listing; it says when there are more")
    assets: int = limit(16 << 20, "bytes", "of files that are served from memory, all of one kind together")


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncLimits:
    """What holds for blocking sessions."""

    send_ahead: int = limit(
        256, "messages", "that send_many has taken from its iterable and not sent yet; then it takes no more"
    )
    exit: float = limit(
        5.0, "seconds", "that an exiting interpreter waits for its blocking sessions to be closed"
    )
    threads: int = limit(
        32, "threads", "that look up names and open served files for the blocking sessions of a process"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageLimits:
    """What one store takes, keeps and does at a time."""

    # What it takes.
    write_bytes: int = limit(
        16 << 20, "bytes", "one write, names included; far above the largest message: it only stops accidents"
    )
    write_changes: int = limit(1024, "changes", "and expectations of one write")
    key: int = limit(512, "bytes", "a key in UTF-8")
    topic: int = limit(255, "bytes", "a topic or pattern in UTF-8")
    tokens: int = limit(16, "tokens", "of a topic or pattern")
    wildcards: int = limit(2, "tokens", "of a pattern that are wildcards: each multiplies what it may select")

    # What it keeps of a topic, where an application says nothing else (landline.storage.Retention).
    history: int = limit(10_000, "publications", "kept of a topic; the newest stays in any case")
    history_bytes: int = limit(64 << 20, "bytes", "kept of a topic")
    history_age: float = limit(30 * 86_400.0, "seconds", "that a publication is kept")

    # What it gives.
    page: int = limit(1000, "entries", "of one page; whoever asks for more gets these")
    page_bytes: int = limit(4 << 20, "bytes", "after which a page ends; it holds at least one publication")

    feed_page: int = limit(256, "publications", "read at a time for one subscription that is behind")
    newest_bytes: int = limit(
        256 << 10,
        "bytes",
        "of the newest publications of each topic that a subscription may begin with; it has at least one",
    )
    feed_page_bytes: int = limit(64 << 10, "bytes", "after which such a page ends")
    outbox_age: float = limit(
        30 * 86_400.0,
        "seconds",
        "that what a client has published is remembered, so that its repeats are known",
    )
    empty_outboxes: int = limit(
        100_000,
        "outboxes",
        "remembered of which nothing was stored; the oldest are forgotten, at the latest when a tenth more came",
    )

    # What it does at a time.
    group: int = limit(256, "writes", "of one commit")
    group_bytes: int = limit(
        4 << 20, "bytes", "after which a commit takes no more writes; it takes at least one"
    )
    readings: int = limit(16, "readings", "between two commits, so that neither keeps the other waiting")
    retry: float = limit(
        1.0,
        "seconds",
        "until it is tried again to store that a durable send is handled, where the disk was full",
    )
    trim_interval: float = limit(
        3600.0, "seconds", "between looks at what a server keeps, whether it is too old by now"
    )
    trimmed: int = limit(1000, "publications", "that retention removes before others get their turn")
    trimmed_topics: int = limit(4096, "topics", "that retention looks at before others get their turn")
    scanned: int = limit(4096, "rows", "or topic names that a reading looks at before others get their turn")
    merged: int = limit(256, "topics", "read side by side; a pattern that selects more is read by scanning")

    # What it holds, and waits for.
    cached_topics: int = limit(10_000, "topics", "whose counts are in memory; the others are read again")
    log_bytes: int = limit(4 << 20, "bytes", "of the write-ahead log before it is copied into the main file")
    checked_bytes: int = limit(64 << 20, "bytes", "of a file that is checked whole at its opening")
    busy_timeout: float = limit(
        5.0, "seconds", "for a program that has the file open for a moment, such as a backup"
    )

    # What its examination tells and tries.
    damages: int = limit(1000, "damages", "named one by one by an examination; more are counted")
    steps: int = limit(
        100_000,
        "offsets",
        "tried one by one behind a row that cannot be read; a damaged head may be anything",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLimits:
    """What holds for files and folders that are sent over a session."""

    # What is offered.
    files: int = limit(100_000, "files", "of one folder that is sent, and that a receiver takes by default")
    quota: int = limit(
        1 << 40, "bytes", "that a receiver takes by default; it never takes more than the disk has room for"
    )
    depth: int = limit(32, "names", "of a path within a folder")
    entries: int = limit(
        200_000,
        "entries",
        "of one folder that is sent or received: its files and folders, and of one that is sent what is neither",
    )
    counted: int = limit(
        10_000,
        "transfers",
        "unfinished, of which a quota remembers what it counted; of more, what is lost again stays counted",
    )
    undecided: float = limit(
        1.0,
        "seconds",
        "that a program has to begin to take files; then what was offered meanwhile is refused",
    )

    # Names.
    name: int = limit(255, "bytes", "a name on the disk, a number behind it included")
    raw_name: int = limit(1024, "characters", "a name as it comes; of a longer one the end")
    marks: int = limit(4, "marks", "on one letter of a name")
    numbers: int = limit(1000, "names", "tried besides the one that is taken: name (1), name (2) and so on")

    # Moving it.
    chunk: int = limit(64 << 10, "bytes", "one frame of data; less where the peer takes less")
    read: int = limit(1 << 20, "bytes", "read and hashed at a time, in a thread")
    confirm: float = limit(
        5.0,
        "seconds",
        "that a receiver waits for the sender to know that all arrived; it remembers it longer, for a sender that comes back",
    )
    unfinished_age: float = limit(
        30 * 86_400.0, "seconds", "that what came of an unfinished transfer is kept to be gone on with"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingLimits:
    """How large a setting may be."""

    history: int = limit(300, "lines", "of the past that a server may be told to show: one reading's worth")
    resume_window: int = limit(7 * 86_400, "seconds", "that listen may be told to wait for a caller")


@dataclass(frozen=True, slots=True, kw_only=True)
class HitLimits:
    """How much is said about limits that were hit."""

    lines: int = limit(
        10, "lines", "of the log a second about limits that were hit, all together; every hit is counted"
    )
    interval: float = limit(
        10.0,
        "seconds",
        "between two lines about one limit and one kind of source, or about one function of a program that fails in one way; the second says how many more there were",
    )
    kinds: int = limit(1000, "things", "that such lines are told apart by; more count as one")


PROTOCOL: Final = ProtocolLimits()
SESSION: Final = SessionLimits()
TRANSPORT: Final = TransportLimits()
WEB: Final = WebLimits()
STORAGE: Final = StorageLimits()
FILES: Final = FileLimits()
SYNC: Final = SyncLimits()
SETTING: Final = SettingLimits()
HITS: Final = HitLimits()

LONGEST: Final = PROTOCOL.longest
