"""Descriptions of versions of tasks and workflows: what registering them says about them."""
