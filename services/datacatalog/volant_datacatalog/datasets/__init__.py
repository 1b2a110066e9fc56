"""Datasets: their rules, and their table."""
