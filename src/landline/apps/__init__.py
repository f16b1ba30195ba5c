"""Programs built on the public library, each a package that knows none of the others."""
