"""For tests of workflows: replace tasks, run with replaced nodes, look at the graph.

Admitted here: what a test of a workflow needs. Nothing else in the SDK imports it.
"""

from volant.testing.replacing import GraphView, graph_of, patch, task_mock

__all__ = ["GraphView", "graph_of", "patch", "task_mock"]
