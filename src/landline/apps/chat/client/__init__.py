"""The chat's client: ``model`` knows names, rooms, calls and what became of every own line, and no screen or clock; ``link`` keeps it
connected; ``prompt_screen`` and ``line_screen`` show it, in the words of ``show``. ``terminal`` is the program.
"""
