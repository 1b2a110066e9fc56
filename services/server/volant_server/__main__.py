"""The commands: `volant up|down|status|secret` by way of `python -m volant_server`, and `volant-server run`."""

import os
import sys

# The server never forks without exec; gRPC's fork handlers would only get in the way of it. Tasks get what was there.
INHERITED = dict(os.environ)
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"


def main() -> None:
    """Run the command line, and exit."""
    try:
        from volant_server import commands  # noqa: PLC0415 - gRPC reads the variable when it is imported

        code = commands.main(sys.argv[1:], INHERITED)
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
