"""Getting objects made: not faster than allowed, again where the cluster is busy or full, never twice.

An object's name is made of its attempt's. Where one of that name is there already, an earlier call (of ours, whose
answer was lost, or of another engine) has made it, and it is taken over.
"""

import asyncio
import dataclasses
import random
import re
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from volant_core import aio, clock, compiler, errors
from volant_engine.launchers.kubernetes import cluster, pod_spec
from volant_engine.launchers.kubernetes import kind as kind_port
from volant_engine.launchers.kubernetes import settings as kubernetes_settings
from volantidl.core import execution_pb2

_log = structlog.get_logger(__name__)
_USER = execution_pb2.ExecutionError.USER
_SYSTEM = execution_pb2.ExecutionError.SYSTEM
_QUOTA = re.compile(r"requested: (?P<requested>.*?), used: .*, limited: (?P<limited>.*)$", re.DOTALL)


class NotMadeError(Exception):
    """There will be no object."""

    def __init__(
        self, code: str, message: str, kind: execution_pb2.ExecutionError.ErrorKind.ValueType, *, retryable: bool
    ) -> None:
        """Why, as an execution's error."""
        super().__init__(message)
        self.error = execution_pb2.ExecutionError(code=code, message=message, kind=kind)
        self.retryable = retryable


class Bucket:
    """Leave to go on, so many times a second in the long run."""

    def __init__(self, rate: float, burst: int, time: clock.Clock) -> None:
        """`rate` a second, `burst` at once after a pause."""
        self._rate = rate
        self._burst = burst
        self._clock = time
        self._left = float(burst)
        self._at = time.monotonic()

    async def take(self) -> None:
        """Wait for leave, and use it."""
        now = self._clock.monotonic()
        self._left = min(self._burst, self._left + max(0.0, now - self._at) * self._rate)
        self._at = max(now, self._at)
        self._left -= 1
        pause = max(0.0, -self._left / self._rate) + max(0.0, self._at - now)
        if pause:
            await asyncio.sleep(pause)

    def close_for(self, seconds: float) -> None:
        """Give no leave for a while: whoever is asked has said so."""
        self._at = max(self._at, self._clock.monotonic() + seconds)
        self._left = min(self._left, 0.0)


@dataclasses.dataclass(slots=True)
class _Patience:
    """What one object has waited for."""

    quota: float
    away: float
    account_until: float


class Maker:
    """Makes objects."""

    def __init__(
        self,
        api: cluster.Cluster,
        settings: kubernetes_settings.KubernetesSettings,
        time: clock.Clock,
        chance: random.Random,
    ) -> None:
        """Make them by `api`."""
        self._api = api
        self._settings = settings
        self._clock = time
        self._chance = chance
        self._bucket = Bucket(settings.create_rate, settings.create_burst, time)
        self._calls = asyncio.Semaphore(settings.creates)
        self._tasks = aio.Tasks("calls that make objects")

    async def make(
        self, kind: kind_port.Kind, manifest: Mapping[str, Any], waits: Callable[[str], None]
    ) -> cluster.Object:
        """The object, made now or before. It may take as long as the cluster is full; `waits` is told why.

        Raises:
            NotMadeError: the cluster refuses it for good.
        """
        settings = self._settings
        patience = _Patience(
            settings.quota_seconds[0],
            settings.retry_seconds[0],
            self._clock.monotonic() + settings.account_seconds,
        )
        while True:
            try:
                async with self._calls:
                    await self._bucket.take()
                    return await self._create(kind, manifest)
            except errors.UnavailableError as away:
                pause = await self._later(patience, away.message)
                waits(f"waits for the Kubernetes API server: {away.message}")
                await asyncio.sleep(pause)
            except cluster.RefusedError as refused:
                if refused.status == 409 and refused.reason == "AlreadyExists":
                    found = await self._existing(kind, manifest)
                    if found is not None:
                        return found
                else:
                    await self._bear(refused, manifest, patience, waits)

    async def _create(self, kind: kind_port.Kind, manifest: Mapping[str, Any]) -> cluster.Object:
        """One call. Who is cancelled meanwhile leaves only when it is known whether there is an object now."""
        call = self._tasks.start(manifest["metadata"]["name"], self._answer(kind, manifest))
        try:
            answer = await asyncio.shield(call)
        finally:
            if not call.done():
                await asyncio.wait([call])
        if isinstance(answer, Exception):
            raise answer
        made: cluster.Object = answer
        return made

    async def _answer(
        self, kind: kind_port.Kind, manifest: Mapping[str, Any]
    ) -> cluster.Object | cluster.RefusedError | errors.VolantError:
        try:
            return await self._api.create(kind.path(manifest["metadata"]["namespace"]), manifest)
        except (cluster.RefusedError, errors.VolantError) as error:
            return error

    async def _bear(
        self,
        refused: cluster.RefusedError,
        manifest: Mapping[str, Any],
        patience: _Patience,
        waits: Callable[[str], None],
    ) -> None:
        """Wait until trying again makes sense; else NotMadeError."""
        message = refused.message
        namespace = manifest["metadata"]["namespace"]
        if refused.status == 404 and f'namespaces "{namespace}" not found' in message:
            await self._make_namespace(namespace)
        elif refused.status == 403 and "exceeded quota" in message:
            if _is_hopeless(message):
                text = f"requested resources exceed limits: {message}"
                raise NotMadeError("ResourceRequestsExceedLimits", text, _USER, retryable=False)
            waits(f"Exceeded resourcequota: {message}")
            await self._rest(patience.quota)
            patience.quota = min(2 * patience.quota, self._settings.quota_seconds[1])
        elif (
            refused.status == 403
            and "service account" in message
            and "not found" in message
            and self._clock.monotonic() < patience.account_until
        ):
            waits(message)
            await asyncio.sleep(await self._later(patience, message))
        elif refused.is_away:
            pause = await self._later(patience, message)
            if refused.status == 429:
                self._bucket.close_for(max(refused.retry_after, pause))
            waits(f"the Kubernetes API server is busy: {message}")
            await asyncio.sleep(max(refused.retry_after, pause))
        else:
            raise _not_made(refused)

    async def _existing(self, kind: kind_port.Kind, manifest: Mapping[str, Any]) -> cluster.Object | None:
        """The object that has the name already; None when it is gone again. NotMadeError when it is none of ours."""
        metadata = manifest["metadata"]
        try:
            found = await self._api.get(kind.path(metadata["namespace"], metadata["name"]))
        except (errors.UnavailableError, cluster.RefusedError):
            return None
        theirs = found["metadata"].get("labels") or {}
        if any(theirs.get(name) != metadata["labels"][name] for name in (pod_spec.INSTALLATION, pod_spec.ATTEMPT)):
            raise NotMadeError(
                "PodNameTaken",
                f"the {kind.name} {metadata['namespace']}/{metadata['name']} exists and is not of this installation",
                _SYSTEM,
                retryable=True,
            )
        return found

    async def _make_namespace(self, name: str) -> None:
        if not self._settings.create_namespaces:
            raise NotMadeError(
                "NamespaceMissing",
                f"the namespace {name} does not exist, and the engine is not to make namespaces "
                "(kubernetes.create_namespaces); an operator has to",
                _SYSTEM,
                retryable=False,
            )
        _log.info("making a namespace", namespace=name)
        try:
            await self._api.create_namespace(name, {pod_spec.INSTALLATION: self._settings.installation})
        except cluster.RefusedError as refused:
            if refused.is_away:
                return
            raise NotMadeError(
                "NamespaceMissing",
                f"the namespace {name} does not exist and can't be made: {refused.message}",
                _SYSTEM,
                retryable=False,
            ) from refused
        except errors.UnavailableError:
            return

    async def _later(self, patience: _Patience, why: str) -> float:
        pause = patience.away * self._chance.uniform(0.5, 1.0)
        patience.away = min(2 * patience.away, self._settings.retry_seconds[1])
        _log.info("an object is tried again", why=why, pause=pause)
        return pause

    async def _rest(self, pause: float) -> None:
        await asyncio.sleep(pause * self._chance.uniform(0.5, 1.0))


def _not_made(refused: cluster.RefusedError) -> NotMadeError:
    """As Flyte tells them apart (contract row 2.129)."""
    if refused.status == 403:
        return NotMadeError("RuntimeFailure", refused.message, _USER, retryable=True)
    if refused.status in {400, 422}:
        return NotMadeError("BadTaskFormat", refused.message, _USER, retryable=False)
    if refused.status == 413:
        return NotMadeError("EntityTooLarge", refused.message, _USER, retryable=False)
    return NotMadeError(refused.reason or "RuntimeFailure", refused.message, _SYSTEM, retryable=True)


def _is_hopeless(message: str) -> bool:
    """Whether a pod asks for more than its namespace's quota would ever allow."""
    found = _QUOTA.search(message)
    if not found:
        return False
    limited = _amounts(found["limited"])
    try:
        return any(
            name in limited and compiler.parse_quantity(amount) > compiler.parse_quantity(limited[name])
            for name, amount in _amounts(found["requested"]).items()
        )
    except ValueError:
        return False


def _amounts(text: str) -> dict[str, str]:
    return dict(part.strip().split("=", 1) for part in text.split(",") if "=" in part)
