"""Benchmarks: each figure beside its floor, in one run. Run with `make bench` or `python -m bench [ROW]…`."""
