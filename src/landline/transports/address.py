"""Where an endpoint is, as text: ``tcp://host:port``, ``unix:///path``, ``memory://name``."""

from __future__ import annotations

import re

import msgspec

from ..errors import AddressError

_HOST = re.compile(r"[A-Za-z0-9_.\-]+|\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.\-]+)?\]")


class Address(msgspec.Struct, frozen=True):
    """One endpoint.

    Attributes:
        scheme: the kind of transport.
        host, port: for ``tcp``; an IPv6 host has no brackets here.
        path: of the socket for ``unix``, the name for ``memory``.
    """

    scheme: str
    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if self.scheme == "tcp":
            host = f"[{self.host}]" if ":" in self.host else self.host
            return f"tcp://{host}:{self.port}"
        return f"{self.scheme}://{self.path}"


def parse_address(text: str | Address) -> Address:
    """Read an address.

    Raises:
        AddressError: it cannot be read; the message says what is wrong and shows the form.
    """
    if isinstance(text, Address):
        return text
    scheme, separator, rest = text.partition("://")
    if not separator:
        raise AddressError(
            f"{text!r} is not an address: it begins with no scheme, as tcp://{text or 'host:port'} does"
        )
    if scheme == "tcp":
        return _parse_host_and_port(text, rest)
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
        f"{text!r} is not an address: there is no {scheme}://, only tcp://, unix:// and memory://"
    )


def _parse_host_and_port(text: str, rest: str) -> Address:
    host, separator, port = rest.rpartition(":")
    if not separator or not port:
        raise AddressError(f"{text!r} is not an address: the port is missing, as in tcp://host:port")
    if not _HOST.fullmatch(host):
        raise AddressError(
            f"{text!r} is not an address: {host!r} is not a host (IPv6 goes in brackets, as in tcp://[::1]:port)"
        )
    if not (port.isascii() and port.isdigit() and len(port) <= 5) or int(port) > 65535:
        raise AddressError(f"{text!r} is not an address: {port!r} is not a port from 0 to 65535")
    return Address("tcp", host=host.strip("[]"), port=int(port))
