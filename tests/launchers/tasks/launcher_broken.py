"""Can't be imported."""

from flytekit import task


@task
def never() -> int:
    return 1


raise RuntimeError("this module is broken")
