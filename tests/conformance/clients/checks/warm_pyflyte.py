"""pyflyte without its start: imported once, forked for each command. Run by a client's interpreter.

Each line of the standard input is a JSON object (argv, cwd, said: the file for its output); each line of the output is
an exit code. Importing flytekit takes seconds, and a command line has many commands.
"""

import json
import os
import signal
import sys

import flytekit.remote  # noqa: F401 - imported late by most commands
import pandas  # noqa: F401
from flytekit.clis.sdk_in_container.pyflyte import main

_LIMIT_S = 150


def run(asked):
    """In a fork: become the command."""
    signal.alarm(_LIMIT_S)
    os.chdir(asked["cwd"])
    descriptor = os.open(asked["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for standard in (1, 2):
        os.dup2(descriptor, standard)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv = asked["argv"]
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def serve(requests, answers):
    """Answer until there is nothing more to read."""
    for line in requests:
        child = os.fork()
        if not child:
            code = run(json.loads(line))
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code & 255)
        _, status = os.waitpid(child, 0)
        answers.write(f"{os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1}\n")
        answers.flush()


if __name__ == "__main__":
    serve(sys.stdin, sys.stdout)
