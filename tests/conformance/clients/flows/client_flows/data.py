"""Files, folders and tables, made by one task and read by another; and given by the client."""

import pathlib
import typing

import pandas
from flytekit import StructuredDataset, kwtypes, task, workflow
from flytekit.types.directory import FlyteDirectory
from flytekit.types.file import FlyteFile

try:
    from typing import Annotated
except ImportError:
    from typing_extensions import Annotated


@task
def write_file(text: str) -> FlyteFile:
    path = pathlib.Path("written.txt")
    path.write_text(text)
    return FlyteFile(str(path.absolute()))


@task
def read_file(file: FlyteFile) -> str:
    return pathlib.Path(file).read_text()


@workflow
def files(text: str) -> typing.Tuple[FlyteFile, str]:
    file = write_file(text=text)
    return file, read_file(file=file)


@workflow
def file_given(file: FlyteFile) -> str:
    return read_file(file=file)


@task
def write_folder(texts: typing.List[str]) -> FlyteDirectory:
    folder = pathlib.Path("folder")
    for number, text in enumerate(texts):
        (folder / str(number)).mkdir(parents=True)
        (folder / str(number) / "text").write_text(text)
    return FlyteDirectory(str(folder.absolute()))


@task
def read_folder(folder: FlyteDirectory) -> typing.List[str]:
    root = pathlib.Path(folder.download())
    return [path.read_text() for path in sorted(root.rglob("*")) if path.is_file()]


@workflow
def folders(texts: typing.List[str]) -> typing.Tuple[FlyteDirectory, typing.List[str]]:
    folder = write_folder(texts=texts)
    return folder, read_folder(folder=folder)


@workflow
def folder_given(folder: FlyteDirectory) -> typing.List[str]:
    return read_folder(folder=folder)


@task
def make_table(rows: int) -> pandas.DataFrame:
    return pandas.DataFrame({"n": list(range(rows)), "s": [str(n) for n in range(rows)]})


@task
def sum_table(table: pandas.DataFrame) -> int:
    return int(table["n"].sum())


@task
def narrow(
    table: Annotated[StructuredDataset, kwtypes(n=int)],
) -> Annotated[StructuredDataset, kwtypes(n=int)]:
    frame = table.open(pandas.DataFrame).all()
    return StructuredDataset(dataframe=frame[["n"]])


@workflow
def tables(rows: int) -> typing.Tuple[pandas.DataFrame, int, StructuredDataset]:
    table = make_table(rows=rows)
    return table, sum_table(table=table), narrow(table=table)


@workflow
def table_given(table: pandas.DataFrame) -> int:
    return sum_table(table=table)
