"""Flyte's events: what a Flyte engine, or anyone who plays one, tells of an execution.

Our engine reports by `dispatch`; events are turned into the same records and written by the same statement, under
Flyte's rules on which phase may follow which.
"""
