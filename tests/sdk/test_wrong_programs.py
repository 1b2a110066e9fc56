"""Wrong programs: each gives an error that names the file and line, what was expected, what came, and a way out.

The golden file is written anew with VOLANT_UPDATE_GOLDEN=1.
"""

import linecache
import os
import pathlib
import re

import pytest

from volant.errors import VolantError
from volant.serialization import settings, specs

FOLDER = pathlib.Path(__file__).parent / "wrong"
GOLDEN = FOLDER / "messages.txt"
PRELUDE = """import datetime, enum, typing
from dataclasses import dataclass
from volant import *
"""


def programs() -> dict[str, str]:
    parts = re.split(r"^=== (.+)$\n", (FOLDER / "programs.py.txt").read_text(), flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def register(entity: object) -> None:
    specs.specs_for(entity, settings.SerializationSettings(version="v"))  # type: ignore[arg-type]


def message_of(name: str, source: str) -> str:
    file = f"<{name}>"
    lines = source.splitlines(keepends=True)
    linecache.cache[file] = (len(source), None, lines, file)
    namespace = {"__name__": "wrong_program", "register": register}
    exec(PRELUDE, namespace)
    try:
        exec(compile(source, file, "exec"), namespace)
    except (VolantError, AttributeError) as error:
        return str(error)
    raise AssertionError(f"nothing was wrong with {name}")


def golden() -> dict[str, str]:
    parts = re.split(r"^=== (.+)$\n", GOLDEN.read_text(), flags=re.MULTILINE)[1:]
    return {key: text.strip() for key, text in zip(parts[::2], parts[1::2], strict=True)}


@pytest.mark.skipif("VOLANT_UPDATE_GOLDEN" not in os.environ, reason="writes the golden file")
def test_write_golden() -> None:
    GOLDEN.write_text("".join(f"=== {name}\n{message_of(name, source)}\n" for name, source in programs().items()))


@pytest.mark.parametrize("name", programs())
def test_message(name: str) -> None:
    assert message_of(name, programs()[name]) == golden()[name]


@pytest.mark.parametrize("name", programs())
def test_message_names_the_line(name: str) -> None:
    assert re.search(re.escape(f"<{name}>:") + r"\d+", golden()[name])


def test_there_are_enough() -> None:
    assert len(programs()) >= 100
