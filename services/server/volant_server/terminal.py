"""What is said to the person who runs a command."""

import sys


def say(text: str) -> None:
    """On standard output, at once: somebody may wait for the line."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def complain(sentence: str) -> None:
    """On standard error, in the program's name."""
    sys.stderr.write(f"volant: {sentence}\n")
    sys.stderr.flush()
