"""How fast landline is beside a bare event loop and beside its peers, in one run, as ratios: ``make bench``."""
