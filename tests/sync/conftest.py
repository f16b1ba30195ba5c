"""What the tests of blocking code share: Ctrl-C at a moment of their choice."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from types import SimpleNamespace

import pytest

from landline.sync import bridge as module
from landline.sync.bridge import Bridge


class Interrupted:
    """In place of the lock that a thread waits for: whoever waits is interrupted."""

    def acquire(self, timeout: float | None = None) -> None:
        if timeout is not None:
            raise KeyboardInterrupt

    def release(self) -> None:
        """Nobody waits for it."""


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Callable[[Bridge], AbstractContextManager[None]]:
    """Return what has each wait of a block interrupted that is its thread's, while the loop is too busy to hear of what it was asked."""

    @contextlib.contextmanager
    def interrupting(bridge: Bridge) -> Iterator[None]:
        gate, ours = threading.Event(), threading.get_ident()

        def lock() -> object:
            return Interrupted() if threading.get_ident() == ours else threading.Lock()

        bridge.post(lambda: gate.wait(20))
        with monkeypatch.context() as patch:
            patch.setattr(module, "threading", SimpleNamespace(Lock=lock))
            try:
                with pytest.raises(KeyboardInterrupt):
                    yield
            finally:
                gate.set()

    return interrupting
