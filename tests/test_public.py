"""A chat for other machines, from another machine: two network namespaces with a cable between them, and `landline serve --public` in one."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.cable import HERE, LANDLINE, Cable, lay_or_skip, link


@pytest.fixture(scope="module")
def cable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cable]:
    cable = Cable(tmp_path_factory.mktemp("public"))
    try:
        lay_or_skip(cable)
        yield cable
    finally:
        cable.cut()


@pytest.fixture(scope="module")
def printed(cable: Cable) -> str:
    """What the server prints; it serves while the module's tests run."""
    return cable.serve()


pytestmark = [pytest.mark.needs("ip", "nc", "curl", "openssl"), pytest.mark.long]


def test_what_is_printed_is_what_one_gives_to_people(printed: str) -> None:
    """The address by which others reach this machine, with the invite; a code to scan; and nothing left open."""
    assert link(printed, pinned=False)
    assert "▀" in printed
    assert "WITHOUT" not in printed


def test_the_printed_command_joins_from_the_other_machine(cable: Cable, printed: str) -> None:
    """As it stands, quotes and all; and the next time the address alone is enough."""
    pinned = link(printed, pinned=True)
    assert f"landline chat '{pinned}'" in printed
    code, said = cable.run(cable.other, *LANDLINE, "chat", pinned, given="hello from there\n", data="pinned")
    assert (code, "ana: hello from there" in said) == (0, True), said

    code, said = cable.run(
        cable.other, *LANDLINE, "chat", f"tls://{HERE}:12345", given="again\n", data="pinned"
    )

    assert (code, "ana: again" in said) == (0, True), said


def test_a_certificate_that_nobody_vouches_for_is_not_taken(cable: Cable, printed: str) -> None:
    """The sentence has the fingerprint, and what to type once it was compared."""
    code, said = cable.run(cable.other, *LANDLINE, "chat", link(printed, pinned=False))
    flag = re.search(r"`(--fingerprint sha256:[0-9a-f]{64})`", said)

    assert code == 4
    assert "made its certificate itself" in said
    assert flag, said
    assert flag[1].removeprefix("--fingerprint sha256:") in link(printed, pinned=True)
    code, said = cable.run(
        cable.other, *LANDLINE, "chat", link(printed, pinned=False), *flag[1].split(), given="compared\n"
    )
    assert (code, "ana: compared" in said) == (0, True), said


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda pinned: pinned[:-1] + ("0" if pinned[-1] != "0" else "1"), "not the one that was pinned"),
        (lambda pinned: pinned.replace("invite=", "invite=x"), "that invite is not good here"),
        (lambda pinned: re.sub("invite=[^&]*&", "", pinned), "this chat wants an invite"),
        (lambda pinned: f"tcp://{HERE}:12345", "reached by TLS only"),
    ],
)
def test_nobody_else_gets_in(change: object, says: str, cable: Cable, printed: str) -> None:
    """Another certificate, another invite, none, or no TLS: each is told what to do."""
    assert callable(change)
    code, said = cable.run(cable.other, *LANDLINE, "chat", change(link(printed, pinned=True)), data="refused")

    assert (code, says in said) == (4, True), said


def test_plain_callers_from_there_come_by_tls_or_not_at_all(cable: Cable, printed: str) -> None:
    """In plain text they are told how; under TLS the first line is the invite."""
    assert "by TLS only" in cable.run(cable.other, "nc", "-q", "1", HERE, "12345", given="hello\n")[1]
    assert "by TLS only" in cable.run(cable.other, "curl", "-s", f"http://{HERE}:12345/")[1]
    assert (
        "https://"
        in cable.run(
            cable.other, "curl", "-s", "-o", "/dev/null", "-w", "%{redirect_url}", f"http://{HERE}:12345/a?b"
        )[1]
    )
    invite = link(printed, pinned=False).partition("invite=")[2]
    caller = cable.start(cable.other, "openssl", "s_client", "-quiet", "-connect", f"{HERE}:12345")
    caller.expect("verify return:1")
    caller.sendline("let me in")
    caller.expect("wants an invite")
    caller.sendline(invite)
    caller.expect("in the lobby")
    caller.sendline("by openssl")
    caller.expect("guest-")


def test_the_page_comes_by_tls(cable: Cable, printed: str) -> None:
    """A browser on the other machine gets it, and the counts are for this machine alone."""
    page = cable.run(cable.other, "curl", "-sk", f"https://{HERE}:12345/")[1]
    code = cable.run(
        cable.other, "curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", f"https://{HERE}:12345/metrics"
    )[1]

    assert page.lower().startswith("<!doctype html>")
    assert code == "403"


def test_who_may_read_the_servers_data_joins_on_its_machine(cable: Cable, printed: str) -> None:
    """No invite is typed there: the file is its own."""
    code, said = cable.run(cable.server, *LANDLINE, "chat", given="from here\n", data="here")

    assert (code, "ana: from here" in said) == (0, True), said
