"""The asyncio side of a session: drives ``protocol`` over ``transports``.

``driver`` joins one transport to one connection; ``bare`` is the session that outlives them, with waiting and waking; ``dial`` and
``reconnect`` are the client's end of it, ``accept``, ``admission``, ``auth`` and ``door`` the server's. ``caller`` is a line without a session.
"""
