"""What one more of something costs when there are many already: sessions, topics, subscriptions, history.

``server`` is the process that grows, ``yardstick`` measures it, ``axes`` say what grows and what is done at each size, ``report`` writes it down.
"""
