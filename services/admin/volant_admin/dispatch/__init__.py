"""Which engine drives which execution, and what engines tell of them.

Leases, pushes to engines, reports. Not here: what a client may ask of an execution (`executions`), nor any decision
about what runs next (the engine's).
"""
