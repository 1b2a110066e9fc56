"""What `make conformance` prints: recordings of the real Flyte, and how many answers of Volant's are equal, accepted or different.

    python tests/conformance/conform.py [--quick] [--accepted] [--endpoint HOST:PORT [--image IMAGE]] [--keep FOLDER]

Without --endpoint it starts a platform of its own on a fresh folder. --quick leaves out the scenarios that take longest,
--accepted prints the accepted differences too, each with its reason. It fails (1) when anything differs that no row of
accepted.toml explains, when a row explains nothing, and when more than 20 cases are accepted.
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

MOST_ACCEPTED = 20
"""Cases, of scenarios and calls together, that may answer otherwise than Flyte."""


class Tally:
    """Counts, and says what differs."""

    def __init__(self, accepted: tuple[rows.Accepted, ...] | None = None) -> None:
        """Start at nothing. Differences are accepted that a row of `accepted` explains; of accepted.toml, if not given."""
        self._accepted = rows.accepted() if accepted is None else accepted
        self._used: collections.Counter[int] = collections.Counter()
        self._cases: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
        self._explained: list[tuple[int, compare.Difference]] = []
        self.different: list[compare.Difference] = []

    def case(self, kind: str, found: list[compare.Difference]) -> None:
        """Take one case: a scenario or a call."""
        verdict = compare.sort_out(found, self._accepted)
        outcome = "different" if verdict.different else "accepted" if verdict.accepted else "equal"
        self._cases[kind][outcome] += 1
        self._used.update(verdict.accepted.keys())
        self._explained += [(place, one) for place, found in verdict.accepted.items() for one in found]
        self.different += verdict.different

    def unused(self) -> list[rows.Accepted]:
        """Rows that explained nothing: they must go."""
        return [row for place, row in enumerate(self._accepted) if not self._used[place]]

    def accepted_cases(self) -> int:
        """How many cases differ, and only in what is accepted."""
        return sum(outcomes["accepted"] for outcomes in self._cases.values())

    def fails(self, *, whole: bool) -> bool:
        """Whether what was seen is not as it has to be; of the `whole`, each row must have explained something."""
        return bool(self.different or (whole and self.unused())) or self.accepted_cases() > MOST_ACCEPTED

    def explained(self) -> str:
        """The accepted differences, by row, each row with its reason."""
        lines = []
        for place, row in enumerate(self._accepted):
            found = [f"    {one}" for at, one in self._explained if at == place]
            lines += [f"accepted, {row.why}:", *found] if found else []
        return "\n".join(lines)

    def __str__(self) -> str:
        lines = [f"    {each}" for each in self.different]
        for kind, outcomes in self._cases.items():
            counts = ", ".join(f"{outcomes[word]} {word}" for word in ("equal", "accepted", "different"))
            lines.append(f"{kind}: {counts}")
        most = f"of {MOST_ACCEPTED} at most"
        lines.append(
            f"accepted: {self.accepted_cases()} cases, {most}; {len(self._accepted)} rows of accepted.toml, {most}"
        )
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
    parser.add_argument("--accepted", action="store_true")
    parser.add_argument("--image", default=drive.IMAGE, help="in which tasks run, where they are pods")
    parser.add_argument("--keep", type=Path, help="where our own recordings are kept")
    told = parser.parse_args()
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder, endpoint_of(told.endpoint) as endpoint:
        run_calls(tally, endpoint)
        at = drive.Endpoint(endpoint, f"r{secrets.token_hex(4)}", told.image, pause=0.1, limit=120)
        run_scenarios(tally, at, scenarios(told.quick), told.keep or Path(folder))
    if told.accepted:
        print(tally.explained())
    print(tally)
    return 1 if tally.fails(whole=not told.quick) else 0


if __name__ == "__main__":
    sys.exit(main())
