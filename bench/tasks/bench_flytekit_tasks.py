"""What the benchmarks run, in stock flytekit."""

from flytekit import task


@task
def noop(x: int) -> int:
    return x
