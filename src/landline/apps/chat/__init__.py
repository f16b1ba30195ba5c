"""The chat: rooms that people join with a terminal, ``nc`` or a ten-line socket script.

``server`` is the chat itself, ``client`` the terminal client, ``plain`` the talk with those who have no program of ours. ``wire`` is what
client and server say to each other, ``commands`` what people type, ``text`` what may be shown, ``limits`` how much of everything. All of
it stands on the public library alone.
"""
