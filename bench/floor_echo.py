"""The floor of an RPC: an empty grpc.aio server in a process of its own, asked by one client, call after call."""

import asyncio
import subprocess
import sys
import time

import grpc

METHOD = "/bench.Echo/Echo"


async def _serve(port: str) -> None:
    async def echo(request: bytes, _context: object) -> bytes:
        return request

    server = grpc.aio.server()
    handlers = {"Echo": grpc.unary_unary_rpc_method_handler(echo)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Echo", handlers),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    print("ready", flush=True)
    await server.wait_for_termination()


def measure(port: int, calls: int, size: int) -> float:
    """Calls a second of `size` bytes each way."""
    command = [sys.executable, "-m", "bench.floor_echo", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            server.stdout.readline()
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                call = channel.unary_unary(METHOD)
                payload = b"x" * size
                for _ in range(200):
                    call(payload)
                begin = time.perf_counter()
                for _ in range(calls):
                    call(payload)
                return calls / (time.perf_counter() - begin)
        finally:
            server.terminate()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
