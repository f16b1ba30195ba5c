"""Invitations: what a person passes on says where the chat is, and what lets one in."""

from __future__ import annotations

import pytest

from landline.apps.chat.invitations import Invitation, is_invitation, read_invitation, write_invitation
from landline.errors import AddressError

PIN = "a" * 64


@pytest.mark.parametrize(
    ("text", "invitation"),
    [
        ("tcp://there:1", Invitation("tcp://there:1")),
        ("unix:///a/b", Invitation("unix:///a/b")),
        ("http://there:1", Invitation("ws://there:1")),
        ("http://there:1/", Invitation("ws://there:1/")),
        ("HTTPS://there:1/", Invitation("wss://there:1/")),
        ("http://[", Invitation("ws://[")),
        ("https://[::1]:1/#invite=abc", Invitation("wss://[::1]:1/", "abc")),
        (f"https://there:1/#invite=abc&sha256={PIN}", Invitation("wss://there:1/", "abc", f"sha256:{PIN}")),
        (f"tls://there:1#sha256={PIN}", Invitation("tls://there:1", "", f"sha256:{PIN}")),
    ],
)
def test_what_a_link_says(text: str, invitation: Invitation) -> None:
    """Where to dial, the invite, and the certificate's fingerprint."""
    assert read_invitation(text) == invitation
    assert is_invitation(text) == (text != invitation.address)


@pytest.mark.parametrize(
    "text", ["https://there:1/#abc", "https://there:1/#invite=a&b=c", "tcp://there:1#x=y"]
)
def test_what_a_link_cannot_say(text: str) -> None:
    """Somebody cut it, or it is of something else: better to say so than to dial without."""
    with pytest.raises(AddressError, match="behind the #") as caught:
        read_invitation(text)
    assert text.partition("#")[2] not in str(caught.value)


@pytest.mark.parametrize("is_secure", [True, False])
@pytest.mark.parametrize("invite", ["", "aB_-9"])
@pytest.mark.parametrize("pin", ["", f"sha256:{PIN}"])
def test_what_is_written_is_read(invite: str, pin: str, *, is_secure: bool) -> None:
    """Each part or none; a browser opens it as it stands."""
    invitation = write_invitation("[::1]:1", invite, pin, is_secure=is_secure)

    assert invitation.startswith("https://" if is_secure else "http://")
    assert read_invitation(invitation) == Invitation(
        f"{'wss' if is_secure else 'ws'}://[::1]:1/", invite, pin
    )
