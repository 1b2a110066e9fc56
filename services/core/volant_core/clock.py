"""Time as an argument, so that tests need not wait for it."""

import datetime
import time
from typing import Protocol


class Clock(Protocol):
    """Where services read the time."""

    def now(self) -> datetime.datetime:
        """The time of day, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime.datetime:
        """The time of day, aware, in UTC."""
        return datetime.datetime.now(datetime.UTC)

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        return time.monotonic()
