"""Files from one machine to another: what ``landline receive`` and ``landline send`` do.

``ticket`` is the address with the secret in it that the one prints and the other is given, ``keeping`` keeps it so that a receiver which died
can be started again, ``receive`` and ``send`` are the two ends, ``bars`` shows how far they are. All of it stands on the library's public names.
"""
