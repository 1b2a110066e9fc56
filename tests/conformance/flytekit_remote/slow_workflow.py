"""A workflow that really takes over a second."""

import time

from flytekit import task, workflow


@task
def say_hello_slowly() -> str:
    time.sleep(1.2)
    return "hello world"


@workflow
def my_wf() -> str:
    return say_hello_slowly()
