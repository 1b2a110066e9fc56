"""Workflows in stock flytekit. Each runs in a task's own process or pod: nothing here imports from the suite."""
