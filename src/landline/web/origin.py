"""Who may ask, as far as a browser tells: under which name this server was called (``Host``), and from whose page (``Origin``).

A page of anybody's may have its own name resolve to our address and then talk to us as if we were it ("DNS rebinding"): so a name must be
one of ours. And any page may have a browser send us a form, or open a WebSocket: so what changes anything is taken from our own pages only.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable, Mapping
from typing import Final

from .refusal import Refused

_AUTHORITY: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.\-]+)(?::([0-9]{1,5}))?", re.IGNORECASE)
_ORIGIN: Final = re.compile(r"(https?)://(.+)", re.IGNORECASE)
_PORTS: Final = {"http": "80", "https": "443"}
_HARMLESS: Final = {"GET", "HEAD", "OPTIONS"}
_THIS_MACHINE: Final = "local" + "host"


class Origins:
    """The rule, with what was listed.

    Args:
        hosts: names, besides IP addresses, this machine's own and those of the loopback, under which the server is called.
        origins: of other pages, as browsers write them (``https://example.com``), that may do what our own may.

    Raises:
        ValueError: one of the latter is none.
    """

    def __init__(self, hosts: Iterable[str] = (), origins: Iterable[str] = ()) -> None:
        own = socket.gethostname().lower().rstrip(".")
        self._hosts = {each.lower().rstrip(".") for each in hosts}
        self._hosts |= {own, own.partition(".")[0], own.partition(".")[0] + ".local"}
        self._origins = {_listed(each) for each in origins}

    def check(
        self, method: str, fields: Mapping[bytes, bytes], *, is_secure: bool, is_upgrade: bool = False
    ) -> None:
        """Let a request pass.

        Raises:
            Refused: it was called by a name that is not ours, or by a page that is not.
        """
        host = fields.get(b"host", b"").decode("latin-1")
        name = _AUTHORITY.fullmatch(host)
        if name is None or not self._is_ours(name[1]):
            raise Refused(
                421,
                f"This server is not called {host!r}: ask by its address, or have the name listed among its hosts.",
                is_fault=False,
            )
        if method in _HARMLESS and not is_upgrade:
            return
        origin = fields.get(b"origin")
        if origin is not None and not self._is_allowed(origin.decode("latin-1"), host, is_secure=is_secure):
            raise Refused(
                403,
                "A page of another origin asked for this: only this server's own pages may, or those of listed origins.",
                is_fault=False,
            )

    def _is_ours(self, name: str) -> bool:
        name = name.lower().rstrip(".")
        if name == _THIS_MACHINE or name.endswith(f".{_THIS_MACHINE}") or name in self._hosts:
            return True
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True

    def _is_allowed(self, origin: str, host: str, *, is_secure: bool) -> bool:
        found = _normal(origin)
        if found is None:
            return False  # "null" included: anybody's sandboxed frame says so
        # Behind a proxy that speaks TLS we see plain HTTP; the other way round nobody has a page of ours.
        schemes = ["https"] if is_secure else ["http", "https"]
        return found in self._origins or found in {_normal(f"{scheme}://{host}") for scheme in schemes}


def _listed(origin: str) -> str:
    normal = _normal(origin)
    if normal is None:
        raise ValueError(f"{origin!r} is no origin: one is written as in https://example.com")
    return normal


def _normal(origin: str) -> str | None:
    """Return an origin in the one way of writing it, or None when it is none."""
    scheme = _ORIGIN.fullmatch(origin)
    place = _AUTHORITY.fullmatch(scheme[2]) if scheme else None
    if scheme is None or place is None:
        return None
    kind = scheme[1].lower()
    return f"{kind}://{place[1].lower().rstrip('.')}:{place[2] or _PORTS[kind]}"
