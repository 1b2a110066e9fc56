"""The control plane: entities, executions and everything that is shown of them.

One folder per noun, each `rpc.py` (the wire: what to check and which operation to call) · `operations.py` (what the
noun means) · `store.py` and `queries.sql` (its tables). `service.py` makes one servicer of them. Not here: running
anything (the engine's), and any SQL for another service's schema.
"""
