"""Every RPC of the platform, with requests that nobody meant: it answers, in time, with a status that says whose fault.

VOLANT_FUZZ_CASES is the number of cases of each method (30 here, 200 in `make fuzz`), VOLANT_FUZZ_SEED another start.
Half of them are random messages, half are valid requests on what exists with one field changed.
"""

import collections
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Iterator

import fuzz_messages
import fuzz_requests
import fuzz_seeds
import grpc
import hypothesis
import pytest
from google.protobuf import descriptor_pool, message_factory, text_format
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from hypothesis import strategies as st

from volant_core import rpc

CASES = int(os.environ.get("VOLANT_FUZZ_CASES", "30"))
SEED = int(os.environ.get("VOLANT_FUZZ_SEED", "1"))
# Longer than any answer may take on a busy machine.
HANG_S = 20.0
MOMENT_S = 0.2
STREAM_MESSAGES = 5
STOP_S = 60
FAULT_SIGNS = ("Traceback", '"level": "error"', '"level": "critical"')
MANY_CASES = 100
METHODS = [(service, method) for service, methods in fuzz_requests.VALID.items() for method in methods]
NEVER = {"INTERNAL", "UNKNOWN", "DEADLINE_EXCEEDED", "UNAVAILABLE", "CANCELLED", "DATA_LOSS", "ABORTED"}
SETTINGS = hypothesis.settings(
    max_examples=CASES // 2,
    deadline=None,
    database=None,
    # Requests change what is there: the same one again is another case, so nothing can be shrunk.
    phases=[hypothesis.Phase.generate],
    suppress_health_check=list(hypothesis.HealthCheck),
)


class Platform:
    """The process under test."""

    def __init__(self, address: str, log: pathlib.Path) -> None:
        self.channel = grpc.insecure_channel(
            address,
            options=[("grpc.max_metadata_size", 256 * 1024), ("grpc.absolute_max_metadata_size", 512 * 1024)],
        )
        self.log = log
        self.seeds = fuzz_seeds.Seeds(self.channel)
        self.last_refusal = ""

    def faults(self) -> list[str]:
        """Lines of the log that tell of a fault."""
        lines = self.log.read_text().splitlines()
        return [line for line in lines if any(sign in line for sign in FAULT_SIGNS)]

    def call(self, method: MethodDescriptor, service: str, requests: list[Message]) -> str:
        """Call it and take what comes: the status."""
        shown = "\n--\n".join(text_format.MessageToString(request)[:3000] for request in requests)
        return self.call_with(method, service, [request.SerializeToString() for request in requests], shown)

    def call_with(self, method: MethodDescriptor, service: str, sent: list[bytes], shown: str) -> str:
        """The same with bytes."""
        path = f"/{service}/{method.name}"
        try:
            if method.client_streaming:
                answers = self.channel.stream_stream(path)(iter(sent), timeout=HANG_S, metadata=fuzz_seeds.PROOF)
                self._take(answers)
            elif method.server_streaming:
                patience = MOMENT_S if method.full_name in fuzz_requests.ENDLESS else HANG_S
                self._take(self.channel.unary_stream(path)(sent[0], timeout=patience, metadata=fuzz_seeds.PROOF))
            else:
                parse = message_factory.GetMessageClass(method.output_type).FromString
                ask = self.channel.unary_unary(path, response_deserializer=parse)
                ask(sent[0], timeout=HANG_S, metadata=fuzz_seeds.PROOF)
        except grpc.RpcError as error:
            code = error.code().name
            if code == "DEADLINE_EXCEEDED" and method.full_name in fuzz_requests.ENDLESS:
                return "OK"
            if code in NEVER or (code == "UNIMPLEMENTED" and method.full_name not in fuzz_requests.NOT_OFFERED):
                pytest.fail(f"{path}: {code}: {error.details()}\nfor {shown}\n{self.log.read_text()[-3000:]}")
            self.last_refusal = f"{code}: {error.details()}"
            return code
        return "OK"

    def _take(self, answers: grpc.Call) -> None:
        """Some of a stream; one that goes on is left."""
        for count, _ in enumerate(answers):  # type: ignore[call-overload]  # a response iterator
            if count == STREAM_MESSAGES:
                answers.cancel()
                return


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A running platform with seeds; what its log says at the end is looked at by the last test."""
    folder = tmp_path_factory.mktemp("fuzz")
    log = folder / "log.jsonl"
    command = [sys.executable, str(pathlib.Path(__file__).parent / "fuzz_serve.py"), str(folder / "data")]
    told = {**os.environ, "VOLANT_PEERS__TOKEN": fuzz_seeds.PEER_TOKEN}
    pipe = subprocess.PIPE
    with (
        log.open("w") as errors,
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=errors, text=True, env=told) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, log.read_text()[-5000:]
        made = Platform(address, log)
        made.seeds.plant()
        yield made
        made.channel.close()
        process.stdin.close()
        # Whatever the requests left behind, it stops.
        assert process.wait(STOP_S) == 0, log.read_text()[-5000:]


def described(service: str, method: str) -> MethodDescriptor:
    return descriptor_pool.Default().FindServiceByName(service).FindMethodByName(method)


def run(strategy: st.SearchStrategy[list[Message]], once: Callable[[list[Message], int], None]) -> None:
    """Call `once` with every case that hypothesis makes, always the same ones."""

    @hypothesis.seed(SEED)
    @SETTINGS
    @hypothesis.given(strategy, st.integers(0, 2**32))
    def cases(requests: list[Message], salt: int) -> None:
        once(requests, salt)

    cases()


def sent_with(following: list[Message], one: st.SearchStrategy[Message]) -> st.SearchStrategy[list[Message]]:
    """A request, and what follows it where a method takes several."""
    return one.map(lambda request: [request, *following])


@pytest.mark.parametrize(("service", "name"), METHODS, ids=[f"{s.rpartition('.')[2]}.{m}" for s, m in METHODS])
def test_it_answers(platform: Platform, service: str, name: str) -> None:
    method = described(service, name)
    known = platform.seeds.known()
    make = fuzz_requests.VALID[service][name]
    outcomes: dict[str, collections.Counter[str]] = {"random": collections.Counter(), "changed": collections.Counter()}
    faults = len(platform.faults())

    def send(kind: str) -> Callable[[list[Message], int], None]:
        def once(requests: list[Message], salt: int) -> None:
            # Under our name and Flyte's by turns.
            under = rpc.flyte_name(service) if salt % 2 else service
            outcomes[kind][platform.call(method, under or service, requests)] += 1

        return once

    random = fuzz_messages.random_messages(method.input_type, known)
    overlaid = fuzz_messages.much_changed(lambda: make(platform.seeds), known)
    anything = st.one_of(random, overlaid)
    run(st.lists(anything, min_size=1, max_size=4 if method.client_streaming else 1), send("random"))
    changed = fuzz_messages.changed(lambda: make(platform.seeds), known)
    run(sent_with(fuzz_requests.FOLLOWING.get(name, []), changed), send("changed"))
    assert len(platform.faults()) == faults, platform.faults()[faults][:5000]
    for kind, counter in outcomes.items():
        assert sum(counter.values()) == CASES // 2, (kind, counter)
    if method.full_name not in fuzz_requests.NOT_OFFERED:
        # A fifth; a few cases are too few to tell.
        is_strict = CASES >= MANY_CASES and method.full_name not in fuzz_requests.ONLY_A_SECRET
        wanted = 0.2 * (CASES // 2) if is_strict else 1
        assert outcomes["changed"]["OK"] >= wanted, (outcomes, platform.last_refusal)


def test_bytes_that_may_be_no_message(platform: Platform) -> None:
    """Any bytes at all, and valid requests with one byte changed."""
    unary = [
        (s, m) for s, m in METHODS if not described(s, m).client_streaming and not described(s, m).server_streaming
    ]
    answered = set()

    @hypothesis.seed(SEED)
    @hypothesis.settings(SETTINGS, max_examples=5 * CASES)
    @hypothesis.given(st.sampled_from(unary), st.binary(max_size=200), st.integers(0, 10_000), st.integers(0, 255))
    def cases(which: tuple[str, str], anything: bytes, at: int, byte: int) -> None:
        service, name = which
        sent = bytearray(fuzz_requests.VALID[service][name](platform.seeds).SerializeToString())
        if sent and at % 2:
            sent[at % len(sent)] = byte
        else:
            sent = bytearray(anything)
        answered.add(platform.call_with(described(service, name), service, [bytes(sent)], repr(bytes(sent))))

    cases()
    assert "INVALID_ARGUMENT" in answered


def test_every_method_that_is_served_has_its_cases(platform: Platform) -> None:
    with_cases = {service for service, _ in METHODS}
    served = {
        name
        for name in ProtoReflectionDescriptorDatabase(platform.channel).get_services()
        if name.startswith("volantidl.")
    }
    assert served == with_cases
    for service in served:
        methods = descriptor_pool.Default().FindServiceByName(service).methods
        assert {method.name for method in methods} == set(fuzz_requests.VALID[service]), service


def test_a_normal_workflow_succeeds_afterwards(platform: Platform) -> None:
    """On the same platform, in the project that everything was done to."""
    seeds = platform.seeds
    version = seeds.fresh("after")
    seeds.admin.CreateTask(fuzz_seeds.task(fuzz_seeds.TASK, version))
    made = fuzz_seeds.workflow(fuzz_seeds.WORKFLOW, version, task_version=version)
    seeds.admin.CreateWorkflow(made)
    plan = fuzz_seeds.launch_plan(fuzz_seeds.WORKFLOW, version)
    plan.spec.workflow_id.version = version
    seeds.admin.CreateLaunchPlan(plan)
    request = fuzz_seeds.execution(seeds.fresh("after"))
    request.spec.launch_plan.version = version
    id_ = seeds.admin.CreateExecution(request).id
    seeds.await_phase(id_, fuzz_seeds.phases.WorkflowExecution.SUCCEEDED)
    data = seeds.admin.GetExecutionData(fuzz_requests.execution_pb2.WorkflowExecutionGetDataRequest(id=id_))
    assert data.full_outputs.literals["o0"] == fuzz_seeds.number(5)


def test_nothing_of_it_shows_in_the_log(platform: Platform) -> None:
    assert platform.faults() == []
