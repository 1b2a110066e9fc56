"""Executions: what clients start, look at, list and end.

From a request to the row that an engine drives (inputs, merged settings), and from the row to what clients are shown.
Not here: nodes and tasks of executions (packages of their own), leases and engines (`dispatch`).
"""
