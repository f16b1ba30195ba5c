"""The front door: what ``import landline`` offers, and what it costs.

Whatever users need is named in ``landline.__all__``, documented, and reached without loading what only programs need.
"""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import landline
from landline import errors

HEAVY = {
    "click",
    "cryptography",
    "h11",
    "prompt_toolkit",
    "uvloop",
    "platformdirs",
    "sqlite3",
    "curses",
    "tomllib",
    "landline.apps",
    "landline.cli",
}
"""What a bare import must not load: each has its place where it is imported when used."""


def public_things() -> list[str]:
    """Return the classes and functions; a name for a type is described where it is made."""
    things = {name: getattr(landline, name, None) for name in landline.__all__}
    return [name for name, thing in things.items() if inspect.isclass(thing) or inspect.isroutine(thing)]


def test_every_name_of_all_is_there_once() -> None:
    """``from landline import *`` works, and nothing is listed twice."""
    assert [name for name in landline.__all__ if not hasattr(landline, name)] == []
    assert len(set(landline.__all__)) == len(landline.__all__)


def test_the_promised_names_are_exported() -> None:
    """The names that README shows are at the front door."""
    promised = {"Server", "Session", "State", "Outcome", "Caller", "serve", "connect", "dial"}

    assert promised - set(landline.__all__) == set()


def test_every_error_can_be_caught_through_the_front_door() -> None:
    """Each error is ``landline.X`` or a special case of one, so nobody has to catch the root to be safe."""
    exported = {getattr(landline, name) for name in landline.__all__} - {errors.LandlineError}
    tree = {
        thing
        for thing in vars(errors).values()
        if inspect.isclass(thing) and issubclass(thing, errors.LandlineError)
    }

    assert {
        error.__name__ for error in tree - {errors.LandlineError} if not exported & set(error.__mro__)
    } == set()
    assert errors.LandlineError is landline.LandlineError


@pytest.mark.parametrize("name", public_things())
def test_every_public_thing_is_documented(name: str) -> None:
    """A public class or function has a docstring, and so has every public method that it defines."""
    thing = getattr(landline, name)
    undocumented = [] if inspect.getdoc(thing) else [name]
    if inspect.isclass(thing):
        for attribute, value in vars(thing).items():
            described = inspect.isfunction(value) or isinstance(value, property | classmethod | staticmethod)
            if described and not attribute.startswith("_") and not inspect.getdoc(getattr(thing, attribute)):
                undocumented.append(f"{name}.{attribute}")

    assert undocumented == []


def test_a_bare_import_stays_cheap() -> None:
    """``import landline`` loads none of the packages that only programs or stores need."""
    code = "import sys, landline; print(*sorted(sys.modules))"
    loaded = set(subprocess.check_output([sys.executable, "-c", code], text=True).split())

    assert loaded & HEAVY == set()


def test_types_are_shipped() -> None:
    """Type checkers read our annotations: the marker file lies beside the package."""
    assert (Path(landline.__file__).parent / "py.typed").exists()


def test_the_version_is_the_packages() -> None:
    """``landline.__version__`` and the installed package say the same."""
    from importlib.metadata import version

    assert landline.__version__ == version("landline")
