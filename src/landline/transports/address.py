"""Where an endpoint is, as text: ``tcp://host:port``, ``tls://host:port``, ``ws://host:port/path``, ``wss://…``, ``unix:///path``, ``memory://name``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from ..errors import AddressError

WEB: Final = {"ws": 80, "wss": 443}
"""WebSocket's schemes, and the ports that their addresses need not name (RFC 6455, section 3)."""
SECURE: Final = ("tls", "wss")
"""The schemes that mean TLS."""
_WITH_HOST: Final = ("tcp", "tls", *WEB)
_PATH: Final = re.compile(r"(?:/[!$&-;=?-Z_a-z~@%]*)?")
_LABEL: Final = r"[A-Za-z0-9_\-]{1,63}"
"""One token of a name: Python's own resolver fails in its own way over one that is empty or longer."""
_HOST: Final = re.compile(rf"\*|(?:{_LABEL}\.)*{_LABEL}\.?|\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.\-]+)?\]")


class Address(msgspec.Struct, frozen=True):
    """One endpoint.

    Attributes:
        scheme: the kind of transport.
        host, port: for ``tcp``, ``tls``, ``ws`` and ``wss``; an IPv6 host has no brackets here, and ``*``
            is every address of this machine, to listen on.
        path: of the socket for ``unix``, the name for ``memory``, of the request for ``ws`` and ``wss``.
    """

    scheme: str
    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if self.scheme in _WITH_HOST:
            return f"{self.scheme}://{self.authority}{self.path}"
        return f"{self.scheme}://{self.path}"

    @property
    def authority(self) -> str:
        """Host and port as an address writes them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: str | Address) -> Address:
    """Read an address.

    Raises:
        AddressError: it cannot be read; the message says what is wrong and shows the form.
    """
    if isinstance(text, Address):
        return text
    given: object = text  # by programs without types, too
    if not isinstance(given, str):
        several = "; several of them are several arguments" if isinstance(given, Iterable) else ""
        raise AddressError(f"an address is text, as 'tcp://host:port', and not {given!r}{several}")
    scheme, separator, rest = text.partition("://")
    if not separator:
        raise AddressError(
            f"{text!r} is not an address: it begins with no scheme, as tcp://{text or 'host:port'} does"
        )
    if scheme in WEB:
        return _parse_web(text, scheme, rest)
    if scheme in _WITH_HOST:
        return _parse_host_and_port(text, scheme, rest)
    if scheme == "unix":
        if not rest.startswith("/") or "\0" in rest:
            raise AddressError(
                f"{text!r} is not an address: a Unix socket is written unix:///path/of/the.sock"
            )
        return Address("unix", path=rest)
    if scheme == "memory":
        if not rest:
            raise AddressError(f"{text!r} is not an address: memory://name needs a name")
        return Address("memory", path=rest)
    raise AddressError(
        f"{text!r} is not an address: there is no {scheme}://, only {', '.join(f'{each}://' for each in _WITH_HOST)}, unix:// and"
        " memory://"
    )


def _parse_web(text: str, scheme: str, rest: str) -> Address:
    place, slash, path = rest.partition("/")
    if not _PATH.fullmatch(slash + path):
        raise AddressError(f"{text!r} is not an address: {slash + path!r} is not a path")
    if ":" not in place.rpartition("]")[2]:
        place += f":{WEB[scheme]}"
    return msgspec.structs.replace(_parse_host_and_port(text, scheme, place), path=slash + path)


def _parse_host_and_port(text: str, scheme: str, rest: str) -> Address:
    host, separator, port = rest.rpartition(":")
    if not separator or not port:
        raise AddressError(f"{text!r} is not an address: the port is missing, as in {scheme}://host:port")
    if not _HOST.fullmatch(host):
        raise AddressError(
            f"{text!r} is not an address: {host!r} is not a host (IPv6 goes in brackets, as in tcp://[::1]:port)"
        )
    if not (port.isascii() and port.isdigit() and len(port) <= 5) or int(port) > 65535:
        raise AddressError(f"{text!r} is not an address: {port!r} is not a port from 0 to 65535")
    return Address(scheme, host=host.strip("[]"), port=int(port))
