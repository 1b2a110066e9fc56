"""Makes the suite's own building blocks importable."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
