"""The cache of local runs: outputs of cached tasks, in files below the SDK's own folder."""

from __future__ import annotations

import hashlib
import os
import pathlib
from collections.abc import Mapping

from volant import context
from volant.authoring import caching, task
from volant.storage import local
from volantidl.core import literals_pb2


def enabled() -> bool:
    """Whether local runs use the cache."""
    value = os.environ.get("VOLANT_LOCAL_CACHE") or os.environ.get("FLYTE_LOCAL_CACHE_ENABLED") or "true"
    return value.lower() not in {"false", "0", "no"}


def folder() -> pathlib.Path:
    """Where it lives."""
    return context.cache_folder() / "local"


def key_of(one: task.Task, inputs: Mapping[str, literals_pb2.Literal]) -> str:
    """The key of a call: the task, its cache version and interface, and the inputs that count."""
    settings = one.settings.cache
    assert settings is not None
    function = getattr(one, "function", type(one))
    version = settings.version_for(caching.VersionParameters(func=function))
    ignored = set(settings.ignored())
    digest = hashlib.sha256(f"{one.name}\0{version}\0".encode())
    digest.update(one.interface.typed.SerializeToString(deterministic=True))
    for name in sorted(inputs):
        if name not in ignored:
            digest.update(name.encode() + b"\0" + collapsed(inputs[name]).SerializeToString(deterministic=True))
    return digest.hexdigest()


def collapsed(literal: literals_pb2.Literal) -> literals_pb2.Literal:
    """A literal with its values replaced by their hashes, where they have one."""
    if literal.hash:
        return literals_pb2.Literal(hash=literal.hash)
    kind = literal.WhichOneof("value")
    if kind == "collection":
        items = [collapsed(item) for item in literal.collection.literals]
        return literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=items))
    if kind == "map":
        mapped = {key: collapsed(item) for key, item in literal.map.literals.items()}
        return literals_pb2.Literal(map=literals_pb2.LiteralMap(literals=mapped))
    return literal


def load(key: str) -> dict[str, literals_pb2.Literal] | None:
    """Cached outputs; None if there are none."""
    try:
        content = (folder() / f"{key}.pb").read_bytes()
    except OSError:
        return None
    return dict(literals_pb2.LiteralMap.FromString(content).literals)


def store(key: str, outputs: Mapping[str, literals_pb2.Literal]) -> None:
    """Keep outputs."""
    content = literals_pb2.LiteralMap(literals=outputs).SerializeToString(deterministic=True)
    local.write_file(folder() / f"{key}.pb", content)


def data_prefix(key: str) -> str:
    """Where a cached task writes its large values, so that they outlive the process."""
    return str(folder() / "data" / key)
