"""Serving with plain functions, each session's in a thread."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

import landline
from landline import sync

pytestmark = pytest.mark.timeout(60)


def test_a_plain_function_serves() -> None:
    """In a thread for each session, whose return closes it; leaving the block ends the server."""
    threads: list[threading.Thread] = []

    def greet(session: sync.Session) -> None:
        threads.append(threading.current_thread())
        _ = session.send(f"hello, {session.receive()}")

    with sync.serve(greet, ["tcp://127.0.0.1:0", "tcp://127.0.0.1:0"]) as listening:
        for address, name in zip(listening.addresses, ("Ada", "Bob"), strict=True):
            with sync.connect(address) as session:
                _ = session.send(name)
                assert list(session) == [f"hello, {name}"]

    assert len(set(threads)) == 2
    assert threading.main_thread() not in threads
    with pytest.raises(landline.ConnectError):
        sync.connect(address)


def test_it_takes_what_a_server_takes() -> None:
    """For example whom it lets in."""

    def whoami(session: sync.Session) -> None:
        _ = session.send(session.principal)

    with sync.serve(whoami, "tcp://127.0.0.1:0", authenticate=lambda name: name) as listening:
        with sync.connect(listening.addresses[0], credentials="Ada") as session:
            assert session.receive(10) == "Ada"
    with pytest.raises(TypeError), sync.serve(whoami, "tcp://127.0.0.1:0", no_such_option=1):  # type: ignore[call-arg]
        pass


@pytest.mark.limit("program_threads")
def test_so_many_programs_run_at_once_and_no_more() -> None:
    """Two of two begin; the third session is let in, and its program begins when one of them has ended."""
    begun: list[str] = []

    def program(session: sync.Session) -> None:
        begun.append(session.receive())
        _ = session.send("begun")
        session.receive()

    limits = landline.Limits(program_threads=2)
    with sync.serve(program, "tcp://127.0.0.1:0", limits=limits) as listening:
        address = listening.addresses[0]
        with sync.connect(address) as one, sync.connect(address) as two:
            for session, name in ((one, "one"), (two, "two")):
                _ = session.send(name)
                assert session.receive(10) == "begun"
            assert "program_threads" not in listening.hits
            with sync.connect(address) as three:
                _ = three.send("three")
                with pytest.raises(TimeoutError):
                    three.receive(0.2)
                assert begun == ["one", "two"]
                assert listening.hits["program_threads"] == 1
                _ = two.send("end")
                assert three.receive(10) == "begun"
                _ = three.send("end")
                _ = one.send("end")

    assert begun == ["one", "two", "three"]


@pytest.mark.parametrize("error", [KeyError("gone"), StopIteration()])
def test_a_program_that_fails_loses_its_session(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """The client is told, the log has the error, and the next session is served."""

    def fail(session: sync.Session) -> None:
        if session.receive() == "fail":
            raise error

    with sync.serve(fail, "tcp://127.0.0.1:0", limits=landline.Limits(program_threads=1)) as listening:
        with sync.connect(listening.addresses[0]) as session, caplog.at_level(logging.ERROR):
            _ = session.send("fail")
            with pytest.raises(landline.SessionLost, match="program failed"):
                session.receive(10)
        with sync.connect(listening.addresses[0]) as session:
            _ = session.send("well")
            assert list(session) == []

    assert [record.message for record in caplog.records] == ["the program of a session failed"]


def test_a_program_that_is_interrupted_ends_its_session_alone(caplog: pytest.LogCaptureFixture) -> None:
    """The loop of all blocking sessions goes on."""

    def interrupt(session: sync.Session) -> None:
        raise KeyboardInterrupt

    with sync.serve(interrupt, "tcp://127.0.0.1:0") as listening, caplog.at_level(logging.CRITICAL):
        for _ in range(2):
            session = sync.connect(listening.addresses[0])
            with pytest.raises(landline.SessionLost, match="program failed"):
                session.receive(10)


def test_a_program_that_exits_ends_its_session_alone() -> None:
    """As ``sys.exit`` in a thread does: the server goes on."""

    def leave(session: sync.Session) -> None:
        raise SystemExit

    with sync.serve(leave, "tcp://127.0.0.1:0") as listening:
        for _ in range(2):
            with sync.connect(listening.addresses[0]) as session:
                assert list(session) == []


def test_leaving_does_not_wait_for_a_program_that_never_looks() -> None:
    """Its session is closed after ``close_timeout``, and its thread left to itself."""
    may = threading.Event()
    ended = threading.Event()

    def busy(session: sync.Session) -> None:
        _ = session.send("busy")
        may.wait()
        with pytest.raises(landline.SessionEnded):
            session.receive()
        ended.set()

    limits = landline.Limits(close_timeout=0.1)
    with sync.serve(busy, "tcp://127.0.0.1:0", limits=limits) as listening:
        session = sync.connect(listening.addresses[0], limits=limits)
        assert session.receive(10) == "busy"
    assert not ended.is_set()
    may.set()

    assert ended.wait(10)
    session.close()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), ValueError("mine")])
def test_what_ends_the_block_comes_out_of_it(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    """Ctrl-C is how such a server is ended: nothing is logged of it, and the thread of the sessions goes on."""
    with pytest.raises(type(error)) as raised, sync.serve(landline.sync.Session.wait_closed, "memory://left"):
        raise error

    assert raised.value is error
    assert caplog.text == ""
    with sync.serve(landline.sync.Session.wait_closed, "memory://left"):
        sync.connect("memory://left").close()


async def asynchronous(session: landline.Session) -> None: ...


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (landline.Server(), "makes the server itself"),
        ("memory://none", "a plain function that takes a session, and not 'memory"),
        (asynchronous, "landline.serve runs those"),
        (lambda session: (yield), "does not yield"),
    ],
)
def test_what_is_no_plain_function_is_refused_at_once(program: Any, words: str) -> None:
    """Before anybody could connect, and find out."""
    with pytest.raises(TypeError, match=words), sync.serve(program, "memory://none"):
        pass


def test_methods_may_be_all_that_there_is() -> None:
    """Without a program, as with ``landline.Server``; a plain method runs in a thread."""
    methods = landline.Methods()

    @methods.method
    def double(number: int) -> int:
        return 2 * number

    with sync.serve(None, "memory://methods", methods=methods), sync.connect("memory://methods") as session:
        assert session.call("double", 4, timeout=10) == 8
