"""Try out one flytekit against one platform: a JSON line for each check. Python 3.8, any flytekit from 1.10.

    run_checks.py [CHECK…]

FLYTE_PLATFORM_URL, FLYTE_PLATFORM_INSECURE and FLYTE_AWS_* say where the platform is. A check is a function
`check_…(session)` in checks_*.py; it returns a remark or None, raises Absent where the release lacks the thing, and
fails by any other exception.
"""

import json
import logging
import sys
import time
import traceback
import warnings

import checks_data
import checks_graphs
import checks_remote
import checks_running
import session
from absent import Absent

MODULES = (checks_remote, checks_data, checks_graphs, checks_running)


def checks():
    """All checks by name, in order; registration first."""
    return {
        name[len("check_") :]: function
        for module in MODULES
        for name, function in vars(module).items()
        if name.startswith("check_")
    }


def try_out(function, one):
    """One check's outcome and what is to be said about it."""
    try:
        return "ok", function(one) or ""
    except Absent as absent:
        return "absent", str(absent)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return "failed", "".join(traceback.format_exception(type(error), error, error.__traceback__))[-4000:]


def main():
    """Run the checks that are named, or all."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    known = checks()
    one = session.Session(version="v1")
    for name, function in known.items():
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        start = time.monotonic()
        outcome, detail = try_out(function, one)
        line = {"check": name, "outcome": outcome, "detail": detail, "seconds": round(time.monotonic() - start, 1)}
        print("RESULT " + json.dumps(line), flush=True)
        if name == "pyflyte_register" and outcome == "failed":
            return  # nothing else can work


if __name__ == "__main__":
    main()
