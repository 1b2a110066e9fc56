"""The command: see the package."""

import argparse
import sys
from pathlib import Path

from recorder import compare, recordings, rows

from calls import comparing, playing, reading


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(
        description="Record single calls at an endpoint, or hold an endpoint against them."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("record", "compare"):
        told = commands.add_parser(name)
        told.add_argument("endpoint")
        told.add_argument("groups", nargs="*")
        told.add_argument("--catalog", default="", help="where DataCatalog is, when it is elsewhere")
        told.add_argument("--after-project", default="", help="a command to run for each project, {project}")
        told.add_argument("--out", type=Path, default=comparing.RECORDINGS)
    options = parser.parse_args()
    player = playing.Player(options.endpoint, options.catalog, options.after_project)
    accepted = rows.accepted()
    different = 0
    for group in reading.load_all():
        if options.groups and group.name not in options.groups:
            continue
        played = player.play(group)
        if options.command == "record":
            recordings.save(options.out / f"{group.name}.json", played)
            print(f"{group.name}: {len(played.answers)} calls", flush=True)
            continue
        found = compare.sort_out(comparing.differences(group, comparing.load(group), played), accepted)
        different += len(found.different)
        print(f"{group.name}: {len(group.calls)} calls, {len(found.different)} different", flush=True)
        for each in found.different:
            print(f"    {each}")
    player.close()
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
