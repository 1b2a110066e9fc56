"""The outputs file, and the files beside it for literals too large to stand in it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping

from volant import errors
from volant.authoring import interface
from volantidl.core import literals_pb2

_MEGABYTE = 1024 * 1024


def files_for(
    outputs: Mapping[str, literals_pb2.Literal],
    signature: interface.Interface,
    prefix: str,
) -> dict[str, bytes]:
    """The content of each file to write below the output prefix.

    Args:
        outputs: The literals.
        signature: The task's interface.
        prefix: The output prefix, for the URIs of offloaded literals.
    """
    least = os.environ.get("_F_L_MIN_SIZE_MB")
    if least is None:
        return {"outputs.pb": literals_pb2.LiteralMap(literals=outputs).SerializeToString(deterministic=True)}
    largest = int(os.environ.get("_F_L_MAX_SIZE_MB") or 1000) * _MEGABYTE
    files: dict[str, bytes] = {}
    kept: dict[str, literals_pb2.Literal] = {}
    for name, literal in outputs.items():
        size = literal.ByteSize()
        if size >= largest:
            raise errors.StorageError(
                f"the output {name!r} has {size} bytes, more than the platform takes ({largest}). "
                f"Return a file, a directory or a data frame instead"
            )
        if size < int(least) * _MEGABYTE:
            kept[name] = literal
            continue
        file = f"{name}_offloaded_metadata.pb"
        files[file] = content = literal.SerializeToString(deterministic=True)
        kind = signature.typed.outputs.variables[name].type
        kept[name] = literals_pb2.Literal(
            hash=literal.hash or hashlib.sha256(content).hexdigest(),
            offloaded_metadata=literals_pb2.LiteralOffloadedMetadata(
                uri=f"{prefix.rstrip('/')}/{file}",
                size_bytes=size,
                inferred_type=kind,
            ),
        )
    files["outputs.pb"] = literals_pb2.LiteralMap(literals=kept).SerializeToString(deterministic=True)
    return files
