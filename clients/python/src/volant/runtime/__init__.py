"""What runs inside a task's process: the entry points, the loading of tasks, reading inputs and writing the outcome.

Admitted here: only what a task process needs. Everything is imported when the entry point is, nothing per task: the
platform forks each attempt from an interpreter that has it all.
"""
