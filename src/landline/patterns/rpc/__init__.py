"""Calls and streams: methods that one end offers, and the other runs."""
