"""Record scenarios at an endpoint, or hold recordings against one another.

python -m recorder record --endpoint HOST:PORT --out FOLDER [NAME…]
python -m recorder compare OURS [--theirs FOLDER] [NAME…]
"""

import argparse
import concurrent.futures
import secrets
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from recorder import compare, drive, recordings, rows, steps

HERE = Path(__file__).parent.parent
RECORDINGS = HERE / "recordings" / "scenarios"
SCENARIOS = HERE / "scenarios"


def scenarios(names: list[str]) -> tuple[steps.Scenario, ...]:
    """Those with these names; all when none is given."""
    sys.path[:0] = [str(SCENARIOS), str(HERE)]
    from scenarios import data, ends, graphs

    every = (*graphs.SCENARIOS, *data.SCENARIOS, *ends.SCENARIOS)
    unknown = set(names) - {one.name for one in every}
    if unknown:
        raise SystemExit(f"no such scenarios: {', '.join(sorted(unknown))}")
    return tuple(one for one in every if not names or one.name in names)


def say(text: str) -> None:
    """Print it at once."""
    print(text, flush=True)


def record(
    endpoint: drive.Endpoint,
    chosen: tuple[steps.Scenario, ...],
    out: Path,
    at_once: int,
    say: Callable[[str], None] = say,
) -> int:
    """Record scenarios into a folder; how many could not be."""
    driver = drive.Driver(endpoint)
    driver.register(chosen, SCENARIOS)

    def one(scenario: steps.Scenario) -> bool:
        began = time.monotonic()
        try:
            recordings.save(out / f"{scenario.name}.json", driver.record(scenario))
        except Exception:  # noqa: BLE001 - the others go on
            say(f"{scenario.name}: could not be recorded\n{traceback.format_exc()}")
            return False
        say(f"{scenario.name}: {time.monotonic() - began:.1f} s")
        return True

    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(one, chosen)).count(False)


def differences(name: str, theirs: Path, ours: Path, fields: frozenset[str]) -> list[compare.Difference]:
    """Where two recordings of one scenario differ."""
    first, second = recordings.load(theirs / f"{name}.json"), recordings.load(ours / f"{name}.json")
    return compare.differences(f"scenarios/{name}", first.answers, second.answers, fields, (first.names, second.names))


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    recording = commands.add_parser("record")
    recording.add_argument("--endpoint", required=True)
    recording.add_argument("--out", type=Path, default=RECORDINGS)
    recording.add_argument("--version", default=f"r{secrets.token_hex(4)}")
    recording.add_argument("--image", default=drive.IMAGE)
    recording.add_argument("--pause", type=float, default=0.5)
    recording.add_argument("--limit", type=float, default=400.0, help="seconds for one execution at most")
    recording.add_argument("--at-once", type=int, default=6)
    recording.add_argument("names", nargs="*")
    comparing = commands.add_parser("compare")
    comparing.add_argument("ours", type=Path)
    comparing.add_argument("--theirs", type=Path, default=RECORDINGS)
    comparing.add_argument("--only", nargs="*", help="names of recordings; all of theirs if none is given")
    told = parser.parse_args()
    if told.command == "record":
        chosen = scenarios(told.names)
        at = drive.Endpoint(told.endpoint, told.version, told.image, pause=told.pause, limit=told.limit)
        return 1 if record(at, chosen, told.out, told.at_once) else 0
    fields, accepted = rows.ignored_fields(), rows.accepted()
    different = 0
    for name in told.only or sorted(path.stem for path in told.theirs.glob("*.json")):
        found = compare.sort_out(differences(name, told.theirs, told.ours, fields), accepted)
        different += len(found.different)
        print(f"{name}: {len(found.different)} different, {len(found.accepted)} accepted")
        for each in found.different:
            print(f"    {each}")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
