"""One run of flytekit's entry point in its zygote, on a task of our own that does nothing.

Loaded by file into the zygote, after the folder file system. What a first run makes (specialised byte code, caches,
lazy imports) is then made once and shared by all forks, instead of by each of them again. The thread that the run
starts is ended; the zygote checks that nothing else was left behind, and is replaced by one without rehearsal
otherwise.
"""
# ruff: noqa: PTH102, PTH109, PTH110, PTH123, SLF001 (as in the zygote; flytekit offers no end for its thread)
# mypy: disable-error-code="misc,no-any-return,untyped-decorator,import-not-found"

from __future__ import annotations

import contextlib
import gc
import io
import os
import shutil
import sys
import tempfile
from typing import Any

import flytekit
import volant_folder_files as files
import volant_fork
from flyteidl.core import literals_pb2
from flytekit.bin import entrypoint
from flytekit.core.context_manager import FlyteEntities
from flytekit.interfaces.stats import client
from flytekit.utils import asyn


@flytekit.task
def nothing(number: int, text: str) -> int:  # noqa: ARG001 (both are read, which is what is rehearsed)
    """Do nothing, with the commonest types."""
    return number


class _Resolver:
    """Finds the one task."""

    def load_task(self, loader_args: list[str]) -> Any:  # noqa: ARG002 (flytekit's)
        """The task, whatever is asked for."""
        return nothing


resolver = _Resolver()


def rehearse(runs: int) -> None:
    """Run the entry point on the task, with a store of its own."""
    folder = tempfile.mkdtemp(prefix="volant-rehearsal-")
    root, bucket, temporary = files.ROOT, files.BUCKET, tempfile.tempdir
    statistics = dict(vars(client))
    before = list(sys.path), list(sys.argv), os.getcwd(), list(FlyteEntities.entities)
    try:
        tempfile.tempdir = folder
        volant_fork.forked(folder)  # as it will be done again, for the attempt
        files.ROOT, files.BUCKET = folder, "rehearsal"
        os.mkdir(f"{folder}/rehearsal")
        values = {
            "number": literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(integer=1))),
            "text": literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(string_value=""))),
        }
        with open(f"{folder}/rehearsal/inputs.pb", "wb") as file:
            file.write(literals_pb2.LiteralMap(literals=values).SerializeToString())
        os.chdir(folder)
        for number in range(runs):
            _run(number)
        if not os.path.exists(f"{folder}/rehearsal/0~/out~/outputs.pb"):
            raise RuntimeError("the rehearsal gave no outputs")
    finally:
        files.ROOT, files.BUCKET, tempfile.tempdir = root, bucket, temporary
        sys.path[:], sys.argv[:] = before[0], before[1]
        os.chdir(before[2])
        FlyteEntities.entities[:] = before[3]
        vars(client).update(statistics)  # it keeps a socket
        shutil.rmtree(folder, ignore_errors=True)


def _run(number: int) -> None:
    arguments = ["--inputs", "s3://rehearsal/inputs.pb", "--output-prefix", f"s3://rehearsal/{number}/out"]
    arguments += ["--raw-output-data-prefix", f"s3://rehearsal/{number}/raw"]
    arguments += ["--checkpoint-path", f"s3://rehearsal/{number}/raw/check", "--prev-checkpoint", '""']
    arguments += ["--resolver", f"{__name__}.resolver", "--", "nothing"]
    sys.argv = ["pyflyte-execute", *arguments]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        entrypoint.execute_task_cmd()


def again() -> None:
    """Touch it all once more: in a fork that waits for its task, so that the pages are copied before it comes.

    The thread stays: it is this process's own, and the task will use it.
    """
    rehearse(1)
    gc.collect()  # all that is older is frozen, so this is quick


def _end_threads() -> None:
    for runner in asyn.loop_manager._runner_map.values():
        loop = runner._TaskRunner__loop
        loop.call_soon_threadsafe(loop.stop)
        runner._TaskRunner__runner_thread.join(5)
    asyn.loop_manager._runner_map.clear()


# Byte code is specialised after it has run a few times.
rehearse(3)
_end_threads()
gc.collect()  # contexts hold sockets and know each other
