"""Measure: `python -m bench [ROW]…`. Prints a table; exits 1 when a target was missed by more than 2 times."""

import argparse
import json
import pathlib
import sys

from bench.platform import platform
from bench.rows import ROWS, Bench, Row


def line(row: Row) -> str:
    """One row of the table."""
    verdict = "" if row.target is None else ("met" if row.met else "MISSED")
    bound = "" if row.target is None else f"{'≤' if row.at_most else '≥'} {row.target:g}"
    return f"{row.name:36} {row.value:10.2f} {row.unit:11} {bound:9} {verdict:7} {row.note}"


def far_off(row: Row) -> bool:
    """Whether a target was missed by more than 2 times."""
    if row.met or row.target is None:
        return False
    return row.value > 2 * row.target if row.at_most else row.value < row.target / 2


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}; all when left out")
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    arguments = parser.parse_args()
    unknown = set(arguments.rows) - set(ROWS)
    if unknown:
        parser.error(f"no such row: {', '.join(sorted(unknown))}")
    done: list[Row] = []
    with platform() as running:
        bench = Bench(running)
        for name in arguments.rows or ROWS:
            for row in ROWS[name](bench):
                print(line(row), flush=True)
                done.append(row)
        bench.client.close()
    if arguments.json:
        with pathlib.Path(arguments.json).open("w") as file:
            json.dump(
                [{"name": row.name, "value": row.value, "unit": row.unit, "note": row.note} for row in done], file
            )
    sys.exit(any(far_off(row) for row in done))


if __name__ == "__main__":
    main()
