"""The tests of the one port again, on uvloop; run as a program by `test_one_port`."""

import asyncio
import pathlib
import tempfile

import uvloop
from tests.server import test_one_port as tests


async def main(folder: pathlib.Path) -> None:
    async with asyncio.timeout(50), tests.opened(folder) as one:
        await tests.test_grpc_and_http_side_by_side(one)
        await tests.test_a_preface_that_dribbles(one, 3)
        await tests.test_an_http_method_that_begins_like_the_preface(one)
        await tests.test_no_pair_outlives_its_connection(one)
        await tests.test_delays_of_small_messages(one)
        await tests.test_a_dead_grpc_server_ends_connections(one)
    print("done")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(pathlib.Path(made)))
