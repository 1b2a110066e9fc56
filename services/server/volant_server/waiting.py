"""Waiting, without an event loop, for a process that is not our child."""

import os
import select
import time
from collections.abc import Callable

_STEP_S = 0.05


def until_gone(pid: int, still: Callable[[], bool], *, patience_s: float) -> bool:
    """Wait until a process has ended; whether it did. `still` tells where processes can't be watched."""
    try:
        descriptor = os.pidfd_open(pid)
    except AttributeError:  # not Linux
        return _until_not(still, patience_s)
    except ProcessLookupError:
        return True
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(patience_s * 1000))
    finally:
        os.close(descriptor)


def _until_not(still: Callable[[], bool], patience_s: float) -> bool:
    end = time.monotonic() + patience_s
    while still():
        if time.monotonic() > end:
            return False
        time.sleep(_STEP_S)
    return True
