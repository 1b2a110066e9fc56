"""Become a command that is told to stop when its parent ends.

Started by exec, as `python -I -S guard.py PARENT_PID UID COMMAND…`: a file of its own, standard library only, because
code between fork and exec (`preexec_fn`) kills children of a process that runs gRPC. The order matters: a change of uid
clears the wish to be signalled, so it comes first. UID is -1 for no change.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Replace this process by the command."""
    parent, uid, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    if uid >= 0:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    os.umask(0o077)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGINT), 0, 0, 0)
    if os.getppid() != parent:  # it ended before we could ask
        sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 - the very purpose


if __name__ == "__main__":
    main()
