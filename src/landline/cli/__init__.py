"""The ``landline`` program: finds the settings, runs an app, and turns what went wrong into a sentence and an exit code.

Data goes to stdout, talk to stderr. Nothing here knows sockets or sessions; the apps do the work.
"""
