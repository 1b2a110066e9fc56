"""The command line: what is told, what is answered, with which exit code. Failures are a sentence each.

Exit codes: 0 done, 1 refused, 2 the command line is wrong, 3 (`status`) nothing runs.
"""

import argparse
import dataclasses
import getpass
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from volant_core import errors
from volant_engine.launchers.process.secrets import SecretStore
from volant_server import data_folder, terminal, waiting

_ANNOUNCE = "--announce-to"


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run one command; its exit code. `environment` is what tasks get."""
    told = _parser().parse_args(arguments)
    try:
        code: int = told.run(told, environment)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        sentence = _sentence(error)
        if sentence is None:
            raise
        return _refuse(told, sentence)
    return code


def _sentence(error: Exception) -> str | None:
    """What is told of a failure, if it is one that people can do something about."""
    if isinstance(error, errors.VolantError):
        return error.message
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        return f"{error.strerror or error}{where}"
    if isinstance(error, ExceptionGroup):
        sentences = [_sentence(inner) for inner in error.exceptions]
        return sentences[0] if None not in sentences else None
    return None


def _refuse(told: argparse.Namespace, sentence: str) -> int:
    if getattr(told, "announce_to", None) is not None:
        with os.fdopen(told.announce_to, "w") as parent:
            parent.write(f"refused\n{sentence}\n")
    terminal.complain(sentence)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="volant", description="Run Volant on this machine, or one of its services.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    up = commands.add_parser("up", help="start the platform in a data folder")
    _add_data(up)
    up.add_argument("--detach", action="store_true", help="return when it is ready; `volant down` stops it")
    up.add_argument("--grpc", default="", metavar="HOST:PORT", help="where gRPC alone listens, faster (127.0.0.1:8089)")
    up.add_argument("--http", default="", metavar="HOST:PORT", help="where HTTP listens, and gRPC too (127.0.0.1:8088)")
    up.add_argument("--s3", default="", metavar="HOST:PORT", help="where the object store listens (127.0.0.1:8087)")
    up.add_argument("--listen", default="", metavar="ADDRESS", help="the IP address to listen on (loopback)")
    up.add_argument(
        "--sandbox", action="store_true", help="listen where Flyte's sandbox does: port 30080, objects on 30002"
    )
    up.add_argument("--task-python", type=Path, metavar="PATH", help="the interpreter that tasks run with (this one)")
    up.add_argument("--postgres", type=Path, metavar="DIR", help="the folder of PostgreSQL's programs")
    up.add_argument(_ANNOUNCE, type=int, help=argparse.SUPPRESS)
    up.set_defaults(run=_up)

    down = commands.add_parser("down", help="stop the platform that runs in a data folder")
    _add_data(down)
    down.set_defaults(run=_down)

    status = commands.add_parser("status", help="say whether and where the platform runs")
    _add_data(status)
    _add_output(status)
    status.set_defaults(run=_status)

    _add_secret(commands)

    serve = commands.add_parser("run", help="run services with settings from a file and the environment")
    serve.add_argument("--service", action="append", default=[], metavar="NAME", help="a service to run (all)")
    serve.add_argument("--settings", type=Path, metavar="FILE", help="a TOML file")
    serve.set_defaults(run=_run)

    migrate = commands.add_parser("migrate", help="bring the database up to date with this version, and end")
    migrate.add_argument(
        "--pre", action="store_true", help="only as far as servers of the version before may still run beside it"
    )
    migrate.add_argument("--settings", type=Path, metavar="FILE", help="a TOML file")
    migrate.set_defaults(run=_migrate)
    return parser


def _add_secret(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    secret = commands.add_parser("secret", help="secrets that tasks can request")
    actions = secret.add_subparsers(required=True, metavar="ACTION")
    for name, run, about in (
        ("set", _secret_set, "store a secret; its value is asked for, or read from standard input"),
        ("list", _secret_list, "show groups and keys"),
        ("delete", _secret_delete, "remove a secret"),
    ):
        action = actions.add_parser(name, help=about)
        _add_data(action)
        if name != "list":
            action.add_argument("group")
            action.add_argument("key")
        else:
            _add_output(action)
        action.set_defaults(run=run)


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, default=data_folder.DEFAULT, metavar="DIR", help=f"the data folder ({data_folder.DEFAULT})"
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="how to print (text)")


def _up(told: argparse.Namespace, environment: Mapping[str, str]) -> int:
    if told.detach:
        return _up_detached(told, environment)
    _import_structlog()
    from volant_server import foreground  # noqa: PLC0415 - heavy, and the other commands don't need it

    options = foreground.Options(
        data=told.data,
        grpc=told.grpc,
        http=told.http,
        s3=told.s3,
        listen=told.listen,
        sandbox=told.sandbox,
        task_python=told.task_python,
        postgres=told.postgres,
        environment=environment,
    )
    return foreground.run(lambda: foreground.up(options, announce_to=told.announce_to))


def _import_structlog() -> None:
    """Without rich, which it loads where that is installed: a sixth of our start-up time, and we print without it."""
    absent: Any = None
    sys.modules["rich"] = absent
    try:
        import structlog  # noqa: F401, PLC0415
    finally:
        del sys.modules["rich"]


def _up_detached(told: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Start `volant up` in a session of its own, and stay until it is ready or has refused."""
    folder = data_folder.DataFolder(told.data)
    folder.create()
    reading, writing = os.pipe()
    line = [sys.executable, "-m", "volant_server", "up", *_same(told), _ANNOUNCE, str(writing)]
    folder.turn_log()
    with folder.log.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            line,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=[writing],
            env=environment,
        )
    os.close(writing)
    with os.fdopen(reading) as child:
        verdict, _, text = child.read().partition("\n")
    if verdict == "ready":
        terminal.say(text.strip())
        return 0
    sentence = text.strip() or f"the server ended before it was ready; {folder.log} says why"
    terminal.complain(sentence)
    return process.wait() or 1


def _same(told: argparse.Namespace) -> list[str]:
    """The options again, for the detached process."""
    line = ["--data", str(told.data.expanduser().absolute())]
    for name in ("grpc", "http", "s3", "listen", "task_python", "postgres"):
        value = getattr(told, name)
        if value:
            line += [f"--{name.replace('_', '-')}", str(value)]
    return [*line, "--sandbox"] if told.sandbox else line


def _down(told: argparse.Namespace, _environment: Mapping[str, str]) -> int:
    folder = data_folder.DataFolder(told.data)
    state = folder.state()
    if not folder.is_locked() or state is None:
        terminal.say(f"Volant does not run on {folder.root}.")
        return 0
    os.kill(state.pid, signal.SIGTERM)
    if not waiting.until_gone(state.pid, folder.is_locked, patience_s=120):
        raise errors.FailedPreconditionError(f"process {state.pid} did not stop within 120 s; see {folder.log}")
    said = folder.farewell()
    terminal.say(f"Volant on {folder.root} is stopped{': ' + said if said else ''}.")
    return 0


def _status(told: argparse.Namespace, _environment: Mapping[str, str]) -> int:
    folder = data_folder.DataFolder(told.data)
    state = folder.state()
    if told.output == "json":
        is_running = folder.is_locked()
        known = dataclasses.asdict(state) if is_running and state is not None else {"ready": False}
        terminal.say(json.dumps({"data": str(folder.root), "running": is_running, **known}))
        return 0 if is_running else 3
    if not folder.is_locked():
        terminal.say(f"Volant does not run on {folder.root}; `volant up` starts it.")
        return 3
    if state is None or not state.ready:
        terminal.say(f"Volant starts on {folder.root}.")
        return 0
    terminal.say(f"Volant runs on {folder.root} (process {state.pid}).")
    terminal.say(f"  gRPC     {', '.join(state.grpc)}")
    terminal.say(f"  HTTP     {', '.join('http://' + address for address in state.http)}")
    terminal.say(f"  objects  {', '.join('http://' + address for address in state.s3)}")
    return 0


def _secret_set(told: argparse.Namespace, _environment: Mapping[str, str]) -> int:
    if sys.stdin.isatty():
        value = getpass.getpass(f"Value of {told.group}/{told.key}: ")
    else:
        value = sys.stdin.read().removesuffix("\n")
    _secrets(told).set(told.group, told.key, value)
    return 0


def _secret_list(told: argparse.Namespace, _environment: Mapping[str, str]) -> int:
    found = _secrets(told).list()
    if told.output == "json":
        terminal.say(json.dumps([{"group": group, "key": key} for group, key in found]))
        return 0
    for group, key in found:
        terminal.say(f"{group}/{key}")
    return 0


def _secret_delete(told: argparse.Namespace, _environment: Mapping[str, str]) -> int:
    _secrets(told).delete(told.group, told.key)
    return 0


def _secrets(told: argparse.Namespace) -> SecretStore:
    folder = data_folder.DataFolder(told.data)
    folder.create()
    return SecretStore(folder.secrets)


def _migrate(told: argparse.Namespace, environment: Mapping[str, str]) -> int:
    _import_structlog()
    from volant_server import foreground  # noqa: PLC0415 - heavy, and the other commands don't need it

    return foreground.run(lambda: foreground.migrate(told.settings, environment, only_pre=told.pre))


def _run(told: argparse.Namespace, environment: Mapping[str, str]) -> int:
    _import_structlog()
    from volant_server import foreground  # noqa: PLC0415 - heavy, and the other commands don't need it

    return foreground.run(lambda: foreground.serve(told.settings, tuple(told.service), environment))
