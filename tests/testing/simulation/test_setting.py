"""What processes may ask of their world is what the world has."""

from __future__ import annotations

import random

from landline.testing.simulation.faults import make_world
from landline.testing.simulation.schedule import draw_shape
from landline.testing.simulation.setting import Setting


def test_a_world_is_a_setting() -> None:
    """Every name of the setting is there; that the types fit is checked where types are."""
    world = make_world(1, draw_shape(random.Random(1)))
    setting: Setting = world
    names = [
        name for kind in Setting.__mro__ for name in (*vars(kind).get("__annotations__", ()), *vars(kind))
    ]

    assert setting is world
    assert all(hasattr(world, name) for name in names if not name.startswith("_"))
