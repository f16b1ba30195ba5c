"""The session protocol without I/O: bytes and time in, bytes and events out.

``frames`` and ``codec`` are what travels, ``handshake`` who greets whom, ``states`` the rules as tables, ``heartbeat`` and ``flow`` time
and credit, ``events`` what is reported. ``connection`` lives as long as one transport, ``session`` outlives many; ``resume`` judges who may
go on with one, ``host`` keeps those of a server, ``redial`` brings a client back to its own. Nothing here imports asyncio, sockets, clocks,
chance or the operating system.
"""
