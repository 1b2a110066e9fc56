"""Drivers through a whole engine: what admin pushes runs below their nodes, also in the engine after it."""

import asyncio

import engine_graphs as g
from engine_drivers import EAGER
from engine_platform import Platform, sum_plus_one

from volant_core.model import driver_tokens
from volantidl.core import compiler_pb2, execution_pb2
from volantidl.dispatch import dispatch_pb2

_Node = execution_pb2.NodeExecution
KEY = b"k" * 32


def eager_closure():
    node = g.node("n0", EAGER, a="a")
    return g.closure(g.workflow("driven", [node], {"a": g.INT}, {"o0": g.INT}, {"o0": "n0.o0"}), EAGER)


def keyed(assignment: dispatch_pb2.Assignment) -> None:
    assignment.driver_key = KEY


async def stored(platform: Platform, task) -> str:
    """A child's closure, as admin stores it."""
    closure = compiler_pb2.CompiledWorkflowClosure(tasks=[compiler_pb2.CompiledTask(template=task)])
    closure.primary.template.nodes.append(g.node("n0", task))
    uri = f"s3://bucket/driven/{task.id.name}"
    await platform.blobs.put(uri, closure.SerializeToString())
    return uri


def child(uri: str, key: str, value: int) -> dispatch_pb2.DriverChild:
    inputs = g.literal_map(a=value).SerializeToString()
    return dispatch_pb2.DriverChild(parent_node_id="n0", node_id=f"f{key}", key=key, closure_uri=uri, inputs=inputs)


class Held:
    """A driver's attempt that ends when it is told, and children that do."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.may_end = asyncio.Event()
        self.ran: list[str] = []

    async def __call__(self, attempt, inputs):
        self.ran.append(attempt.name)
        if attempt.is_eager:
            self.began.set()
            await self.may_end.wait()
        return sum_plus_one(attempt, inputs)


async def test_children_run_below_the_driver(tmp_path):
    held = Held()
    platform = Platform(tmp_path, held)
    async with platform.serve() as channel, platform.engine(channel):
        uri = await stored(platform, g.PLAIN)
        large = "s3://bucket/large"
        await platform.blobs.put(large, g.literal_map(a=5).SerializeToString())
        number = await platform.submit(eager_closure(), g.literal_map(a=1), configure=keyed)
        await held.began.wait()
        (driver,) = platform.attempts
        assert driver.environment["VOLANT_DRIVER_TOKEN"] == driver_tokens.make(KEY, number, "n0", 0)
        one, other = child(uri, "one", 1), child(uri, "other", 5)
        other.inputs, other.inputs_uri = b"", large
        platform.admin.add_children(number, one)
        platform.admin.add_children(number, one, other)
        store = platform.admin.stores[number]
        good = _Node.SUCCEEDED
        await platform.admin.until(
            lambda: all(store.nodes.get(key, _NOTHING).phase == good for key in ("fone", "fother"))
        )
        assert store.nodes["n0"].is_parent
        assert store.nodes["n0"].phase == _Node.RUNNING
        record = store.nodes["fother"]
        assert (record.parent_node_id, record.retry_group, record.is_awaited) == ("n0", "0", True)
        outputs = g.literals_pb2.LiteralMap.FromString(await platform.blobs.get(record.output_uri))
        assert outputs == g.literal_map(o0=6)
        held.may_end.set()
        await platform.admin.ended(number)
    assert len(held.ran) == 3


async def test_another_engine_goes_on(tmp_path):
    held = Held()
    platform = Platform(tmp_path, held)
    async with platform.serve() as channel:
        uri = await stored(platform, g.PLAIN)
        async with platform.engine(channel):
            number = await platform.submit(eager_closure(), g.literal_map(a=1), configure=keyed)
            await held.began.wait()
            platform.admin.add_children(number, child(uri, "one", 1))
            store = platform.admin.stores[number]
            await platform.admin.until(
                lambda: store.nodes.get("fone", _NOTHING).phase == _Node.SUCCEEDED and store.tasks.get(("n0", 0))
            )
        # While no engine is there.
        platform.admin.add_children(number, child(uri, "two", 2))
        async with platform.engine(channel):
            await platform.admin.until(lambda: store.nodes.get("ftwo", _NOTHING).phase == _Node.SUCCEEDED)
            held.may_end.set()
            await platform.admin.ended(number)
    assert len(held.ran) == len(set(held.ran)) == 3, "nothing ran twice"


async def test_a_closure_that_is_gone_fails_the_execution(tmp_path):
    held = Held()
    platform = Platform(tmp_path, held)
    async with platform.serve() as channel, platform.engine(channel):
        number = await platform.submit(eager_closure(), g.literal_map(a=1), configure=keyed)
        await held.began.wait()
        platform.admin.add_children(number, child("s3://bucket/none", "one", 1))
        store = await platform.admin.ended(number)
    assert store.execution.error.code == "WorkflowClosureMissing"


_NOTHING = dispatch_pb2.NodeRecord()
