"""The table of safeguards: every row takes something away that is there, and no two rows are one."""

from __future__ import annotations

from landline.testing.simulation.safeguards import ABLATIONS


def test_every_patch_replaces_something_that_is_there() -> None:
    """A name that the protocol does not have any more would switch nothing off."""
    for ablation in ABLATIONS:
        for target, name, value in ablation.patches:
            assert name in target.__dict__, f"{ablation.name}: {target.__name__}.{name}"
            assert target.__dict__[name] is not value


def test_names_are_told_apart() -> None:
    """Reports name them; a masked one says by what, and where it is tested."""
    names = [ablation.name for ablation in ABLATIONS]

    assert len(set(names)) == len(names) >= 35
    assert all(bool(ablation.masked_by) == bool(ablation.tested_in) for ablation in ABLATIONS)
