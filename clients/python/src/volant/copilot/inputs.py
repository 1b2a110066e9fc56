"""Inputs as files: one for each variable, named after it, and one that tells of all.

Values that are simple are text; files and folders are copied; a list or a map is a folder with a file for each element.
"""

from __future__ import annotations

import json
import pathlib
from typing import Any

from google.protobuf import json_format

from volant import errors
from volant.copilot import texts
from volant.storage import router
from volantidl.core import literals_pb2, types_pb2

_MULTIPART = types_pb2.BlobType.BlobDimensionality.MULTIPART


class Placing:
    """Inputs on their way into a folder."""

    def __init__(self, folder: pathlib.Path, seen_as: str, *, copies: bool = True) -> None:
        """Keep where they go.

        Args:
            folder: where files are written.
            seen_as: what the program calls that folder.
            copies: whether files and folders are copied; else they stay where they are, and only the file that tells of
                all names them.
        """
        self._folder = folder
        self._seen_as = seen_as.rstrip("/")
        self._copies = copies

    def place(self, inputs: literals_pb2.LiteralMap, form: str) -> None:
        """Write all files; `form` is JSON, YAML or PROTO."""
        self._folder.mkdir(parents=True, exist_ok=True)
        values: dict[str, Any] = {}
        seen = literals_pb2.LiteralMap()
        for name in sorted(inputs.literals):
            texts.file_name(name, f"the input {name!r}")
            try:
                values[name] = self._literal(inputs.literals[name], name, seen.literals[name])
            except errors.VolantError as wrong:
                raise type(wrong)(f"the input {name!r}: {wrong}") from wrong
        (self._folder / "inputs.pb").write_bytes(seen.SerializeToString(deterministic=True))
        if form in {"JSON", "YAML"}:
            # What is JSON is YAML too.
            text = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
            (self._folder / f"inputs.{form.lower()}").write_text(text)

    def _literal(self, literal: literals_pb2.Literal, path: str, seen: literals_pb2.Literal) -> Any:
        """Write one; gives it as a value of JSON, and writes into `seen` what the program would see of it."""
        if literal.HasField("offloaded_metadata"):
            literal = literals_pb2.Literal.FromString(router.read(literal.offloaded_metadata.uri))
        kind = literal.WhichOneof("value")
        if kind == "scalar":
            seen.scalar.SetInParent()
            return self._scalar(literal.scalar, path, seen.scalar)
        if kind == "collection":
            seen.collection.SetInParent()
            (self._folder / path).mkdir(exist_ok=True)
            return [
                self._literal(item, f"{path}/{index}", seen.collection.literals.add())
                for index, item in enumerate(literal.collection.literals)
            ]
        if kind == "map":
            seen.map.SetInParent()
            (self._folder / path).mkdir(exist_ok=True)
            return {
                key: self._literal(item, f"{path}/{texts.file_name(key, f'the key {key!r}')}", seen.map.literals[key])
                for key, item in sorted(literal.map.literals.items())
            }
        raise errors.TypeMismatchError(f"a literal of the kind {kind!r} can't be a file")

    def _scalar(self, scalar: literals_pb2.Scalar, path: str, seen: literals_pb2.Scalar) -> Any:
        kind = scalar.WhichOneof("value")
        seen.CopyFrom(scalar)
        if kind == "primitive":
            self._write(path, texts.text_of(scalar.primitive).encode())
            return texts.plain(scalar.primitive)
        if kind in {"blob", "schema", "structured_dataset"}:
            stored = getattr(scalar, kind)
            if self._copies:
                is_folder = kind != "blob" or stored.metadata.type.dimensionality == _MULTIPART
                self._copy(stored.uri, path, is_folder=is_folder)
                getattr(seen, kind).uri = f"{self._seen_as}/{path}"
            return getattr(seen, kind).uri
        if kind == "generic":
            value = json_format.MessageToDict(scalar.generic)
            self._write(path, json.dumps(value, ensure_ascii=False).encode())
            return value
        if kind == "binary":
            self._write(path, scalar.binary.value)
            return texts.base64_of(scalar.binary.value)
        if kind == "error":
            self._write(path, scalar.error.message.encode())
            return scalar.error.message
        if kind == "union":
            return self._literal(scalar.union.value, path, seen.union.value)
        self._write(path, b"null")
        return None

    def _write(self, path: str, content: bytes) -> None:
        (self._folder / path).write_bytes(content)

    def _copy(self, uri: str, path: str, *, is_folder: bool) -> None:
        target = self._folder / path
        if is_folder:
            router.download_folder(uri, target)
        else:
            router.download(uri, target)
