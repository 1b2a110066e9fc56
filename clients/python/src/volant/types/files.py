"""Files and directories as values: passed by reference, downloaded when opened."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import pathlib
import typing
from collections.abc import Iterator
from typing import IO, Any, ClassVar

from volant import context, errors
from volant.storage import local, port, router
from volant.types import annotated, blobs, engine, plain, schema, transformer
from volantidl.core import literals_pb2, types_pb2

_NAMES = "volant.files"
"""The key in a directory literal's metadata under which the names in it stand."""
_NAMES_AT_MOST = 200
_formats: dict[tuple[type, str], type] = {}


class _Reference:
    """What files and directories have in common."""

    blob_format: ClassVar[str] = ""

    def __init__(self, path: str | os.PathLike[str], remote_path: str | os.PathLike[str] | bool | None = None) -> None:
        self.path: str = os.fspath(path)
        """Where it is, as it was given or came in."""
        self._remote_path = remote_path
        self._hash = ""
        self._local: pathlib.Path | None = None
        # A client reaches the platform's store otherwise than a task does: what opens it later goes the same way.
        self._store: port.Store | None = router.store_for(self.path) if router.is_remote(self.path) else None

    def __class_getitem__(cls, item: Any) -> Any:
        """`File["csv"]`: the format is part of the type."""
        text = str(typing.get_args(item)[0] if typing.get_args(item) else item).strip().lstrip("~").lstrip(".")
        if not text:
            return cls
        key = (cls, text)
        if key not in _formats:
            _formats[key] = type(cls.__name__, (cls,), {"blob_format": text, "__module__": cls.__module__})
        return _formats[key]

    @classmethod
    def extension(cls) -> str:
        """The format that the type names; empty for any."""
        return cls.blob_format

    @property
    def remote_source(self) -> str | None:
        """The URI, if it isn't a local path."""
        return self.path if router.is_remote(self.path) else None

    @property
    def remote_path(self) -> str | os.PathLike[str] | bool | None:
        """Where it is to be uploaded; False: nowhere."""
        return self._remote_path

    @property
    def downloaded(self) -> bool:
        """Whether a local copy was made."""
        return self._local is not None

    def __fspath__(self) -> str:
        return self.download()

    def download(self) -> str:
        """The local path, after downloading where needed."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path!r})"

    def __str__(self) -> str:
        return self.path

    def __eq__(self, other: object) -> bool:
        if isinstance(other, _Reference):
            return self.path == other.path and self.extension() == other.extension()
        return self.path == other

    def __hash__(self) -> int:
        return hash(self.path)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_store": None}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """How pydantic reads and writes it inside a model."""
        from pydantic_core import core_schema  # noqa: PLC0415 - called by pydantic only

        return core_schema.no_info_plain_validator_function(
            lambda data: plain.from_plain(data, cls),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda value: plain.to_plain(value, cls)),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: Any) -> Any:
        """Its schema inside a model's."""
        return schema.of(cls)


class File(_Reference):
    """A file: `File("/tmp/report.csv")` as an output is uploaded; as an input it's downloaded when opened.

    Args:
        path: A local path or a URI.
        remote_path: Where to upload it; False: leave it where it is.
        metadata: Kept with the reference.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        remote_path: str | os.PathLike[str] | bool | None = None,
        metadata: dict[str, str] | None = None,
    ) -> None:
        super().__init__(path, remote_path)
        self.metadata = metadata

    @classmethod
    def new(cls, filename: str | os.PathLike[str]) -> typing.Self:
        """A file of this name in the task's working directory, still to be written."""
        if pathlib.Path(filename).is_absolute():
            raise errors.DefinitionError(f"File.new({filename!r}): give a relative name")
        target = pathlib.Path(context.current_context().working_directory, filename)
        target.parent.mkdir(parents=True, exist_ok=True)
        return cls(target)

    @classmethod
    def new_remote_file(cls, name: str | None = None) -> typing.Self:
        """A file in the platform's store, to be written by `open("wb")`."""
        return cls(context.current_context().new_uri(name or ""))

    @classmethod
    def from_source(cls, source: str | os.PathLike[str]) -> typing.Self:
        """A file that exists somewhere."""
        return cls(source)

    def download(self) -> str:
        """The local path, after downloading where needed."""
        if self._local is None:
            if router.is_remote(self.path):
                target = context.current_context().local_path(self.path.rstrip("/").rpartition("/")[2])
                (self._store or router.store_for(self.path)).download(self.path, target)
                self._local = target
            else:
                self._local = local.path_of(self.path)
        return str(self._local)

    @contextlib.contextmanager
    def open(self, mode: str = "r", **_: Any) -> Iterator[IO[Any]]:
        """Open it, wherever it is; what is written to a remote file is uploaded at the end of the `with` block."""
        if not router.is_remote(self.path) or "r" in mode:
            with open(self.download(), mode) as stream:  # noqa: PTH123 - a path object would be made for nothing
                yield stream
            return
        buffer = io.BytesIO()
        if "b" in mode:
            yield buffer
        else:
            text = io.TextIOWrapper(buffer, encoding="utf-8")
            yield text
            text.flush()
        (self._store or router.store_for(self.path)).write(self.path, buffer.getvalue())


class Directory(_Reference):
    """A directory: uploaded with all that is in it; as an input it's downloaded when used as a path.

    Args:
        path: A local path or the URI of a prefix.
        remote_directory: Where to upload it; False: leave it where it is.
    """

    def __init__(
        self, path: str | os.PathLike[str], remote_directory: str | os.PathLike[str] | bool | None = None
    ) -> None:
        super().__init__(path, remote_directory)
        self._names: list[str] | None = None

    @property
    def remote_directory(self) -> str | os.PathLike[str] | bool | None:
        """Where it is to be uploaded; False: nowhere."""
        return self._remote_path

    @classmethod
    def new(cls, dirname: str | os.PathLike[str]) -> typing.Self:
        """An empty directory of this name in the task's working directory."""
        if pathlib.Path(dirname).is_absolute():
            raise errors.DefinitionError(f"Directory.new({dirname!r}): give a relative name")
        target = pathlib.Path(context.current_context().working_directory, dirname)
        target.mkdir(parents=True)
        return cls(target)

    @classmethod
    def new_remote(cls, stem: str | None = None) -> typing.Self:
        """A prefix in the platform's store, to be filled by `new_file`."""
        return cls(context.current_context().new_uri(stem or ""))

    def new_file(self, name: str) -> File:
        """A file in this directory, still to be written."""
        return File(f"{self.path.rstrip('/')}/{name}")

    def listdir(self) -> list[str]:
        """The files in it, with the paths below it."""
        if self._names is not None:
            return sorted(self._names)
        store = self._store or router.store_for(self.path)
        return sorted(name for name in store.walk(self.path) if name and not name.endswith("/"))

    def download(self) -> str:
        """The local path, after downloading where needed."""
        if self._local is None:
            if router.is_remote(self.path):
                target = context.current_context().local_path(self.path.rstrip("/").rpartition("/")[2])
                target.mkdir(parents=True, exist_ok=True)
                store = self._store or router.store_for(self.path)
                for name in self.listdir():
                    (target / name).parent.mkdir(parents=True, exist_ok=True)
                    store.download(f"{self.path.rstrip('/')}/{name}", target / name)
                self._local = target
            else:
                self._local = local.path_of(self.path)
        return str(self._local)

    def __truediv__(self, other: str | os.PathLike[str]) -> pathlib.Path:
        return pathlib.Path(self.download()) / other


class _ReferenceTransformer(transformer.Transformer):
    """Files and directories."""

    python_class: type[_Reference]
    dimensionality: types_pb2.BlobType.BlobDimensionality.ValueType

    def _class_of(self, python_type: Any) -> type[_Reference]:
        base = annotated.bare(python_type)
        return base if isinstance(base, type) and issubclass(base, _Reference) else self.python_class

    def literal_type(self, python_type: Any) -> types_pb2.LiteralType:
        """A blob of the type's format."""
        return blobs.blob_type(self._class_of(python_type).extension(), self.dimensionality)

    def accept(self, value: Any, python_type: Any) -> Any:
        """A reference; also from a path."""
        wanted = self._class_of(python_type)
        if isinstance(value, self.python_class):
            return value
        if isinstance(value, (str, os.PathLike)):
            return wanted(value)
        raise transformer.mismatch(python_type, value, "Give a path or a URI")

    def to_literal(
        self,
        value: Any,
        python_type: Any,
        expected: types_pb2.LiteralType,  # noqa: ARG002
    ) -> literals_pb2.Literal:
        """A reference, after uploading where it's local and this runs as a task."""
        one = self.accept(value, python_type)
        uri, hashed = self.place(one, python_type)
        result = blobs.blob_literal(uri, self._class_of(python_type).extension(), hashed, self.dimensionality)
        for key, text in self.metadata_of(one).items():
            result.metadata[key] = text
        return result

    def metadata_of(self, one: Any) -> dict[str, str]:
        """What travels beside the reference."""
        raise NotImplementedError

    def place(self, one: _Reference, python_type: Any) -> tuple[str, str]:
        """The URI of a reference, uploaded where needed, and its content hash."""
        if router.is_remote(one.path):
            return one.path, one._hash  # noqa: SLF001 - these are the class's own
        source = local.path_of(one.path)
        self.check(source, python_type)
        hashed = self.hash_of(source)
        current = context.current_context()
        wanted = one.remote_path
        if wanted is False or (wanted is None and not current.raw_output_prefix and not current.uploads):
            return one.path, hashed
        uri = str(wanted) if isinstance(wanted, (str, os.PathLike)) else current.new_uri(source.name)
        self.send(source, uri)
        return uri, hashed

    def check(self, source: pathlib.Path, python_type: Any) -> None:
        """Refuse what isn't there."""
        raise NotImplementedError

    def hash_of(self, source: pathlib.Path) -> str:
        """The hash of the content."""
        raise NotImplementedError

    def send(self, source: pathlib.Path, uri: str) -> None:
        """Upload."""
        raise NotImplementedError

    def to_python(self, literal: literals_pb2.Literal, python_type: Any) -> Any:
        """A reference."""
        wanted = self._class_of(python_type)
        if literal.scalar.WhichOneof("value") in {"binary", "generic"}:
            return plain.from_plain(plain.payload(literal), wanted)
        uri = blobs.uri_of(literal, python_type)
        if literal.scalar.blob.metadata.type.dimensionality != self.dimensionality:
            raise errors.TypeMismatchError(
                f"expected {transformer.describe(python_type)}, found a blob of the other kind: {uri}"
            )
        found = wanted(uri)
        found._hash = literal.hash  # noqa: SLF001 - these are the class's own
        self.take_metadata(found, dict(literal.metadata))
        return found

    def take_metadata(self, found: Any, metadata: dict[str, str]) -> None:
        """Keep what travelled beside the reference."""
        raise NotImplementedError

    def guess(self, literal_type: types_pb2.LiteralType) -> Any:
        """A reference of the format."""
        if literal_type.WhichOneof("type") != "blob" or literal_type.blob.dimensionality != self.dimensionality:
            return None
        return self.python_class[literal_type.blob.format]  # type: ignore[index]


class FileTransformer(_ReferenceTransformer):
    """Files."""

    name = "FlyteFilePath"
    python_class: type[Any] = File
    dimensionality: types_pb2.BlobType.BlobDimensionality.ValueType = blobs.SINGLE

    def check(self, source: pathlib.Path, python_type: Any) -> None:
        """It must be a file."""
        if not source.is_file():
            what = "a directory" if source.is_dir() else "no file there"
            raise errors.TypeMismatchError(
                f"expected {transformer.describe(python_type)}, found {what}: {source}. Give the path "
                f"of a file that is there"
            )

    def hash_of(self, source: pathlib.Path) -> str:
        """The hash of its bytes."""
        with source.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def send(self, source: pathlib.Path, uri: str) -> None:
        """Upload it."""
        router.upload(source, uri)

    def metadata_of(self, one: Any) -> dict[str, str]:
        """The user's own."""
        return dict(one.metadata or {})

    def take_metadata(self, found: Any, metadata: dict[str, str]) -> None:
        """The user's own."""
        found.metadata = metadata or None


class DirectoryTransformer(_ReferenceTransformer):
    """Directories."""

    name = "FlyteDirectory"
    python_class: type[Any] = Directory
    dimensionality: types_pb2.BlobType.BlobDimensionality.ValueType = blobs.MULTIPART

    def check(self, source: pathlib.Path, python_type: Any) -> None:
        """It must be a directory."""
        if not source.is_dir():
            what = "a file" if source.is_file() else "nothing there"
            raise errors.TypeMismatchError(f"expected {transformer.describe(python_type)}, found {what}: {source}")

    def hash_of(self, source: pathlib.Path) -> str:
        """The hash of all names and contents."""
        digest = hashlib.sha256()
        for relative in sorted(router.walk(str(source))):
            with (source / relative).open("rb") as stream:
                digest.update(relative.encode() + b"\0" + hashlib.file_digest(stream, "sha256").digest())
        return digest.hexdigest()

    def send(self, source: pathlib.Path, uri: str) -> None:
        """Upload all that is in it."""
        router.upload_folder(source, uri)

    def metadata_of(self, one: Any) -> dict[str, str]:
        """The names in it, if they are few: clients that may not list the store can download it by them."""
        if not router.is_remote(one.path):
            one._names = list(router.walk(str(local.path_of(one.path))))  # noqa: SLF001 - the class is this module's
        if one._names is None or len(one._names) > _NAMES_AT_MOST:  # noqa: SLF001
            return {}
        return {_NAMES: json.dumps(sorted(one._names))}  # noqa: SLF001

    def take_metadata(self, found: Any, metadata: dict[str, str]) -> None:
        """The names in it, if they are known."""
        if _NAMES in metadata and router.is_remote(found.path):
            found._names = json.loads(metadata[_NAMES])  # noqa: SLF001


_FILES = FileTransformer()
_DIRECTORIES = DirectoryTransformer()


def _file_to_plain(value: Any, python_type: Any) -> Any:
    one = _FILES.accept(value, python_type)
    found = {"path": _FILES.place(one, python_type)[0]}
    return {**found, "metadata": one.metadata} if one.metadata else found


def _file_from_plain(data: Any, python_type: Any) -> Any:
    if isinstance(data, (str, os.PathLike, File)):
        return _FILES.accept(data, python_type)
    if not isinstance(data, dict) or not data.get("path"):
        raise transformer.mismatch(python_type, data)
    found = python_type(data["path"])
    found.metadata = data.get("metadata")
    return found


def _directory_to_plain(value: Any, python_type: Any) -> Any:
    return {"path": _DIRECTORIES.place(_DIRECTORIES.accept(value, python_type), python_type)[0]}


def _directory_from_plain(data: Any, python_type: Any) -> Any:
    if isinstance(data, (str, os.PathLike, Directory)):
        return _DIRECTORIES.accept(data, python_type)
    if not isinstance(data, dict) or not data.get("path"):
        raise transformer.mismatch(python_type, data)
    return python_type(data["path"])


def _schema(title: str, *, metadata: bool) -> schema.Schema:
    path = {"anyOf": [{"type": "string"}, {"format": "path", "type": "string"}], "default": None}
    properties: schema.Schema = {"path": path}
    if metadata:
        texts = {"additionalProperties": {"type": "string"}, "propertyNames": {"type": "string"}, "type": "object"}
        properties["metadata"] = {"anyOf": [texts, {"type": "null"}], "default": None}
    return {"type": "object", "title": title, "properties": properties, "additionalProperties": False}


engine.register(_FILES, File, os.PathLike)
engine.register(_DIRECTORIES, Directory)
plain.register(File, _file_to_plain, _file_from_plain)
plain.register(Directory, _directory_to_plain, _directory_from_plain)
schema.register(File, lambda: _schema("FlyteFile", metadata=True))
schema.register(Directory, lambda: _schema("FlyteDirectory", metadata=False))
