"""The chat's server: ``house`` and what it is made of (``people``, ``names``, ``rooms``, ``calls``) are the state and its rules, without
asyncio; ``chat`` runs it over the stored ``history``, and ``member``, ``guest`` and ``operator`` bring people to it: through a session, as
plain text, at the server's own terminal. ``serve`` is the program.
"""
