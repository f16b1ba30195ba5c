"""Files and folders over a session: ``sending`` reads and offers them, ``offers`` is what a program is given of that, ``receiving`` takes them in or
``relaying`` passes them on, ``staging`` is where they wait until they are whole, ``listing`` finds what a folder holds, ``quota`` says how much is
taken, and ``progress`` is what both ends are told.

Disks are slow and block: all work on them is done in one thread for each transfer, in its order, also after a cancellation.
"""
