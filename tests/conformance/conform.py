"""What `make conformance` prints: recordings of the real Flyte, and how many answers of Volant's are equal, accepted or different.

    python tests/conformance/conform.py [--quick] [--endpoint HOST:PORT [--image IMAGE]] [--keep FOLDER]

Without --endpoint it starts a platform of its own on a fresh folder. --quick leaves out the scenarios that take longest.
"""

import argparse
import collections
import contextlib
import secrets
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "scenarios")]

from calls import comparing, playing, reading  # noqa: E402 - found only now
from clients import platform_up  # noqa: E402
from recorder import __main__ as recording  # noqa: E402
from recorder import compare, drive, rows, steps  # noqa: E402


class Tally:
    """Counts, and says what differs."""

    def __init__(self) -> None:
        """Start at nothing."""
        self._accepted = rows.accepted()
        self._used: collections.Counter[int] = collections.Counter()
        self._cases: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
        self.different: list[compare.Difference] = []

    def case(self, kind: str, found: list[compare.Difference]) -> None:
        """Take one case: a scenario or a call."""
        verdict = compare.sort_out(found, self._accepted)
        outcome = "different" if verdict.different else "accepted" if verdict.accepted else "equal"
        self._cases[kind][outcome] += 1
        self._used.update(verdict.accepted.keys())
        self.different += verdict.different

    def unused(self) -> list[rows.Accepted]:
        """Rows that explained nothing: they must go."""
        return [row for place, row in enumerate(self._accepted) if not self._used[place]]

    def __str__(self) -> str:
        lines = [f"    {each}" for each in self.different]
        for kind, outcomes in self._cases.items():
            counts = ", ".join(f"{outcomes[word]} {word}" for word in ("equal", "accepted", "different"))
            lines.append(f"{kind}: {counts}")
        lines.append(f"accepted differences: {len(self._accepted)}, of 20 at most (accepted.toml)")
        lines += [f"accepted.toml: nothing differs any more as in the row of {row.cases}" for row in self.unused()]
        return "\n".join(lines)


def scenarios(quick: bool) -> tuple[steps.Scenario, ...]:
    """Those that have a recording."""
    recorded = {path.stem for path in recording.RECORDINGS.glob("*.json")}
    chosen = [one for one in recording.scenarios([]) if one.name in recorded]
    return tuple(one for one in chosen if one.quick or not quick)


def run_scenarios(tally: Tally, at: drive.Endpoint, chosen: tuple[steps.Scenario, ...], out: Path) -> None:
    """Run scenarios at an endpoint and hold them against their recordings."""
    recording.record(at, chosen, out, at_once=3, say=lambda _: None)
    for one in chosen:
        if (out / f"{one.name}.json").exists():
            found = recording.differences(one.name, recording.RECORDINGS, out, rows.ignored_fields())
        else:
            found = [compare.Difference(f"scenarios/{one.name}", "1", "recorded", "(could not be run)")]
        tally.case("scenarios", found)


def run_calls(tally: Tally, endpoint: str) -> None:
    """Make the recorded calls and hold their answers against Flyte's."""
    player = playing.Player(endpoint)
    try:
        for group in reading.load_all():
            played = player.play(group)
            for found in comparing.by_call(group, comparing.load(group), played).values():
                tally.case("calls", found)
    finally:
        player.close()


@contextlib.contextmanager
def endpoint_of(told: str) -> Iterator[str]:
    """The endpoint that is told, or one of our own."""
    if told:
        yield told
    else:
        with platform_up.running(Path(sys.executable)) as platform:
            yield platform.grpc


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint", default="")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--image", default=drive.IMAGE, help="in which tasks run, where they are pods")
    parser.add_argument("--keep", type=Path, help="where our own recordings are kept")
    told = parser.parse_args()
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder, endpoint_of(told.endpoint) as endpoint:
        run_calls(tally, endpoint)
        at = drive.Endpoint(endpoint, f"r{secrets.token_hex(4)}", told.image, pause=0.1, limit=120)
        run_scenarios(tally, at, scenarios(told.quick), told.keep or Path(folder))
    print(tally)
    return 1 if tally.different or (tally.unused() and not told.quick) else 0


if __name__ == "__main__":
    sys.exit(main())
