"""Whether and under which key a task's outputs are cached."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from volant import errors


@dataclasses.dataclass(frozen=True)
class VersionParameters:
    """What a cache policy may look at."""

    func: Callable[..., Any]
    container_image: str | None = None


class CachePolicy(Protocol):
    """Makes a cache version from a task."""

    def get_version(self, salt: str, params: VersionParameters) -> str:
        """The version; equal versions share cached outputs."""
        ...


class CacheFunctionBody:
    """A new version whenever the function's source changes. Functions that it calls do not count."""

    def get_version(self, salt: str, params: VersionParameters) -> str:
        """The hash of the source, without its decorators' indentation."""
        try:
            source = textwrap.dedent(inspect.getsource(params.func))
        except (OSError, TypeError) as cause:
            raise errors.DefinitionError(
                f"{getattr(params.func, '__qualname__', params.func)}: the cache version is made of the function's "
                f"source, which is not there (it was typed into a console, or made by a program). Give cache_version=…"
            ) from cause
        return hashlib.sha256((source + salt).encode()).hexdigest()


@dataclasses.dataclass(frozen=True)
class Cache:
    """`@task(cache=Cache(version="1.0"))`.

    Args:
        version: The cache version; outputs of one version are reused for equal inputs.
        serialize: Let one of several simultaneous executions compute, the others wait for its outputs.
        ignored_inputs: Inputs that the key leaves out.
        salt: Goes into versions made by policies.
        policies: Make the version when none is given.
    """

    version: str = ""
    serialize: bool = False
    ignored_inputs: str | Sequence[str] = ()
    salt: str = ""
    policies: CachePolicy | Sequence[CachePolicy] = ()

    def ignored(self) -> tuple[str, ...]:
        """The ignored inputs' names."""
        return (self.ignored_inputs,) if isinstance(self.ignored_inputs, str) else tuple(self.ignored_inputs)

    def version_for(self, params: VersionParameters) -> str:
        """The version of a task: the one given, or what the policies (by default: the function's body) make."""
        if self.version:
            return self.version
        given = self.policies
        policies = list(given) if isinstance(given, Sequence) else [given]
        if not policies:
            policies = [CacheFunctionBody()]
        joined = "".join(policy.get_version(self.salt, params) for policy in policies)
        return hashlib.sha256(joined.encode()).hexdigest()


def cache_of(cache: bool | Cache, version: str, *, serialize: bool, ignored: Sequence[str], owner: str) -> Cache | None:
    """The cache settings from a task's arguments."""
    if isinstance(cache, Cache):
        if version or serialize or ignored:
            raise errors.DefinitionError(
                f"{owner}: give cache_version, cache_serialize and ignored inputs inside Cache(…)"
            )
        return cache
    if not cache:
        if version or serialize or ignored:
            raise errors.DefinitionError(f"{owner}: cache_version, cache_serialize and ignored inputs need cache=True")
        return None
    return Cache(version=version, serialize=serialize, ignored_inputs=tuple(ignored))
