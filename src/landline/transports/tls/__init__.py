"""TLS: any transport, encrypted, at both ends.

``records`` is OpenSSL in memory, ``transport`` puts it between a receiver and the transport that carries it, ``client`` dials and judges whom it
reached, and ``reasons`` says what went wrong in words. Certificates are the business of ``..certificates``.
"""

from .client import open_transport
from .transport import TlsTransport

__all__ = ["TlsTransport", "open_transport"]
