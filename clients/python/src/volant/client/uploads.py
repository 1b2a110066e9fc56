"""Encoding values for a platform: what lies outside of literals is uploaded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from volant import context
from volant.client import proxy_store
from volant.storage import router


@contextlib.contextmanager
def through(store: proxy_store.ProxyStore) -> Iterator[None]:
    """Encoding with values outside of literals going to the platform's store, whose prefix is asked for when needed."""
    with context.using(_UploadContext(store)), router.through(store):
        yield


class _UploadContext(context.Context):
    def __init__(self, store: proxy_store.ProxyStore) -> None:
        super().__init__(uploads=True)
        self._store = store

    def new_uri(self, name: str = "") -> str:
        self.raw_output_prefix = self.raw_output_prefix or self._store.prefix
        return super().new_uri(name)
