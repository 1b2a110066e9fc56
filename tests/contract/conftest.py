"""The server and channel of `contract_server`, for every test here."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from contract_server import channel, served

__all__ = ["channel", "served"]
