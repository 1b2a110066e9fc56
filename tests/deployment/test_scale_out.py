"""Several admins, engines and datacatalogs share the load; killing or restarting one of each loses and repeats nothing."""

import asyncio
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.deployment.fleet import LEASE_S, PHASE, Client, Fleet, free_port, service

from volantidl.core import identifier_pb2

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


def until(true: Callable[[], object], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.05)  # other processes' doings


@pytest.fixture
def fleet(tmp_path: Path, postgres_dsn: str) -> Iterator[Fleet]:
    made = Fleet(tmp_path, postgres_dsn)
    yield made
    made.close()
    assert made.tracebacks() == []


class Trio:
    """Two of each, and the object store; each engine has another admin first."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        started = [fleet.start("objectstore")]
        self.ports = [free_port(), free_port()]
        self.admins = [fleet.start("admin", VOLANT_LISTEN__GRPC=f"127.0.0.1:{port}") for port in self.ports]
        self.catalogs = [fleet.start("datacatalog") for _ in range(2)]
        for process in (*started, *self.admins, *self.catalogs):
            process.ready()
        self.addresses = [f"127.0.0.1:{port}" for port in self.ports]
        self.catalog_addresses = [one.address("gRPC") for one in self.catalogs]
        self.engines = [self.engine(0), self.engine(1)]
        for process in self.engines:
            process.ready()
        for process in self.engines:
            until(lambda process=process: status(process) == 200, 20, "an engine is not attached")

    def engine(self, first: int):
        back = slice(None, None, -1 if first else 1)
        return self.fleet.engine(self.addresses[back], self.catalog_addresses[back], f"engine-{first}")


def status(process) -> int:
    try:
        with urllib.request.urlopen(f"http://{process.address('HTTP')}/healthcheck", timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def health(address: str) -> int:
    with grpc.insecure_channel(address) as channel:
        return health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10).status


def drives(dsn: str) -> dict[str, int]:
    """How many executions each engine drives now."""

    async def ask():
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetch(
                "SELECT s.engine, count(e.id) FROM admin.engine_sessions s"
                " LEFT JOIN admin.executions e ON e.lease_session = s.session AND NOT e.ended GROUP BY s.engine"
            )
        finally:
            await connection.close()

    return dict(asyncio.run(ask()))


@pytest.mark.timeout(180)
def test_one_of_each_is_killed(fleet: Fleet, postgres_dsn: str) -> None:
    trio = Trio(fleet)
    clients = [Client(address) for address in trio.addresses]
    names = [f"nap-{index}" for index in range(16)]
    tasks = [clients[0].register(name, 1 + index % 4, cached=index % 2 == 0) for index, name in enumerate(names)]
    executions = [clients[index % 2].execute(task) for index, task in enumerate(tasks)]
    for execution in executions:  # what one admin committed, the other shows
        assert {client.closure(execution).phase for client in clients} <= {PHASE.QUEUED, PHASE.RUNNING, PHASE.SUCCEEDED}
    until(lambda: sum(fleet.count(name, "began") for name in names) >= 8, 30, "tasks do not start")
    shares = drives(postgres_dsn)
    assert set(shares) == {"engine-0", "engine-1"}
    assert min(shares.values()) >= 4, f"the load is not shared: {shares}"

    for process in (trio.admins[0], trio.engines[1], trio.catalogs[1]):
        process.kill()
    assert any(fleet.count(name, "began") > fleet.count(name, "ended") for name in names), "killed when all was over"
    survivor = clients[1]

    def over() -> bool:
        return all(survivor.closure(execution).phase in {PHASE.SUCCEEDED, PHASE.FAILED} for execution in executions)

    until(over, 30 + 4 * LEASE_S, "not all ended after the kill")
    for execution in executions:
        closure = survivor.closure(execution)
        assert closure.phase == PHASE.SUCCEEDED, closure.error
    assert {name: (fleet.count(name, "began"), fleet.count(name, "ended")) for name in names} == dict.fromkeys(
        names, (1, 1)
    ), "each runs once"
    assert set(drives(postgres_dsn)) == {"engine-0"}
    for client in clients:
        client.close()


@pytest.mark.skipif(
    not os.environ.get("VOLANT_TEST_LONG"), reason="40 s: VOLANT_TEST_LONG=1, as make test-kubernetes does"
)
@pytest.mark.timeout(180)
def test_rolling_restart(fleet: Fleet) -> None:
    """SIGTERM to one after another, while a client registers and runs: nothing is lost, nothing runs twice.

    A call that arrives in the very moment in which gRPC's server stops is cancelled by gRPC itself; so the client tries
    again, as stock clients do, and gives executions a name, which makes it safe.
    """
    trio = Trio(fleet)
    client = Client(service(trio.addresses))
    made: dict[str, identifier_pb2.WorkflowExecutionIdentifier] = {}
    failures: list[grpc.RpcError] = []
    enough = threading.Event()

    def create() -> None:
        while not enough.wait(0.2):
            name = f"roll-{len(made)}"
            try:
                made[name] = client.execute(client.register(name, 1.5), name)
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.ALREADY_EXISTS:
                    failures.append(error)
                    continue
                made[name] = identifier_pb2.WorkflowExecutionIdentifier(
                    project="flytesnacks", domain="development", name=name
                )

    thread = threading.Thread(target=create)
    thread.start()
    try:
        for index in (0, 1):
            for process in (trio.engines[index], trio.admins[index]):
                process.signal(signal.SIGTERM)
            assert [trio.engines[index].popen.wait(60), trio.admins[index].popen.wait(60)] == [0, 0]
            trio.admins[index] = fleet.start("admin", VOLANT_LISTEN__GRPC=trio.addresses[index])
            trio.engines[index] = trio.engine(index)
            for process in (trio.engines[index].ready(), trio.admins[index].ready()):
                until(lambda process=process: status(process) == 200, 20, "it is not ready")
    finally:
        enough.set()
        thread.join()
    codes = {error.code() for error in failures}
    assert codes <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}, failures
    assert len(failures) <= 4, failures
    assert len(made) > 10
    until(
        lambda: all(client.closure(one).phase in {PHASE.SUCCEEDED, PHASE.FAILED} for one in made.values()),
        60,
        "not all ended",
    )
    phases = {name: PHASE.Name(client.closure(one).phase) for name, one in made.items()}
    assert phases == dict.fromkeys(made, "SUCCEEDED")
    runs = {name: (fleet.count(name, "began"), fleet.count(name, "ended")) for name in made}
    assert runs == dict.fromkeys(made, (1, 1)), "each runs once"
    client.close()


@pytest.mark.timeout(120)
def test_a_replica_without_engine_wakes_the_other(fleet: Fleet) -> None:
    """By NOTIFY: leases are long here, so that nothing else could do it in time."""
    fleet.environment["VOLANT_ADMIN__DISPATCH__LEASE"] = "120"
    admins = [fleet.start(name) for name in ("objectstore", "admin", "admin")][1:]
    for process in fleet.processes:
        process.ready()
    addresses = [one.address("gRPC") for one in admins]
    engine = fleet.start("engine", VOLANT_PEERS__ADMIN=addresses[0], VOLANT_PEERS__DATACATALOG=addresses[0]).ready()
    until(lambda: status(engine) == 200, 20, "the engine is not attached")
    far = Client(addresses[1])
    execution = far.execute(far.register("far", 60))
    begin = time.monotonic()
    until(lambda: fleet.count("far", "began"), 15, "the other replica was not woken")
    waited = time.monotonic() - begin
    far.abort(execution)
    until(lambda: far.closure(execution).phase == PHASE.ABORTED, 15, "the abort did not reach the engine")
    assert waited < 10
    assert fleet.count("far", "ended") == 0
    far.close()


@pytest.mark.timeout(120)
def test_health_tells_of_the_database_and_of_leaving(tmp_path: Path, own_postgres) -> None:
    server = own_postgres
    fleet = Fleet(tmp_path, server.dsn, VOLANT_DATABASE__CHECK_S="0.2", VOLANT_SHUTDOWN__NOTICE_S="2")
    try:
        admin = fleet.start("admin")
        admin.ready()
        address = admin.address("gRPC")
        assert (status(admin), health(address)) == (200, SERVING)
        asyncio.run(server.stop())
        until(lambda: (status(admin), health(address)) == (503, NOT_SERVING), 10, "health does not tell")
        with urllib.request.urlopen(f"http://{admin.address('HTTP')}/alive", timeout=10) as answer:
            assert answer.status == 200, "a restart would not help"
        asyncio.run(server.start())
        until(lambda: (status(admin), health(address)) == (200, SERVING), 20, "health does not tell")
        admin.signal(signal.SIGTERM)
        until(lambda: (status(admin), health(address)) == (503, NOT_SERVING), 2, "health does not tell")
        Client(address).register("late", 0)  # what comes in the notice is served
        assert admin.popen.wait(30) == 0
    finally:
        fleet.close()
    assert fleet.tracebacks() == []


def test_an_engine_waits_for_admin(fleet: Fleet) -> None:
    port = free_port()
    engine = fleet.start("engine", VOLANT_PEERS__ADMIN=f"127.0.0.1:{port}").ready()
    until(lambda: status(engine) == 503, 10, "ready without admin")
    fleet.start("objectstore").ready()
    fleet.start("admin", VOLANT_LISTEN__GRPC=f"127.0.0.1:{port}").ready()
    until(lambda: status(engine) == 200, 20, "it does not attach")
