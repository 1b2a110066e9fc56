"""A workflow of our SDK."""

from volant import Resources, task, workflow


@task(requests=Resources(cpu="50m", mem="100Mi"))
def greet(name: str) -> str:
    return f"Hello, {name}!"


@task(requests=Resources(cpu="50m", mem="100Mi"))
def length(text: str) -> int:
    return len(text)


@workflow
def greeting(name: str) -> int:
    return length(text=greet(name=name))
