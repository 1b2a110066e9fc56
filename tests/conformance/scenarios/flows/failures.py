"""What goes wrong, and who is told."""

import datetime
import os
import signal
import sys
import time

from flytekit import ContainerTask, WorkflowFailurePolicy, conditional, kwtypes, sleep, workflow
from flytekit.exceptions.user import FlyteRecoverableException
from flytekit.types.error.error import FlyteError

from flows.small import LIMITS, REQUESTS, add, add_one, echo, naps, raises, task


@workflow
def user_error(x: int) -> int:
    return echo(x=raises(x=x))


def _attempt() -> int:
    return int(os.environ["FLYTE_ATTEMPT_NUMBER"])


@task(retries=2)
def recovers(x: int) -> int:
    if _attempt() < 1:
        raise FlyteRecoverableException("try again")
    return x


@workflow
def recoverable(x: int) -> int:
    return recovers(x=x)


@task(retries=1)
def never_recovers(x: int) -> int:
    raise FlyteRecoverableException(f"attempt {_attempt()}")
    return x  # flytekit asks for a return


@workflow
def recoverable_exhausted(x: int) -> int:
    return never_recovers(x=x)


@task(retries=3)
def raises_with_retries(x: int) -> int:
    raise ValueError("final at once")
    return x  # flytekit asks for a return


@workflow
def not_retried(x: int) -> int:
    return raises_with_retries(x=x)


@task(timeout=datetime.timedelta(seconds=40))
def too_slow(x: int) -> int:
    time.sleep(600)
    return x


@workflow
def timed_out(x: int) -> int:
    return echo(x=too_slow(x=x))


@task(retries=1)
def exits(code: int) -> int:
    print("about to exit", flush=True)
    sys.stderr.write("with a last word\n")
    sys.stderr.flush()
    os._exit(code)
    return code  # flytekit asks for a return


@workflow
def non_zero_exit(code: int) -> int:
    return exits(code=code)


@task
def leaves(x: int) -> int:
    os._exit(0)
    return x  # flytekit asks for a return


@workflow
def missing_output(x: int) -> int:
    return leaves(x=x)


@task
def kills_itself(x: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return x


@workflow
def killed(x: int) -> int:
    return kills_itself(x=x)


@task(retries=2)
def killed_then_raises(x: int) -> int:
    """Both budgets: the system's first, then the user's, then luck."""
    if _attempt() == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    if _attempt() == 1:
        raise FlyteRecoverableException("after the kill")
    return x


@workflow
def both_budgets(x: int) -> int:
    return killed_then_raises(x=x)


@task
def returns_a_text(x: int) -> int:
    return "not a number"  # type: ignore[return-value]


@workflow
def wrong_type(x: int) -> int:
    return returns_a_text(x=x)


@task
def exits_politely(x: int) -> int:
    sys.exit(4)
    return x  # flytekit asks for a return


@workflow
def system_exit(x: int) -> int:
    return exits_politely(x=x)


class OwnError(Exception):
    """With a cause and an own text."""


@task
def raises_from(x: int) -> int:
    try:
        return {}["missing"]
    except KeyError as error:
        raise OwnError("wrapped") from error
    return x


@workflow
def error_with_cause(x: int) -> int:
    return raises_from(x=x)


@workflow
def fail_at_once(x: int) -> tuple[int, float]:
    return raises(x=x), naps(seconds=300.0)


@workflow(failure_policy=WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE)
def fail_later(x: int) -> tuple[int, int, int]:
    bad = raises(x=x)
    good = add_one(x=x)
    return echo(x=bad), echo(x=good), add(x=bad, y=good)


@task
def cleans_up(x: int, err: FlyteError | None = None) -> None:
    print("cleaning", x, err.failed_node_id if err else None)


@workflow(on_failure=cleans_up)
def with_failure_node(x: int) -> int:
    return echo(x=raises(x=x))


@workflow(on_failure=cleans_up)
def failure_node_unneeded(x: int) -> int:
    return echo(x=x)


@task
def cleans_badly(x: int) -> None:
    raise RuntimeError("the cleaner fell")


@workflow(on_failure=cleans_badly)
def failure_node_fails(x: int) -> int:
    return raises(x=x)


@workflow
def failure_node_below(x: int) -> int:
    return echo(x=with_failure_node(x=x))


@workflow
def cleaning_flow(x: int) -> None:
    echo(x=x)


@workflow(on_failure=cleaning_flow)
def failure_workflow(x: int) -> int:
    return raises(x=x)


@task
def cleans_slowly(x: int) -> None:
    time.sleep(300)


@workflow(on_failure=cleans_slowly)
def slow_failure_node(x: int) -> int:
    return raises(x=x)


@workflow
def long_nap(seconds: float) -> float:
    return naps(seconds=seconds)


shell_exit = ContainerTask(
    name="flows.failures.shell_exit",
    image="localhost/flytekit:1",
    inputs={},
    outputs={},
    command=["/bin/sh", "-c", "echo out; echo err >&2; exit 7"],
    requests=REQUESTS,
    limits=LIMITS,
)
shell_fine = ContainerTask(
    name="flows.failures.shell_fine",
    image="localhost/flytekit:1",
    inputs={},
    outputs={},
    command=["/bin/sh", "-c", "echo fine"],
    requests=REQUESTS,
    limits=LIMITS,
)
no_program = ContainerTask(
    name="flows.failures.no_program",
    image="localhost/flytekit:1",
    inputs={},
    outputs={},
    command=["/no/such/program"],
    requests=REQUESTS,
    limits=LIMITS,
)


@workflow
def container_fine() -> None:
    shell_fine()


@workflow
def container_fails(without_program: bool) -> None:
    """A program that ends badly, and one that is not there."""
    conditional("program").if_(without_program.is_true()).then(no_program()).else_().then(shell_exit())


@task
def gives_dict(x: int) -> dict[str, int]:
    return {"a": x}


@workflow
def no_such_key(x: int) -> int:
    return echo(x=gives_dict(x=x)["b"])


@task(cache=True, cache_version="1", cache_serialize=True)
def naps_in_turn(salt: str, seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@workflow
def nap_in_turn(salt: str, seconds: float) -> tuple[float, float]:
    """The second waits, queued, for what the first computes."""
    first = naps_in_turn(salt=salt, seconds=seconds)
    pause = sleep(datetime.timedelta(seconds=2))
    second = naps_in_turn(salt=salt, seconds=seconds)
    pause >> second
    return first, second


@workflow
def one_nap_at_a_time(seconds: float) -> tuple[float, float]:
    return naps(seconds=seconds), naps(seconds=seconds)


shell_adds = ContainerTask(
    name="flows.failures.shell_adds",
    image="localhost/flytekit:1",
    input_data_dir="/var/inputs",
    output_data_dir="/var/outputs",
    inputs=kwtypes(x=int, word=str),
    outputs=kwtypes(total=int, said=str),
    command=[
        "/bin/sh",
        "-c",
        "echo $(($(cat /var/inputs/x) + 1)) > /var/outputs/total; cat /var/inputs/word > /var/outputs/said",
    ],
    requests=REQUESTS,
    limits=LIMITS,
)


@workflow
def container_with_data(x: int, word: str) -> tuple[int, str]:
    done = shell_adds(x=x, word=word)
    return done.total, done.said
