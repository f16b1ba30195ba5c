"""How what came of a file gets its name, as steps on a disk: whoever has the disk takes them one after the other, and says what came of each.

Between any two of them a process may be killed or the power fail. So the order is the promise: a name is noted, and the note is on the disk, before the name is
taken; and it is taken by nothing but what is whole, verified and on the disk. What is found after a death is judged here as well.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from enum import Enum, auto
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from ..errors import ProtocolError, TransferError
from .filenames import numbered, safe_name

T = TypeVar("T")

PREFIX: Final = ".landline-"
SUFFIX: Final = ".part"
"""A transfer's own folder is called by its key between these two, beside the final name."""


class Act(Enum):
    """What is done in a step: in the transfer's own folder, or in the one beside it that the result goes to."""

    SYNC_DATA = auto()
    """See all of the file that arrives on the disk."""
    DROP_DATA = auto()
    """Remove it from the own folder."""
    WRITE_NOTE = auto()
    """Write a name into a new note, which nobody reads yet, and what is to have it: see ``Note``."""
    SYNC_NOTE = auto()
    """See that on the disk."""
    KEEP_NOTE = auto()
    """Put it in the place of the note that there is."""
    DROP_NOTE = auto()
    """Remove the note, where there is one."""
    SYNC_OWN = auto()
    """See on the disk what the own folder has, and has no longer."""
    MAKE_TREE = auto()
    """Have a folder for complete files, where there is none."""
    SYNC_TREE = auto()
    """See on the disk what is in that, and in all folders below."""
    NAME_DATA = auto()
    """Give the file a name, besides its own where the disk can do that. The answer: whether nothing else had the name."""
    NAME_TREE = auto()
    """Give the folder a name instead of its own. The answer likewise."""
    SYNC_FOLDER = auto()
    """See on the disk who has which name."""


class Step(NamedTuple):
    """One thing to do on the disk."""

    act: Act
    name: str = ""


Steps = Generator[Step, Any, T]


class Note(NamedTuple):
    """A name, and how to tell what was to have it from what somebody else has called so since. By nothing but its name, another sender's file would pass for it."""

    name: str = ""
    number: int = -1
    """Of the file or folder on its disk, which stays when its name changes, and may be another's when it is gone."""
    size: int = -1
    modified: int = -1

    def packed(self) -> bytes:
        """Return it as it is kept."""
        return msgspec.msgpack.encode(self)


def read_note(data: bytes) -> Note:
    """Return the note that is kept as this; none where we did not write it, or not to its end."""
    try:
        note = msgspec.msgpack.decode(data, type=Note)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Note()
    return Note() if "/" in note.name or "\0" in note.name or note.name in (".", "..") else note


class Found(NamedTuple):
    """What a transfer's own folder has when it is opened."""

    note: str
    """The name in the note, or nothing."""
    is_ours: bool
    """What was to have that name has it, and is as it was."""
    is_data: bool
    """The very file that arrives has it."""
    has_data: bool
    has_tree: bool


class Standing(NamedTuple):
    """How far a transfer is."""

    published: str = ""
    """The final name, where everything was complete before."""
    files: int = 0
    """Complete ones of a folder, and their bytes."""
    before: int = 0
    offset: int = 0
    """Bytes of the next."""


def take_up(found: Found) -> Steps[str]:
    """Finish what a process before us had begun; return the final name, where it came as far as that.

    It may have died before it saw on the disk what it had done: that is made up for, or a sender is told of what the next power cut undoes.
    """
    if found.has_tree:
        yield Step(Act.SYNC_TREE)
    is_published = not found.has_tree and (found.is_data if found.has_data else found.is_ours)
    if is_published:
        yield Step(Act.SYNC_FOLDER)
        if found.has_data:
            yield Step(Act.DROP_DATA)  # never to be written to again: it is somebody's file by now
    return found.note if is_published else ""


def reject() -> Steps[None]:
    """What came is not what was sent: it goes. The note first, or who reads it without the file believes that the file has that name."""
    yield Step(Act.DROP_NOTE)
    yield Step(Act.DROP_DATA)


def publish(name: str, note: str, *, is_folder: bool) -> Steps[str]:
    """Give what is complete its final name, or another like it where that is taken; return which.

    Args:
        name: the one that is wanted.
        note: the one that was noted before: it may have been taken already, or wait to be.
        is_folder: it is a folder.

    Raises:
        TransferError: too many like it are there.
    """
    if is_folder:
        yield Step(Act.MAKE_TREE)  # also one without any files
    for candidate in dict.fromkeys([*filter(None, [note]), *numbered(name)]):
        yield Step(Act.WRITE_NOTE, candidate)
        yield Step(Act.SYNC_NOTE)
        yield Step(Act.KEEP_NOTE)
        yield Step(
            Act.SYNC_OWN
        )  # or the power fails, and the name is there without the note that it is this file's
        if (yield Step(Act.NAME_TREE if is_folder else Act.NAME_DATA, candidate)):
            yield Step(Act.SYNC_FOLDER)
            if not is_folder:
                yield Step(Act.DROP_DATA)
            return candidate
    raise TransferError(f"there are too many files like {name}")


def take(steps: Steps[T], do: Callable[[Step], Any]) -> T:
    """Take the steps one after the other; return what they come to."""
    answer: Any = None
    while True:
        try:
            step = steps.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result
        answer = do(step)


# Names within what is received...


def is_staging(name: str) -> bool:
    """Whether a folder of this name would be taken for one of a transfer, on whatever disk."""
    name = name.lower()
    return name.startswith(PREFIX) and name.endswith(SUFFIX)


def inner_name(name: str) -> str:
    """Return a name within a folder, clean.

    Raises:
        ProtocolError: it is none, but a way out of the folder.
    """
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise ProtocolError("a path that leaves its folder", "bad-data")
    safe = safe_name(name, may_be_hidden=True)
    # What we left of other transfers is not to be forged: some day somebody receives into this folder.
    return f"_{safe[1:]}" if is_staging(safe) else safe
