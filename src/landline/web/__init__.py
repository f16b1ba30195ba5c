"""HTTP on the server's own port: small and strict, for a page, health, metrics, files, and the WebSocket handshake.

``door`` takes callers and lets them go; ``connection`` reads requests one after the other (``head``, ``body``), each of which ``exchange``
runs as an ASGI application (``response`` writes what it sends). ``origin`` says who may ask from where, ``routes`` what there is.
"""
