"""Workflows: immutable versions of graphs, compiled when they are registered."""
