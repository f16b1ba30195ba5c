"""The simulator: the real protocol code under every fault that we can think of, in one thread and from one seed.

``run(seed)`` plays one world and returns what happened, or raises ``Failure`` with a shrunk schedule. ``line`` is a process and its
sockets, ``ends`` and ``host`` do what the asyncio shell does, ``schedule`` is what a seed means, ``faults`` what can go wrong, ``talk``
and ``checks`` what must be true; ``ablations`` prove that it can fail. The command is ``python -m landline.testing.simulation``.
"""
