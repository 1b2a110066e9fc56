"""Volant's SDK: typed tasks and workflows as Python functions.

Names are imported when they are first used, so `import volant` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from volant.authoring.caching import Cache as Cache
    from volant.authoring.caching import CacheFunctionBody as CacheFunctionBody
    from volant.authoring.caching import VersionParameters as VersionParameters
    from volant.authoring.resources import Resources as Resources
    from volant.authoring.task import task as task
    from volant.context import current_context as current_context
    from volant.deck import Deck as Deck
    from volant.errors import RecoverableError as RecoverableError
    from volant.secrets import Secret as Secret
    from volant.types.annotations import HashMethod as HashMethod

__version__ = "0.1.0"

_HOMES = {
    "Cache": "volant.authoring.caching",
    "CacheFunctionBody": "volant.authoring.caching",
    "Deck": "volant.deck",
    "HashMethod": "volant.types.annotations",
    "RecoverableError": "volant.errors",
    "Resources": "volant.authoring.resources",
    "Secret": "volant.secrets",
    "VersionParameters": "volant.authoring.caching",
    "current_context": "volant.context",
    "task": "volant.authoring.task",
}

__all__ = [*sorted(_HOMES), "__version__"]  # noqa: PLE0604 - names of a table


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'volant' has no attribute {name!r}")
    found = getattr(importlib.import_module(home), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
