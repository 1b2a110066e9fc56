"""Which flytekit this is."""

import re

import flytekit

FLYTEKIT = tuple(int(part) for part in re.findall(r"\d+", flytekit.__version__)[:3])
