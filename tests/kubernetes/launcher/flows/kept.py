"""What tasks read and write besides plain values, in stock flytekit."""

import os

import pandas as pd
from flytekit import Deck, Resources, current_context, task, workflow
from flytekit.types.directory import FlyteDirectory
from flytekit.types.file import FlyteFile

SMALL = {"requests": Resources(cpu="50m", mem="300Mi"), "limits": Resources(cpu="1", mem="400Mi")}


@task(enable_deck=True, **SMALL)
def write(size: int) -> tuple[FlyteFile, FlyteDirectory, pd.DataFrame]:
    context = current_context()
    Deck("mine", "<p>a deck</p>")
    with open("large", "wb") as file:
        file.write(b"x" * size)
    os.makedirs("tree/below")
    with open("tree/below/seven", "w") as file:
        file.write("7")
    context.checkpoint.write(b"as far as this")
    return FlyteFile("large"), FlyteDirectory("tree"), pd.DataFrame({"a": [1, 2]})


@task(**SMALL)
def read(large: FlyteFile, tree: FlyteDirectory, table: pd.DataFrame) -> int:
    with open(large) as file, open(os.path.join(tree, "below", "seven")) as seven:
        return len(file.read()) + int(seven.read()) + int(table["a"].sum())


@workflow
def kept(size: int) -> int:
    large, tree, table = write(size=size)
    return read(large=large, tree=tree, table=table)
