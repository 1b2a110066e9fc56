"""A workflow of our SDK."""

from volant import Resources, task, workflow

ASKS, MOST = Resources(cpu="50m", mem="100Mi"), Resources(cpu="1", mem="300Mi")


@task(requests=ASKS, limits=MOST)
def greet(name: str) -> str:
    return f"Hello, {name}!"


@task(requests=ASKS, limits=MOST)
def length(text: str) -> int:
    return len(text)


@workflow
def greeting(name: str) -> int:
    return length(text=greet(name=name))
