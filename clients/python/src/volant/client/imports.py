"""Which files of a project a file of code needs: found by reading it.

They are what it imports, inside of functions too, and the files that it names: a text "queries/users.sql" is taken for
one if there is such a file.
"""

from __future__ import annotations

import ast
import pathlib
from collections.abc import Iterable, Iterator

from volant import errors
from volant.client import packaging

_LONGEST_NAME = 200
_LARGEST_NAMED = 10_000_000
"""Bytes of a file that is uploaded because code names it; larger ones are data, and belong into a store."""
_BY_NAME = {"import_module", "__import__", "iter_modules", "walk_packages"}
_READ_BY_TASKS = (".ipynb", ".sh", ".sql")
"""The endings of files that code names for tasks to read: notebooks and scripts."""


class Project:
    """The code below a folder that is on the path."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root: pathlib.Path = root.resolve()
        self._direct: dict[pathlib.Path, frozenset[pathlib.Path]] = {}
        self._by_name: set[pathlib.Path] = set()

    def needed_by(self, files: Iterable[pathlib.Path]) -> set[pathlib.Path]:
        """Files below the root that code needs, itself included."""
        pending = [file for given in files if (file := given.resolve()).is_relative_to(self.root)]
        for file in list(pending):
            pending.extend(self._packages_of(file))
        found: set[pathlib.Path] = set()
        while pending:
            file = pending.pop()
            if file not in found:
                found.add(file)
                pending.extend(self._imported_by(file))
        return found

    def imports_by_name(self, files: Iterable[pathlib.Path]) -> bool:
        """Whether code imports modules whose names are made when it runs, so that reading it doesn't tell all."""
        return any(file in self._by_name for file in self.needed_by(files))

    def _imported_by(self, file: pathlib.Path) -> frozenset[pathlib.Path]:
        if file not in self._direct:
            self._direct[file] = frozenset(self._read(file)) if file.suffix == ".py" else frozenset()
        return self._direct[file]

    def _read(self, file: pathlib.Path) -> Iterator[pathlib.Path]:
        try:
            tree = ast.parse(file.read_bytes(), str(file))
        except SyntaxError as cause:
            raise errors.DefinitionError(f"{file}:{cause.lineno}: {cause.msg}") from cause
        package = file.relative_to(self.root).parent.parts
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield from self._files_of(tuple(alias.name.split(".")))
            elif isinstance(node, ast.ImportFrom):
                base = package[: len(package) - node.level + 1] if node.level else ()
                module = (*base, *(node.module or "").split(".")) if node.module else base
                yield from self._files_of(module)
                for alias in node.names:
                    yield from self._files_of((*module, alias.name))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield from self._named(file.parent, node.value)
            elif (isinstance(node, ast.Name) and node.id in _BY_NAME) or (
                isinstance(node, ast.Attribute) and node.attr in _BY_NAME
            ):
                self._by_name.add(file)
            elif isinstance(node, ast.Constant) and str(node.value).endswith(_READ_BY_TASKS):
                named = (file.parent / str(node.value)).resolve()
                if named.is_relative_to(self.root) and named.is_file():
                    yield named

    def _named(self, folder: pathlib.Path, text: str) -> Iterator[pathlib.Path]:
        if not 0 < len(text) < _LONGEST_NAME or "\n" in text or "." not in text:
            return
        for base in (folder, self.root):
            file = base / text
            try:
                found = file.resolve() if file.is_file() and file.stat().st_size < _LARGEST_NAMED else None
            except (OSError, ValueError):  # no text that a file could be named by
                return
            if found is not None and found.is_relative_to(self.root) and found.suffix != ".py":
                if not packaging.is_private(self.root, found):
                    yield found
                return

    def _files_of(self, name: tuple[str, ...]) -> Iterator[pathlib.Path]:
        """The files that importing a module runs, as far as they are below the root."""
        place = self.root.joinpath(*name)
        if not name or name == ("*",):
            return
        for file in (place / "__init__.py", place.with_name(f"{name[-1]}.py"), *place.parent.glob(f"{name[-1]}.*so")):
            if file.is_file():
                yield file
                yield from self._packages_of(file)
                return

    def _packages_of(self, file: pathlib.Path) -> Iterator[pathlib.Path]:
        folder = file.parent
        while folder.is_relative_to(self.root) and (folder / "__init__.py").is_file():
            yield folder / "__init__.py"
            folder = folder.parent
