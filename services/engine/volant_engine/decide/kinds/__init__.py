"""One module for each kind of node: what starting, stopping and hearing of it means. None knows `flow`.

`attempts` and `dynamics` are parts of task nodes.
"""
