"""Files as outputs: each variable is the file or folder of its name, read by its type."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping

from volant import errors
from volant.copilot import texts
from volant.storage import router
from volantidl.core import literals_pb2, types_pb2

ERROR_FILE = "_ERROR"
"""A file that a program leaves to say that it failed, and why, though it ends with code 0."""
LONGEST_TEXT = 1 << 20
"""Bytes of the file of a simple value, and of an error's."""
_MULTIPART = types_pb2.BlobType.BlobDimensionality.MULTIPART
_EXCERPT = 80


class Collecting:
    """Outputs on their way out of a folder."""

    def __init__(self, folder: pathlib.Path, seen_as: str, raw_prefix: str, *, copies: bool = True) -> None:
        """Keep where they are.

        Args:
            folder: where the program's files are.
            seen_as: what the program calls that folder.
            raw_prefix: URI below which files and folders are stored.
            copies: whether files and folders are stored; else the file of such an output holds a URI.
        """
        self._folder = folder
        self._seen_as = seen_as.rstrip("/")
        self._raw_prefix = raw_prefix.rstrip("/")
        self._copies = copies

    def collect(self, kinds: Mapping[str, types_pb2.LiteralType]) -> literals_pb2.LiteralMap:
        """All outputs. TaskFailedError when some are missing or not of their type: it names all of them."""
        self._check_error_file()
        outputs = literals_pb2.LiteralMap()
        wrong = []
        for name in sorted(kinds):
            try:
                outputs.literals[name].CopyFrom(self._output(name, kinds[name]))
            except errors.TypeMismatchError as mismatch:
                wrong.append(str(mismatch))
        if wrong:
            raise errors.TaskFailedError("\n".join(wrong))
        return outputs

    def _check_error_file(self) -> None:
        file = self._folder / ERROR_FILE
        if not file.exists():
            return
        said = self._content(ERROR_FILE, file, "text").decode(errors="replace").strip()
        raise errors.TaskFailedError(f"User Error: {said}")

    def _output(self, name: str, kind: types_pb2.LiteralType) -> literals_pb2.Literal:
        which = kind.WhichOneof("type")
        texts.file_name(name, f"the output {name!r}")
        if which == "simple":
            return literals_pb2.Literal(scalar=self._simple(name, kind.simple))
        if which == "blob":
            return literals_pb2.Literal(scalar=literals_pb2.Scalar(blob=self._blob(name, kind.blob)))
        raise errors.TypeMismatchError(
            f"the output {name!r} is of a kind ({which}) that can't be read from files, as simple types, files and "
            "folders can"
        )

    def _simple(self, name: str, kind: types_pb2.SimpleType.ValueType) -> literals_pb2.Scalar:
        wanted = texts.NAMES.get(kind, types_pb2.SimpleType.Name(kind))
        content = self._content(name, self._find(name, wanted), wanted)
        try:
            return texts.scalar_of(content, kind)
        except (ValueError, OverflowError, ArithmeticError) as wrong:
            found = repr(content[:_EXCERPT].decode(errors="replace")) + ("…" if len(content) > _EXCERPT else "")
            raise errors.TypeMismatchError(
                f"the output {name!r}: {self._seen(name)} must hold {wanted}, and holds {found}"
            ) from wrong

    def _blob(self, name: str, kind: types_pb2.BlobType) -> literals_pb2.Blob:
        is_folder = kind.dimensionality == _MULTIPART
        wanted = "a folder" if is_folder else "a file"
        uri = f"{self._raw_prefix}/{name}"
        found = self._find(name, wanted)
        if not self._copies:
            uri = self._content(name, found, "the URI of what is stored").decode(errors="replace").strip()
        elif found.is_dir() != is_folder:
            other = "a file" if is_folder else "a folder"
            raise errors.TypeMismatchError(f"the output {name!r}: {self._seen(name)} must be {wanted}, and is {other}")
        else:
            self._store(name, found, uri)
        return literals_pb2.Blob(metadata=literals_pb2.BlobMetadata(type=kind), uri=uri)

    def _store(self, name: str, found: pathlib.Path, uri: str) -> None:
        for file in self._files(name, found):
            self._check_inside(name, file)
            if not file.is_file():
                raise errors.TypeMismatchError(f"the output {name!r}: {file.name} is neither a file nor a folder")
            target = uri if file == found else f"{uri}/{file.relative_to(found).as_posix()}"
            try:
                router.upload(file, target)
            except PermissionError as denied:
                raise self._unreadable(name, file) from denied

    def _files(self, name: str, found: pathlib.Path) -> list[pathlib.Path]:
        """All files of an output."""
        if not found.is_dir():
            return [found]
        files: list[pathlib.Path] = []

        def unreadable(failure: OSError) -> None:
            raise self._unreadable(name, pathlib.Path(failure.filename)) from failure

        for folder, below, names in os.walk(found, onerror=unreadable):
            links = [one for one in below if pathlib.Path(folder, one).is_symlink()]
            if links:
                raise errors.TypeMismatchError(
                    f"the output {name!r}: {links[0]} is a link to a folder, which would be left out; copy that folder"
                )
            files += [pathlib.Path(folder, one) for one in names]
        return sorted(files)

    def _find(self, name: str, wanted: str) -> pathlib.Path:
        """The file of that name, with or without an extension."""
        exact = self._folder / name
        if exact.exists():
            self._check_inside(name, exact)
            return exact
        try:
            there = sorted(one.name for one in self._folder.iterdir())
        except FileNotFoundError:
            there = []
        alike = [one for one in there if one.startswith(f"{name}.")]
        if len(alike) == 1:
            self._check_inside(name, self._folder / alike[0])
            return self._folder / alike[0]
        listed = ", ".join(alike or there) or "nothing"
        raise errors.TypeMismatchError(
            f"the output {name!r} is missing: the program ended without {self._seen(name)} ({wanted}); found there: "
            f"{listed}"
        )

    def _content(self, name: str, file: pathlib.Path, wanted: str) -> bytes:
        if file.is_dir():
            raise errors.TypeMismatchError(
                f"the output {name!r}: {self._seen(name)} must hold {wanted}, and is a folder"
            )
        size = file.stat().st_size
        if size > LONGEST_TEXT:
            raise errors.TypeMismatchError(
                f"the output {name!r}: {self._seen(name)} has {size} bytes, and a value of this type {LONGEST_TEXT} at "
                "most; what is larger has to be a file or a folder"
            )
        try:
            return file.read_bytes()
        except PermissionError as denied:
            raise self._unreadable(name, file) from denied

    def _check_inside(self, name: str, file: pathlib.Path) -> None:
        """No link may lead elsewhere: there is another machine's file, or none, where the copilot looks."""
        if file.is_symlink() and not file.resolve().is_relative_to(self._folder.resolve()):
            raise errors.TypeMismatchError(
                f"the output {name!r}: {file.name} is a link that leads out of {self._seen_as}; write a file"
            )

    def _unreadable(self, name: str, file: pathlib.Path) -> errors.TypeMismatchError:
        owner = file.stat().st_uid
        return errors.TypeMismatchError(
            f"the output {name!r}: {file.name} is of the user {owner} and can't be read by the user {os.getuid()}, as "
            "whom the copilot runs; make it readable for others"
        )

    def _seen(self, name: str) -> str:
        return f"{self._seen_as}/{name}"
