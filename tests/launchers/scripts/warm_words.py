"""Stands for the SDK's entry point in tests of warm workers: does what its arguments name."""

import os
import pathlib
import sys

import launcher_acts


def main():
    """`volant-execute BEHAVIOUR MARKS NAME`, or `volant-execute code TEXT`."""
    behaviour, *more = sys.argv[1:]
    if behaviour == "code":
        exec(more[0], {"outputs": outputs})
    else:
        getattr(launcher_acts, behaviour)(*more)


def outputs(**files):
    """Write outputs, as the SDK would."""
    root, bucket = os.environ["VOLANT_STORE_ROOT"], os.environ["VOLANT_STORE_BUCKET"]
    for name, text in files.items():
        path = pathlib.Path(root, bucket, f"{os.environ['VOLANT_ATTEMPT']}~/n0~/data~/0~", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
