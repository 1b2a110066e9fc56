"""Holds what Volant answers against what Flyte answered. Pure, but for reading the recordings."""

import dataclasses
from pathlib import Path

from calls import reading, texts
from recorder import canonical, compare, recordings, rows

RECORDINGS = Path(__file__).parent.parent / "recordings" / "calls"


def differences(group: reading.Group, ours: recordings.Recording) -> list[compare.Difference]:
    """Where the answers to a group's calls differ from the recorded ones."""
    theirs = recordings.load(RECORDINGS / f"{group.name}.json")
    told = {name: _told_alike(theirs.answers.get(name), answer, theirs, ours) for name, answer in ours.answers.items()}
    return compare.differences(
        f"calls/{group.name}", theirs.answers, told, rows.ignored_fields(), (theirs.names, ours.names)
    )


def _told_alike(
    theirs: recordings.Answer | None,
    ours: recordings.Answer,
    their_recording: recordings.Recording,
    our_recording: recordings.Recording,
) -> recordings.Answer:
    """Our answer; with Flyte's words when it refuses in other words that tell the same."""
    if not isinstance(theirs, recordings.Refusal) or not isinstance(ours, recordings.Refusal):
        return ours
    first = canonical.Names(their_recording.names).text(theirs.text)
    second = canonical.Names(our_recording.names).text(ours.text)
    return dataclasses.replace(ours, text=theirs.text) if texts.alike(first, second, None) else ours
