"""A notebook as a task. The notebook lies beside."""

import dataclasses

from volant import File, NotebookTask, task, workflow
from volant.types.frames import kwtypes


@dataclasses.dataclass
class Point:
    x: int
    y: float


summary = NotebookTask(
    name="summary",
    notebook_path="summary.ipynb",
    inputs=kwtypes(numbers=list[int], title=str, origin=Point, source=File),
    outputs=kwtypes(total=int, heading=str, moved=Point),
    render_deck=True,
    stream_logs=True,
)


@task
def length_of(page: File) -> int:
    with open(page) as stream:
        return len(stream.read())


@workflow
def summarized(numbers: list[int], source: File) -> tuple[int, str, Point, int]:
    made = summary(numbers=numbers, title="Sum", origin=Point(1, 2.5), source=source)
    return made.total, made.heading, made.moved, length_of(page=made.out_rendered_nb)
