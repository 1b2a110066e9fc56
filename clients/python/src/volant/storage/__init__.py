"""Where values that are too large for a literal live: reading and writing objects by their URI.

One module for each kind of store, and `router`, which picks one by the URI. Nothing here knows of types or tasks.
"""
