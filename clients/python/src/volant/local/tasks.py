"""Running one task here: literals in, literals out, with its retries, time-out and cache."""

from __future__ import annotations

import concurrent.futures
import contextlib
import datetime
import logging
import time
from collections.abc import Mapping

from volant import checkpoint, context, deck, deck_fields, errors
from volant.authoring import caching as cache_settings
from volant.authoring import node, task
from volant.local import caching, threads
from volant.storage import local
from volantidl.core import literals_pb2

_log = logging.getLogger("volant.local")
Literals = dict[str, literals_pb2.Literal]


def run_task(
    one: task.Task,
    inputs: Mapping[str, literals_pb2.Literal],
    overrides: node.Overrides | None = None,
    *,
    holds_slot: bool = True,
) -> Literals:
    """Run a task as a platform would.

    Args:
        one: The task.
        inputs: Its inputs; defaults are filled in.
        overrides: What the node changes.
        holds_slot: Whether it counts as computing; what waits for other tasks must not.
    """
    changed = overrides or node.Overrides()
    cache = one.settings.cache
    if isinstance(changed.cache, cache_settings.Cache):
        cache = changed.cache
    elif changed.cache is False:
        cache = None
    key = (
        caching.key_of(one, inputs)
        if cache is not None and one.settings.cache is not None and caching.enabled()
        else ""
    )
    if key:
        found = caching.load(key)
        if found is not None:
            _log.info("%s: outputs from the local cache", one.name)
            return found
    retries = one.settings.retries if changed.retries is None else changed.retries
    timeout = one.settings.timeout if changed.timeout is None else changed.timeout
    outputs = _attempts(one, inputs, key, retries, timeout, holds_slot=holds_slot)
    if key:
        caching.store(key, outputs)
    return outputs


def _attempts(
    one: task.Task,
    inputs: Mapping[str, literals_pb2.Literal],
    key: str,
    retries: int,
    timeout: datetime.timedelta | None,
    *,
    holds_slot: bool,
) -> Literals:
    checkpoints = ["", *(context.current_context().new_uri(f"checkpoint-{n}") for n in range(retries + 1) if retries)]
    for attempt in range(retries + 1):
        saved = checkpoint.Checkpoint(checkpoints[attempt + 1], checkpoints[attempt]) if retries else None
        parent = context.current_context()
        current = context.Context(
            raw_output_prefix=caching.data_prefix(key) if key else parent.raw_output_prefix,
            execution_id=parent.execution_id,
            task_id=context.TaskId(name=one.name),
            attempt=attempt,
            checkpoint=saved,
            enable_deck=one.settings.enable_deck,
        )
        try:
            with context.using(current):
                return _attempt(one, inputs, timeout, holds_slot=holds_slot)
        except errors.RecoverableError as error:
            if attempt == retries:
                raise
            _log.warning("%s: attempt %d failed and is retried: %s", one.name, attempt, error)
        except errors.TimedOutError:
            if attempt == retries:
                raise
            _log.warning("%s: attempt %d timed out and is retried", one.name, attempt)
        finally:
            _keep_decks(one, current)
    raise AssertionError


def _keep_decks(one: task.Task, current: context.Context) -> None:
    """Write what a task shows where it can be looked at after the run."""
    if current.enable_deck and current.decks:
        path = context.cache_folder() / "decks" / f"{one.name}.html"
        local.write_file(path, deck.render(current.decks).encode())
        _log.info("%s: its decks are in %s", one.name, path)


def _attempt(
    one: task.Task, inputs: Mapping[str, literals_pb2.Literal], timeout: datetime.timedelta | None, *, holds_slot: bool
) -> Literals:
    if not timeout:
        return _compute(one, inputs, holds_slot=holds_slot)
    started = time.monotonic()
    running = threads.start(lambda: _compute(one, inputs, holds_slot=holds_slot))
    try:
        return running.result(timeout.total_seconds())
    except concurrent.futures.TimeoutError as cause:
        if running.done():
            raise
        elapsed = time.monotonic() - started
        raise errors.TimedOutError(
            f"{one.name} did not end within its timeout of {timeout} ({elapsed:.1f} s)"
        ) from cause


def _compute(one: task.Task, inputs: Mapping[str, literals_pb2.Literal], *, holds_slot: bool) -> Literals:
    began = time.monotonic()
    values = one.decode_inputs(inputs)
    ready = time.monotonic()
    with threads.slots if holds_slot else contextlib.nullcontext():
        result = one.execute(values)
    if one.settings.deck_fields and one.settings.enable_deck:
        done = time.monotonic()
        deck_fields.add(one, values, result, {"read the inputs": ready - began, "run": done - ready})
    return one.encode_outputs(result)
