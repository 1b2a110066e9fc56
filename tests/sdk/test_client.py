"""The client's own parts: configuration, which code is uploaded, versions, calls that are tried again."""

import concurrent.futures
import importlib
import subprocess
import sys

import grpc
import pytest

from volant.cli import live, watching
from volant.client import channel, code, config, imports, packaging, tree
from volant.errors import DefinitionError, RemoteError, TimedOutError
from volant.serialization.settings import SerializationSettings
from volantidl.admin import version_pb2

FLYTES = {
    "sandbox": (
        (
            "admin:\n  endpoint: localhost:30080\n  insecure: true\n  authType: Pkce\nconsole:\n  endpoint: http://localhost:30080\n"
            "logger:\n  show-source: true\n  level: 0\nstorage:\n  connection:\n    access-key: minio\n    auth-type: accesskey\n"
        ),
        {"endpoint": "localhost:30080", "insecure": True, "console": "http://localhost:30080"},
    ),
    "cloud": (
        (
            "# For GRPC endpoints you might want to use dns:///flyte.myexample.com\nadmin:\n  endpoint: dns:///flyte.example.com\n"
            '  authType: Pkce # or ClientSecret\n  insecure: false\n  scopes: ["all"]\n  command:\n    - token\n    - --print\n'
        ),
        {"endpoint": "flyte.example.com", "insecure": False, "console": ""},
    ),
    "port": (
        'admin:\n  endpoint: "dns:///10.0.0.7:8089"\n  insecure: True\nconsole:\n  endpoint: dns:///10.0.0.7:8088\n',
        {"endpoint": "10.0.0.7:8089", "insecure": True, "console": "http://10.0.0.7:8088"},
    ),
    "skip verify": (
        "admin:\n    endpoint: flyte.internal:443\n    insecureSkipVerify: true\n    caCertFilePath: '/etc/ssl/flyte.pem'\n",
        {
            "endpoint": "flyte.internal:443",
            "insecure": False,
            "skip_verify": True,
            "ca_cert_file": "/etc/ssl/flyte.pem",
        },
    ),
    "url": ("admin:\n  endpoint: https://flyte.example.com/\n", {"endpoint": "flyte.example.com", "insecure": False}),
    "task": (
        "task:\n  project: mine\n  domain: staging\nadmin: {}\n",
        {"endpoint": config.DEFAULT_ENDPOINT, "project": "mine", "domain": "staging"},
    ),
    "empty": ("", {"endpoint": config.DEFAULT_ENDPOINT}),
}


@pytest.mark.parametrize("form", FLYTES)
def test_flytes_files(tmp_path, form):
    text, expected = FLYTES[form]
    file = tmp_path / "config.yaml"
    file.write_text(text)
    found = config.load(file, {})
    assert {name: getattr(found, name) for name in expected} == expected
    assert found.source == str(file)


def test_flytes_older_file(tmp_path):
    file = tmp_path / "config"
    file.write_text("[platform]\nurl=flyte.example.com\ninsecure=True\n[credentials]\nauth_mode=standard\n")
    found = config.load(file, {})
    assert (found.endpoint, found.insecure) == ("flyte.example.com", True)


def test_who_wins(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text('endpoint = "file:1"\nconsole = "https://pages"\nproject = "of-file"\n')
    variables = {"VOLANT_ENDPOINT": "ours:2", "FLYTE_PLATFORM_URL": "theirs:3", "FLYTE_DEFAULT_DOMAIN": "staging"}
    assert config.load(file, {}).endpoint == "file:1"
    assert config.load(file, {}).insecure is False, "without TLS only on this machine"
    found = config.load(file, variables)
    assert (found.endpoint, found.project, found.domain, found.source) == (
        "ours:2",
        "of-file",
        "staging",
        "the environment",
    )
    assert found.console == "", "the pages of another platform"
    found = config.load(file, variables, endpoint="dns:///argument:4", insecure=True, project="p")
    assert (found.endpoint, found.insecure, found.project, found.source) == ("argument:4", True, "p", "an argument")
    assert config.load(file, {"VOLANT_CONSOLE": "http://mine"}).console == "http://mine"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("c.toml", "endpont = 'x'", "did you mean 'endpoint'"),
        ("c.toml", "endpoint = 3", "endpoint is 3; expected a text"),
        ("c.toml", "insecure = 'no'", "expected true or false"),
        ("c.toml", "endpoint", "c.toml: "),
        ("c.yaml", "admin: localhost", "expected settings below it"),
        ("c.yaml", "admin\n  endpoint: x", "expected 'key: value'"),
        ("c", "no sections", "c: "),
    ],
)
def test_wrong_files(tmp_path, name, text, expected):
    (tmp_path / name).write_text(text)
    with pytest.raises(DefinitionError, match=expected):
        config.load(tmp_path / name, {})


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DefinitionError, match="which VOLANT_CONFIG names"):
        config.load(environ={"VOLANT_CONFIG": str(tmp_path / "none.toml")})


@pytest.fixture
def project(tmp_path, monkeypatch):
    files = {
        "flows_of_test/__init__.py": "",
        "flows_of_test/constants.py": "TEN = 10\n",
        "flows_of_test/lazy.py": "from . import constants\n",
        "flows_of_test/tasks.py": (
            "from volant import task\n\n@task\ndef ten() -> int:\n    from flows_of_test.lazy import constants\n"
            "    return constants.TEN\n"
        ),
        "flows_of_test/flow.py": (
            "import json\nfrom volant import LaunchPlan, task, workflow\nfrom flows_of_test import tasks\n"
            "SQL = 'query.sql'\nSECRET = '.env'\n\n@task\ndef add(a: int) -> int:\n    return a + 1\n\n"
            "@workflow\ndef flow() -> int:\n    return add(a=tasks.ten())\n\n"
            "nightly = LaunchPlan.get_or_create(flow, name='nightly_of_test')\n"
        ),
        "flows_of_test/query.sql": "SELECT 1\n",
        "flows_of_test/.env": "KEY=1\n",
        "flows_of_test/unused.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    flow = importlib.import_module("flows_of_test.flow")
    yield tmp_path, flow
    for name in [name for name in sys.modules if name.startswith("flows_of_test")]:
        del sys.modules[name]


def test_what_code_needs(project):
    root, _ = project
    found = imports.Project(root).needed_by([root / "flows_of_test" / "flow.py"])
    names = {str(file.relative_to(root / "flows_of_test")) for file in found}
    assert names == {"__init__.py", "constants.py", "lazy.py", "tasks.py", "flow.py", "query.sql"}


def test_names_that_are_made_at_run_time(project):
    root, _ = project
    plugin = root / "flows_of_test" / "plugin.py"
    plugin.write_text("import importlib\n\ndef load(name):\n    return importlib.import_module(name)\n")
    assert imports.Project(root).imports_by_name([plugin])
    assert not imports.Project(root).imports_by_name([root / "flows_of_test" / "flow.py"])


def versions(flow, copy="auto"):
    found = code.Code([flow.flow, flow.nightly], SerializationSettings(), None, copy)
    of = {"ten": flow.tasks.ten, "add": flow.add, "flow": flow.flow, "nightly": flow.nightly}
    return {name: found.version_of(one) for name, one in of.items()}


def changed(before, after):
    return {name for name in before if before[name] != after[name]}


def test_versions_change_with_the_code_and_only_then(project):
    root, flow = project
    folder = root / "flows_of_test"
    first = versions(flow)
    assert first["add"] == first["flow"] != first["ten"]
    assert versions(flow) == first
    (folder / "unused.py").write_text("X = 1\n")
    assert versions(flow) == first
    (folder / "query.sql").write_text("SELECT 2\n")
    second = versions(flow)
    assert changed(first, second) == {"add", "flow", "nightly"}
    (folder / "constants.py").write_text("TEN = 11\n")
    assert changed(second, versions(flow)) == {"ten", "add", "flow", "nightly"}


def test_versions_of_whole_folders(project):
    root, flow = project
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    first = versions(flow, "all")
    (root / "flows_of_test" / "unused.py").write_text("X = 1\n")
    assert versions(flow, "all") == first
    (root / "notes.txt").write_text("any task may read it")
    assert changed(first, versions(flow, "all")) == {"ten", "add", "flow", "nightly"}


def test_what_git_ignores_is_private(project):
    root, _ = project
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    (root / ".gitignore").write_text("*.sql\n")
    assert packaging.is_private(root, root / "flows_of_test" / "query.sql")
    assert packaging.is_private(root, root / "flows_of_test" / ".env")
    assert not packaging.is_private(root, root / "flows_of_test" / "flow.py")


class Flaky(grpc.GenericRpcHandler):
    """Answers GetVersion, after as many refusals as it is told."""

    def __init__(self):
        self.refusals = []
        self.calls = 0

    def service(self, details):
        def answer(request, context):
            self.calls += 1
            if self.refusals:
                context.abort(self.refusals.pop(0), "not now")
            context.send_initial_metadata((("volant-pages", "http://pages"),))
            return version_pb2.GetVersionResponse().SerializeToString()

        return grpc.unary_unary_rpc_method_handler(answer)


@pytest.fixture
def flaky():
    handler = Flaky()
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2), handlers=[handler])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    connection = channel.Connection(config.PlatformConfig(endpoint=f"127.0.0.1:{port}"))
    yield handler, connection
    connection.close()
    server.stop(None).wait()


def ask(connection, timeout=None):
    request = version_pb2.GetVersionRequest()
    return connection.call_for_metadata(channel.ADMIN, "GetVersion", request, version_pb2.GetVersionResponse, timeout)


def test_calls_are_tried_again(flaky):
    handler, connection = flaky
    handler.refusals = [grpc.StatusCode.UNAVAILABLE] * 3
    assert ask(connection)[1]["volant-pages"] == "http://pages"
    assert handler.calls == 4
    handler.refusals = [grpc.StatusCode.UNAVAILABLE] * 5
    ask(connection)
    assert handler.calls == 10, "who has answered once gets more time"


def test_other_failures_are_not_tried_again(flaky):
    handler, connection = flaky
    ask(connection)
    handler.refusals = [grpc.StatusCode.INTERNAL]
    with pytest.raises(RemoteError, match="not now"):
        ask(connection)
    assert handler.calls == 2


def test_calls_have_a_deadline(flaky):
    handler, connection = flaky
    ask(connection)
    handler.refusals = [grpc.StatusCode.UNAVAILABLE] * 1000
    with pytest.raises((RemoteError, TimedOutError)):
        ask(connection, timeout=0.5)
    assert handler.calls < 10


def test_a_tree_is_drawn():
    items = [
        tree.Item("n0", "load", "SUCCEEDED", 1.2),
        tree.Item("n1", "map train", "RUNNING", 75.0, elements=5, elements_done=3, elements_failed=1),
        tree.Item(
            "n2",
            "search",
            "FAILED",
            3.0,
            error="ValueError: no",
            children=[tree.Item("n2-0", "one", "SUCCEEDED", is_cached=True)],
        ),
        tree.Item("n3", "best"),
    ]
    assert watching.rows(items) == [
        "✔ n0 load  1.2 s",
        "⠋ n1 map train  3/5  1 failed  1:15",
        "✘ n2 search  3.0 s  failed",
        "       ValueError: no",
        "  ✔ n2-0 one  from the cache",
        "· n3 best",
    ]


def test_lines_are_cut_by_what_is_seen():
    assert live.cut("\x1b[32m12345\x1b[0m678", 8) == "\x1b[32m12345\x1b[0m678"
    assert live.cut("\x1b[32m12345\x1b[0m6789", 8) == "\x1b[32m12345\x1b[0m67…"
    assert live.cut("日本語", 5) == "日本…"


def test_a_flyte_is_called_by_its_own_names():
    calls = []

    class Flyte(grpc.GenericRpcHandler):
        def service(self, details):
            calls.append(details.method)
            if not details.method.startswith("/flyteidl."):
                return None

            def answer(request, context):
                return version_pb2.GetVersionResponse().SerializeToString()

            return grpc.unary_unary_rpc_method_handler(answer)

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2), handlers=[Flyte()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    connection = channel.Connection(config.PlatformConfig(endpoint=f"127.0.0.1:{port}"))
    ask(connection)
    ask(connection)
    connection.close()
    server.stop(None).wait()
    ours, theirs = "/volantidl.service.AdminService/GetVersion", "/flyteidl.service.AdminService/GetVersion"
    assert calls == [ours, theirs, theirs]


@pytest.fixture
def behind_tls(tmp_path):
    """A platform whose certificate nobody knows; its port, and the certificate's file."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2), handlers=[Flaky()])
    credentials = grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    yield f"127.0.0.1:{port}", str(certificate)
    server.stop(None).wait()


def test_tls(behind_tls):
    endpoint, certificate = behind_tls

    def reach(**settings):
        connection = channel.Connection(config.PlatformConfig(endpoint=endpoint, insecure=False, **settings))
        try:
            return ask(connection, timeout=10)
        finally:
            connection.close()

    assert reach(ca_cert_file=certificate)
    assert reach(skip_verify=True)
    with pytest.raises(RemoteError, match="its certificate is not trusted"):
        reach()
    with pytest.raises(DefinitionError, match="cannot read the certificates in /nowhere"):
        reach(ca_cert_file="/nowhere.pem")
    plain = channel.Connection(config.PlatformConfig(endpoint=endpoint, insecure=True))
    with pytest.raises(RemoteError, match="does it want TLS"):
        ask(plain, timeout=10)
    plain.close()
