"""Two launchers as one: what a connector serves goes to connectors, everything else to the platform's own launcher."""

from collections.abc import Callable, Collection

from volant_engine.launchers import port
from volant_engine.launchers.connectors import launcher as connector_launcher


class RoutedLauncher:
    """Chooses by task type."""

    def __init__(self, own: port.Launcher, connectors: connector_launcher.ConnectorLauncher) -> None:
        """Run by `connectors` what they serve, and the rest by `own`."""
        self._own = own
        self._connectors = connectors
        self._elsewhere: set[str] = set()

    @property
    def running(self) -> int:
        """How many attempts run, here and elsewhere."""
        return self._own.running + self._connectors.running

    async def start(self, heard: Callable[[port.AttemptUpdate], None]) -> None:
        """Get both ready."""
        await self._own.start(heard)
        await self._connectors.start(heard)
        self._elsewhere.update(self._connectors.leftovers())

    async def launch(self, attempt: port.Attempt) -> None:
        """Run or adopt the attempt where it belongs."""
        if await self._connectors.serves(attempt):
            self._elsewhere.add(attempt.name)
            await self._connectors.launch(attempt)
        else:
            await self._own.launch(attempt)

    async def stop(self, name: str, reason: str) -> None:
        """End an attempt where it runs."""
        await self._of(name).stop(name, reason)
        self._elsewhere.discard(name)

    def release(self, name: str) -> None:
        """Let go of an attempt where it runs."""
        self._of(name).release(name)

    async def forget(self, name: str) -> None:
        """Clean up after an attempt where it ran."""
        await self._of(name).forget(name)
        self._elsewhere.discard(name)

    def leftovers(self) -> Collection[str]:
        """What is there and was not launched here."""
        return [*self._own.leftovers(), *self._connectors.leftovers()]

    async def close(self, *, end_attempts: bool) -> None:
        """Shut both down."""
        await self._connectors.close(end_attempts=end_attempts)
        await self._own.close(end_attempts=end_attempts)

    def _of(self, name: str) -> port.Launcher:
        return self._connectors if name in self._elsewhere else self._own
