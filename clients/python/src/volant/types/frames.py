"""Data frames: tables in files (Parquet, CSV), whichever library reads or writes them."""

from __future__ import annotations

import collections
import dataclasses
import typing
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from volant import context, errors
from volant.storage import port, router
from volant.types import annotated, blobs, engine, plain, schema, transformer
from volantidl.core import literals_pb2, types_pb2

PARQUET = "parquet"
CSV = "csv"
_FIRST_PART = "00000"
_CSV_FILE = ".csv"


def kwtypes(**columns: Any) -> collections.OrderedDict[str, Any]:
    """Columns and their types, for the `Annotated` of a frame: name=str, age=int."""
    return collections.OrderedDict(columns)


@dataclasses.dataclass(frozen=True)
class FrameFormat:
    """How frames of one library are written as files of one format, and read."""

    encode: Callable[[Any], bytes]
    decode: Callable[[Sequence[bytes], Sequence[str] | None], Any]
    """From the content of the parts, the columns that are wanted (None: all)."""


_formats: dict[Any, dict[str, FrameFormat]] = {}


def register_frame(frame_type: Any, formats: dict[str, FrameFormat]) -> None:
    """Make frames of a class values; the first format is the default one."""
    _formats[frame_type] = formats
    engine.register(_TRANSFORMER, frame_type, override=True)


def _formats_of(frame_type: Any) -> dict[str, FrameFormat] | None:
    for base in getattr(frame_type, "__mro__", ()):
        if base in _formats:
            return _formats[base]
    return None


class StructuredDataset:
    """A table in the store, read when it's asked for: `dataset.open(pd.DataFrame).all()`.

    Args:
        dataframe: A frame to be written.
        uri: Where a table is already.
        file_format: Its format.
    """

    def __init__(
        self, dataframe: Any = None, uri: str | None = None, metadata: Any = None, *, file_format: str = ""
    ) -> None:
        self._dataframe = dataframe
        self.uri = uri
        self.file_format = file_format
        self._metadata = metadata
        self._literal: literals_pb2.Literal | None = None
        self._frame_type: Any = None
        self._columns: list[str] | None = None
        self._store: port.Store | None = router.store_for(uri) if uri and router.is_remote(uri) else None

    @property
    def dataframe(self) -> Any:
        """The frame, where it was made here."""
        return self._dataframe

    @property
    def metadata(self) -> Any:
        """The columns and format that came with it."""
        return self._metadata

    @property
    def literal(self) -> literals_pb2.StructuredDataset | None:
        """The reference that it came from."""
        return self._literal.scalar.structured_dataset if self._literal is not None else None

    def open(self, frame_type: Any) -> StructuredDataset:
        """Choose the library's class that `all` gives."""
        engine.lookup(frame_type)
        self._frame_type = frame_type
        return self

    def all(self) -> Any:
        """The whole table."""
        if self._frame_type is None:
            raise errors.DefinitionError("call .open(pd.DataFrame), or with another frame class, before .all()")
        if self._dataframe is not None and isinstance(self._dataframe, self._frame_type):
            return self._dataframe
        if not self.uri:
            raise errors.DefinitionError(
                "this StructuredDataset has neither a uri nor a dataframe of the class asked for"
            )
        return read(self.uri, self.file_format or PARQUET, self._frame_type, self._columns, self._store)

    def iter(self) -> Iterator[Any]:
        """The table in parts, as they are stored."""
        yield self.all()

    def __repr__(self) -> str:
        return f"StructuredDataset(uri={self.uri!r}, file_format={self.file_format!r})"

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


def read(
    uri: str, file_format: str, frame_type: Any, columns: Sequence[str] | None, store: port.Store | None = None
) -> Any:
    """A frame from a table's files."""
    formats = _formats_of(frame_type)
    if formats is None:
        raise errors.TypeMismatchError(f"{transformer.describe(frame_type)} is no data frame that can be read")
    chosen = formats.get(file_format.lower() or PARQUET)
    if chosen is None:
        raise errors.TypeMismatchError(
            f"{transformer.describe(frame_type)} cannot be read from {file_format!r}; known are {', '.join(formats)}"
        )
    parts = _parts(uri, file_format, store or router.store_for(uri))
    try:
        return chosen.decode(parts, columns)
    except errors.VolantError:
        raise
    except Exception as cause:  # as when writing
        wanted = f" with the columns {', '.join(columns)}" if columns is not None else ""
        raise errors.TypeMismatchError(
            f"the table at {uri} cannot be read as {transformer.describe(frame_type)} from {file_format or PARQUET}"
            f"{wanted}: {str(cause).strip().partition(chr(10))[0]}. Change the annotation, or what writes the table"
        ) from cause


def _parts(uri: str, file_format: str, store: port.Store) -> list[bytes]:
    """The content of a table's files: one part, several, or the URI itself."""
    base = uri.rstrip("/")
    usual = _CSV_FILE if file_format.lower() == CSV else _FIRST_PART
    for candidate in (f"{base}/{usual}", base):
        try:
            return [store.read(candidate)]
        except errors.NotFoundError:
            continue
    names = sorted(name for name in store.walk(uri) if not name.rpartition("/")[2].startswith(("_", ".")))
    if not names:
        raise errors.NotFoundError(f"there is no table at {uri}")
    return [store.read(f"{base}/{name}") for name in names]


class FrameTransformer(transformer.Transformer):
    """StructuredDataset and every registered frame class."""

    name = "StructuredDataset Transformer"

    def literal_type(self, python_type: Any) -> types_pb2.LiteralType:
        """Columns and format, as far as they are annotated."""
        columns, file_format, arrow_schema = _annotations_of(python_type)
        table = types_pb2.StructuredDatasetType(format=file_format)
        for name, column in _flat(columns).items():
            table.columns.add(name=name).literal_type.CopyFrom(_column_type(column))
        if arrow_schema is not None:
            table.external_schema_type = "arrow"
            table.external_schema_bytes = arrow_schema.to_string().encode()
        return types_pb2.LiteralType(structured_dataset_type=table)

    def accept(self, value: Any, python_type: Any) -> Any:
        """A frame of the class."""
        base = annotated.bare(python_type)
        if base is StructuredDataset and not isinstance(value, StructuredDataset):
            hint = "Wrap it: StructuredDataset(dataframe=…)" if _formats_of(type(value)) else ""
            raise transformer.mismatch(python_type, value, hint)
        if not isinstance(value, (base, StructuredDataset)):
            raise transformer.mismatch(python_type, value)
        return value

    def to_literal(self, value: Any, python_type: Any, expected: types_pb2.LiteralType) -> literals_pb2.Literal:
        """Write the frame, or pass the reference on."""
        value = self.accept(value, python_type)
        table = types_pb2.StructuredDatasetType()
        table.CopyFrom(expected.structured_dataset_type)
        if not isinstance(value, StructuredDataset):
            return _write(value, table, None)
        if value._literal is not None:  # noqa: SLF001 - the class is this module's
            return value._literal  # noqa: SLF001
        if value.dataframe is not None:
            table.format = table.format or value.file_format
            value._literal = _write(value.dataframe, table, value.uri)  # noqa: SLF001
            return value._literal  # noqa: SLF001
        if not value.uri:
            raise errors.TypeMismatchError("this StructuredDataset has neither a dataframe nor a uri")
        table.format = table.format or value.file_format
        return _literal(value.uri, table, "")

    def to_python(self, literal: literals_pb2.Literal, python_type: Any) -> Any:
        """A frame, or a reference to be opened."""
        base = annotated.bare(python_type)
        kind = literal.scalar.WhichOneof("value")
        if kind in {"binary", "generic"}:
            found = plain.from_plain(plain.payload(literal), StructuredDataset)
            return found if base is StructuredDataset else found.open(base).all()
        if kind == "schema":
            uri, table = literal.scalar.schema.uri, types_pb2.StructuredDatasetType(format=PARQUET)
        elif kind == "structured_dataset":
            uri, table = (
                literal.scalar.structured_dataset.uri,
                literal.scalar.structured_dataset.metadata.structured_dataset_type,
            )
        else:
            raise transformer.undecodable(python_type, literal)
        wanted, _, _ = _annotations_of(python_type)
        columns = list(_flat(wanted)) if wanted else None
        if base is not StructuredDataset:
            return read(uri, table.format or PARQUET, base, columns)
        found = StructuredDataset(
            uri=uri, file_format=table.format, metadata=literal.scalar.structured_dataset.metadata
        )
        found._columns = columns  # noqa: SLF001 - the class is this module's
        if kind == "structured_dataset":
            found._literal = literal  # noqa: SLF001
        return found

    def guess(self, literal_type: types_pb2.LiteralType) -> Any:
        """A reference to be opened."""
        return StructuredDataset if literal_type.WhichOneof("type") in {"structured_dataset_type", "schema"} else None


def _write(frame: Any, table: types_pb2.StructuredDatasetType, uri: str | None) -> literals_pb2.Literal:
    engine.lookup(type(frame))
    formats = _formats_of(type(frame))
    if formats is None:
        raise errors.TypeMismatchError(f"{transformer.describe(type(frame))} is no data frame that can be written")
    table.format = table.format.lower() or next(iter(formats))
    if table.format not in formats:
        raise errors.TypeMismatchError(
            f"{transformer.describe(type(frame))} cannot be written as {table.format!r}; known are {', '.join(formats)}"
        )
    try:
        data = formats[table.format].encode(frame)
    except errors.VolantError:
        raise
    except Exception as cause:  # each library has errors of its own, without a common base
        raise errors.TypeMismatchError(
            f"this {transformer.describe(type(frame))} cannot be written as {table.format}: {cause}. Turn its columns "
            f"into numbers, texts or times"
        ) from cause
    digest = blobs.content_hash(data)
    place = uri or context.current_context().new_uri(digest[:32])
    router.write(f"{place.rstrip('/')}/{_CSV_FILE if table.format == CSV else _FIRST_PART}", data)
    return _literal(place, table, digest)


def _literal(uri: str, table: types_pb2.StructuredDatasetType, hashed: str) -> literals_pb2.Literal:
    metadata = literals_pb2.StructuredDatasetMetadata(structured_dataset_type=table)
    reference = literals_pb2.StructuredDataset(uri=uri, metadata=metadata)
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(structured_dataset=reference), hash=hashed)


def _annotations_of(python_type: Any) -> tuple[dict[str, Any] | None, str, Any]:
    """The columns, format and Arrow schema in a type's `Annotated`."""
    columns: dict[str, Any] | None = None
    file_format, arrow_schema = "", None
    for extra in annotated.extras(python_type):
        if isinstance(extra, str):
            file_format = extra
        elif isinstance(extra, dict):
            columns = dict(extra)
        elif dataclasses.is_dataclass(extra) and isinstance(extra, type):
            columns = typing.get_type_hints(extra)
        elif type(extra).__module__.startswith("pyarrow"):
            arrow_schema = extra
    return columns, file_format, arrow_schema


def _flat(columns: dict[str, Any] | None, prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, kind in (columns or {}).items():
        if isinstance(kind, dict):
            flat.update(_flat(kind, f"{prefix}{name}."))
        elif dataclasses.is_dataclass(kind) and isinstance(kind, type):
            flat.update(_flat(typing.get_type_hints(kind), f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = kind
    return flat


def _column_type(kind: Any) -> types_pb2.LiteralType:
    module, name = getattr(kind, "__module__", ""), getattr(kind, "__name__", "")
    if module == "numpy":
        counterparts = {"int": int, "uint": int, "float": float, "bool": bool, "str": str}
        for prefix, counterpart in counterparts.items():
            if name.startswith(prefix):
                return engine.literal_type(counterpart)
    return engine.literal_type(kind)


def _to_plain(value: Any, python_type: Any) -> Any:
    literal = _TRANSFORMER.to_literal(value, python_type, _TRANSFORMER.literal_type(python_type))
    table = literal.scalar.structured_dataset
    return {"uri": table.uri, "file_format": table.metadata.structured_dataset_type.format}


def _from_plain(data: Any, python_type: Any) -> Any:
    if isinstance(data, StructuredDataset):
        return data
    if not isinstance(data, dict) or not data.get("uri"):
        raise transformer.mismatch(python_type, data)
    return StructuredDataset(uri=data["uri"], file_format=data.get("file_format") or "")


def _schema() -> schema.Schema:
    text = {"anyOf": [{"type": "string"}, {"type": "null"}]}
    properties = {"uri": {**text, "default": None}, "file_format": {**text, "default": ""}}
    return {"type": "object", "title": "StructuredDataset", "properties": properties, "additionalProperties": False}


_TRANSFORMER = FrameTransformer()
engine.register(_TRANSFORMER, StructuredDataset)
plain.register(StructuredDataset, _to_plain, _from_plain)
schema.register(StructuredDataset, _schema)
engine.register_lazy("pandas", "volant.types.pandas_frames")
engine.register_lazy("polars", "volant.types.polars_frames")
engine.register_lazy("pyarrow", "volant.types.arrow_tables")
