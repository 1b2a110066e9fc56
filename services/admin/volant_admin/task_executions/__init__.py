"""Task executions: what clients are shown of the attempts of tasks, elements of map tasks among them."""
