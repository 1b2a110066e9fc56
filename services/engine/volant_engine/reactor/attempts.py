"""Attempts between runs and the launcher: launched, listened to, read when they end, stopped, forgotten."""

import asyncio
import dataclasses
from collections.abc import Callable, Collection

import structlog

from volant_core import aio, clock, errors
from volant_core.blobstore.port import BlobStore
from volant_core.model import driver_tokens, layout, naming
from volant_engine import settings as engine_settings
from volant_engine.decide import commands, events
from volant_engine.launchers import port
from volant_engine.reactor import environment, errands, outcomes, patience, templates, worker
from volantidl.core import execution_pb2, literals_pb2, tasks_pb2

_log = structlog.get_logger(__name__)
_STATES = {
    port.AttemptPhase.QUEUED: events.AttemptState.QUEUED,
    port.AttemptPhase.INITIALIZING: events.AttemptState.INITIALIZING,
    port.AttemptPhase.RUNNING: events.AttemptState.RUNNING,
}
Post = Callable[[worker.Worker, events.Event], None]


def _driver_token(one: worker.Worker, command: commands.Launch) -> str:
    key = one.assignment.driver_key
    if not key or command.index >= 0 or not command.task.metadata.is_eager:
        return ""
    return driver_tokens.make(key, one.number, command.node_id, command.attempt)


@dataclasses.dataclass(slots=True, eq=False)
class _Target:
    """Whom news of an attempt is for."""

    one: worker.Worker
    command: commands.Launch
    accepted: asyncio.Event


class Attempts:
    """All attempts of an engine."""

    def __init__(
        self,
        launcher: port.Launcher,
        blobs: BlobStore,
        tasks: aio.Tasks,
        errand: errands.Errands,
        settings: engine_settings.EngineSettings,
        waiting: patience.Patience,
        time: clock.Clock,
        post: Post,
    ) -> None:
        """Launch by `launcher`; events go to `post`."""
        self._launcher = launcher
        self._blobs = blobs
        self._tasks = tasks
        self._errands = errand
        self._settings = settings
        self._patience = waiting
        self._clock = time
        self._post = post
        self._targets: dict[str, _Target] = {}
        self._launching = asyncio.Semaphore(settings.launches)
        self._reading = asyncio.Semaphore(settings.reads)

    def __len__(self) -> int:
        """How many have news to come."""
        return len(self._targets)

    def launch(self, one: worker.Worker, command: commands.Launch) -> None:
        """Start or adopt an attempt."""
        target = _Target(one, command, asyncio.Event())
        self._targets[command.name] = target
        one.attempts.add(command.name)
        self._errands.start(one, f"launch {command.name}", self._launch(target))

    async def _launch(self, target: _Target) -> None:
        one, command = target.one, target.command
        try:
            async with self._launching:
                if self._targets.get(command.name) is not target:
                    return
                attempt = await self._prepare(one, command)
                if self._targets.get(command.name) is not target:
                    return

                async def accept() -> None:
                    await self._launcher.launch(attempt)

                await self._patience.until_done(f"launch {command.name}", accept, self._settings.launch_tries)
        except templates.TemplateError as wrong:
            self._refuse(target, "BadTaskSpecification", str(wrong), execution_pb2.ExecutionError.USER)
        except errors.InvalidArgumentError as wrong:
            self._refuse(target, "BadTaskSpecification", wrong.message, execution_pb2.ExecutionError.USER)
        except errors.VolantError as wrong:
            self._refuse(target, "LaunchFailed", wrong.message, execution_pb2.ExecutionError.SYSTEM, retryable=True)
        finally:
            target.accepted.set()

    def _refuse(
        self,
        target: _Target,
        code: str,
        message: str,
        kind: execution_pb2.ExecutionError.ErrorKind.ValueType,
        *,
        retryable: bool = False,
    ) -> None:
        if self._take(target.command.name) is None:
            return
        error = execution_pb2.ExecutionError(code=code, message=message, kind=kind)
        now = self._clock.now().timestamp()
        self._post(
            target.one,
            self._news(target.command, now, events.AttemptState.FAILED, now, error=error, retryable=retryable),
        )

    async def _prepare(self, one: worker.Worker, command: commands.Launch) -> port.Attempt:
        if command.inputs is not None:
            data = command.inputs.SerializeToString()

            async def put() -> None:
                await self._blobs.put(command.input_uri, data)

            await self._patience.until_done(f"write {command.input_uri}", put)
        execution, spec = one.assignment.id, one.assignment.spec
        arguments, task = await self._words(command, f"{execution.project}-{execution.domain}")
        return port.Attempt(
            name=command.name,
            execution=execution,
            node_id=command.node_id,
            number=command.number,
            task=task,
            arguments=arguments,
            environment=environment.of_attempt(
                execution=execution,
                workflow=one.assignment.workflow_id,
                spec=spec,
                task=command.task,
                attempt=command.number,
                index=command.index,
                driver_token=_driver_token(one, command),
            ),
            input_uri=command.input_uri,
            output_prefix=command.output_dir,
            raw_output_prefix=command.raw_output_prefix,
            interruptible=command.interruptible,
            is_eager=command.task.metadata.is_eager,
            security_context=spec.security_context if spec.HasField("security_context") else None,
            workflow_name=one.assignment.workflow_id.name,
            was_running=command.was_running,
            labels=dict(spec.labels.values),
            annotations=dict(spec.annotations.values),
        )

    async def _words(self, command: commands.Launch, namespace: str) -> tuple[list[str], tasks_pb2.TaskTemplate]:
        """The attempt's arguments, and its task, of whose pod the companions' words are rendered too."""
        task = command.task
        parts = templates.command_of(task)
        everything = [*parts, *templates.companions(task)]
        prefix = command.input_uri.rpartition("/")[0]
        template_uri = f"{prefix}/{layout.TASK_TEMPLATE}"
        if templates.uses(everything, "tasktemplatepath"):
            await self._blobs.put(template_uri, command.task.SerializeToString())
        inputs = command.inputs
        if inputs is None and templates.uses(everything, "inputs"):
            inputs = literals_pb2.LiteralMap.FromString(await self._blobs.get(command.input_uri))
        variables = templates.Variables(
            input=command.input_uri,
            input_prefix=prefix,
            output_prefix=command.output_dir.rpartition("/")[0] if command.appends_index else command.output_dir,
            raw_output_data_prefix=command.raw_output_prefix,
            generated_name=command.generated,
            task_template_path=template_uri,
            prev_checkpoint_prefix=command.prev_checkpoint,
            checkpoint_output_prefix=f"{command.raw_output_prefix}/{layout.CHECKPOINTS}",
            namespace=namespace,
        )
        return templates.render(parts, variables, inputs), templates.with_companions_rendered(task, variables, inputs)

    def heard(self, update: port.AttemptUpdate) -> None:
        """News from the launcher."""
        target = self._targets.get(update.name)
        if target is None:
            return
        state = _STATES.get(update.phase)
        if state is None:
            self._errands.start(target.one, f"read {update.name}", self._conclude(target, update))
            return
        self._post(target.one, self._of_update(target.command, update, state))

    async def _conclude(self, target: _Target, update: port.AttemptUpdate) -> None:
        """Read what an ended attempt left, and pass it on."""
        command = target.command

        async def read() -> outcomes.Outcome:
            async with self._reading:
                return await outcomes.read(
                    self._blobs, command.task, command.output_dir, update, self._settings.value_bytes
                )

        try:
            outcome = await self._patience.until_done(f"read {command.name}", read)
        except errors.VolantError as wrong:
            error = execution_pb2.ExecutionError(
                code="OutputsUnreadable", message=wrong.message, kind=execution_pb2.ExecutionError.SYSTEM
            )
            outcome = outcomes.Outcome(events.AttemptState.FAILED, error=error, retryable=True)
        if self._targets.get(command.name) is not target:
            return
        self._take(command.name)
        self._post(
            target.one,
            self._of_update(
                command,
                update,
                outcome.state,
                outputs=outcome.outputs,
                has_outputs=outcome.has_outputs,
                error=outcome.error,
                retryable=outcome.retryable,
                deck=outcome.deck,
            ),
        )

    def _of_update(
        self,
        command: commands.Launch,
        update: port.AttemptUpdate,
        state: events.AttemptState,
        *,
        outputs: literals_pb2.LiteralMap | None = None,
        has_outputs: bool = False,
        error: execution_pb2.ExecutionError | None = None,
        retryable: bool = False,
        deck: bool = False,
    ) -> events.AttemptNews:
        return events.AttemptNews(
            at=self._clock.now().timestamp(),
            node_id=command.node_id,
            attempt=command.attempt,
            index=command.index,
            number=command.number,
            state=state,
            occurred_at=update.at.timestamp(),
            started_at=update.started_at.timestamp() if update.started_at else 0.0,
            reason=update.reason,
            outputs=outputs,
            has_outputs=has_outputs,
            error=error,
            retryable=retryable,
            deck=deck,
            logs=update.logs,
            facts=update.facts,
        )

    @staticmethod
    def _news(
        command: commands.Launch,
        now: float,
        state: events.AttemptState,
        occurred_at: float,
        *,
        error: execution_pb2.ExecutionError,
        retryable: bool,
    ) -> events.AttemptNews:
        return events.AttemptNews(
            at=now,
            node_id=command.node_id,
            attempt=command.attempt,
            index=command.index,
            number=command.number,
            state=state,
            occurred_at=occurred_at,
            error=error,
            retryable=retryable,
        )

    def stop(self, one: worker.Worker, command: commands.Stop) -> None:
        """End an attempt; `Stopped` comes in any case, at the latest after a while."""
        self._errands.start(one, f"stop {command.name}", self._stop(one, command))

    async def _stop(self, one: worker.Worker, command: commands.Stop) -> None:
        target = self._take(command.name)
        try:
            async with asyncio.timeout(self._settings.stop_seconds):
                if target is not None:
                    await target.accepted.wait()

                async def stop() -> None:
                    await self._launcher.stop(command.name, command.reason)

                await self._patience.until_done(f"stop {command.name}", stop)
        except TimeoutError:
            _log.error("an attempt could not be stopped in time", attempt=command.name)
        except errors.VolantError as wrong:
            _log.error("an attempt could not be stopped", attempt=command.name, error=wrong.message)
        now = self._clock.now().timestamp()
        self._post(one, events.Stopped(now, command.node_id, command.attempt, command.index))

    def forget(self, names: list[str]) -> None:
        """The ends of these attempts are recorded."""
        if names:
            self._tasks.start("forget attempts", self._forget(names))

    async def _forget(self, names: list[str]) -> None:
        for name in names:
            try:
                await self._launcher.forget(name)
            except errors.VolantError as wrong:
                _log.warning("what an attempt left could not be cleaned up", attempt=name, error=wrong.message)

    def sweep(self, one: worker.Worker, known: Collection[str]) -> None:
        """End what an engine before this one had launched for the execution, which is over, without saying so."""
        left = set(self._launcher.leftovers()).difference(known)
        lost = [name for name in left if naming.is_attempt_of(name, one.assignment.id)]
        if lost:
            _log.info("cleaning up attempts that an earlier engine left", attempts=lost)
            self._tasks.start("sweep", self._sweep(lost))

    async def _sweep(self, names: list[str]) -> None:
        for name in names:
            try:
                await self._launcher.stop(name, "its execution is over")
                await self._launcher.forget(name)
            except errors.VolantError as wrong:
                _log.warning("an attempt could not be ended", attempt=name, error=wrong.message)

    def drop(self, one: worker.Worker) -> None:
        """Listen to the attempts of an execution no more; they run on, for another engine to adopt."""
        for name in one.attempts:
            self._targets.pop(name, None)
            self._launcher.release(name)
        one.attempts.clear()

    def _take(self, name: str) -> _Target | None:
        target = self._targets.pop(name, None)
        if target is not None:
            target.one.attempts.discard(name)
        return target
