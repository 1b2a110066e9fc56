"""Local runs: the same graph, values and types as on a platform."""

import itertools
import os
import pathlib
import time

import pytest

from volant import DefinitionError, RecoverableError, TypeMismatchError, task, workflow
from volant.errors import TimedOutError


def test_plain_calls(flows):
    assert flows.add(2) == 5
    assert flows.add(a=2, b=4) == 6
    assert flows.divide(7, b=2) == (3, 1)
    assert flows.nothing(1) is None


async def test_async_tasks(flows):
    assert await flows.add_later(1, 2) == 3


def test_workflows(flows):
    assert flows.chain(a=1, b=2) == 8
    assert flows.chain(1) == 7


def test_values_in_files(flows):
    assert flows.files(text="hello") == "hello"
    assert flows.folders(names=["a", "b"]) == ["A", "B"]


def test_same_values_as_remotely(flows):
    """A dataclass is encoded and decoded between tasks, also here."""

    @task
    def give() -> flows.Point:
        return flows.Point(1)

    seen = []

    @task
    def take(point: flows.Point) -> int:
        seen.append(point)
        return point.x

    @workflow
    def both() -> int:
        return take(point=give())

    assert both() == 1
    assert seen == [flows.Point(1)]


def test_independent_nodes_run_side_by_side(flows):
    started = time.monotonic()
    assert flows.squares(xs=[1, 2, 3, 4]) == [1, 4, 9, 16]
    assert time.monotonic() - started < 0.75


def test_cache(flows):
    assert flows.squares(xs=[5]) == [25]
    started = time.monotonic()
    assert flows.squares(xs=[5]) == [25]
    assert time.monotonic() - started < 0.15


def test_cache_can_be_switched_off(flows, monkeypatch):
    monkeypatch.setenv("VOLANT_LOCAL_CACHE", "false")
    flows.squares(xs=[6])
    started = time.monotonic()
    flows.squares(xs=[6])
    assert time.monotonic() - started >= 0.2


def test_dynamic(flows):
    assert flows.grown(n=3) == [3, 4, 5]
    assert flows.grow(n=0) == []


def test_eager_because_it_must(flows):
    assert flows.steering.is_eager
    assert "a condition (if, and, or, not) needs the value of" in flows.steering.eager_reason
    assert "sdk_flows.py:" in flows.steering.eager_reason
    assert flows.steering(n=3) == 12


def test_explicit_eager(flows):
    assert flows.awaiting(n=1) == 5


def test_static_when_it_can_be(flows):
    assert not flows.chain.is_eager


def test_launch_plans(flows):
    assert flows.planned() == 13
    assert flows.nightly() == 10
    assert flows.nightly(a=1) == 7


def test_retries(flows, tmp_path):
    assert flows.tried(folder=str(tmp_path)) == 3
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("attempt")) == [
        "attempt-0",
        "attempt-1",
        "attempt-2",
    ]


def test_retries_end():
    calls = []

    @task(retries=1)
    def never() -> int:
        calls.append(1)
        raise RecoverableError("no")

    @workflow
    def trying() -> int:
        return never()

    with pytest.raises(RecoverableError):
        trying()
    assert len(calls) == 2


def test_only_recoverable_errors_are_retried():
    calls = []

    @task(retries=3)
    def fails() -> int:
        calls.append(1)
        raise ValueError("for good")

    @workflow
    def trying() -> int:
        return fails()

    with pytest.raises(ValueError, match="for good"):
        trying()
    assert len(calls) == 1


def test_timeout(flows):
    @workflow
    def waiting() -> int:
        return flows.too_slow(x=1)

    with pytest.raises(TimedOutError, match="did not end within its timeout"):
        waiting()


def test_failure_names_the_node(flows):
    with pytest.raises(ValueError, match="no 4 today") as caught:
        flows.failing(a=1)
    (note,) = caught.value.__notes__
    assert "node n1 (sdk_flows.broken)" in note
    assert "sdk_flows.py:" in note


def test_failure_handler(flows, tmp_path, monkeypatch):
    monkeypatch.setenv("NOTES", str(tmp_path))
    with pytest.raises(ValueError, match="no 2 today"):
        flows.guarded(a=2)
    assert (tmp_path / "failure").read_text() == "2 no 2 today"


def test_gates(flows, monkeypatch, capsys):
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO("7\ny\n"))
    assert flows.gated(a=1) == 11
    assert "[go] approve 4?" in capsys.readouterr().err


def test_gate_that_nobody_answers(flows, monkeypatch):
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(Exception, match="nobody answered"):
        flows.gated(a=1)


def test_wrong_types_are_refused_before_anything_runs(flows):
    with pytest.raises(TypeMismatchError, match="expected int, found str"):
        flows.add(a="1")
    with pytest.raises(TypeMismatchError, match=r"input 'a': expected int, found str"):
        flows.chain(a="1")
    with pytest.raises(TypeMismatchError, match="has no input 'c'; it has a, b"):
        flows.add(a=1, c=2)
    with pytest.raises(TypeMismatchError, match="needs a: int"):
        flows.add()


def test_errors_name_the_users_line(flows):
    with pytest.raises(TypeMismatchError) as caught:
        flows.add(a="1")
    assert str(caught.value).startswith(__file__)


def test_numpy_scalars_are_numbers():
    import numpy as np

    @task
    def check(a: int, b: float, c: bool) -> bool:
        assert (type(a), type(b), type(c)) == (int, float, bool)
        return np.bool_(c)

    assert check(a=np.int64(3), b=np.float32(2.5), c=np.bool_(True)) is True


def test_unannotated_and_annotated_meet():
    @task
    def loose(x):
        return x

    @task
    def strict(x: int) -> int:
        return x + 1

    @workflow
    def mixed(x: int) -> int:
        return strict(x=loose(x=x))

    assert mixed.is_eager
    assert mixed(x=1) == 2


def test_map_with_failures():
    from volant import map_task

    @task
    def odd(x: int) -> int:
        if x % 2 == 0:
            raise ValueError(x)
        return x

    @workflow
    def half(xs: list[int]) -> list[int | None]:
        return map_task(odd, min_success_ratio=0.5)(x=xs)

    assert half(xs=[1, 2, 3]) == [1, None, 3]
    with pytest.raises(ValueError, match="2"):
        half(xs=[2, 4, 5])


def test_map_concurrency():
    from volant import map_task

    running, most = [], []

    @task
    def one(x: int) -> int:
        running.append(x)
        most.append(len(running))
        time.sleep(0.05)
        running.remove(x)
        return x

    @workflow
    def bounded(xs: list[int]) -> list[int]:
        return map_task(one, concurrency=2)(x=xs)

    assert bounded(xs=list(range(6))) == list(range(6))
    assert max(most) == 2


def test_body_is_traced_once():
    seen = []

    @task
    def one() -> int:
        return 1

    @workflow
    def traced() -> int:
        seen.append(1)
        return one()

    assert traced() == 1
    assert traced() == 1
    assert seen == [1]


def test_names_defined_later():
    @workflow
    def early() -> int:
        return later()

    @task
    def later() -> int:
        return 3

    assert early() == 3


def test_order_without_data():
    order = []

    @task
    def note(name: str):
        order.append(name)

    @workflow
    def ordered():
        a, b, c = note(name="a"), note(name="b"), note(name="c")
        c >> b
        b >> a

    ordered()
    assert order == ["c", "b", "a"]


def test_circles_are_refused():
    @task
    def note(name: str):
        pass

    with pytest.raises(DefinitionError, match="closes a circle"):

        @workflow
        def circle():
            a, b = note(name="a"), note(name="b")
            a >> b
            b >> a


def test_working_folders_are_removed(tmp_path):
    import subprocess
    import sys

    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import sdk_flows\n"
        "sdk_flows.folders(names=['a']); sdk_flows.unannotated(thing=1)"
    )
    flows = pathlib.Path(__file__).parent / "flows"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code, str(flows)], check=True, env=environment, timeout=60)
    assert [path for path in tmp_path.iterdir() if path.name.startswith("volant-")] == []


def test_map_keeps_defaults():
    from volant import map_task

    @task
    def shift(x: int, by: int = 10) -> int:
        return x + by

    @workflow
    def shifted(xs: list[int]) -> list[int]:
        return map_task(shift)(x=xs)

    assert shifted(xs=[1, 2]) == [11, 12]
    assert map_task(shift)(x=[1], by=[5]) == [6]


def test_many_at_once_are_bounded():
    import threading

    from volant.local import threads

    @task
    def one(x: int) -> int:
        return x

    @task
    def total(xs: list[int]) -> int:
        assert threading.active_count() < threads.AT_ONCE + threads.CALLS_AT_ONCE + 20
        return sum(xs)

    @workflow
    def wide(n: int) -> int:
        return total(xs=[one(x=number) for number in range(1000)])

    @workflow
    def eager_wide(n: int) -> int:
        found = n
        for _ in range(600):
            found = one(x=found)
        return found + 0

    assert wide(n=1) == sum(range(1000))
    assert eager_wide(n=3) == 3


def test_long_orders_are_quick():
    @task
    def note(n: int):
        pass

    started = time.process_time()

    @workflow
    def ordered():
        calls = [note(n=n) for n in range(3000)]
        for before, after in itertools.pairwise(calls):
            before >> after

    assert time.process_time() - started < 3
    assert len(ordered.graph.nodes[-1].upstream()) == 1


def test_values_of_an_eager_body_act_like_what_they_are(flows, tmp_path):
    """What a call gives waits when it's looked at, and then is, as far as Python allows, the value itself."""
    import copy
    import pickle

    import numpy as np
    import pandas as pd

    @task
    def frame() -> pd.DataFrame:
        return pd.DataFrame({"a": [1, 2]})

    @task
    def path() -> str:
        return str(tmp_path / "x")

    @task
    def numbers() -> list[int]:
        return [3, 1, 2]

    @task
    def table() -> dict[str, int]:
        return {"k": 5}

    @workflow
    def body() -> int:
        found, where, some, named = frame(), path(), numbers(), table()
        number = flows.add(a=1, b=1)
        assert isinstance(number, int)
        assert (number + 1, 1 + number, -number, number * 2, 2**number, number == 2, number < 3) == (
            3,
            3,
            -2,
            4,
            4,
            True,
            True,
        )
        assert f"{number:03d}" == "002"
        assert [10, 20, 30][number] == 30
        assert list(range(number)) == [0, 1]
        assert "/" + where.strip("/") == "/" + str(where)[1:]
        with open(where, "w") as stream:
            stream.write("x")
        assert sorted(some) == [1, 2, 3]
        assert (len(some), some[0], 3 in some, max(some), sum(some)) == (3, 3, True, 3, 6)
        some.append(4)
        assert some[-1] == 4
        assert (named["k"], dict(named), {**named}) == (5, {"k": 5}, {"k": 5})
        assert np.mean(some) == 2.5
        assert found["a"].sum() == 3
        assert pd.concat([found, found]).shape == (4, 1)
        assert copy.deepcopy(named) == {"k": 5}
        assert pickle.loads(pickle.dumps(named)) == {"k": 5}
        assert hash(number) == hash(2)
        assert bool(flows.add(a=0, b=0)) is False
        assert number.is_true() is False
        return number

    assert body.is_eager
    assert body() == 2
