"""The session protocol without I/O: bytes and time in, bytes and events out.

``frames`` and ``codec`` are what travels, ``handshake`` who greets whom, ``states`` the rules as tables, ``heartbeat`` and ``flow`` time
and credit, ``resume`` who may go on where, ``events`` what is reported; ``connection`` lives as long as one transport, ``session`` outlives many, and ``host`` keeps
those of a server. Nothing here imports asyncio, sockets, clocks, chance or the operating system.
"""
