"""SQL in .sql files beside its store.

A file holds statements, each under a header of a name and a line of purpose:

    -- get_task
    -- One task by its identifier.
    SELECT … WHERE project = $1;
"""

import functools
import importlib.resources
import re
from collections.abc import Mapping

_HEADER = re.compile(r"^-- ([a-z][a-z0-9_]*)\n-- \S.*\n", re.MULTILINE)
_ENDED = re.compile(r";\s*$", re.MULTILINE)


@functools.cache
def load_queries(package: str, file: str = "queries.sql") -> Mapping[str, str]:
    """The statements of a package's .sql file by name. Raises ValueError for a name given twice or text outside."""
    text = (importlib.resources.files(package) / file).read_text()
    headers = list(_HEADER.finditer(text))
    if not headers or text[: headers[0].start()].strip():
        raise ValueError(f"{package}/{file}: text before the first statement's header")
    queries: dict[str, str] = {}
    for header, after in zip(headers, [*headers[1:], None], strict=True):
        name = header[1]
        if name in queries:
            raise ValueError(f"{package}/{file}: {name} stands twice")
        statement = text[header.end() : after.start() if after else None].strip().removesuffix(";")
        if not statement or _ENDED.search(statement):
            raise ValueError(f"{package}/{file}: {name} is not one statement")
        queries[name] = statement
    return queries
