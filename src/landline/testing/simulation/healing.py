"""How a world ends: everything is healed by now, and must come to rest with everything told and acked, stay there, and close in good order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .booth import Booth
from .circle import GROUPS, Circle
from .client import Client
from .courier import Courier
from .ends import End
from .line import Violation
from .strands import Strand
from .talk import Speaker

if TYPE_CHECKING:
    from .world import World

_ALL = 1 << 30


def come_to_rest(world: World) -> None:
    """Wait for rest, stay at rest, part.

    Raises:
        Violation: it never rests, or something is missing then.
    """
    for step in range(400):
        world._flow_all()
        taken = [end.take() for end in _ends(world)]  # every end, whatever the first one had
        taken += [_wind_up(end, strand) for end in _ends(world) for strand in end.talk.strands.values()]
        is_told = _wind_up_topics(world) and _wind_up_calls(world) and _wind_up_presence(world)
        is_told = _wind_up_files(world) and is_told
        world._settle()
        if is_told and not any(taken) and all(map(_is_at_rest, world.clients)):
            break
        world.advance(0.06 if step < 100 else 0.5)
    else:
        lacking = [desk.lacks for desk in world.desks.values()] + [booth.lacks for booth in _booths(world)]
        lacking += _presence_lacks(world) + [courier.lacks for courier in _couriers(world)]
        raise Violation("it never comes to rest: " + "; ".join([*map(_describe, world.clients), *lacking]))
    _stay(world)
    _part(world)


def _wind_up_topics(world: World) -> bool:
    """Programs read all that was published; return whether they have everything, and left."""
    for client in world.clients:
        desk = world.desks.get(client.number)
        if desk is not None and client.end is not None and not desk.is_closing:
            for place in range(len(desk.subscriptions)):
                desk.read(place, _ALL)
            desk.go_on(client.end)
            _receive_all(world, client.end)
    if not any(desk.lacks for desk in world.desks.values()):
        for desk in world.desks.values():
            desk.close()
    return all(desk.is_closing for desk in world.desks.values())


def _wind_up_calls(world: World) -> bool:
    """Whoever is called is done with it, and streams are read; return whether nothing of that is left, at either end."""
    booths = _booths(world)
    for booth in booths:
        booth.wind_up()
    is_done = not any(booth.lacks for booth in booths)
    if is_done:
        for booth in booths:
            booth.close()
    return is_done


def _booths(world: World) -> list[Booth]:
    ends = [end for end in _ends(world) if isinstance(end, End) and not end.ended and end.talk.is_confirmed]
    return [booth for end in ends if (booth := end.pattern(Booth)) is not None]


def _wind_up_presence(world: World) -> bool:
    """Programs read what changed; return whether everybody sees the groups as the server does, and left."""
    circles = _circles(world)
    for circle in circles:
        circle.wind_up()
    is_done = not any(_presence_lacks(world))
    if is_done:
        for circle in circles:
            circle.close()
    return is_done


def _presence_lacks(world: World) -> list[str]:
    crowd = world.server.crowd
    groups = {} if crowd is None else {name: crowd.members(name) for name in GROUPS}
    return [circle.lacks(groups) for circle in _circles(world)]


def _circles(world: World) -> list[Circle]:
    ends = [client.end for client in world.clients if client.end is not None and not client.end.ended]
    return [circle for end in ends if (circle := end.pattern(Circle)) is not None]


def _wind_up_files(world: World) -> bool:
    """Whatever is to be sent goes on; return whether all of it is there, or was refused."""
    couriers = _couriers(world)
    for courier in couriers:
        courier.go_on()
    return not any(courier.lacks for courier in couriers)


def _couriers(world: World) -> list[Courier]:
    ends = [end for end in _ends(world) if isinstance(end, End) and not end.ended]
    return [courier for end in ends if (courier := end.pattern(Courier)) is not None]


def _receive_all(world: World, end: End) -> None:
    """The server's program handles every durable send that is there."""
    hub, program = world.server.hub, end.talk.ends[1]
    if hub is not None and isinstance(program, End):
        for receiving in list(hub.received.values()):
            receiving.put_down(program, fails=False)
            while receiving.take(program):
                receiving.put_down(program, fails=False)


def _ends(world: World) -> list[Speaker]:
    return [end for client in world.clients if client.talk for end in client.talk.ends if end is not None]


def _wind_up(end: Speaker, strand: Strand) -> bool:
    if end.ended:
        return False
    strand.finish(end)
    return strand.hear(end)


def _is_at_rest(client: Client) -> bool:
    talk = client.talk
    if talk is None or client.is_dialling or client.port is None or client.port.out or not client.port.far:
        return False
    if client.port.far.out or not all(end is not None and end.port is not None for end in talk.ends):
        return False
    return all(
        end.core.outbox_frames == end.core.outbox_bytes == 0
        and len(end.core.flows) == 1
        and end.core.messages.handled_by_peer == end.core.messages.queued
        and talk.heard[end.side] == len(talk.said[end.side])
        for end in talk.ends
        if end is not None
    )


def _describe(client: Client) -> str:
    talk = client.talk
    if talk is None:
        return f"client {client.number} has no session"
    sides = ", ".join(
        f"{len(talk.said[end.side])} said {talk.heard[end.side]} heard {end.core.messages.handled_by_peer - talk.base} acked"
        f" (outbox {end.core.outbox_frames}, flows {sorted(end.core.flows)}, {'attached' if end.port else 'detached'})"
        for end in talk.ends
        if end is not None
    )
    return f"client {client.number}: {sides}"


def _stay(world: World) -> None:
    """A line in peace lives on: heartbeats keep it, and nothing else moves."""
    before = [client.port for client in world.clients]
    world.is_calm = True
    world.advance(2 * (world.limits.heartbeat_interval + world.limits.dead_after))
    world.is_calm = False
    if before != [client.port for client in world.clients]:
        raise Violation("a line in peace was given up")
    world.server.check_disk()


def _part(world: World) -> None:
    """One side says a last word and closes: it is delivered, and both ends end."""
    talks = [client.talk for client in world.clients if client.talk is not None]
    closing = [talk.ends[talk.number & 1] for talk in talks]
    for end in closing:
        if end is not None:
            for number in range(2):
                end.send(f"last {number}")
            end.close()
    for _ in range(20):
        for talk in talks:
            for other in talk.ends:
                if other is not None:
                    other.take()
        world._settle()
        world._flow_all()
        if all(talk.is_over for talk in talks):
            break
    for end in closing:
        if end is None or end.ended != "closed":
            raise Violation("an orderly close did not end the session")
        if end.core.messages.handled_by_peer != end.core.messages.queued:
            raise Violation("an orderly close left something undelivered")
    world.is_touched = True
    world._settle()
