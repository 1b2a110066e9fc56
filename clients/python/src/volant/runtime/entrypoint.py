"""`volant-execute`: runs one attempt of one task. `main` can be called again and again, in children of one process.

Whatever happens, the verdict is a file below the output prefix (outputs.pb, futures.pb or error.pb) and the exit code
0; another code means that no verdict could be written.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence

from volant import checkpoint, context, deck, errors
from volant.authoring import task as tasks
from volant.runtime import arguments, failure, mapped, offload, resolver
from volant.storage import router
from volantidl.core import errors_pb2, literals_pb2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the task that the command line names; returns the exit code."""
    given = arguments.parse(sys.argv[1:] if argv is None else argv)
    working = os.getcwd()  # noqa: PTH109 - no path object for a string
    if working not in sys.path:
        sys.path.append(working)
    return run(given)


def main_map(argv: Sequence[str] | None = None) -> int:
    """`volant-map-execute`: run one element of a map task."""
    return main(argv)


def run(given: arguments.Arguments) -> int:
    """Run a task and write its outcome."""
    current = context_from(given, os.environ)
    with context.using(current):
        document: errors_pb2.ErrorDocument | None = None
        files: dict[str, bytes] = {}
        try:
            files = _execute(given, current)
        except errors.IgnoreOutputs:
            return 0
        except Exception as error:  # noqa: BLE001 - whatever it is becomes the task's error document
            document = failure.document_for(error)
            files = {failure.file_name(): document.SerializeToString()}
            sys.stderr.write(f"{document.error.message}\n")
        _write(given.output_prefix, files)
        if current.enable_deck and current.decks:
            router.write(f"{given.output_prefix.rstrip('/')}/deck.html", deck.render(current.decks).encode())
    failed = document is not None and os.environ.get("FLYTE_FAIL_ON_ERROR", "").lower() in {"true", "1", "t"}
    return 1 if failed else 0


def _write(prefix: str, files: Mapping[str, bytes]) -> None:
    """Write the files; what others refer to first, the verdict last."""
    for name in sorted(files, key=lambda name: name in {"outputs.pb", "futures.pb"}):
        router.write(f"{prefix.rstrip('/')}/{name}", files[name])


def _execute(given: arguments.Arguments, current: context.Context) -> dict[str, bytes]:
    location = given.resolver or resolver.DefaultResolver.location
    try:
        found = (
            mapped.map_task_resolver if location == mapped.LOCATION else resolver.load_resolver(location)
        ).load_task(given.loader)
    except Exception as cause:
        raise failure.UserError from cause
    current.enable_deck = found.settings.enable_deck
    began = time.monotonic()
    literals = literals_pb2.LiteralMap.FromString(router.read(given.inputs))
    try:
        inputs = found.decode_inputs(literals.literals)
    except (errors.TypeMismatchError, errors.MissingDependencyError) as cause:
        raise failure.NotConvertibleError from cause
    ready = time.monotonic()
    result = call(found, inputs, given)
    if isinstance(result, tasks.Futures):
        return {"futures.pb": result.spec.SerializeToString()}
    try:
        outputs = found.encode_outputs(result)
    except (errors.TypeMismatchError, errors.MissingDependencyError) as cause:
        raise failure.NotConvertibleError from cause
    if current.enable_deck and found.settings.deck_fields:
        from volant import deck_fields  # noqa: PLC0415 - few tasks ask for it, and its memory costs every fork

        done = time.monotonic()
        deck_fields.add(found, inputs, result, {"read the inputs": ready - began, "run": done - ready})
    return offload.files_for(outputs, found.interface, given.output_prefix)


def call(found: tasks.Task, inputs: Mapping[str, object], given: arguments.Arguments) -> object:
    """Do the task's work, telling the user's exceptions from ours."""
    try:
        return found.execute_on_platform(inputs, given.distribution, given.destination)
    except errors.IgnoreOutputs:
        raise
    except Exception as cause:
        raise failure.UserError from cause


def context_from(given: arguments.Arguments, environ: Mapping[str, str]) -> context.Context:
    """The context of a task, from its command line and environment."""

    def variable(*names: str) -> str:
        return next((environ[name] for name in names if environ.get(name)), "")

    checkpoints = None
    if given.checkpoint_path:
        checkpoints = checkpoint.Checkpoint(given.checkpoint_path, given.previous_checkpoint)
    return context.Context(
        raw_output_prefix=given.raw_output_prefix,
        output_metadata_prefix=given.output_prefix,
        execution_id=context.ExecutionId(
            variable("FLYTE_INTERNAL_EXECUTION_PROJECT", "_F_PRJ"),
            variable("FLYTE_INTERNAL_EXECUTION_DOMAIN", "_F_DM"),
            variable("FLYTE_INTERNAL_EXECUTION_ID", "_F_NM"),
        ),
        task_id=context.TaskId(
            variable("FLYTE_INTERNAL_TASK_PROJECT", "_F_TK_PRJ"),
            variable("FLYTE_INTERNAL_TASK_DOMAIN", "_F_TK_DM"),
            variable("FLYTE_INTERNAL_TASK_NAME", "_F_TK_NM"),
            variable("FLYTE_INTERNAL_TASK_VERSION", "_F_TK_V"),
        ),
        attempt=int(variable("FLYTE_ATTEMPT_NUMBER") or 0),
        checkpoint=checkpoints,
    )


if __name__ == "__main__":
    sys.exit(main())
