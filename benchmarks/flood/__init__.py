"""A server under floods: is its memory bounded by what it receives, and do honest clients get in meanwhile? ``make flood``."""
