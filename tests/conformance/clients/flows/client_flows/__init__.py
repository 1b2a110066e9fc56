"""Workflows for every flytekit from 1.10 on, on every Python from 3.8 on; what a release lacks is left out of it."""
