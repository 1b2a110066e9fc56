"""What a check raises for what a release does not have."""


class Absent(Exception):
    """This release of flytekit has no such thing."""
