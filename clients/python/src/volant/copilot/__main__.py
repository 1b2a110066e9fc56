"""`python -m volant.copilot`: what stands before, after and around a program whose inputs and outputs are files.

`download` and `upload` are containers of the program's pod. `upload` is there from the start and works when it is told
to end, which Kubernetes does when the program has ended; how the program ended it can't know. Both say what went wrong
as the last that they print, and by their exit code whose fault it is. `run` does it all, around the program as a child.
"""

from __future__ import annotations

import argparse
import base64
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

from google.protobuf import message, timestamp_pb2

from volant import errors
from volant.copilot import inputs, outputs
from volant.storage import router
from volantidl.core import errors_pb2, execution_pb2, interface_pb2, literals_pb2

USERS_FAULT = 65
"""Exit code: what is given or made is not as it should be."""
PLATFORMS_FAULT = 75
"""Exit code: something that the program has no part in, such as the object store."""
DOWNLOAD_FAILED = "InputDownloadFailed"
UPLOAD_FAILED = "OutputUploadFailed"
_LISTENING = "listening"
"""The file by which `upload` tells `download` that it would hear of the program's end."""
_IN_VAIN = "in-vain"
"""The file by which `download` tells `upload` that the program was never started."""
_PATIENCE = 300.0
_FAILURES = (errors.VolantError, OSError, message.DecodeError)
_USERS = (errors.TypeMismatchError, errors.TaskFailedError, errors.NotFoundError)


def main(words: Sequence[str] | None = None) -> int:
    """Do what the words say; gives the exit code."""
    told = list(sys.argv[1:] if words is None else words)
    end = told.index("--") if "--" in told else len(told)
    given = _parser().parse_args(told[:end])
    given.program = told[end + 1 :]
    given.umask = os.umask(0)  # the program may be another user's
    verb = {"download": _download, "upload": _upload, "run": _run}[given.verb]
    return verb(given)


def _parser() -> argparse.ArgumentParser:
    usage = "python -m volant.copilot download|upload|run --folder FOLDER … [-- PROGRAM…]"
    parser = argparse.ArgumentParser(usage=usage, description=__doc__)
    parser.add_argument("verb", choices=["download", "upload", "run"])
    parser.add_argument("--folder", type=pathlib.Path, required=True, help="has the folders inputs and outputs")
    parser.add_argument("--inputs", default="", help="URI of the inputs; without it there are none")
    parser.add_argument("--input-path", default="", help="what the program calls the folder of its inputs")
    parser.add_argument("--format", default="JSON", choices=["JSON", "YAML", "PROTO"], help="of the file of all inputs")
    parser.add_argument("--no-download", action="store_true", help="leave files and folders where they are")
    parser.add_argument("--await-upload", action="store_true", help="end only when `upload` is ready")
    parser.add_argument("--output-path", default="", help="what the program calls the folder of its outputs")
    parser.add_argument("--output-prefix", default="", help="URI below which outputs.pb goes")
    parser.add_argument("--raw-output-prefix", default="", help="URI below which files and folders go")
    parser.add_argument("--outputs", default="", help="names and types of outputs: a VariableMap, in base64")
    parser.add_argument("--no-upload", action="store_true", help="outputs that are files hold a URI already")
    return parser


def _download(given: argparse.Namespace) -> int:
    try:
        _place(given)
        (given.folder / "outputs").mkdir(parents=True, exist_ok=True)
        if given.await_upload:
            _await(given.folder / _LISTENING)
    except _FAILURES as failure:
        given.folder.mkdir(parents=True, exist_ok=True)
        (given.folder / _IN_VAIN).touch()
        return _told(failure)
    return 0


def _upload(given: argparse.Namespace) -> int:
    # Blocked and not handled: process 1 of a container never gets a signal that it has no handler for.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    (given.folder / _LISTENING).touch()
    signal.sigwait({signal.SIGTERM})
    if (given.folder / _IN_VAIN).exists():
        return 0
    try:
        _collect(given)
    except _FAILURES as failure:
        return _told(failure)
    return 0


def _run(given: argparse.Namespace) -> int:
    """Around the program. What fails here is an error document; the program's own exit code is handed on."""
    try:
        _place(given)
        (given.folder / "outputs").mkdir(parents=True, exist_ok=True)
    except _FAILURES as failure:
        return _written(given, DOWNLOAD_FAILED, failure)
    code = _program(given)
    if code:
        return code
    try:
        _collect(given)
    except _FAILURES as failure:
        return _written(given, UPLOAD_FAILED, failure)
    return 0


def _place(given: argparse.Namespace) -> None:
    found = literals_pb2.LiteralMap.FromString(router.read(given.inputs)) if given.inputs else literals_pb2.LiteralMap()
    placing = inputs.Placing(given.folder / "inputs", given.input_path, copies=not given.no_download)
    placing.place(found, given.format)


def _collect(given: argparse.Namespace) -> None:
    variables = interface_pb2.VariableMap.FromString(base64.b64decode(given.outputs)).variables
    folder = given.folder / ("inputs" if given.output_path == given.input_path else "outputs")
    collecting = outputs.Collecting(folder, given.output_path, given.raw_output_prefix, copies=not given.no_upload)
    made = collecting.collect({name: variable.type for name, variable in variables.items()})
    router.write(f"{given.output_prefix.rstrip('/')}/outputs.pb", made.SerializeToString(deterministic=True))


def _await(file: pathlib.Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not file.exists():
        if time.monotonic() > deadline:
            raise errors.StorageError(f"the container that uploads outputs was not ready within {_PATIENCE:g} s")
        time.sleep(0.02)


def _told(failure: Exception) -> int:
    sys.stderr.write(f"{failure}\n")
    return USERS_FAULT if isinstance(failure, _USERS) else PLATFORMS_FAULT


def _written(given: argparse.Namespace, code: str, failure: Exception) -> int:
    _told(failure)
    kinds = execution_pb2.ExecutionError.ErrorKind
    stamp = timestamp_pb2.Timestamp()
    stamp.FromNanoseconds(time.time_ns())
    document = errors_pb2.ErrorDocument(
        error=errors_pb2.ContainerError(
            code=code,
            message=str(failure),
            kind=errors_pb2.ContainerError.RECOVERABLE,
            origin=kinds.USER if isinstance(failure, _USERS) else kinds.SYSTEM,
            timestamp=stamp,
        )
    )
    try:
        router.write(f"{given.output_prefix.rstrip('/')}/error.pb", document.SerializeToString())
    except _FAILURES as worse:
        return _told(worse)
    return 0


def _program(given: argparse.Namespace) -> int:
    """Run the program with the folders of this machine in place of those that it names; gives its exit code."""
    places = {given.input_path: str(given.folder / "inputs"), given.output_path: str(given.folder / "outputs")}
    if given.output_path == given.input_path:
        places = {given.input_path: str(given.folder / "inputs")}
    words = [translated(word, places) for word in given.program]
    environment = {name: translated(value, places) for name, value in os.environ.items()}
    # Whoever ends this ends the whole process group: the program hears of it too, and what becomes of it counts.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    os.umask(given.umask)
    try:
        child = subprocess.Popen(words, env=environment)  # noqa: S603 - it is what the user wants to be run
    except OSError as wrong:
        sys.stderr.write(f"Cannot run {words[0]}: {wrong.strerror}\n")
        return 127 if isinstance(wrong, FileNotFoundError) else 126
    code = child.wait()
    return code if code >= 0 else 128 - code


def translated(text: str, places: dict[str, str]) -> str:
    """A text with whole paths, and what is below them, named anew."""
    paths = sorted((path.rstrip("/") for path in places if path), key=len, reverse=True)
    if not paths:
        return text
    pattern = rf"(?<![\w./~-])({'|'.join(map(re.escape, paths))})(?![\w.~-])"
    found = {path.rstrip("/"): place for path, place in places.items()}
    return re.sub(pattern, lambda match: found[match.group(1)], text)


if __name__ == "__main__":
    sys.exit(main())
