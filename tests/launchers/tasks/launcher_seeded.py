"""Seeds its generators when it is imported, and so wants the same numbers in each process."""
# ruff: noqa: NPY002, UP006

import random
import typing

import numpy
from flytekit import task

random.seed(7)
numpy.random.seed(7)


@task
def draw() -> typing.List[float]:
    return [random.random(), float(numpy.random.rand())]
