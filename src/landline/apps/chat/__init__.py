"""The chat: rooms that people join with a terminal, ``nc`` or a ten-line socket script.

``rooms`` is the state and its rules, ``server`` brings sessions and plain callers to it, ``wire`` is what clients and server say to each
other, ``client`` is a client without a screen and ``terminal`` its screen. All of it stands on the public library alone.
"""
