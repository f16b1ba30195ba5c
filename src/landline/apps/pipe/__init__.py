"""Standard input and output over a session: what ``landline listen`` and ``landline connect`` do.

``apps.standard`` reads and writes the two ends of the pipe, ``line`` is what carries them (a session, or a bare socket), ``pump`` moves bytes
between the two until both directions have ended, ``listen`` and ``connect`` bring the two sides together. Every byte goes through
``landline``'s public names; nothing here knows frames.
"""
