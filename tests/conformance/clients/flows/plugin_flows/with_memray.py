"""flytekitplugins-memray: a decorator that profiles and makes a deck."""

from flytekit import task, workflow
from flytekitplugins.memray import memray_profiling


@task(enable_deck=True)
@memray_profiling(memray_html_reporter="table")
def check(rows: int) -> str:
    return "right" if len([0] * rows) == rows else "wrong"


@workflow
def wf() -> str:
    return check(rows=1000)
