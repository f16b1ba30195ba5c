"""What can go wrong, each as an operation of a schedule: takes the world and two free numbers, and counts itself where it took effect.

A fault that finds nothing to harm (no line to cut, nothing under way to deliver late) is not counted.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from ...errors import StorageLocked
from ...protocol.frames import HEADER, MAGIC, FrameType
from ...protocol.handshake import ID_SIZE, TOKEN_SIZE, Hello, Resume, encode_payload
from ...protocol.states import Phase
from .checks import check_stranger
from .client import Client
from .disk import POINTS, SLOWEST, at_once
from .file_faults import FILE_FAULT_OPERATIONS
from .host import STRANGER
from .line import Node, Port, Violation
from .programs import PROGRAM_OPERATIONS
from .schedule import Shape
from .world import World

_STRANGERS = 4
"""How many strangers are there at once; the oldest hangs up."""


def _pick(world: World, a: int) -> Client:
    return world.clients[(a >> 8) % len(world.clients)]


def _live(world: World, a: int) -> Port | None:
    """The line of a client that is not over."""
    port = _pick(world, a).port
    return None if port is None or port.is_over or port.is_hung_up else port


def slice_(world: World, a: int, b: int) -> None:
    """Some of what is under way arrives, in small pieces, and the rest later: frames come in parts, or glued to the next ones.

    Each piece that leaves something behind counts.
    """
    port = _live(world, a)
    if port is None or port.far is None:
        return
    ends = (port, port.far) if a & 1 else (port.far, port)
    for piece in range(8 + (a >> 1) % 16):
        end = ends[piece & 1]
        if (end.out or end.is_hung_up) and world.move(end, 1 + (b >> piece % 12) % 16):
            if end.out:
                world.faults["slice"] += 1
        elif not ends[~piece & 1].out:
            return  # nothing is left in either direction


def late(world: World, a: int, b: int) -> None:
    """A zombie: something arrives on a line that its client gave up, perhaps long after a newer one carries the session."""
    ways = [
        end for port in _pick(world, a).old for end in (port, port.far) if end is not None and _brings(end)
    ]
    if ways:
        world.move(ways[(a + b) % len(ways)], 1 + (b >> 2) % 50)
        world.faults["late"] += 1


def _brings(end: Port) -> bool:
    """Whether bytes, or the end of the line, can arrive now from here."""
    far = end.far
    return (
        (bool(end.out) or end.is_hung_up)
        and far is not None
        and not far.is_over
        and not end.is_blocked
        and not far.node.is_stalled
    )


def cut(world: World, a: int, b: int) -> None:
    """A line breaks at any byte: each direction keeps its own prefix, and each end notices at its own time."""
    port = _live(world, a)
    if port is None or port.far is None:
        return
    far = port.far
    world.faults["cut"] += 1
    del port.out[b % (len(port.out) + 1) :]
    del far.out[(b >> 4) % (len(far.out) + 1) :]
    port.is_hung_up = far.is_hung_up = True
    notices = a & 3
    if notices in {0, 1} and not port.node.is_stalled:
        port.connection.receive_end()
        port.schedule()
    if notices in {0, 2} and not far.is_over and not far.node.is_stalled:
        far.connection.receive_end()
        far.schedule()


def redial(world: World, a: int, b: int) -> None:
    """A client gives up a good line and dials anew: what it wrote races with its next RESUME."""
    del b
    client = _pick(world, a)
    if not client.node.is_stalled and _live(world, a) is not None and not client.is_dialling and client.end:
        client.hang_up()
        world.faults["redial"] += 1


def block(world: World, a: int, b: int) -> None:
    """A half-open line: one direction stands still for a while, the other goes on."""
    port = _live(world, a)
    if port is None or port.far is None:
        return
    end = port if a & 1 else port.far
    if not end.is_blocked:
        end.is_blocked = True
        world.faults["block"] += 1

        def unblock() -> None:
            end.is_blocked = False

        world.later(1 + b % 30, unblock)


def silence(world: World, a: int, b: int) -> None:
    """Nothing moves anywhere, for longer than a heart beats."""
    del b
    world.faults["silence"] += 1
    world.advance(1.0 + a % 45)


def stall(world: World, a: int, b: int) -> None:
    """A loop stands still: nothing is read, timers come late; then bytes are read first, or timers fire first."""
    node = _node(world, a)
    if node.is_stalled:
        return
    node.is_stalled = True
    world.faults["stall"] += 1
    seconds = (0.01, 0.2, 1.5, 1 + (b >> 4) % 40)[b % 4]

    def wake() -> None:
        world.advance(seconds)
        node.is_stalled = False
        _woke(node, seconds, world)
        if a & 1:
            for port in list(node.ports):
                if port.far is not None:
                    world.move(port.far, 1 << 30)

    world.later((b >> 2) % 8, wake)


def jump(world: World, a: int, b: int) -> None:
    """A clock jumps ahead, as when a machine slept: everybody else goes on as if nothing had been."""
    node = _node(world, a)
    seconds = float(1 + b % 40) if b & 0xFC00 else 400.0
    node.offset += seconds
    _woke(node, seconds, world)
    world.faults["jump"] += 1
    world.advance(0.0)


def _node(world: World, a: int) -> Node:
    return world.nodes[(a >> 8) % len(world.nodes)]


def _woke(node: Node, seconds: float, world: World) -> None:
    node.late_at = node.now
    if seconds > world.limits.dead_after / 2 + 1.0:  # shorter ones need not be noticed as such
        node.woke_at = node.now


def lazy(world: World, a: int, b: int) -> None:
    """A program does not ask for its messages for a while."""
    talk = _pick(world, a).talk
    end = talk.ends[a & 1] if talk is not None else None
    if end is not None and not end.is_lazy:
        end.is_lazy = True
        world.faults["lazy"] += 1

        def wake() -> None:
            end.is_lazy = False

        world.later(5 + b % 40, wake)


def refuse(world: World, a: int, b: int) -> None:
    """Nobody can reach the server for a while."""
    del a
    world.faults["refuse"] += 1
    world.is_refusing = True

    def again() -> None:
        world.is_refusing = False

    world.later(3 + b % 20, again)


def thief(world: World, a: int, b: int) -> None:
    """Somebody else asks for a session: with a retired token, a made-up one, as another principal, or by a recording."""
    if world.server.node.is_stalled:
        return
    client = _pick(world, a)
    account = world.server.book.accounts.get(client.talk.session_id) if client.talk is not None else None
    if account is None or not account.talk.is_confirmed:
        return
    principal, token, attempt, session = (
        account.principal,
        account.shown[-1],
        account.attempt + 1 + b % 3,
        account.id,
    )
    data = b""
    kind = a % 6
    if kind == 0:
        if len(account.shown) < 2 or b & 0x3C0:
            return  # this one ends the session: not too often
        token = account.shown[-2]
    elif kind == 1:
        token = b"?" * TOKEN_SIZE
    elif kind == 2:
        principal = "somebody else"
    elif kind == 3:
        known = [greeting for attempt, greeting in client.greetings if 1 < attempt <= account.attempt]
        if not known:
            return
        data = known[b % len(known)]
    elif kind == 4:
        session = b"?" * ID_SIZE
    else:
        attempt = 1 + b % account.attempt
    if not data:
        resume = Resume(
            session=session,
            token=token,
            attempt=attempt,
            life=world.server.life,
            received=b % 9,
            credentials=principal,
        )
        data = MAGIC + encode_payload(FrameType.RESUME, resume)
    carrier = account.carrier
    was_open = carrier is not None and carrier.connection.phase is not Phase.CLOSED
    port = _stranger(world, data)
    world.faults["thief"] += 1
    if port.connection.session is not None:
        raise Violation("a thief was let in")
    is_open = carrier is not None and carrier.connection.phase is not Phase.CLOSED
    if kind != 0 and (account.carrier is not carrier or was_open is not is_open):
        raise Violation("a thief who was refused disturbed the session")


def rubbish(world: World, a: int, b: int) -> None:
    """A stranger who speaks badly: noise, a hello that never ends or is too long, a size that nobody may declare, or talk out of turn."""
    if world.server.node.is_stalled:
        return
    kind = a % 6
    if kind == 0:
        data = b.to_bytes(2, "big") * (1 + a % 50)
    elif kind == 1:
        data = MAGIC + HEADER.pack(300, FrameType.HELLO, 0) + b"\x81" * (b % 200)
    elif kind == 2:
        data = MAGIC + HEADER.pack(1000, FrameType.HELLO, 0) + b"x" * 700
    elif kind == 3:
        data = MAGIC + HEADER.pack(0xFFFFFFFF, b % 256, 0)
    elif kind == 4:
        hello = Hello(life=bytes(ID_SIZE), window=1000, max_message=1000, credentials=STRANGER)
        data = MAGIC + encode_payload(FrameType.HELLO, hello)
    else:
        data = MAGIC + HEADER.pack(4, (0x05, 0x20, 0x21, 0x08)[b % 4], 0) + b"four"
    port = _stranger(world, data)
    if kind == 4:
        port.arrive(HEADER.pack(4, FrameType.BYTES, 0) + b"psst")
    world.faults["rubbish"] += 1


def _stranger(world: World, data: bytes) -> Port:
    if len(world.strangers) >= _STRANGERS:
        world.forget(world.strangers.popleft())
    port = world.server.accept(world.capacity)
    world.strangers.append(port)
    port.arrive(data)
    check_stranger(port, world.limits)
    return port


def client_dies(world: World, a: int, b: int) -> None:
    """A client's process is killed and starts anew, with empty hands."""
    client = _pick(world, a)
    if not client.node.is_stalled:
        world.faults["client dies"] += 1
        client.die()
        desk = world.desks.get(client.number)
        if desk is not None:
            desk.die(is_durable=bool(b & 1))


def server_dies(world: World, a: int, b: int) -> None:
    """The server's process is killed and starts anew, with empty hands."""
    del a, b
    if not world.server.node.is_stalled:
        world.faults["server dies"] += 1
        world.server.die()


def bar(world: World, a: int, b: int) -> None:
    """A principal is not let in any more, for a while."""
    client = _pick(world, a)
    principal = client.principal
    if principal in world.server.barred:
        return
    world.server.barred.add(principal)
    world.server.ever_barred.add(principal)
    world.faults["bar"] += 1
    if not client.node.is_stalled:
        client.hang_up()

    def admit() -> None:
        world.server.barred.discard(principal)

    world.later(3 + b % 20, admit)


def _crash(point: str, world: World, a: int, b: int) -> None:
    """The server's process crashes at a point of its next write: before the commit, after it, or before anybody hears of it."""
    del a, b
    disk = world.server.disk
    if disk is not None and not disk.crash_at:
        disk.crash_at = point
        world.faults[f"crash when {point}"] += 1


def slow_disk(world: World, a: int, b: int) -> None:
    """Commits take long for a while."""
    disk = world.server.disk
    if disk is not None and world.commit_pause is not None:
        disk.pause = (0.2, 1.0, 3.0, SLOWEST)[a % 4]
        world.faults["slow disk"] += 1
        world.later(3 + b % 30, partial(setattr, disk, "pause", world.commit_pause))


def full_disk(world: World, a: int, b: int) -> None:
    """There is no room on the disk for a while."""
    del a
    disk = world.server.disk
    if disk is not None and not disk.is_full:
        disk.is_full = True
        world.faults["full disk"] += 1
        world.later(3 + b % 40, partial(setattr, disk, "is_full", False))


def failing_disk(world: World, a: int, b: int) -> None:
    """The next write fails, and may be there or not; no more is possible until the server is started anew."""
    del a
    disk = world.server.disk
    if disk is not None and not (disk.is_failing or disk.is_broken):
        disk.is_failing = True
        world.faults["failing disk"] += 1

        def restart() -> None:
            if disk.is_broken:
                world.server.die()

        world.later(10 + b % 60, restart)


def old_backup(world: World, a: int, b: int) -> None:
    """The disk is copied; or the server is stopped, and started again with an old copy."""
    disk = world.server.disk
    if disk is None or world.server.node.is_stalled:
        return
    if disk.backup is None or a & 1:
        disk.keep_backup()
    elif not b & 0x30:
        world.faults["old backup"] += 1
        world.server.die(is_old=True)


def second_server(world: World, a: int, b: int) -> None:
    """Somebody starts another server on the same store: it is told that the store is in use, and changes nothing."""
    del a, b
    disk = world.server.disk
    if disk is None:
        return
    before = disk.storage.epoch
    try:
        at_once(disk.storage.open())
    except StorageLocked:
        world.faults["second server"] += 1
    else:
        raise Violation("two servers have one store open")
    if disk.storage.epoch != before:
        raise Violation("a server that had no right to changed the store")


FAULT_OPERATIONS: Final[dict[str, Callable[[World, int, int], None]]] = {
    "slice": slice_,
    "late": late,
    "cut": cut,
    "redial": redial,
    "block": block,
    "silence": silence,
    "stall": stall,
    "jump": jump,
    "lazy": lazy,
    "refuse": refuse,
    "thief": thief,
    "rubbish": rubbish,
    "client_dies": client_dies,
    "server_dies": server_dies,
    "bar": bar,
    **{f"crash_when_{point}": partial(_crash, point) for point in POINTS},
    "slow_disk": slow_disk,
    "full_disk": full_disk,
    "failing_disk": failing_disk,
    "old_backup": old_backup,
    "second_server": second_server,
}
"""Every fault by the name that it has in schedules, but for those of ``file_faults``."""


def make_world(seed: int, shape: Shape) -> World:
    """Return a world in which all of this can happen."""
    return World(seed, shape, {**FAULT_OPERATIONS, **FILE_FAULT_OPERATIONS, **PROGRAM_OPERATIONS})
