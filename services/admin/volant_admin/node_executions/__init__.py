"""Node executions: what clients are shown of the nodes of an execution. What nodes do is told by engines."""
