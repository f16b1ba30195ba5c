"""What every test gets: a clean environment, the loop that ``LANDLINE_TEST_LOOP`` names, and honest skips.

A test that needs a program of the machine says ``@pytest.mark.needs("nc")``; it is skipped where ``nc`` is missing, except where
``LANDLINE_REQUIRE=nc,telnet`` insists: then any skip for one of these names is a failure.

A module that says ``VIRTUAL_TIME = True`` runs on a loop whose clock jumps to the next timer when nothing else is to do: hours cost nothing
and every moment is exact. It works without sockets, so over memory transports.
"""

from __future__ import annotations

import asyncio
import gc
import os
import re
import shutil
import signal
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path

import hypothesis
import pytest
from hypothesis.database import DirectoryBasedExampleDatabase

from landline.protocol.empty import EMPTY_DEQUE, EMPTY_DICT, EMPTY_LIST
from landline.protocol.stall import CALM, Stall
from landline.testing.clock import VirtualLoop

ROOT = Path(__file__).resolve().parent.parent
LOOP = os.environ.get("LANDLINE_TEST_LOOP", "asyncio")
REQUIRED = frozenset(filter(None, os.environ.get("LANDLINE_REQUIRE", "").split(",")))

# No deadline: how long a case takes says more about the machine than about us. CI repeats itself, people explore.
hypothesis.settings.register_profile(
    "landline",
    deadline=None,
    derandomize="CI" in os.environ,
    database=None if "CI" in os.environ else DirectoryBasedExampleDatabase(ROOT / ".cache" / "hypothesis"),
)
hypothesis.settings.load_profile("landline")


# Nobody's loop is current between tests. Said once, this keeps asyncio (before 3.14) from making one for whoever asks, a loop that
# nobody would close.
asyncio.set_event_loop(None)


# Whoever runs the tests in the background of a script has interrupts ignored, and every program that a test starts would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> str:
    return f"landline: loop {LOOP}" + (f", required: {', '.join(sorted(REQUIRED))}" if REQUIRED else "")


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run every asynchronous test on the loop that was asked for; in virtual time those of the modules that want it."""
    del config
    module = getattr(item, "module", None) or getattr(item.getparent(pytest.Module), "obj", None)
    if getattr(module, "VIRTUAL_TIME", False):
        return {"virtual": VirtualLoop}
    if LOOP == "asyncio":
        return {"asyncio": asyncio.new_event_loop}
    if LOOP != "uvloop":
        raise pytest.UsageError(f"LANDLINE_TEST_LOOP={LOOP}: asyncio or uvloop")
    import uvloop

    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True, scope="session")
def clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The settings, names and folders of whoever runs the tests are not theirs."""
    home = tmp_path_factory.getbasetemp() / "home"
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("LANDLINE_") and not name.startswith("LANDLINE_TEST_"):
                patch.delenv(name)
        # What `make test` itself passes on must not reach a `make` that a test starts.
        for name in (
            "MAKEFLAGS",
            "MAKELEVEL",
            "MFLAGS",
            "NO_COLOR",
            "STATE_DIRECTORY",
            "CONFIGURATION_DIRECTORY",
        ):
            patch.delenv(name, raising=False)
        for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
            patch.setenv(name, str(home / name.lower()))
        yield


def pytest_collection_finish() -> None:
    """What the tests are made of stays for the whole run: the collections between modules need not walk through it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def no_left_overs() -> Iterator[None]:
    """What a module's tests forgot to close is found while they are still to blame: its warning is their error.

    What is left then stays, too: the next module's collection need not walk through it.
    """
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def empty_for_all() -> Iterator[None]:
    """What all sessions share because it is empty, or because nobody waits, is still so: nobody has put in theirs."""
    yield
    assert not (EMPTY_LIST or EMPTY_DICT or EMPTY_DEQUE)
    calm = Stall(0.0)
    assert {name: getattr(CALM, name) for name in Stall.__slots__} == {
        name: getattr(calm, name) for name in Stall.__slots__
    }


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        for program in marker.args:
            if shutil.which(program) is None:
                pytest.skip(f"needs {program}, which is not on PATH")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skip for a program that this run requires is a failure, however the test came to skip."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2]
        missing = sorted(REQUIRED.intersection(re.findall(r"[\w.+-]*\w", reason)))
        if missing:
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid}\nLANDLINE_REQUIRE names {', '.join(missing)}: {reason}"
    return report
