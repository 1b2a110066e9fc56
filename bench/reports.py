"""What the admin side of dispatch costs: `python -m bench.reports`. CPU of one process, PostgreSQL in another.

Design section 8 gives a report of 500 node records at most 60 µs of Python a record.
"""

import asyncio
import pathlib
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tests" / "admin" / "executions"))

import scripted

from volant_admin.dispatch import reports, store
from volant_core import postgres
from volant_core.postgres import embedded
from volantidl.core import execution_pb2
from volantidl.dispatch import dispatch_pb2

RECORDS = 500
ROUNDS = 20
_SUCCEEDED = execution_pb2.NodeExecution.SUCCEEDED


def report(given: dispatch_pb2.Assignment, number: int, records: int) -> bytes:
    """A report of so many nodes, as it comes over the wire."""
    folder = "s3://volant/metadata/propeller/flytesnacks-development-a8d5ddtbw5kj7jx6772l"
    nodes = [
        scripted.node(
            f"n{number}-{index}",
            _SUCCEEDED,
            spec_node_id=f"n{index}",
            input_uri=f"{folder}/n{index}/data/inputs.pb",
            output_uri=f"{folder}/n{index}/data/0/outputs.pb",
        )
        for index in range(records)
    ]
    request = dispatch_pb2.ReportRequest(session="s1", executions=[scripted.part(given, nodes=nodes)])
    return request.SerializeToString()


async def cost(times: int, once: Callable[[int], Awaitable[None]]) -> tuple[float, float]:
    """Microseconds of CPU and of wall time that each of so many calls takes."""
    cpu, wall = time.process_time(), time.perf_counter()
    for number in range(times):
        await once(number)
    return (time.process_time() - cpu) / times * 1e6, (time.perf_counter() - wall) / times * 1e6


async def measure(database: postgres.Database, folder: pathlib.Path) -> None:
    """Print the figures."""
    async with scripted.open_platform(database, folder, scripted.VirtualClock()) as platform:
        await scripted.register(platform.admin)
        engine = await platform.engine()
        await platform.create()
        given = await engine.given()
        large = [report(given, number, RECORDS) for number in range(ROUNDS)]
        small = [report(given, ROUNDS + number, 1) for number in range(200)]

        def columns(data: bytes) -> reports.Columns:
            return reports.columns_of(dispatch_pb2.ReportRequest.FromString(data))[0]

        async def parse(number: int) -> None:
            columns(large[number])

        async def record(number: int) -> None:
            await store.record(database, "s1", columns(large[number]))

        async def record_one(number: int) -> None:
            await store.record(database, "s1", columns(small[number]))

        async def create(_number: int) -> None:
            await platform.create()

        for number in range(6):  # the statement gets its lasting plan
            await record(number)
        for name, times, records, once in (
            ("parse and make columns, a record", ROUNDS, RECORDS, parse),
            ("record 500, a record", ROUNDS, RECORDS, record),
            ("record 1", len(small), 1, record_one),
            ("CreateExecution, client here too", 200, 1, create),
        ):
            cpu, wall = await cost(times, once)
            print(f"{name:36} {cpu / records:8.1f} µs CPU {wall / records:8.1f} µs")


async def main() -> None:
    """Run it on a PostgreSQL of its own."""
    with tempfile.TemporaryDirectory(prefix="volant-bench-") as name:
        folder = pathlib.Path(name)
        server = embedded.EmbeddedPostgres(folder / "pg", embedded.EmbeddedSettings())
        await server.start()
        try:
            database = await postgres.Database.connect(server.dsn)
            await postgres.migrate(database, "admin", "volant_admin")
            await measure(database, folder / "objects")
            await database.close()
        finally:
            await server.stop()


if __name__ == "__main__":
    asyncio.run(main())
