"""Tasks: immutable versions of what one container, pod or query runs."""
