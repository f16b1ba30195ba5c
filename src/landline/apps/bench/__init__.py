"""What the library costs and saves, measured where it runs: what ``landline bench`` does.

``persistent`` has one exchange done in several ways, ``ways`` are those, ``own_server`` is the process that they talk with where no address is given, and
``picture`` is how the figures are shown. Everything goes through ``landline``'s public names.
"""
