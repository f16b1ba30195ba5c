"""The simulator: the real protocol code under every fault that we can think of, in one thread and from one seed.

``line`` is a process and its sockets; ``ends``, ``client`` and ``host`` do what the asyncio shell does, call by call; ``schedule`` is what
a seed means, ``faults`` what can go wrong, ``talk`` and ``checks`` what must be true; ``world`` plays, ``run`` runs and shrinks;
``safeguards`` and ``ablations`` prove that it can fail. The command is ``python -m landline.testing.simulation``.
"""
