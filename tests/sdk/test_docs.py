"""The programs of docs/sdk.md run."""

import linecache
import pathlib
import re

import pytest

PAGE = pathlib.Path(__file__).parent.parent.parent / "docs" / "sdk.md"
PROGRAMS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_program(number):
    source, file = PROGRAMS[number], f"<docs/sdk.md {number}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    exec(compile(source, file, "exec"), {"__name__": "docs_program"})


def test_there_are_some():
    assert len(PROGRAMS) >= 3
