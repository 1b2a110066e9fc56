"""What happens next in one execution: a pure, incremental state machine.

`machine.advance(run, event)` changes the run in memory and returns commands; nothing here waits, reads the time, draws
random numbers or speaks to anything. The cost of a transition is its node's out-degree, never the size of the graph.

Layers, top down: machine (events in, commands out) > flow (readiness, ends) > kinds (one for each kind of node) >
scopes, lifecycle (phases of a node, retries, halting) > bindings, conditions, records > state, graphs, events.
"""
