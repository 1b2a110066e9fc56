"""What a task's command line asks for. Pure: words in, a plan out."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

_HERE = pathlib.Path(__file__).parent


@dataclasses.dataclass(frozen=True, slots=True)
class Kit:
    """An SDK whose entry points can be run by fork: what its zygote loads beforehand."""

    preload: tuple[str, ...]
    """Modules beyond the entry point's own."""
    files: Mapping[str, str]
    """Our own files that are loaded into it: module name -> path."""


KITS = {
    "flytekit": Kit(
        preload=(
            "flytekit",
            "flytekit.core.array_node_map_task",
            "flytekit.core.python_auto_container",
            "s3fs",
        ),
        files={"volant_folder_s3": str(_HERE / "folder_s3.py")},
    ),
    "volant": Kit(preload=("volant", "volant.runtime"), files={}),
}

_SCRIPTS = {
    "pyflyte-execute": "flytekit",
    "pyflyte-fast-execute": "flytekit",
    "pyflyte-map-execute": "flytekit",
    "volant-execute": "volant",
    "volant-fast-execute": "volant",
}


def kit_of(script: str) -> str | None:
    """The SDK that a console script belongs to; None for any other command."""
    return _SCRIPTS.get(script)
