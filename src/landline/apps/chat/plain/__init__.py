"""Plain text, both ways: ``conversation`` is the talk with one caller who has no program of ours (nc, telnet, a ten-line script), and
``caller`` runs it on a line; ``classic`` is the rule for calling a ten-line server, and ``call`` the program that does it.
"""
