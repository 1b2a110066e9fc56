"""Check the contract: style, nothing broken since the baseline, generated code fresh. Works offline.

    python scripts/check_protos.py            exit 1 when something is wrong, and say what
    python scripts/check_protos.py --accept   make the protos, as they are, the new baseline

protos/baseline.binpb is the contract that clients out there were built with. It is compared with, rather than a branch:
a clone would compare with itself. Accept a new one with a release, never to make a red check green.
"""

import argparse
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BASELINE = pathlib.Path("protos/baseline.binpb")
# Comes with the package buf-bin.
BUF = pathlib.Path(sys.executable).parent / "buf"


def run(*command: str | pathlib.Path, hint: str) -> bool:
    """Run a command in the repository; False when it fails, after saying what to do."""
    if subprocess.run(command, cwd=ROOT, check=False).returncode == 0:
        return True
    print(f"\n{hint}", file=sys.stderr)
    return False


def build(out: pathlib.Path) -> bool:
    """Write the image of protos: messages, enums and services, without comments."""
    build = (BUF, "build", "--path", "protos/volantidl", "--exclude-source-info", "--output", out)
    return run(*build, hint="The protos do not compile.")


def check() -> bool:
    """All checks, each of them even where one before it failed."""
    return all(
        [
            run(BUF, "lint", hint="buf.yaml has the rules, and the reasons for exceptions."),
            run(
                *(BUF, "breaking", "--against", BASELINE),
                hint="Clients of the last release would break: add instead of changing (this script's head says more).",
            ),
            run(
                *(sys.executable, ROOT / "scripts" / "gen_protos.py", "--check"),
                hint="Run `make gen` and commit clients/python/gen.",
            ),
        ]
    )


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accept", action="store_true", help="write the baseline instead of comparing with it")
    accept = parser.parse_args().accept
    if not BUF.exists():
        sys.exit(f"{BUF} is missing: run `make setup` (the package buf-bin brings it)")
    sys.exit(not (build(BASELINE) if accept else check()))


if __name__ == "__main__":
    main()
