"""The safeguards of files, each with the patch that switches it off; the rest are in ``safeguards``."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from msgspec.structs import replace

from ...protocol.files import Accept, Arriving, Digest, Done, Go
from ...protocol.staged import Act, Found, Note, Standing, Steps, publish, take_up
from ...protocol.transfer import AwaitEnd, Deed, Forget, GoOn, Keep, Place, Publish, Receiving, Say
from . import depot as disk
from .switched_off import Ablation, needing

_publish = publish
_take_up = take_up
_accept = Arriving.accept
_go = Arriving.go
_deeds = Receiving.deeds


def _without(whole: Callable[..., Steps[str]], *acts: Act) -> Callable[..., Steps[str]]:
    def fewer(*args: Any, **options: Any) -> Steps[str]:
        """Leave some of the steps out."""
        steps = whole(*args, **options)
        answer: Any = None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as end:
                named: str = end.value
                return named
            answer = True if step.act in acts else (yield step)

    return fewer


def _never_published(found: Found) -> Steps[str]:
    """Do not look whether it has its name already."""
    _ = yield from _take_up(found)
    return ""


def _still_its_data(found: Found) -> Steps[str]:
    """Do not look whether the file that arrives has its name already."""
    return _take_up(found._replace(is_data=False))


def _noted_is_named(found: Found) -> Steps[str]:
    """Believe that a name that was noted was taken."""
    _ = yield from _take_up(found)
    return found.note


def _known_by_name(staged: disk.Staged, name: str, entry: object) -> Note:
    """Note nothing of a file but its name."""
    del staged, entry
    return Note(name)


def _any_digest(receiving: Receiving, digest: Digest) -> Generator[Deed, Any, None]:
    """Take what came for what was sent."""
    entry = receiving.arriving.end(digest)
    yield Keep(entry.modified)
    if receiving._offer.is_folder:
        yield Place(entry.path)


def _same_in_any_case(arriving: Arriving, *, is_same: bool) -> Go:
    """Go on with what is here, whatever it is."""
    del is_same
    return _go(arriving, is_same=True)


def _accept_nothing(arriving: Arriving, files: int, before: int, offset: int) -> Accept:
    """Begin every file anew."""
    del offset
    return _accept(arriving, files, before, 0)


def _accept_more(arriving: Arriving, files: int, before: int, offset: int) -> Accept:
    """Ask for the next byte but one."""
    accept = _accept(arriving, files, before, offset)
    if offset and before + offset < arriving.offer.size:
        arriving.offset += 1
        return replace(accept, offset=offset + 1)
    return accept


def _without_deed(kind: type[Any]) -> Callable[[Receiving, Standing], Generator[Deed, Any, str]]:
    def deeds(receiving: Receiving, standing: Standing) -> Generator[Deed, Any, str]:
        """Leave one of the deeds out."""
        steps = _deeds(receiving, standing)
        answer: Any = None
        while True:
            try:
                deed = steps.send(answer)
            except StopIteration as end:
                named: str = end.value
                return named
            answer = None if isinstance(deed, kind) else (yield deed)

    return deeds


def _cut_nothing(receiving: Receiving, standing: Standing) -> Generator[Deed, Any, str]:
    """Write behind what is here, wherever its sender goes on."""
    steps = _deeds(receiving, standing)
    answer: Any = None
    while True:
        try:
            deed = steps.send(answer)
        except StopIteration as end:
            named: str = end.value
            return named
        answer = (
            yield GoOn(standing.offset) if isinstance(deed, GoOn) and not receiving.arriving.files else deed
        )


def _forget_at_once(receiving: Receiving) -> Generator[Deed, Any, str]:
    """Remember nothing of what has its name, whether its sender knows or not."""
    name: str = yield Publish()
    yield Forget()
    yield Say(Done(name))
    yield AwaitEnd()
    return name


FILE_ABLATIONS: tuple[Ablation, ...] = needing(
    "files",
    Ablation("what came is not held against its digest", ((Receiving, "_end_file", _any_digest),)),
    Ablation("what is here is not held against its proof", ((Arriving, "go", _same_in_any_case),)),
    Ablation("what is here of a file counts for nothing", ((Arriving, "accept", _accept_nothing),)),
    Ablation("a file goes on a byte too late", ((Arriving, "accept", _accept_more),)),
    Ablation("what is here of another file is not cut off", ((Receiving, "deeds", _cut_nothing),)),
    Ablation("a file has its name before it is on the disk", ((Receiving, "deeds", _without_deed(Keep)),)),
    Ablation("a sender is told before the name is on the disk", ((disk, "publish", _without(_publish, Act.SYNC_FOLDER)),)),
    Ablation("a name is taken before its note is on the disk", ((disk, "publish", _without(_publish, Act.SYNC_OWN)),)),
    Ablation("a name is noted before the note is on the disk", ((disk, "publish", _without(_publish, Act.SYNC_NOTE)),)),
    Ablation("no name is noted", ((disk, "publish", _without(_publish, Act.WRITE_NOTE, Act.SYNC_NOTE, Act.KEEP_NOTE)),)),

    Ablation("what has its name is received again", ((disk, "take_up", _never_published),)),
    Ablation("a file that has its name is written to", ((disk, "take_up", _still_its_data),)),
    Ablation("a name that was taken is not seen on the disk", ((disk, "take_up", _without(_take_up, Act.SYNC_FOLDER)),)),
    Ablation("what was placed is not seen on the disk", ((disk, "take_up", _without(_take_up, Act.SYNC_TREE)),)),
    Ablation("another file of its name is taken for it", ((disk.Staged, "_note_of", _known_by_name),)),
    Ablation("a name that was noted counts as taken", ((disk, "take_up", _noted_is_named),)),
    Ablation("what has its name is forgotten at once", ((Receiving, "_finish", _forget_at_once),)),
)  # fmt: skip
