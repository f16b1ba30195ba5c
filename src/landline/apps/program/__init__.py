"""What programs say to each other, from the command line: what ``landline rpc``, ``landline publish`` and ``landline subscribe`` do.

One JSON object a line comes out, and goes in again: ``values`` has the words for what JSON has not, ``lines`` reads, ``opening`` has what
every command needs of a server. Everything goes through ``landline``'s public names.
"""
