"""Addresses as text: what can be read, what cannot, and what the error then says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landline.errors import AddressError
from landline.transports.address import Address, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("tcp://localhost:12345", Address("tcp", "localhost", 12345)),
        ("tcp://127.0.0.1:0", Address("tcp", "127.0.0.1", 0)),
        ("tcp://[::1]:65535", Address("tcp", "::1", 65535)),
        ("tcp://[fe80::1%eth0]:80", Address("tcp", "fe80::1%eth0", 80)),
        ("tcp://my_host.example-1.org:80", Address("tcp", "my_host.example-1.org", 80)),
        (f"tcp://{'a' * 63}.example.:80", Address("tcp", f"{'a' * 63}.example.", 80)),
        ("tls://[::1]:443", Address("tls", "::1", 443)),
        ("ws://localhost:12345", Address("ws", "localhost", 12345)),
        ("wss://[::1]:443/a/b?c=d&e=%20", Address("wss", "::1", 443, "/a/b?c=d&e=%20")),
        ("unix:///run/landline.sock", Address("unix", path="/run/landline.sock")),
        ("unix:///a b:1/ü", Address("unix", path="/a b:1/ü")),
        ("memory://x", Address("memory", path="x")),
    ],
)
def test_what_is_an_address(text: str, address: Address) -> None:
    """Each form reads, and its text is what was read."""
    assert parse_address(text) == address
    assert str(address) == text
    assert parse_address(address) is address


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("ws://host", "ws://host:80"),
        ("wss://host/chat", "wss://host:443/chat"),
        ("wss://[::1]", "wss://[::1]:443"),
    ],
)
def test_a_web_address_need_not_name_its_port(text: str, full: str) -> None:
    """It has the one that the web has for it, as in a browser."""
    assert str(parse_address(text)) == full


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "tcp://host:port"),
        ("localhost:12345", "tcp://localhost:12345"),
        ("tcp://localhost", "port is missing"),
        ("tcp://localhost:", "port is missing"),
        ("tcp://:12345", "not a host"),
        ("tcp://::1:12345", "brackets"),
        ("tcp://[localhost]:1", "not a host"),
        ("tcp://a b:1", "not a host"),
        ("tcp://user@host:1", "not a host"),
        ("tcp://a..b:1", "not a host"),
        ("wss://.example", "not a host"),
        (f"tls://{'a' * 64}.example:1", "not a host"),
        ("tcp://host:65536", "0 to 65535"),
        ("tcp://host:-1", "0 to 65535"),
        ("tcp://host:1e3", "0 to 65535"),
        ("tcp://host:²", "0 to 65535"),
        ("tcp://host:1/path", "0 to 65535"),
        ("unix://relative.sock", "unix:///"),
        ("unix://", "unix:///"),
        ("unix:///nul\0byte", "unix:///"),
        ("tls://localhost", "tls://host:port"),
        ("tls://localhost:1/path", "0 to 65535"),
        ("ws://host:1/a b", "not a path"),
        ("ws://host:1/a#b", "not a path"),
        ("ws://host:1/\r\nHost: x", "not a path"),
        ("ws://", "not a host"),
        ("memory://", "needs a name"),
        ("ftp://host:1", "there is no ftp://"),
        ("://host:1", "there is no ://"),
    ],
)
def test_what_is_no_address(text: str, says: str) -> None:
    """The error is a ValueError, repeats what was given, and says what would do."""
    with pytest.raises(AddressError, match="address") as caught:
        parse_address(text)

    assert isinstance(caught.value, ValueError)
    assert says in str(caught.value)


@given(
    st.text(max_size=40)
    | st.text(max_size=40).map("tcp://{}".format)
    | st.text(max_size=40).map("wss://{}".format)
)
def test_any_text_is_an_address_or_an_address_error(text: str) -> None:
    """Nothing else is raised, and what is read can be written and read again."""
    try:
        address = parse_address(text)
    except AddressError:
        return

    assert parse_address(str(address)) == address


@pytest.mark.parametrize("given", [23461, None, b"tcp://a:1", ["tcp://a:1", "tcp://b:2"]])
def test_an_address_is_text(given: object) -> None:
    """Whatever else is given is told so; a list, that several are several arguments."""
    with pytest.raises(AddressError, match="an address is text, as 'tcp://host:port', and not ") as raised:
        parse_address(given)  # type: ignore[arg-type]

    assert ("several arguments" in str(raised.value)) == isinstance(given, list | bytes)
