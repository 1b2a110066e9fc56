"""The nouns that every service shares: names and identifiers, phases, the storage layout, helpers on literals.

What may live here: pure functions and constants on the contract's own types. What may not: anything that waits, reads
the time, draws random numbers or knows one service only.
"""
