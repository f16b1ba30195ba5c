"""Every error of the tree has its exit code, and says what to do."""

from __future__ import annotations

import errno
import socket
from typing import Final

import click
import pytest

from landline import errors
from landline.apps.chat.credentials import NO_CLIENT
from landline.cli import port_owner
from landline.cli.exits import TABLE, Exit, Started, ending
from landline.cli.port_owner import Owner

ADDRESS: Final = "tcp://localhost:12345"


def taken(address: str = ADDRESS) -> errors.ListenError:
    """The port is in use."""
    return errors.ListenError(address, "address already in use", errno.EADDRINUSE)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.LandlineError("x"), 1),
        (errors.AddressError("x"), 2),
        (errors.SettingsError("x"), 2),
        (errors.DataError("x"), 1),
        (errors.ConnectError(ADDRESS, "x"), 3),
        (errors.ConnectTimeout(ADDRESS, "x"), 5),
        (errors.Refused(ADDRESS, "x"), 4),
        (errors.NotAllowed("x"), 4),
        (errors.PublishFailed("x"), 4),
        (errors.PublishUnknown("x"), 1),
        (errors.CallFailed("x"), 1),
        (errors.CallTimeout("x"), 5),
        (errors.CallNotAllowed("x"), 4),
        (errors.CallUnknown("x", "y"), 1),
        (errors.TopicError("x"), 2),
        (errors.Untrusted(ADDRESS, "x"), 4),
        (errors.TLSError("x"), 1),
        (errors.ListenError(ADDRESS, "x"), 1),
        (errors.SessionClosed("x"), 1),
        (errors.SessionLost("x"), 1),
        (errors.Full("x"), 1),
        (errors.ProtocolError("x"), 1),
        (errors.StorageError("x"), 1),
        (errors.StorageDamaged("x"), 6),
        (TimeoutError("x"), 5),
        (click.UsageError("x"), 2),
        (click.BadParameter("x"), 2),
        (click.ClickException("x"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_each_error_has_its_code(error: Exception, code: int) -> None:
    """And one sentence, without a line break or a full stop in the middle of things."""
    end = ending(error)

    assert end is not None
    assert end.code == code
    assert len(end.sentences) == 1
    assert "x" in end.sentences[0]


def test_every_class_of_the_tree_is_covered() -> None:
    """A new error falls under the root at least; the table names no class after its base."""
    for position, row in enumerate(TABLE):
        assert not any(issubclass(row.error, earlier.error) for earlier in TABLE[:position])
    assert any(row.error is errors.LandlineError for row in TABLE)


def test_the_codes_are_those_that_scripts_know() -> None:
    """Changing one breaks somebody's script."""
    assert {code.name: code.value for code in Exit} == {
        "OK": 0,
        "FAILURE": 1,
        "USAGE": 2,
        "UNREACHABLE": 3,
        "REFUSED": 4,
        "TIMED_OUT": 5,
        "INTEGRITY": 6,
        "INTERRUPTED": 130,
    }


@pytest.mark.parametrize("error", [KeyError("x"), OSError("x"), AssertionError(), RuntimeError("x")])
def test_anything_else_is_a_bug(error: Exception) -> None:
    """No code is made up for it, nor for a group that holds one."""
    assert ending(error) is None
    assert ending(ExceptionGroup("", [errors.SettingsError("x"), error])) is None


def test_a_group_tells_each_sentence_once() -> None:
    """A task group wraps what its tasks raised; the first decides."""
    group = ExceptionGroup(
        "",
        [
            errors.ConnectError("tcp://a:1", "no"),
            ExceptionGroup("", [errors.ConnectError("tcp://a:1", "no"), errors.Refused("tcp://b:1", "no")]),
        ],
    )

    end = ending(group)

    assert end is not None
    assert end.code == Exit.UNREACHABLE
    assert [sentence.split(":")[0] for sentence in end.sentences] == ["cannot connect to tcp", "tcp"]
    assert len(end.sentences) == 2


def sentence(error: Exception, *, from_make: bool = False, command: str = "") -> str:
    """The last sentence said about it."""
    end = ending(error, Started(from_make, command))
    assert end is not None
    return end.sentences[-1]


def failed(cause: Exception | None, reason: str = "x") -> errors.ConnectError:
    """A dial that failed for this reason, told by two layers."""
    inner = errors.ConnectError(ADDRESS, reason)
    inner.__cause__ = cause
    outer = errors.ConnectError(ADDRESS, reason)
    outer.__cause__ = inner
    return outer


def test_nobody_there_suggests_to_start_a_server() -> None:
    """The commonest reason."""
    assert sentence(failed(ConnectionRefusedError(), "nobody listens there")) == (
        f"cannot connect to {ADDRESS}: nobody listens there; is a server running there? `landline serve` starts one"
    )
    assert sentence(failed(ConnectionRefusedError()), from_make=True).endswith("`make run` starts one")


@pytest.mark.parametrize(
    ("command", "advice"),
    [
        ("chat", "is a server running there? `landline serve` starts one"),
        ("connect", "`landline listen 12345` is what has to run there"),
        ("chat --plain", "is a program running there that speaks plain text?"),
        ("rpc", "is the program running whose server you mean?"),
        ("publish", "is the program running whose server you mean?"),
        ("subscribe", "is the program running whose server you mean?"),
        ("bench", "is the program running whose server you mean?"),
    ],
)
def test_what_should_run_there_depends_on_who_calls(command: str, advice: str) -> None:
    """A chat server is no use to a pipe."""
    assert sentence(failed(ConnectionRefusedError()), command=command).endswith(f"; {advice}")


def test_who_is_not_let_in_is_told_where_a_token_is_looked_for() -> None:
    """Where a token is what the command shows, and it is that which was not good."""
    stranger = errors.Refused(ADDRESS, "the credentials are not good", "unauthorized")

    assert "; who we are is the token in LANDLINE_TOKEN" in sentence(stranger, command="rpc")
    assert "`landline receive` prints lets one in, with what stands behind its #" in sentence(
        stranger, command="send"
    )
    assert sentence(stranger, command="chat").endswith("not good")
    assert sentence(errors.Refused(ADDRESS, "busy", "busy"), command="rpc").endswith("busy")


@pytest.mark.parametrize("command", ["listen", "receive"])
def test_a_port_that_is_taken_is_no_chat_to_join(command: str) -> None:
    """What was started has another port to take, and nothing to do with what runs there."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = errors.ListenError(f"tcp://127.0.0.1:{port}", "it is taken", errno.EADDRINUSE)
        told = sentence(error, command=command)

    assert f"try `landline {command} " in told
    assert f"`landline {command} {port}`" not in told
    assert "serve" not in told


def test_choices_are_told_in_one_line() -> None:
    """As they come they have a line and a tab each."""
    with click.Context(click.Command("x")) as context:
        error = click.MissingParameter(
            ctx=context, param=click.Argument(["shell"], type=click.Choice(["bash", "zsh"]))
        )

    assert "Choose from: bash, zsh" in sentence(error)


def test_make_is_told_the_port_that_is_not_the_usual_one() -> None:
    """A server on another port would be no help."""
    error = errors.ConnectError("tcp://localhost:12399", "x")
    error.__cause__ = ConnectionRefusedError()

    assert sentence(error, from_make=True).endswith("`LANDLINE_PORT=12399 make run` starts one")


def test_other_reasons_not_to_connect_have_their_advice() -> None:
    """A name that is none, somebody who speaks otherwise, and what speaks for itself."""
    assert sentence(failed(socket.gaierror())).endswith("; check the name of the host")
    assert sentence(failed(None)).endswith(
        "; a server that speaks plain text is called with `landline chat --plain HOST:PORT`"
    )
    assert sentence(failed(OSError(errno.ENETUNREACH, "x"))) == f"cannot connect to {ADDRESS}: x"


def test_what_may_be_trusted_is_named_with_the_flag_that_does_it() -> None:
    """In the chat; a server that shows nothing has nothing to be pinned, and who speaks TLS is no plain caller's business."""
    error = errors.Untrusted("tls://a:1", "pin it", "sha256:ab")

    assert sentence(error, command="chat").endswith(
        "; `--fingerprint sha256:ab` does that, and is remembered"
    )
    assert sentence(error, command="chat", from_make=True).endswith(
        '; `make chat ARGS="--fingerprint sha256:ab"` does that, and is remembered'
    )
    assert sentence(error, command="connect") == "cannot connect to tls://a:1: pin it"
    replaced = errors.Untrusted("tls://a:1", "another one", "sha256:ab", "sha256:cd")
    assert sentence(replaced, command="chat") == "cannot connect to tls://a:1: another one"
    assert sentence(errors.Untrusted("tls://a:1", "x"), command="chat") == "cannot connect to tls://a:1: x"
    assert sentence(errors.ConnectError("wss://a:1", "x"), command="chat") == "cannot connect to wss://a:1: x"


def test_a_taken_port_names_its_holder_and_another_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the words of the way the program was started."""
    holder = (Owner(7, "python3 -m http.server", ""),)
    monkeypatch.setattr(port_owner, "find", lambda port: holder if port == 12345 else ())

    assert sentence(taken()) == (
        f"cannot listen on {ADDRESS}: address already in use; "
        "port 12345 is held by process 7 (python3 -m http.server); try `landline serve --port 12346`"
    )
    assert sentence(taken(), from_make=True).endswith("; try `LANDLINE_PORT=12346 make run`")
    monkeypatch.setattr(port_owner, "find", lambda port: holder if port in (12345, 12346, 65535) else ())
    assert sentence(taken()).endswith("try `landline serve --port 12347`")
    assert sentence(taken("tcp://[::1]:65535")).endswith("try `landline serve --port 65534`")


def test_a_port_held_by_a_landline_can_be_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting a second server is rarely what was meant."""
    ours = (Owner(7, "/x/bin/python /x/bin/landline serve", ""),)
    monkeypatch.setattr(port_owner, "find", lambda port: ours if port in (12345, 7777) else ())

    assert "`landline chat` joins what runs there" in sentence(taken())
    assert "`landline chat --port 7777` joins what runs there" in sentence(taken("tcp://[::1]:7777"))
    assert "`make chat` joins" in sentence(taken(), from_make=True)
    assert "`LANDLINE_PORT=7777 make chat` joins" in sentence(taken("tcp://[::1]:7777"), from_make=True)


def test_an_unknown_holder_is_not_invented(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then only the way out is told."""
    monkeypatch.setattr(port_owner, "find", lambda _port: ())

    assert sentence(taken()).endswith("already in use; try `landline serve --port 12346`")
    assert sentence(taken("unix:///run/x.sock")).endswith("; is a server running there already?")
    assert sentence(taken("tcp://x:port")).endswith("; is a server running there already?")


def test_other_reasons_not_to_listen_have_their_advice() -> None:
    """No right, no such address, and one that speaks for itself."""
    assert "ports below 1024" in sentence(errors.ListenError(ADDRESS, "permission denied", errno.EACCES))
    assert "no such address" in sentence(errors.ListenError(ADDRESS, "cannot assign", errno.EADDRNOTAVAIL))
    assert sentence(errors.ListenError(ADDRESS, "odd", errno.EIO)) == f"cannot listen on {ADDRESS}: odd"


@pytest.mark.parametrize(
    ("count", "words"), [(1, "1 of our messages was not"), (2, "2 of our messages were not")]
)
def test_one_message_is_counted_in_the_singular(count: int, words: str) -> None:
    """The sentence of a lost session, as a person would say it."""
    assert words in sentence(errors.SessionLost("gone", 0, count))
    assert words in sentence(errors.SessionInterrupted("gone", count))


def test_an_interruption_says_what_may_be_missing_and_how_to_go_on() -> None:
    """Also where everything of ours was acknowledged."""
    told = str(errors.SessionInterrupted("the server was restarted"))

    assert "goes on: receive again" in told
    assert "what the server had sent before may be missing" in told


@pytest.mark.parametrize(
    ("command", "from_make", "advice"),
    [
        ("serve", False, "; --data FOLDER keeps everything in another folder"),
        ("serve", True, "; `LANDLINE_DATA=FOLDER make run` keeps everything in another folder"),
        ("publish", False, "x"),
    ],
)
def test_a_store_that_is_something_else(command: str, from_make: bool, advice: str) -> None:
    """What to do is in the error; the chat's programs have theirs in a folder that can be chosen."""
    assert sentence(errors.StorageForeign("x"), from_make=from_make, command=command).endswith(advice)


@pytest.mark.parametrize("command", ["publish", "rpc", "bench", "send", "connect"])
def test_a_chat_server_says_itself_what_it_is(command: str) -> None:
    """No advice about tokens follows."""
    error = errors.Refused(ADDRESS, NO_CLIENT, "unauthorized")

    assert sentence(error, command=command).endswith("`landline chat` joins it")
