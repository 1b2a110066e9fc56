"""Which version of the platform answers."""
