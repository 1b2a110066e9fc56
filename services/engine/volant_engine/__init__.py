"""The execution engine: drives executions that admin hands it, and runs their tasks through a launcher.

`decide` is pure; `reactor` makes its commands true; `launchers` run attempts. No database: what must last is reported
to admin, and large values go through the blob store.
"""
