"""Artifacts, their data, and the tags that find them: the rules, and the tables."""
