"""What a notebook that runs as a task uses: what it was given, and what it gives back.

`record_outputs` is for the notebook's author; the rest is written by `NotebookTask` into the cell that it adds.
"""

from __future__ import annotations

import json
import pathlib
import pickle
import sys
from typing import Any

from volant.types import pickled

_INPUTS = "inputs"
_OUTPUTS = "outputs"
_PATH = "path.json"
_folder: pathlib.Path | None = None


def record_outputs(**values: Any) -> dict[str, Any]:
    """Give the task's outputs, by name; later ones replace earlier ones. In a notebook run by hand, nothing happens.

    Returns:
        The values, so that the notebook shows them.
    """
    if _folder is not None:
        for name, value in values.items():
            (_folder / _OUTPUTS / name).write_bytes(pickled.dumps(value))
    return values


def begin(folder: str) -> None:
    """Take part in a run of the notebook as a task; what can be imported there can be imported here."""
    global _folder  # noqa: PLW0603 - one for each kernel
    _folder = pathlib.Path(folder)
    sys.path.extend(part for part in json.loads((_folder / _PATH).read_text()) if part not in sys.path)


def load(name: str) -> Any:
    """An input."""
    assert _folder is not None
    return pickle.loads((_folder / _INPUTS / name).read_bytes())  # noqa: S301 - written by the task itself


def prepare(folder: pathlib.Path, inputs: dict[str, Any]) -> None:
    """Write what `begin` and `load` read."""
    for name in (_INPUTS, _OUTPUTS):
        (folder / name).mkdir(parents=True)
    (folder / _PATH).write_text(json.dumps(sys.path))
    for name, value in inputs.items():
        (folder / _INPUTS / name).write_bytes(pickled.dumps(value))


def recorded(folder: pathlib.Path) -> dict[str, Any]:
    """What the notebook has recorded."""
    return {path.name: pickle.loads(path.read_bytes()) for path in sorted((folder / _OUTPUTS).iterdir())}  # noqa: S301
