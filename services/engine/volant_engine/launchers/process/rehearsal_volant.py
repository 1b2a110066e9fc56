"""One run of our SDK's entry point in its zygote, on a task that does nothing. See rehearsal_flytekit.py."""
# ruff: noqa: PTH102, PTH109, PTH110, PTH123 (as in the zygote)
# mypy: disable-error-code="untyped-decorator,misc"

from __future__ import annotations

import gc
import importlib
import os
import shutil
import sys
import tempfile
from typing import Any

from volantidl.core import literals_pb2

# By name: in our tree services do not know the SDK; in this interpreter it is there.
volant: Any = importlib.import_module("volant")
entrypoint: Any = importlib.import_module("volant.runtime.entrypoint")


@volant.task
def nothing(number: int, text: str) -> int:  # noqa: ARG001 (both are read, which is what is rehearsed)
    """Do nothing, with the commonest types."""
    return number


class _Resolver:
    """Finds the one task."""

    def load_task(self, loader_args: Any) -> Any:  # noqa: ARG002 (the SDK's)
        """The task, whatever is asked for."""
        return nothing


resolver = _Resolver()


def rehearse(runs: int) -> None:
    """Run the entry point on the task, with a store of its own."""
    folder = tempfile.mkdtemp(prefix="volant-rehearsal-")
    before = list(sys.path), list(sys.argv), os.getcwd()
    store = {name: os.environ.get(name) for name in ("VOLANT_STORE_ROOT", "VOLANT_STORE_BUCKET")}
    try:
        os.environ.update(VOLANT_STORE_ROOT=folder, VOLANT_STORE_BUCKET="rehearsal")
        os.mkdir(f"{folder}/rehearsal")
        values = {
            "number": literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(integer=1))),
            "text": literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(string_value=""))),
        }
        with open(f"{folder}/rehearsal/inputs.pb", "wb") as file:
            file.write(literals_pb2.LiteralMap(literals=values).SerializeToString())
        os.chdir(folder)
        for number in range(runs):
            arguments = ["--inputs", "s3://rehearsal/inputs.pb", "--output-prefix", f"s3://rehearsal/{number}/out"]
            arguments += ["--raw-output-data-prefix", f"s3://rehearsal/{number}/raw"]
            arguments += ["--checkpoint-path", f"s3://rehearsal/{number}/raw/check", "--prev-checkpoint", '""']
            sys.argv = ["volant-execute", *arguments, "--resolver", f"{__name__}.resolver", "--", "nothing"]
            entrypoint.main()
        if not os.path.exists(f"{folder}/rehearsal/0~/out~/outputs.pb"):
            raise RuntimeError("the rehearsal gave no outputs")
    finally:
        for name, value in store.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        sys.path[:], sys.argv[:] = before[0], before[1]
        os.chdir(before[2])
        shutil.rmtree(folder, ignore_errors=True)


def again() -> None:
    """Touch it all once more: in a fork that waits for its task, so that the pages are copied before it comes."""
    rehearse(1)


# Byte code is specialised after it has run a few times.
rehearse(3)
gc.collect()
