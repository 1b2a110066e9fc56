"""What the conformance suite's attempts do."""

import pathlib
import sys


def note(marks: str, name: str) -> None:
    with (pathlib.Path(marks) / f"{name}.runs").open("a") as file:
        file.write("x ")


def succeed(marks: str, name: str) -> None:
    note(marks, name)


def fail(marks: str, name: str) -> None:
    note(marks, name)
    print("this went wrong", file=sys.stderr)
    sys.exit(3)


def wait(marks: str, name: str) -> None:
    """Until somebody writes into the gate."""
    note(marks, name)
    (pathlib.Path(marks) / f"{name}.gate").read_bytes()


def square(x: int) -> int:
    return x * x
