"""How fast durable publishes are acknowledged, beside what the disk can do, and how fast a topic reaches many: part of ``make bench``."""
