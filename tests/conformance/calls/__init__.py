"""Single calls: what is asked is data (`groups/*.yaml`), what the real Flyte answered is kept (`../recordings/calls`).

`reading` reads the groups, `playing` plays them at an endpoint, `texts` says when two refusals tell the same, `__main__` is the command:

    cd tests/conformance
    python -m calls record ENDPOINT [--catalog ENDPOINT] [GROUP…]     at the real Flyte, into ../recordings/calls
    python -m calls compare ENDPOINT [GROUP…]                         at Volant, held against the recordings

Some hundred calls take seconds at either. Two calls are not asked of the real Flyte, for what they do to it: a workflow that
contains itself (its compiler recurses until the process dies) and attributes of an empty project (they are taken, and count for
every project).
"""
